"""Classes and their members. Each list takes a fixed number of queries.

For a long list, all classes are read, but teachers and class sizes only for one page.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from clever_login.clever.models import Role
from clever_login.db.models import Course, Enrollment, School, Section, Term
from clever_login.rosters import records, visibility
from clever_login.rosters.formatting import class_sort_key, person_sort_key
from clever_login.rosters.pagination import Page, paginate
from clever_login.rosters.people_queries import person_columns, to_person
from clever_login.rosters.viewers import Viewer, ViewerRole

Query = Select[*tuple[Any, ...]]


def list_sections(
    connection: Connection, viewer: Viewer, page: int, size: int, *, school_id: str | None = None
) -> Page[records.Section]:
    """Return one page of the classes the viewer may see: first those whose term has not ended.

    They are ordered by period and name, and earlier classes first by term, the latest first. With
    `school_id`, only the classes of that school.
    """
    query = (
        _classes_query(viewer.role) if school_id is None else _classes_at_school_query(viewer.role)
    )
    rows = connection.execute(query, viewer.with_values(school=school_id)).all()
    ordered = sorted(rows, key=_list_order)
    result = paginate(ordered, page, size)
    return result.with_rows(_with_sizes(connection, viewer, result.rows))


def find_section(connection: Connection, viewer: Viewer, section_id: str) -> records.Section | None:
    """Return one class, or None if the viewer may not see it."""
    rows = connection.execute(_class_query(viewer.role), viewer.with_values(section=section_id))
    return next(iter(_with_sizes(connection, viewer, rows.all())), None)


def has_section(connection: Connection, viewer: Viewer, section_id: str) -> bool:
    """Whether the viewer may see a class."""
    rows = connection.execute(_class_query(viewer.role), viewer.with_values(section=section_id))
    return rows.first() is not None


def list_students(connection: Connection, viewer: Viewer, section_id: str) -> list[records.Person]:
    """Return the students of a class that the viewer may see, by last name."""
    return _members(connection, viewer, Role.STUDENT, [section_id])[section_id]


def list_teachers(
    connection: Connection, viewer: Viewer, section_ids: Collection[str]
) -> dict[str, list[records.Person]]:
    """Return the teachers of each of these classes that the viewer may see, by last name."""
    return _members(connection, viewer, Role.TEACHER, section_ids)


def _list_order(row: Any) -> tuple[int, tuple[bool, str, str]]:
    days_since_year_1 = row.term_end.toordinal() if records.has_ended(row.term_end) else sys.maxsize
    return -days_since_year_1, class_sort_key(row.period, row.name)


def _members(
    connection: Connection, viewer: Viewer, member_role: Role, section_ids: Collection[str]
) -> dict[str, list[records.Person]]:
    members: dict[str, list[records.Person]] = defaultdict(list)
    if section_ids:
        query = _people_in_sections_query(viewer.role, member_role)
        rows = connection.execute(query, viewer.with_values(sections=[*section_ids]))
        for row in rows:
            members[row.section_id].append(to_person(row))
    for people in members.values():
        people.sort(key=lambda person: person_sort_key(person.last_name, person.first_name))
    return members


def _with_sizes(
    connection: Connection, viewer: Viewer, rows: Sequence[Row[*tuple[Any, ...]]]
) -> list[records.Section]:
    """Add the number of students, unless the viewer is a student."""
    shows_sizes = viewer.role is not Role.STUDENT
    sizes: dict[str, int] = {}
    if shows_sizes and rows:
        parameters = viewer.with_values(sections=[row.id for row in rows])
        sizes.update(connection.execute(_class_sizes_query(viewer.role), parameters).all())
    return [
        records.Section(**row._asdict(), students=sizes.get(row.id, 0) if shows_sizes else None)
        for row in rows
    ]


@cache
def _classes_query(role: ViewerRole) -> Query:
    # An archived term still says when its classes meet. Clever gives terms new ids, and a section
    # refers to the former one until its next update.
    is_term = (Term.id == Section.term_id) & (Term.district_id == Section.district_id)
    is_course = (Course.id == Section.course_id) & (Course.district_id == Section.district_id)
    columns = (Section.id, Section.name, Section.subject, Section.grade, Section.period)
    dates = (Term.start_date.label("term_start"), Term.end_date.label("term_end"))
    names = (
        Term.name.label("term"),
        Course.name.label("course"),
        School.id.label("school_id"),
        School.name.label("school"),
    )
    query = select(*columns, *dates, *names).select_from(Section).outerjoin(Term, is_term)
    query = query.outerjoin(Course, is_course)
    query = query.outerjoin(School, visibility.is_school_of_section())
    return query.where(visibility.section_is_visible(role))


@cache
def _classes_at_school_query(role: ViewerRole) -> Query:
    at_school = (Section.school_id == bindparam("school")) & School.id.is_not(None)
    return _classes_query(role).where(at_school)


@cache
def _class_query(role: ViewerRole) -> Query:
    return _classes_query(role).where(Section.id == bindparam("section"))


@cache
def _people_in_sections_query(role: ViewerRole, member_role: Role) -> Query:
    members = _members_query(role, member_role)
    return members.with_only_columns(Enrollment.section_id, *person_columns(role))


@cache
def _class_sizes_query(role: ViewerRole) -> Query:
    members = _members_query(role, Role.STUDENT).group_by(Enrollment.section_id)
    return members.with_only_columns(Enrollment.section_id, func.count())


def _members_query(role: ViewerRole, member_role: Role) -> Query:
    """Members of some of the classes that the viewer may see."""
    in_sections = Enrollment.section_id.in_(bindparam("sections", expanding=True))
    return visibility.visible_members(role, member_role).where(in_sections)
