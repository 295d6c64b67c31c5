"""Classes and the people in them, as the pages list them: each list a fixed number of queries.

What orders a long list is read of all its rows, and the rest of one page's rows alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import visibility
from clever_login.school.order import by_last_name, by_period
from clever_login.school.paged import Paged, cut
from clever_login.school.tables import Enrolment, Person, School, Section
from clever_login.school.viewer import Viewer


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
    seen = visibility.section_ids(viewer).add_columns(Section.period, Section.name)
    if school_id is not None:
        seen = seen.where(Section.school_id == school_id)
    found = sorted(session.execute(seen), key=lambda each: by_period(each.period, each.name))
    shown = cut([each.id for each in found], page)
    whole = _classes(session, viewer, shown.rows)
    return shown.of([whole[each] for each in shown.rows])


def one_class(session: Session, viewer: Viewer, section_id: str) -> Class | None:
    """One class, or None where it is not for this person's eyes."""
    seen = visibility.section_ids(viewer).where(Section.id == section_id)
    return _classes(session, viewer, session.scalars(seen).all()).get(section_id)


def students(session: Session, viewer: Viewer, section_id: str, page: int = 1) -> Paged[Name]:
    """The students of a class, by last name."""
    seated = visibility.seats(viewer, Role.STUDENT).where(Enrolment.section_id == section_id)
    found = session.execute(
        seated.with_only_columns(Person.first_name, Person.last_name, Person.grade)
    )
    return cut(_sorted([Name(first=f, last=last, grade=grade) for f, last, grade in found]), page)


def _classes(session: Session, viewer: Viewer, ids: Collection[str]) -> dict[str, Class]:
    """These classes, of which one may see each, by id."""
    school = (School.id == Section.school_id) & School.archived_at.is_(None)
    found = session.execute(
        select(Section, School.name).outerjoin(School, school).where(Section.id.in_(ids))
    ).all()
    teachers = _teachers(session, viewer, ids)
    numbers = {} if viewer.role is Role.STUDENT else _sizes(session, viewer, ids)
    return {
        each.id: Class(
            id=each.id,
            name=each.name,
            school=at,
            subject=each.subject,
            grade=each.grade,
            period=each.period,
            teachers=tuple(_sorted(teachers[each.id])),
            students=None if viewer.role is Role.STUDENT else numbers.get(each.id, 0),
        )
        for each, at in found
    }


def _teachers(session: Session, viewer: Viewer, ids: Collection[str]) -> dict[str, list[Name]]:
    seated = visibility.seats(viewer, Role.TEACHER).where(Enrolment.section_id.in_(ids))
    found = session.execute(
        seated.with_only_columns(Enrolment.section_id, Person.first_name, Person.last_name)
    )
    names: dict[str, list[Name]] = defaultdict(list)
    for section_id, first, last in found:
        names[section_id].append(Name(first=first, last=last))
    return names


def _sizes(session: Session, viewer: Viewer, ids: Collection[str]) -> dict[str, int]:
    seated = visibility.seats(viewer, Role.STUDENT).where(Enrolment.section_id.in_(ids))
    found = session.execute(
        seated.with_only_columns(Enrolment.section_id, func.count()).group_by(Enrolment.section_id)
    )
    return {row[0]: row[1] for row in found}


def _sorted(names: Collection[Name]) -> list[Name]:
    return sorted(names, key=lambda each: by_last_name(each.last, each.first))
