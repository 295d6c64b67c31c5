"""Numbers of schools and districts: current people and classes, and students by grade."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, Select, bindparam, distinct, func, select

from clever_login.clever.models import Role
from clever_login.db.models import (
    District,
    Person,
    RoleAssignment,
    School,
    Section,
    has_role,
    is_listed,
)
from clever_login.rosters import records, visibility
from clever_login.rosters.formatting import GRADE_ORDER, name_sort_key
from clever_login.rosters.pagination import Page, paginate
from clever_login.rosters.viewers import Operator, Viewer, ViewerRole

Query = Select[*tuple[Any, ...]]


def list_schools(
    connection: Connection, viewer: Viewer, page: int, size: int, *, counts: bool
) -> Page[records.School]:
    """Return one page of the schools the viewer may see, by name, with numbers if `counts`."""
    rows = connection.execute(_schools_query(viewer.role), viewer.with_values())
    result = paginate(sorted(rows, key=lambda row: name_sort_key(row[1])), page, size)
    return result.with_rows(_to_schools(connection, dict(result.rows), counts=counts))


def has_school(connection: Connection, viewer: Viewer, school_id: str) -> bool:
    """Whether the viewer sees this school's name, in their schools or their classes."""
    query = _named_school_query(viewer.role)
    return connection.execute(query, viewer.with_values(school=school_id)).first() is not None


def find_school(
    connection: Connection, viewer: Viewer, school_id: str, *, counts: bool
) -> records.School | None:
    """Return one school, or None if the viewer may not see it."""
    rows = connection.execute(_school_query(viewer.role), viewer.with_values(school=school_id))
    return next(iter(_to_schools(connection, dict(rows.all()), counts=counts)), None)


def find_district(connection: Connection, viewer: Viewer) -> records.District | None:
    """Return the district with its numbers, if the viewer may see all of it, else None."""
    rows = connection.execute(_district_query(viewer.role), viewer.with_values())
    return next(map(_to_district, rows), None)


def count_students_by_grade(
    connection: Connection, viewer: Viewer, *, school_id: str | None = None
) -> list[records.GradeCount]:
    """Return the students by grade of one school, or of all that an administrator may see."""
    if school_id is not None:
        query = _grades_of_school_query(viewer.role)
    elif viewer.role in (Role.DISTRICT_ADMIN, Operator.OPERATOR):
        query = _grades_of_district_query(viewer.role)
    else:
        query = _grades_of_schools_query(viewer.role)
    students_by_grade: Counter[str] = Counter()
    for grade, students in connection.execute(query, viewer.with_values(school=school_id)):
        students_by_grade[grade if grade in GRADE_ORDER else "Other"] += students
    largest = max(students_by_grade.values(), default=0)
    return [
        records.GradeCount(
            grade=grade,
            students=students_by_grade[grade],
            percent=round(100 * students_by_grade[grade] / largest),
        )
        for grade in GRADE_ORDER
        if students_by_grade[grade]
    ]


def _to_schools(
    connection: Connection, names: dict[str, str], *, counts: bool
) -> list[records.School]:
    """Return schools that the viewer may see (names by id), with numbers if `counts`."""
    if not (counts and names):
        return [records.School(id=school_id, name=name) for school_id, name in names.items()]
    parameters = {"schools": [*names]}
    rows = connection.execute(_people_per_school_query(), parameters)
    people = {(row[0], row[1]): row[2] for row in rows}
    rows = connection.execute(_classes_per_school_query(), parameters)
    classes: dict[str, int] = dict(rows.all())
    return [
        records.School(
            id=school_id,
            name=name,
            students=people.get((school_id, Role.STUDENT), 0),
            teachers=people.get((school_id, Role.TEACHER), 0),
            sections=classes.get(school_id, 0),
        )
        for school_id, name in names.items()
    ]


@cache
def _schools_query(role: ViewerRole) -> Query:
    return visibility.visible_school_ids(role).add_columns(School.name)


@cache
def _school_query(role: ViewerRole) -> Query:
    return _schools_query(role).where(School.id == bindparam("school"))


@cache
def _named_school_query(role: ViewerRole) -> Query:
    return (
        select(School.id)
        .where(School.id == bindparam("school"))
        .where(School.id.in_(visibility.named_school_ids(role)))
    )


@cache
def _people_per_school_query() -> Query:
    return (
        select(RoleAssignment.school_id, RoleAssignment.role, func.count())
        .join(School, School.id == RoleAssignment.school_id)
        .join(Person, Person.id == RoleAssignment.person_id)
        .where(RoleAssignment.school_id.in_(bindparam("schools", expanding=True)))
        .where(is_listed(), Person.district_id == School.district_id)
        .group_by(RoleAssignment.school_id, RoleAssignment.role)
    )


@cache
def _classes_per_school_query() -> Query:
    return (
        select(Section.school_id, func.count())
        .join(School, School.id == Section.school_id)
        .where(Section.district_id == School.district_id)
        .where(Section.school_id.in_(bindparam("schools", expanding=True)))
        .where(Section.archived_at.is_(None))
        .group_by(Section.school_id)
    )


@cache
def _district_query(role: ViewerRole) -> Query:
    sections = (
        select(func.count(Section.id))
        .where(Section.district_id == District.id, Section.archived_at.is_(None))
        .scalar_subquery()
    )
    people = _people_in_district(Role.STUDENT), _people_in_district(Role.TEACHER)
    is_visible = District.id.in_(visibility.visible_district_ids(role))
    return select(District.id, District.name, *people, sections).where(is_visible)


def _people_in_district(role: Role) -> ScalarSelect[int]:
    return (
        select(func.count(Person.id))
        .where(Person.district_id == District.id, is_listed())
        .where(has_role(role))
        .correlate(District)
        .scalar_subquery()
    )


@cache
def _grades_of_schools_query(role: ViewerRole) -> Query:
    """Students by grade. A student at two of these schools counts once."""
    return (
        select(Person.grade, func.count(distinct(Person.id)))
        .join(RoleAssignment, RoleAssignment.person_id == Person.id)
        .join(School, School.id == RoleAssignment.school_id)
        .where(
            School.id.in_(visibility.visible_school_ids(role)), RoleAssignment.role == Role.STUDENT
        )
        .where(Person.district_id == School.district_id, is_listed())
        .group_by(Person.grade)
    )


@cache
def _grades_of_school_query(role: ViewerRole) -> Query:
    return _grades_of_schools_query(role).where(School.id == bindparam("school"))


@cache
def _grades_of_district_query(role: ViewerRole) -> Query:
    return (
        select(Person.grade, func.count())
        .where(Person.district_id.in_(visibility.visible_district_ids(role)))
        .where(is_listed(), has_role(Role.STUDENT))
        .group_by(Person.grade)
    )


def _to_district(row: Row[*tuple[Any, ...]]) -> records.District:
    district_id, name, students, teachers, sections = row
    return records.District(
        id=district_id, name=name, students=students, teachers=teachers, sections=sections
    )
