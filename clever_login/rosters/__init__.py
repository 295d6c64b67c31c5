"""Rosters: who may see which classes, schools, and people, and the pages that show them.

The names in `__all__` are public, see docs/library.md. Each name is imported at its first use, so
importing this package loads no database code.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clever_login.rosters.district_status import SyncStatus
    from clever_login.rosters.pagination import Page
    from clever_login.rosters.queries import (
        district,
        people,
        school,
        schools,
        section,
        sections,
        students,
        students_by_grade,
        sync_status,
        teachers,
        teachers_by_section,
    )
    from clever_login.rosters.records import (
        District,
        GradeCount,
        NotVisible,
        Person,
        School,
        Section,
    )
    from clever_login.rosters.viewers import Viewer, operator, viewer

__all__ = [
    "District",
    "GradeCount",
    "NotVisible",
    "Page",
    "Person",
    "School",
    "Section",
    "SyncStatus",
    "Viewer",
    "district",
    "operator",
    "people",
    "school",
    "schools",
    "section",
    "sections",
    "students",
    "students_by_grade",
    "sync_status",
    "teachers",
    "teachers_by_section",
    "viewer",
]
# No module may have the name of a public function: importing it would replace the function.
_MODULES = {
    "district_status": ("SyncStatus",),
    "pagination": ("Page",),
    "queries": (
        "district",
        "people",
        "school",
        "schools",
        "section",
        "sections",
        "students",
        "students_by_grade",
        "sync_status",
        "teachers",
        "teachers_by_section",
    ),
    "records": ("District", "GradeCount", "NotVisible", "Person", "School", "Section"),
    "viewers": ("Viewer", "operator", "viewer"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
