"""The public roster queries. Each of them returns only what its viewer may see.

`viewer` is the logged-in user in their current role, unless another one is passed. Nobody logged
in is a 401. `page` and `size` out of range become the nearest possible value (`size`: 1 to 200).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection

from clever_login.clever.models import Role
from clever_login.clever.parsing import is_valid_id
from clever_login.db.database import database
from clever_login.rosters import class_queries, people_queries, school_queries
from clever_login.rosters.district_status import SyncStatus, load_sync_status
from clever_login.rosters.pagination import PAGE_SIZE, Page, paginate
from clever_login.rosters.records import (
    District,
    GradeCount,
    NotVisible,
    Person,
    School,
    Section,
)
from clever_login.rosters.viewers import Viewer, current_viewer

_open_connection: ContextVar[Connection | None] = ContextVar("roster_connection", default=None)


def sections(
    *,
    school: str | None = None,
    viewer: Viewer | None = None,
    page: int = 1,
    size: int = PAGE_SIZE,
) -> Page[Section]:
    """Return the viewer's classes; with `school`, only those of that school.

    First come classes whose term has not ended, by period and name, then earlier ones, by term.

    Raises NotVisible if the viewer may not see the school.
    """
    viewer = viewer or current_viewer()
    with roster_connection() as connection:
        if school is not None:
            _check_id(school)
        rows = class_queries.list_sections(connection, viewer, page, size, school_id=school)
        if school is not None and not rows:
            _check_school(connection, viewer, school)
        return rows


def section(id: str, *, viewer: Viewer | None = None) -> Section:  # noqa: A002 # the public name
    """Return one class. Raises NotVisible if the viewer may not see it."""
    viewer = viewer or current_viewer()
    _check_id(id)
    with roster_connection() as connection:
        row = class_queries.find_section(connection, viewer, id)
    if row is None:
        raise NotVisible
    return row


def students(
    section_id: str, *, viewer: Viewer | None = None, page: int = 1, size: int = PAGE_SIZE
) -> Page[Person]:
    """Return the students of a class, by last name. For a student, the list is empty.

    Raises NotVisible if the viewer may not see the class.
    """
    viewer = viewer or current_viewer()
    _check_id(section_id)
    with roster_connection() as connection:
        rows = class_queries.list_students(connection, viewer, section_id)
        if not rows:
            _check_section(connection, viewer, section_id)
    return paginate(rows, page, size)


def teachers(section_id: str, *, viewer: Viewer | None = None) -> tuple[Person, ...]:
    """Return the teachers of a class, by last name.

    Raises NotVisible if the viewer may not see the class.
    """
    viewer = viewer or current_viewer()
    _check_id(section_id)
    with roster_connection() as connection:
        rows = class_queries.list_teachers(connection, viewer, [section_id])[section_id]
        if not rows:
            _check_section(connection, viewer, section_id)
    return tuple(rows)


def teachers_by_section(
    section_ids: Collection[str], *, viewer: Viewer | None = None
) -> dict[str, tuple[Person, ...]]:
    """Return the teachers of several classes, by last name, in one query.

    A class that the viewer may not see has none.
    """
    viewer = viewer or current_viewer()
    well_formed = [section_id for section_id in section_ids if is_valid_id(section_id)]
    with roster_connection() as connection:
        rows_by_section = class_queries.list_teachers(connection, viewer, well_formed)
    return {section_id: tuple(rows_by_section[section_id]) for section_id in section_ids}


def schools(
    *, counts: bool = False, viewer: Viewer | None = None, page: int = 1, size: int = PAGE_SIZE
) -> Page[School]:
    """Return the schools where the viewer is staff, or of their whole district, by name.

    With `counts`, each has its numbers of students, teachers, and classes. Empty for students and
    teachers: `Section.school` names the schools of their classes.
    """
    viewer = viewer or current_viewer()
    with roster_connection() as connection:
        return school_queries.list_schools(connection, viewer, page, size, counts=counts)


def school(id: str, *, counts: bool = False, viewer: Viewer | None = None) -> School:  # noqa: A002 # the public name
    """Return one of `schools`. Raises NotVisible if it is none of the viewer's."""
    viewer = viewer or current_viewer()
    _check_id(id)
    with roster_connection() as connection:
        row = school_queries.find_school(connection, viewer, id, counts=counts)
    if row is None:
        raise NotVisible
    return row


def district(*, viewer: Viewer | None = None) -> District:
    """Return the district with its numbers. Raises NotVisible unless the viewer sees all of it."""
    viewer = viewer or current_viewer()
    with roster_connection() as connection:
        row = school_queries.find_district(connection, viewer)
    if row is None:
        raise NotVisible
    return row


def students_by_grade(
    *, school: str | None = None, viewer: Viewer | None = None
) -> list[GradeCount]:
    """Return the number of students per grade, of one school or of all that the viewer sees.

    A student at two schools counts once. Empty for students and teachers, and for a school that is
    none of the viewer's.
    """
    viewer = viewer or current_viewer()
    if school is not None:
        _check_id(school)
    with roster_connection() as connection:
        return school_queries.count_students_by_grade(connection, viewer, school_id=school)


def sync_status(*, viewer: Viewer | None = None) -> SyncStatus:
    """Return when the viewer's district was last synced, and what blocks its sync."""
    viewer = viewer or current_viewer()
    with roster_connection() as connection:
        return load_sync_status(connection, viewer)


def people(
    *,
    search: str = "",
    role: Role | None = None,
    school: str | None = None,
    viewer: Viewer | None = None,
    page: int = 1,
    size: int = PAGE_SIZE,
) -> Page[Person]:
    """Return the people whom the viewer may see, by last name.

    These are the members of their classes; for staff also everybody at their schools, and for a
    district administrator or an operator everybody in the district. A student sees no students.
    `search` is the start of a first or last name, in any case. `role` and `school` together mean
    that role at that school. Raises NotVisible if the viewer may not see the school.
    """
    viewer = viewer or current_viewer()
    role = None if role is None else Role(role)  # a view may pass text
    with roster_connection() as connection:
        if school is not None:
            _check_id(school)
            _check_school(connection, viewer, school)
        return people_queries.list_people(
            connection, viewer, page, size, search=search, role=role, school_id=school
        )


@contextmanager
def roster_connection() -> Iterator[Connection]:
    """Run the block in one read-only transaction, which the public functions inside it share."""
    if shared := _open_connection.get():
        yield shared
        return
    with database().read() as connection:
        token = _open_connection.set(connection)
        try:
            yield connection
        finally:
            _open_connection.reset(token)


def _check_id(value: str) -> None:
    """Raise NotVisible for a malformed id. PostgreSQL rejects some texts (NUL)."""
    if not is_valid_id(value):
        raise NotVisible


def _check_section(connection: Connection, viewer: Viewer, section_id: str) -> None:
    if not class_queries.has_section(connection, viewer, section_id):
        raise NotVisible


def _check_school(connection: Connection, viewer: Viewer, school_id: str) -> None:
    if not school_queries.has_school(connection, viewer, school_id):
        raise NotVisible
