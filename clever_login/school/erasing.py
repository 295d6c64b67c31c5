"""Rows go away for good: whole people and whole districts, with all that refers to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school.tables import (
    Base,
    Claim,
    District,
    Enrolment,
    Person,
    PersonSchool,
    School,
    Section,
    Term,
)

Rows = Counter[str]  # how many of each table
LIBRARY_PERSON = and_(Person.district_id.is_(None), Person.clever_id.is_not(None))


@dataclass(frozen=True, kw_only=True)
class Doomed:
    """Which rows are to go, as conditions; None where none of a table."""

    people: ColumnElement[bool]
    sections: ColumnElement[bool] | None = None
    schools: ColumnElement[bool] | None = None
    terms: ColumnElement[bool] | None = None
    districts: ColumnElement[bool] | None = None


def erase(session: Session, doomed: Doomed) -> Rows:
    """Delete these, and what refers to them, from the leaves on; how many rows of each table."""
    rows = Rows()
    people = select(Person.id).where(doomed.people)
    merged = Person.merged_into.in_(people)
    all_people = select(Person.id).where(or_(doomed.people, merged)).correlate(None)
    for table in (Claim, Enrolment, PersonSchool):
        _delete(session, rows, table, table.person_id.in_(all_people))
    if doomed.sections is not None:
        ids = select(Section.id).where(doomed.sections)
        _delete(session, rows, Enrolment, Enrolment.section_id.in_(ids))
        _delete(session, rows, Section, doomed.sections)
    _delete(session, rows, Person, merged)
    _delete(session, rows, Person, doomed.people)
    if doomed.schools is not None:
        ids = select(School.id).where(doomed.schools)
        _delete(session, rows, PersonSchool, PersonSchool.school_id.in_(ids))
        _delete(session, rows, School, doomed.schools)
    if doomed.terms is not None:
        _delete(session, rows, Term, doomed.terms)
    if doomed.districts is not None:
        _delete(session, rows, District, doomed.districts)
    _erase_left_over(session, rows)
    return rows


def _erase_left_over(session: Session, rows: Rows) -> None:
    """Classes of Clever Library without a teacher, then people who were in those alone.

    Nobody but the teacher shared them, so nobody would ever end them. Who has logged in stays.
    """
    taught = exists().where(Enrolment.section_id == Section.id, Enrolment.role == Role.TEACHER)
    alone = and_(Section.district_id.is_(None), Section.archived_at.is_(None), ~taught)
    ids = select(Section.id).where(alone)
    _delete(session, rows, Enrolment, Enrolment.section_id.in_(ids))
    _delete(session, rows, Section, alone)
    enrolled = exists().where(Enrolment.person_id == Person.id)
    never_came = and_(LIBRARY_PERSON, Person.last_login.is_(None), ~enrolled)
    ids = select(Person.id).where(never_came)
    for table in (Claim, PersonSchool):
        _delete(session, rows, table, table.person_id.in_(ids))
    _delete(session, rows, Person, never_came)


def _delete(session: Session, rows: Rows, table: type[Base], where: ColumnElement[bool]) -> None:
    done = session.execute(delete(table).where(where).execution_options(synchronize_session=False))
    rows[table.__tablename__] += cast("CursorResult[Any]", done).rowcount
