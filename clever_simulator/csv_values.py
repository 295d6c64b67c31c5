"""How districts spell what Clever has one spelling for; what is not understood becomes empty."""

import re

_GRADES = {
    "InfantToddler": "it infant toddler infanttoddler",
    "Preschool": "ps pr preschool",
    "PreKindergarten": "pk prek prekindergarten -1",
    "TransitionalKindergarten": "tk transitionalkindergarten",
    "Kindergarten": "k kg kindergarten 0 00",
    "PostGraduate": "pg postgraduate",
    "Ungraded": "ug ungraded",
}
_GRADE = {word: grade for grade, words in _GRADES.items() for word in words.split()}
_RACES = {
    "Caucasian": "c w caucasian white",
    "Asian": "a asian",
    "Black or African American": "b blackorafricanamerican",
    "American Indian": "i americanindian americanindianoralaskanative",
    "Hawaiian or Other Pacific Islander": "p hawaiianorotherpacificislander",
    "Two or More Races": "m t twoormoreraces",
    "Unknown": "u unknown",
}
_RACE = {word: race for race, words in _RACES.items() for word in words.split()}
_LUNCH = {"f": "Free", "r": "Reduced", "p": "Paid", "n": "Paid", "o": "Other"}
SUBJECTS = (
    "english/language arts",
    "math",
    "science",
    "social studies",
    "language",
    "homeroom/advisory",
    "interventions/online learning",
    "technology and engineering",
    "PE and health",
    "arts and music",
    "other",
)
_SUBJECT = {subject.lower(): subject for subject in SUBJECTS}


def grade(text: str) -> str:
    """Kindergarten, 1 to 13 and so on; Other for a grade that is not understood."""
    word = re.sub(r"[\s_/-](?!\d)|grade|(?<=\d)(st|nd|rd|th)", "", text.lower()).strip()
    if re.fullmatch("0?[1-9]|1[0-3]", word):
        return str(int(word))
    return _GRADE.get(word, "Other") if word else ""


def gender(text: str) -> str:
    """M, F or X."""
    letter = text[:1].upper()
    return letter if letter and letter in "MFX" else ""


def yes_or_no(text: str) -> str:
    """Y or N."""
    return {"y": "Y", "t": "Y", "1": "Y", "n": "N", "f": "N", "0": "N"}.get(text[:1].lower(), "")


def race(text: str) -> str:
    """One of Clever's seven words."""
    return _RACE.get(re.sub(r"[^a-z]", "", text.lower()), "")


def lunch(text: str) -> str:
    """Free, Reduced, Paid or Other."""
    return _LUNCH.get(text[:1].lower(), "")


def subject(text: str) -> str:
    """One of Clever's subjects; `other` for all that it has no word for."""
    return _SUBJECT.get(text.lower(), "other") if text else ""


def birthday(text: str) -> str:
    """Month, day and year as 1/31/2012, from that or from 2012-01-31."""
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
    if iso:
        year, month, day = iso.groups()
        return f"{int(month)}/{int(day)}/{year}"
    return text if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}", text) else ""


def day(text: str) -> str:
    """A day as 2025-08-31, from that or from 8/31/2025."""
    american = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    if american:
        month, number, year = american.groups()
        return f"{year}-{int(month):02}-{int(number):02}"
    return text if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else ""
