"""Classes and their members, as pages list them. Each list takes a fixed number of queries.

For a long list, all classes are read, but teachers and class sizes only for one page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from clever_login.clever.models import Role
from clever_login.db.models import Enrollment, Person, School, Section
from clever_login.rosters import visibility
from clever_login.rosters.formatting import class_sort_key, person_sort_key
from clever_login.rosters.pagination import Page, paginate
from clever_login.rosters.viewer import Viewer

Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class ListedPerson:
    """A person in a list: name as Clever gives it, and a student's grade."""

    first: str
    last: str
    grade: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClassSummary:
    """A section. `students` is the number of students, or None if the viewer may not see it."""

    id: str
    name: str
    school: str | None
    subject: str | None
    grade: str | None
    period: str | None
    teachers: tuple[ListedPerson, ...]
    students: int | None


def list_classes(
    session: Session, viewer: Viewer, page: int = 1, *, school_id: str | None = None
) -> Page[ClassSummary]:
    """Return one page of the classes the viewer may see, by period and name.

    With `school_id`, only the classes of that school.
    """
    query = (
        _classes_query(viewer.role) if school_id is None else _classes_at_school_query(viewer.role)
    )
    rows = session.execute(query, viewer.with_values(school=school_id)).all()
    result = paginate(sorted(rows, key=lambda row: class_sort_key(row.period, row.name)), page)
    return result.with_rows(_with_teachers_and_sizes(session, viewer, result.rows))


def find_class(session: Session, viewer: Viewer, section_id: str) -> ClassSummary | None:
    """Return one class, or None if the viewer may not see it."""
    rows = session.execute(_class_query(viewer.role), viewer.with_values(section=section_id)).all()
    return next(iter(_with_teachers_and_sizes(session, viewer, rows)), None)


def list_students(
    session: Session, viewer: Viewer, section_id: str, page: int = 1
) -> Page[ListedPerson]:
    """Return one page of a class's students, by last name."""
    rows = session.execute(_students_query(viewer.role), viewer.with_values(sections=[section_id]))
    students = [ListedPerson(first=first, last=last, grade=grade) for first, last, grade in rows]
    return paginate(_sort_by_last_name(students), page)


def _with_teachers_and_sizes(
    session: Session, viewer: Viewer, rows: Sequence[Row[*tuple[Any, ...]]]
) -> list[ClassSummary]:
    """Add the teachers and, unless the viewer is a student, the number of students."""
    if not rows:
        return []
    parameters = viewer.with_values(sections=[row.id for row in rows])
    teachers: dict[str, list[ListedPerson]] = defaultdict(list)
    for section_id, first, last in session.execute(_teachers_query(viewer.role), parameters):
        teachers[section_id].append(ListedPerson(first=first, last=last))
    shows_sizes = viewer.role is not Role.STUDENT
    sizes: dict[str, int] = {}
    if shows_sizes:
        sizes.update(session.execute(_class_sizes_query(viewer.role), parameters).all())
    return [
        ClassSummary(
            id=row.id,
            name=row.name,
            school=row.school,
            subject=row.subject,
            grade=row.grade,
            period=row.period,
            teachers=tuple(_sort_by_last_name(teachers[row.id])),
            students=sizes.get(row.id, 0) if shows_sizes else None,
        )
        for row in rows
    ]


@cache
def _classes_query(role: Role | None) -> Query:
    is_school = (
        (School.id == Section.school_id)
        & (School.district_id == Section.district_id)
        & School.archived_at.is_(None)
    )
    columns = (Section.id, Section.name, Section.subject, Section.grade, Section.period)
    query = select(*columns, School.name.label("school")).outerjoin(School, is_school)
    return query.where(visibility.section_is_visible(role))


@cache
def _classes_at_school_query(role: Role | None) -> Query:
    return _classes_query(role).where(Section.school_id == bindparam("school"))


@cache
def _class_query(role: Role | None) -> Query:
    return _classes_query(role).where(Section.id == bindparam("section"))


@cache
def _teachers_query(role: Role | None) -> Query:
    return _members_query(role, Role.TEACHER).with_only_columns(
        Enrollment.section_id, Person.first_name, Person.last_name
    )


@cache
def _students_query(role: Role | None) -> Query:
    return _members_query(role, Role.STUDENT).with_only_columns(
        Person.first_name, Person.last_name, Person.grade
    )


@cache
def _class_sizes_query(role: Role | None) -> Query:
    members = _members_query(role, Role.STUDENT).group_by(Enrollment.section_id)
    return members.with_only_columns(Enrollment.section_id, func.count())


def _members_query(role: Role | None, member_role: Role) -> Query:
    """Members of some of the classes that the viewer may see."""
    in_sections = Enrollment.section_id.in_(bindparam("sections", expanding=True))
    return visibility.visible_members(role, member_role).where(in_sections)


def _sort_by_last_name(people: Collection[ListedPerson]) -> list[ListedPerson]:
    return sorted(people, key=lambda person: person_sort_key(person.last, person.first))
