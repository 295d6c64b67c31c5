"""In which order people, classes, schools and grades stand in a list, on any database."""

from __future__ import annotations

import re
import unicodedata

# Clever's words for a grade, from the youngest on.
GRADES = (
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


def by_name(name: str) -> str:
    """A text as it is looked for in a list: Ñandú beside Nandu, and School 2 before School 10.

    Databases do not agree on it.
    """
    letters = name.casefold()
    if not letters.isascii():
        plain = unicodedata.normalize("NFKD", letters)
        letters = "".join(each for each in plain if not unicodedata.combining(each))
    return re.sub(r"\d+", lambda number: number[0].zfill(9), letters)


def by_last_name(last: str, first: str) -> tuple[str, str]:
    """A person in a class list."""
    return by_name(last), by_name(first)


def by_period(period: str | None, name: str) -> tuple[bool, str, str]:
    """A class in a day: period 2 before period 10, and who has none last."""
    return not period, by_name(period or ""), by_name(name)
