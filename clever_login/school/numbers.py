"""Schools and districts in numbers: who is there now, and students by grade."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Row, ScalarSelect, Select, bindparam, distinct, func, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import visibility
from clever_login.school.order import GRADES, by_name
from clever_login.school.paged import Paged, cut
from clever_login.school.tables import District, Person, PersonSchool, School, Section
from clever_login.school.viewer import Viewer

Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A school or a district, and how many of each it has."""

    id: str
    name: str
    students: int
    teachers: int
    sections: int


@dataclass(frozen=True, kw_only=True)
class Grade:
    """How many students are in a grade, and which share that is of the fullest one."""

    grade: str
    students: int
    percent: int


def schools(session: Session, viewer: Viewer, page: int = 1) -> Paged[Numbers]:
    """The schools that one may see, by name, with their numbers."""
    found = session.execute(_schools(viewer.role), viewer.with_values())
    shown = cut(sorted(found, key=lambda each: by_name(each[1])), page)
    return shown.of(_counted(session, dict(shown.rows)))


def school(session: Session, viewer: Viewer, school_id: str) -> Numbers | None:
    """One school, or None where it is not for this person's eyes."""
    found = session.execute(_school(viewer.role), viewer.with_values(school=school_id))
    return next(iter(_counted(session, dict(found.all()))), None)


def district(session: Session, viewer: Viewer) -> Numbers | None:
    """A district administrator's own district with its numbers, else None."""
    found = session.execute(_district(viewer.role), viewer.with_values())
    return next(map(_numbers, found), None)


def grades(session: Session, viewer: Viewer, *, school_id: str | None = None) -> list[Grade]:
    """The students of one school by grade, or all whom an administrator may see."""
    if school_id is not None:
        query = _grades_at(viewer.role)
    elif viewer.role is Role.DISTRICT_ADMIN:
        query = _grades_of_district(viewer.role)
    else:
        query = _grades_of_schools(viewer.role)
    numbers: Counter[str] = Counter()
    for grade, students in session.execute(query, viewer.with_values(school=school_id)):
        numbers[grade if grade in GRADES else "Other"] += students
    fullest = max(numbers.values(), default=0)
    return [
        Grade(grade=each, students=numbers[each], percent=round(100 * numbers[each] / fullest))
        for each in GRADES
        if numbers[each]
    ]


def _counted(session: Session, names: dict[str, str]) -> list[Numbers]:
    """These schools, of which one may see each, as they are given by id."""
    these = {"schools": [*names]}
    people = {(each[0], each[1]): each[2] for each in session.execute(_people_at(), these)}
    classes: dict[str, int] = dict(session.execute(_classes_at(), these).all())
    return [
        Numbers(
            id=key,
            name=name,
            students=people.get((key, Role.STUDENT), 0),
            teachers=people.get((key, Role.TEACHER), 0),
            sections=classes.get(key, 0),
        )
        for key, name in names.items()
    ]


@cache
def _schools(role: Role | None) -> Query:
    return visibility.school_ids(role).add_columns(School.name)


@cache
def _school(role: Role | None) -> Query:
    return _schools(role).where(School.id == bindparam("school"))


@cache
def _people_at() -> Query:
    return (
        select(PersonSchool.school_id, PersonSchool.role, func.count())
        .join(School, School.id == PersonSchool.school_id)
        .join(Person, Person.id == PersonSchool.person_id)
        .where(PersonSchool.school_id.in_(bindparam("schools", expanding=True)))
        .where(Person.archived_at.is_(None), Person.district_id == School.district_id)
        .group_by(PersonSchool.school_id, PersonSchool.role)
    )


@cache
def _classes_at() -> Query:
    return (
        select(Section.school_id, func.count())
        .join(School, School.id == Section.school_id)
        .where(Section.district_id == School.district_id)
        .where(Section.school_id.in_(bindparam("schools", expanding=True)))
        .where(Section.archived_at.is_(None))
        .group_by(Section.school_id)
    )


@cache
def _district(role: Role | None) -> Query:
    sections = (
        select(func.count(Section.id))
        .where(Section.district_id == District.id, Section.archived_at.is_(None))
        .scalar_subquery()
    )
    people = _in_district(Role.STUDENT), _in_district(Role.TEACHER)
    own = District.id.in_(visibility.district_ids(role))
    return select(District.id, District.name, *people, sections).where(own)


def _in_district(role: Role) -> ScalarSelect[int]:
    return (
        select(func.count(Person.id))
        .where(Person.district_id == District.id, Person.archived_at.is_(None))
        .where(visibility.holds(role))
        .correlate(District)
        .scalar_subquery()
    )


@cache
def _grades_of_schools(role: Role | None) -> Query:
    """Students by grade; who is at two of these schools is one student."""
    return (
        select(Person.grade, func.count(distinct(Person.id)))
        .join(PersonSchool, PersonSchool.person_id == Person.id)
        .join(School, School.id == PersonSchool.school_id)
        .where(School.id.in_(visibility.school_ids(role)), PersonSchool.role == Role.STUDENT)
        .where(Person.district_id == School.district_id, Person.archived_at.is_(None))
        .group_by(Person.grade)
    )


@cache
def _grades_at(role: Role | None) -> Query:
    return _grades_of_schools(role).where(School.id == bindparam("school"))


@cache
def _grades_of_district(role: Role | None) -> Query:
    return (
        select(Person.grade, func.count())
        .where(Person.district_id.in_(visibility.district_ids(role)))
        .where(Person.archived_at.is_(None), visibility.holds(Role.STUDENT))
        .group_by(Person.grade)
    )


def _numbers(row: Row[*tuple[Any, ...]]) -> Numbers:
    key, name, students, teachers, sections = row
    return Numbers(id=key, name=name, students=students, teachers=teachers, sections=sections)
