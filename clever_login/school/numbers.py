"""Schools and districts in numbers: who is there now, and students by grade."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Row, ScalarSelect, Select, distinct, func, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import visibility
from clever_login.school.order import GRADES, by_name
from clever_login.school.paged import Paged, cut
from clever_login.school.tables import District, Person, PersonSchool, School, Section
from clever_login.school.viewer import Viewer


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
    seen = visibility.school_ids(viewer).add_columns(School.name)
    found = sorted(session.execute(seen), key=lambda each: by_name(each.name))
    shown = cut([(each.id, each.name) for each in found], page)
    return shown.of(_schools(session, dict(shown.rows)))


def school(session: Session, viewer: Viewer, school_id: str) -> Numbers | None:
    """One school, or None where it is not for this person's eyes."""
    seen = visibility.school_ids(viewer).where(School.id == school_id).add_columns(School.name)
    found = {each.id: each.name for each in session.execute(seen)}
    return next(iter(_schools(session, found)), None)


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


def grades(session: Session, viewer: Viewer, *, school_id: str | None = None) -> list[Grade]:
    """The students of one school by grade, or all whom an administrator may see."""
    of_district = school_id is None and viewer.role is Role.DISTRICT_ADMIN
    found = session.execute(_of_district(viewer) if of_district else _of_schools(viewer, school_id))
    numbers: Counter[str] = Counter()
    for grade, students in found:
        numbers[grade if grade in GRADES else "Other"] += students
    fullest = max(numbers.values(), default=0)
    return [
        Grade(grade=each, students=numbers[each], percent=round(100 * numbers[each] / fullest))
        for each in GRADES
        if numbers[each]
    ]


def _schools(session: Session, names: dict[str, str]) -> list[Numbers]:
    """These schools, of which one may see each, as they are given by id."""
    posts = session.execute(
        select(PersonSchool.school_id, PersonSchool.role, func.count())
        .join(School, School.id == PersonSchool.school_id)
        .join(Person, Person.id == PersonSchool.person_id)
        .where(PersonSchool.school_id.in_(names), Person.archived_at.is_(None))
        .where(Person.district_id == School.district_id)
        .group_by(PersonSchool.school_id, PersonSchool.role)
    )
    people = {(each.school_id, each.role): each[2] for each in posts}
    sections = session.execute(
        select(Section.school_id, func.count())
        .where(Section.school_id.in_(names), Section.archived_at.is_(None))
        .group_by(Section.school_id)
    )
    classes = {each.school_id: each[1] for each in sections}
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


def _in_district(role: Role) -> ScalarSelect[int]:
    return (
        select(func.count(Person.id))
        .where(Person.district_id == District.id, Person.archived_at.is_(None))
        .where(visibility.holds(role))
        .correlate(District)
        .scalar_subquery()
    )


def _of_schools(viewer: Viewer, school_id: str | None) -> Select[str | None, int]:
    """Students by grade; who is at two of these schools is one student."""
    students = (
        select(Person.grade, func.count(distinct(Person.id)))
        .join(PersonSchool, PersonSchool.person_id == Person.id)
        .join(School, School.id == PersonSchool.school_id)
        .where(School.id.in_(visibility.school_ids(viewer)), PersonSchool.role == Role.STUDENT)
        .where(Person.district_id == School.district_id, Person.archived_at.is_(None))
        .group_by(Person.grade)
    )
    return students if school_id is None else students.where(School.id == school_id)


def _of_district(viewer: Viewer) -> Select[str | None, int]:
    return (
        select(Person.grade, func.count())
        .where(Person.district_id.in_(visibility.district_ids(viewer)))
        .where(Person.archived_at.is_(None), visibility.holds(Role.STUDENT))
        .group_by(Person.grade)
    )


def _numbers(row: Row[str, str, int, int, int]) -> Numbers:
    key, name, students, teachers, sections = row
    return Numbers(id=key, name=name, students=students, teachers=teachers, sections=sections)
