"""What the pages of the school show, as rows; each list is a fixed number of queries."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, ScalarSelect, Select, func, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import visibility
from clever_login.school.tables import District, Enrolment, Person, PersonSchool, School, Section
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
    subject: str | None
    grade: str | None
    period: str | None
    teachers: tuple[Name, ...]
    students: int | None


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A school or a district, and how many of each it has."""

    id: str
    name: str
    students: int
    teachers: int
    sections: int


def classes(session: Session, viewer: Viewer, *, school_id: str | None = None) -> list[Class]:
    """The classes that one may see, by period and name; those of one school where it is given."""
    seen = select(Section).where(Section.id.in_(visibility.section_ids(viewer)))
    if school_id is not None:
        seen = seen.where(Section.school_id == school_id)
    return sorted(_classes(session, viewer, seen), key=_by_period)


def one_class(session: Session, viewer: Viewer, section_id: str) -> Class | None:
    """One class, or None where it is not for this person's eyes."""
    seen = select(Section).where(Section.id.in_(visibility.section_ids(viewer)))
    return next(iter(_classes(session, viewer, seen.where(Section.id == section_id))), None)


def students(session: Session, viewer: Viewer, section_id: str) -> list[Name]:
    """The students of a class, by last name."""
    found = session.execute(
        select(Person.first_name, Person.last_name, Person.grade)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.section_id == section_id, Enrolment.role == Role.STUDENT)
        .where(Enrolment.section_id.in_(visibility.section_ids(viewer)))
        .where(Person.id.in_(visibility.student_ids(viewer)))
    )
    return _by_last_name(Name(first=first, last=last, grade=grade) for first, last, grade in found)


def schools(session: Session, viewer: Viewer, *, school_id: str | None = None) -> list[Numbers]:
    """The schools that one may see, by name, with their numbers."""
    seen = visibility.school_ids(viewer)
    if school_id is not None:
        seen = seen.where(School.id == school_id)
    sections = (
        select(func.count(Section.id))
        .where(Section.school_id == School.id, Section.archived_at.is_(None))
        .scalar_subquery()
    )
    found = session.execute(
        select(
            School.id, School.name, _at_school(Role.STUDENT), _at_school(Role.TEACHER), sections
        ).where(School.id.in_(seen))
    )
    return sorted(map(_numbers, found), key=lambda each: _folded(each.name))


def district(session: Session, viewer: Viewer) -> Numbers | None:
    """A district administrator's own district with its numbers, else None."""
    sections = (
        select(func.count(Section.id))
        .where(Section.district_id == District.id, Section.archived_at.is_(None))
        .scalar_subquery()
    )
    found = session.execute(
        select(
            District.id,
            District.name,
            _in_district(Role.STUDENT),
            _in_district(Role.TEACHER),
            sections,
        ).where(District.id.in_(visibility.district_ids(viewer)))
    )
    return next(map(_numbers, found), None)


def synced_at(session: Session, viewer: Viewer) -> datetime | None:
    """When the viewer's district was last synced; None for never, and for who has none."""
    own = select(Person.district_id).where(Person.id == viewer.person_id)
    return session.scalar(select(District.synced_at).where(District.id.in_(own)))


def _classes(session: Session, viewer: Viewer, seen: Select[Section]) -> list[Class]:
    found = session.scalars(seen).all()
    ids = seen.with_only_columns(Section.id)
    teachers = _teachers(session, viewer, ids)
    numbers = {} if viewer.role is Role.STUDENT else _sizes(session, viewer, ids)
    return [
        Class(
            id=each.id,
            name=each.name,
            subject=each.subject,
            grade=each.grade,
            period=each.period,
            teachers=tuple(_by_last_name(teachers[each.id])),
            students=None if viewer.role is Role.STUDENT else numbers.get(each.id, 0),
        )
        for each in found
    ]


def _teachers(session: Session, viewer: Viewer, ids: visibility.Ids) -> dict[str, list[Name]]:
    found = session.execute(
        select(Enrolment.section_id, Person.first_name, Person.last_name)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.section_id.in_(ids), Enrolment.role == Role.TEACHER)
        .where(Person.id.in_(visibility.teacher_ids(viewer)))
    )
    names: dict[str, list[Name]] = defaultdict(list)
    for section_id, first, last in found:
        names[section_id].append(Name(first=first, last=last))
    return names


def _sizes(session: Session, viewer: Viewer, ids: visibility.Ids) -> dict[str, int]:
    found = session.execute(
        select(Enrolment.section_id, func.count())
        .where(Enrolment.section_id.in_(ids), Enrolment.role == Role.STUDENT)
        .where(Enrolment.person_id.in_(visibility.student_ids(viewer)))
        .group_by(Enrolment.section_id)
    )
    return {row[0]: row[1] for row in found}


def _at_school(role: Role) -> ScalarSelect[int]:
    return (
        select(func.count(PersonSchool.person_id))
        .join(Person, Person.id == PersonSchool.person_id)
        .where(PersonSchool.school_id == School.id, PersonSchool.role == role)
        .where(Person.district_id == School.district_id, Person.archived_at.is_(None))
        .correlate(School)
        .scalar_subquery()
    )


def _in_district(role: Role) -> ScalarSelect[int]:
    return (
        select(func.count(Person.id))
        .where(Person.district_id == District.id, Person.archived_at.is_(None))
        .where(visibility.holds(role))
        .correlate(District)
        .scalar_subquery()
    )


def _numbers(row: Row[str, str, int, int, int]) -> Numbers:
    key, name, students, teachers, sections = row
    return Numbers(id=key, name=name, students=students, teachers=teachers, sections=sections)


def _by_last_name(names: Iterable[Name]) -> list[Name]:
    return sorted(names, key=lambda each: (_folded(each.last), _folded(each.first)))


def _by_period(each: Class) -> tuple[bool, list[str], str]:
    """Period 2 before period 10, and who has none last."""
    parts = re.split(r"(\d+)", each.period or "")
    padded = [part.zfill(4) if part.isdecimal() else _folded(part) for part in parts]
    return (not each.period, padded, _folded(each.name))


def _folded(text: str) -> str:
    """A text as it is looked for in a list: Ñandú beside Nandu, and databases do not agree."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in plain if not unicodedata.combining(each))
