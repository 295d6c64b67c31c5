"""Labels of grades and times in the request's language, and sort keys for lists.

The sort keys give the same order on every database.
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
    """Return a grade's label, such as "Grade 7" or "Kindergarten"; unknown words as they are."""
    return (
        str(NUMBERED_GRADE_LABEL) % {"number": code}
        if code.isdecimal()
        else str(GRADE_LABELS.get(code, code))
    )


def short_grade_label(code: str | None) -> str:
    """Return a short label, such as "7" or "K", for narrow places or under a "Grade" heading."""
    return str(SHORT_GRADE_LABELS.get(code or "") or GRADE_LABELS.get(code or "", code or ""))


def time_ago(time: datetime) -> str:
    """Return how long ago a time was, such as "3 hours ago". Times in the future count as now."""
    passed = max(datetime.now(UTC) - time, timedelta(seconds=1))
    return str(format_timedelta(-passed, "minute", add_direction=True))


TEMPLATE_FILTERS = {"grade": grade_label, "short_grade": short_grade_label, "ago": time_ago}

# Clever's grade values, youngest first.
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


_NUMBER_PATTERN = re.compile(r"\d+")


def name_sort_key(name: str) -> str:
    """Sort key of a name: Ñandú next to Nandu, and School 2 before School 10.

    Computed here because databases sort text differently.
    """
    letters = name.casefold()
    if not letters.isascii():
        plain = unicodedata.normalize("NFKD", letters)
        letters = "".join(character for character in plain if not unicodedata.combining(character))
    return _NUMBER_PATTERN.sub(lambda number: number[0].zfill(9), letters)


def person_sort_key(last: str, first: str) -> tuple[str, str]:
    """Sort key of a person in a class list: last name, first name."""
    return name_sort_key(last), name_sort_key(first)


def class_sort_key(period: str | None, name: str) -> tuple[bool, str, str]:
    """Sort key of a class: by period (2 before 10), classes without a period last, then by name."""
    return not period, name_sort_key(period or ""), name_sort_key(name)
