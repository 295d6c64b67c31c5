"""Normalizes CSV values to Clever's spelling and maps CSV columns to record fields.

Most values that are not recognized become empty.
"""

from __future__ import annotations

import re
from typing import Any

from clever_simulator.directory.csv_reader import Row

_GRADE_SPELLINGS = {
    "InfantToddler": "it infant toddler infanttoddler",
    "Preschool": "ps pr preschool",
    "PreKindergarten": "pk prek prekindergarten -1",
    "TransitionalKindergarten": "tk transitionalkindergarten",
    "Kindergarten": "k kg kindergarten 0 00",
    "PostGraduate": "pg postgraduate",
    "Ungraded": "ug ungraded",
}
_GRADE_BY_SPELLING = {
    word: grade for grade, words in _GRADE_SPELLINGS.items() for word in words.split()
}
_RACE_SPELLINGS = {
    "Caucasian": "c w caucasian white",
    "Asian": "a asian",
    "Black or African American": "b blackorafricanamerican",
    "American Indian": "i americanindian americanindianoralaskanative",
    "Hawaiian or Other Pacific Islander": "p hawaiianorotherpacificislander",
    "Two or More Races": "m t twoormoreraces",
    "Unknown": "u unknown",
}
_RACE_BY_SPELLING = {
    word: race for race, words in _RACE_SPELLINGS.items() for word in words.split()
}
_LUNCH_STATUS_BY_LETTER = {"f": "Free", "r": "Reduced", "p": "Paid", "n": "Paid", "o": "Other"}
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
_SUBJECT_BY_SPELLING = {subject.lower(): subject for subject in SUBJECTS}


def parse_grade(text: str) -> str:
    """Returns Kindergarten, 1 to 13 and so on; Other for an unrecognized grade."""
    word = re.sub(r"[\s_/-](?!\d)|grade|(?<=\d)(st|nd|rd|th)", "", text.lower()).strip()
    if re.fullmatch("0?[1-9]|1[0-3]", word):
        return str(int(word))
    return _GRADE_BY_SPELLING.get(word, "Other") if word else ""


def parse_gender(text: str) -> str:
    """Returns M, F or X, or an empty string."""
    letter = text[:1].upper()
    return letter if letter and letter in "MFX" else ""


def parse_yes_or_no(text: str) -> str:
    """Returns Y or N, or an empty string."""
    return {"y": "Y", "t": "Y", "1": "Y", "n": "N", "f": "N", "0": "N"}.get(text[:1].lower(), "")


def parse_race(text: str) -> str:
    """Returns one of Clever's seven race values, or an empty string."""
    return _RACE_BY_SPELLING.get(re.sub(r"[^a-z]", "", text.lower()), "")


def parse_lunch_status(text: str) -> str:
    """Returns Free, Reduced, Paid or Other, or an empty string."""
    return _LUNCH_STATUS_BY_LETTER.get(text[:1].lower(), "")


def parse_subject(text: str) -> str:
    """Returns one of Clever's subjects; `other` if Clever has no such subject."""
    return _SUBJECT_BY_SPELLING.get(text.lower(), "other") if text else ""


def parse_birthday(text: str) -> str:
    """Returns a date as 1/31/2012, from that format or from 2012-01-31, or an empty string."""
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
    if iso:
        year, month, day = iso.groups()
        return f"{int(month)}/{int(day)}/{year}"
    return text if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}", text) else ""


def parse_day(text: str) -> str:
    """Returns a date as 2025-08-31, from that format or from 8/31/2025, or an empty string."""
    american = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    if american:
        month, number, year = american.groups()
        return f"{year}-{int(month):02}-{int(number):02}"
    return text if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else ""


def school_fields(row: Row) -> dict[str, Any]:
    """Returns the fields of a school's record other than name and grades."""
    return {
        "sis_id": row.get("School_id"),
        "school_number": row.get("School_number"),
        "state_id": row.get("State_id"),
        "nces_id": "",
        "mdr_number": "",
        "phone": row.get("School_phone"),
        "principal": {"name": row.get("Principal"), "email": row.get("Principal_email")},
        "location": _location_field(row, "School", "address"),
    }


def student_fields(row: Row) -> dict[str, Any]:
    """Returns the fields of a student's record other than name, email and schools."""
    return _credentials_field(row) | {
        "sis_id": row.get("Student_id"),
        "student_number": row.get("Student_number"),
        "state_id": row.get("State_id"),
        "grade": parse_grade(row.get("Grade")),
        "gender": parse_gender(row.get("Gender")),
        "graduation_year": row.get("Graduation_year"),
        "dob": parse_birthday(row.get("DOB")) or None,
        "race": parse_race(row.get("Race")),
        "hispanic_ethnicity": parse_yes_or_no(row.get("Hispanic_Latino")),
        "home_language": row.get("Home_language") or None,
        "home_language_code": None,
        "ell_status": parse_yes_or_no(row.get("Ell_status")),
        "frl_status": parse_lunch_status(row.get("Frl_status")),
        "iep_status": parse_yes_or_no(row.get("IEP_status")),
        "location": _location_field(row, "Student", "street"),
    }


def teacher_fields(row: Row) -> dict[str, Any]:
    """Returns the fields of a teacher's record other than name, email and schools."""
    return _credentials_field(row) | {
        "sis_id": row.get("Teacher_id"),
        "teacher_number": row.get("Teacher_number"),
        "state_id": row.get("State_teacher_id"),
        "title": row.get("Title"),
    }


def staff_fields(row: Row) -> dict[str, Any]:
    """Returns the fields of a staff record other than name, email and schools."""
    lead = row.get("Role").lower().replace(" ", "") == "schooltechlead"
    return _credentials_field(row) | {
        "staff_id": row.get("Staff_id"),
        "title": row.get("Title"),
        "department": row.get("Department"),
        "roles": ["SchoolTechLead"] if lead else [],
    }


def section_fields(row: Row) -> dict[str, Any]:
    """Returns the fields of a section's record other than name, subject, people and period."""
    return {
        "sis_id": row.get("Section_id"),
        "section_number": row.get("Section_number"),
        "course_name": row.get("Course_name"),
        "course_number": row.get("Course_number"),
        "course_description": row.get("Course_description"),
        "term": {
            "name": row.get("Term_name"),
            "start_date": parse_day(row.get("Term_start")),
            "end_date": parse_day(row.get("Term_end")),
        },
    }


def _credentials_field(row: Row) -> dict[str, Any]:
    name = row.get("Username")
    return {"credentials": {"district_username": name}} if name else {}


def _location_field(row: Row, prefix: str, street: str) -> dict[str, str]:
    columns = {"address": street, "city": "city", "state": "state", "zip": "zip"}
    location = {name: row.get(f"{prefix}_{column}") for name, column in columns.items()}
    return location | {"lat": "", "lon": ""}
