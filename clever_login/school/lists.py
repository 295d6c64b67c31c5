"""Classes and the people in them, as the pages list them: each list a fixed number of queries.

Of a long list all classes are read, and who is in them of one page alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import visibility
from clever_login.school.order import by_last_name, by_period
from clever_login.school.paged import Paged, cut
from clever_login.school.tables import Enrolment, Person, School, Section
from clever_login.school.viewer import Viewer

Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Name:
    """A person in a list: what Clever calls them, and a student's grade."""

    first: str
    last: str
    grade: str | None = None


@dataclass(frozen=True, kw_only=True)
class Class:
    """A section: `students` says how many, None for whom that is not meant."""

    id: str
    name: str
    school: str | None
    subject: str | None
    grade: str | None
    period: str | None
    teachers: tuple[Name, ...]
    students: int | None


def classes(
    session: Session, viewer: Viewer, page: int = 1, *, school_id: str | None = None
) -> Paged[Class]:
    """The classes that one may see, by period and name; those of one school where it is given."""
    query = _classes(viewer.role) if school_id is None else _classes_at(viewer.role)
    found = session.execute(query, viewer.with_values(school=school_id)).all()
    shown = cut(sorted(found, key=lambda each: by_period(each.period, each.name)), page)
    return shown.of(_whole(session, viewer, shown.rows))


def one_class(session: Session, viewer: Viewer, section_id: str) -> Class | None:
    """One class, or None where it is not for this person's eyes."""
    found = session.execute(_class(viewer.role), viewer.with_values(section=section_id)).all()
    return next(iter(_whole(session, viewer, found)), None)


def students(session: Session, viewer: Viewer, section_id: str, page: int = 1) -> Paged[Name]:
    """The students of a class, by last name."""
    found = session.execute(_students(viewer.role), viewer.with_values(sections=[section_id]))
    names = [Name(first=first, last=last, grade=grade) for first, last, grade in found]
    return cut(_sorted(names), page)


def _whole(session: Session, viewer: Viewer, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Class]:
    """These classes with their teachers and, for whom that is meant, how many students."""
    if not rows:
        return []
    seen = viewer.with_values(sections=[each.id for each in rows])
    teachers: dict[str, list[Name]] = defaultdict(list)
    for section_id, first, last in session.execute(_teachers(viewer.role), seen):
        teachers[section_id].append(Name(first=first, last=last))
    counted = viewer.role is not Role.STUDENT
    sizes: dict[str, int] = {}
    if counted:
        sizes.update(session.execute(_sizes(viewer.role), seen).all())
    return [
        Class(
            id=each.id,
            name=each.name,
            school=each.school,
            subject=each.subject,
            grade=each.grade,
            period=each.period,
            teachers=tuple(_sorted(teachers[each.id])),
            students=sizes.get(each.id, 0) if counted else None,
        )
        for each in rows
    ]


@cache
def _classes(role: Role | None) -> Query:
    school = (
        (School.id == Section.school_id)
        & (School.district_id == Section.district_id)
        & School.archived_at.is_(None)
    )
    told = (Section.id, Section.name, Section.subject, Section.grade, Section.period)
    seen = select(*told, School.name.label("school")).outerjoin(School, school)
    return seen.where(visibility.sections(role))


@cache
def _classes_at(role: Role | None) -> Query:
    return _classes(role).where(Section.school_id == bindparam("school"))


@cache
def _class(role: Role | None) -> Query:
    return _classes(role).where(Section.id == bindparam("section"))


@cache
def _teachers(role: Role | None) -> Query:
    return _seats(role, Role.TEACHER).with_only_columns(
        Enrolment.section_id, Person.first_name, Person.last_name
    )


@cache
def _students(role: Role | None) -> Query:
    return _seats(role, Role.STUDENT).with_only_columns(
        Person.first_name, Person.last_name, Person.grade
    )


@cache
def _sizes(role: Role | None) -> Query:
    counted = _seats(role, Role.STUDENT).group_by(Enrolment.section_id)
    return counted.with_only_columns(Enrolment.section_id, func.count())


def _seats(role: Role | None, seated: Role) -> Query:
    """Who is in some of the classes that one may see."""
    some = Enrolment.section_id.in_(bindparam("sections", expanding=True))
    return visibility.seats(role, seated).where(some)


def _sorted(names: Collection[Name]) -> list[Name]:
    return sorted(names, key=lambda each: by_last_name(each.last, each.first))
