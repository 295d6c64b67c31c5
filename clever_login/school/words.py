"""Grades and times as the pages say them, in the language of the request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask_babel import format_timedelta
from flask_babel import lazy_gettext as _

GRADES = {
    "InfantToddler": _("Infants and toddlers"),
    "Preschool": _("Preschool"),
    "PreKindergarten": _("Prekindergarten"),
    "TransitionalKindergarten": _("Transitional kindergarten"),
    "Kindergarten": _("Kindergarten"),
    "PostGraduate": _("After grade 12"),
    "Ungraded": _("Ungraded"),
    "Other": _("Other"),
}
SHORT = {
    "InfantToddler": _("Infants"),
    "PreKindergarten": _("Pre-K"),
    "TransitionalKindergarten": _("TK"),
    "Kindergarten": _("K"),
    "PostGraduate": _("12+"),
}
NUMBERED = _("Grade %(number)s")


def grade(code: str) -> str:
    """A grade on its own: Grade 7, Kindergarten; a word of the district's own as it is."""
    return str(NUMBERED) % {"number": code} if code.isdecimal() else str(GRADES.get(code, code))


def short_grade(code: str | None) -> str:
    """A grade where it is said that it is one, or little room is: 7, K."""
    return str(SHORT.get(code or "") or GRADES.get(code or "", code or ""))


def ago(time: datetime) -> str:
    """How long ago something was: 3 hours ago; never "in 2 minutes", by another machine's clock."""
    passed = max(datetime.now(UTC) - time, timedelta(seconds=1))
    return str(format_timedelta(-passed, "minute", add_direction=True))


FILTERS = {"grade": grade, "short_grade": short_grade, "ago": ago}
