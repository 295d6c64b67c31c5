"""The library's database, for a product that keeps its own tables in it.

The names in `__all__` are public, see docs/library.md. `begin` and `engine` need an application
context.
"""

from __future__ import annotations

from clever_login.database.access import begin, engine, read
from clever_login.database.features import add_tables
from clever_login.database.shared_names import (
    PERSON_ID,
    SCHOOL_ID,
    SECTION_ID,
    include_object,
)

__all__ = [
    "PERSON_ID",
    "SCHOOL_ID",
    "SECTION_ID",
    "add_tables",
    "begin",
    "engine",
    "include_object",
    "read",
]
