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
    found = session.execute(query, viewer.with_values(school=school_id)).all()
    shown = paginate(sorted(found, key=lambda each: class_sort_key(each.period, each.name)), page)
    return shown.of(_with_teachers_and_sizes(session, viewer, shown.rows))


def find_class(session: Session, viewer: Viewer, section_id: str) -> ClassSummary | None:
    """Return one class, or None if the viewer may not see it."""
    found = session.execute(_class_query(viewer.role), viewer.with_values(section=section_id)).all()
    return next(iter(_with_teachers_and_sizes(session, viewer, found)), None)


def list_students(
    session: Session, viewer: Viewer, section_id: str, page: int = 1
) -> Page[ListedPerson]:
    """Return one page of a class's students, by last name."""
    found = session.execute(_students_query(viewer.role), viewer.with_values(sections=[section_id]))
    names = [ListedPerson(first=first, last=last, grade=grade) for first, last, grade in found]
    return paginate(_sort_by_last_name(names), page)


def _with_teachers_and_sizes(
    session: Session, viewer: Viewer, rows: Sequence[Row[*tuple[Any, ...]]]
) -> list[ClassSummary]:
    """Add the teachers and, unless the viewer is a student, the number of students."""
    if not rows:
        return []
    seen = viewer.with_values(sections=[each.id for each in rows])
    teachers: dict[str, list[ListedPerson]] = defaultdict(list)
    for section_id, first, last in session.execute(_teachers_query(viewer.role), seen):
        teachers[section_id].append(ListedPerson(first=first, last=last))
    counted = viewer.role is not Role.STUDENT
    sizes: dict[str, int] = {}
    if counted:
        sizes.update(session.execute(_class_sizes_query(viewer.role), seen).all())
    return [
        ClassSummary(
            id=each.id,
            name=each.name,
            school=each.school,
            subject=each.subject,
            grade=each.grade,
            period=each.period,
            teachers=tuple(_sort_by_last_name(teachers[each.id])),
            students=sizes.get(each.id, 0) if counted else None,
        )
        for each in rows
    ]


@cache
def _classes_query(role: Role | None) -> Query:
    school = (
        (School.id == Section.school_id)
        & (School.district_id == Section.district_id)
        & School.archived_at.is_(None)
    )
    told = (Section.id, Section.name, Section.subject, Section.grade, Section.period)
    seen = select(*told, School.name.label("school")).outerjoin(School, school)
    return seen.where(visibility.section_is_visible(role))


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
    counted = _members_query(role, Role.STUDENT).group_by(Enrollment.section_id)
    return counted.with_only_columns(Enrollment.section_id, func.count())


def _members_query(role: Role | None, seated: Role) -> Query:
    """Members of some of the classes that the viewer may see."""
    some = Enrollment.section_id.in_(bindparam("sections", expanding=True))
    return visibility.visible_members(role, seated).where(some)


def _sort_by_last_name(names: Collection[ListedPerson]) -> list[ListedPerson]:
    return sorted(names, key=lambda each: person_sort_key(each.last, each.first))
