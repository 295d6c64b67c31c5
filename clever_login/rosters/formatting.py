"""Grades and times as the pages say them, in the language of the request.

In which order people, classes, schools and grades stand in a list, on any database.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from flask_babel import format_timedelta
from flask_babel import lazy_gettext as _

GRADE_LABELS = {
    "InfantToddler": _("Infants and toddlers"),
    "Preschool": _("Preschool"),
    "PreKindergarten": _("Prekindergarten"),
    "TransitionalKindergarten": _("Transitional kindergarten"),
    "Kindergarten": _("Kindergarten"),
    "PostGraduate": _("After grade 12"),
    "Ungraded": _("Ungraded"),
    "Other": _("Other"),
}
SHORT_GRADE_LABELS = {
    "InfantToddler": _("Infants"),
    "PreKindergarten": _("Pre-K"),
    "TransitionalKindergarten": _("TK"),
    "Kindergarten": _("K"),
    "PostGraduate": _("12+"),
}
NUMBERED_GRADE_LABEL = _("Grade %(number)s")


def grade_label(code: str) -> str:
    """A grade on its own: Grade 7, Kindergarten; a word of the district's own as it is."""
    return (
        str(NUMBERED_GRADE_LABEL) % {"number": code}
        if code.isdecimal()
        else str(GRADE_LABELS.get(code, code))
    )


def short_grade_label(code: str | None) -> str:
    """A grade where it is said that it is one, or little room is: 7, K."""
    return str(SHORT_GRADE_LABELS.get(code or "") or GRADE_LABELS.get(code or "", code or ""))


def time_ago(time: datetime) -> str:
    """How long ago something was: 3 hours ago; never "in 2 minutes", by another machine's clock."""
    passed = max(datetime.now(UTC) - time, timedelta(seconds=1))
    return str(format_timedelta(-passed, "minute", add_direction=True))


TEMPLATE_FILTERS = {"grade": grade_label, "short_grade": short_grade_label, "ago": time_ago}

# Clever's words for a grade, from the youngest on.
GRADE_ORDER = (
    "InfantToddler",
    "Preschool",
    "PreKindergarten",
    "TransitionalKindergarten",
    "Kindergarten",
    *map(str, range(1, 14)),
    "PostGraduate",
    "Ungraded",
    "Other",
)


def name_sort_key(name: str) -> str:
    """A text as it is looked for in a list: Ñandú beside Nandu, and School 2 before School 10.

    Databases do not agree on it.
    """
    letters = name.casefold()
    if not letters.isascii():
        plain = unicodedata.normalize("NFKD", letters)
        letters = "".join(each for each in plain if not unicodedata.combining(each))
    return re.sub(r"\d+", lambda number: number[0].zfill(9), letters)


def person_sort_key(last: str, first: str) -> tuple[str, str]:
    """A person in a class list."""
    return name_sort_key(last), name_sort_key(first)


def class_sort_key(period: str | None, name: str) -> tuple[bool, str, str]:
    """A class in a day: period 2 before period 10, and who has none last."""
    return not period, name_sort_key(period or ""), name_sort_key(name)
