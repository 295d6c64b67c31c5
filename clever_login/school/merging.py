"""Two rows that turn out to be one person: one stays, the other leads to it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from clever_login.school.tables import Enrolment, Person, PersonSchool, now


def merge(session: Session, kept: Person, other: Person) -> None:
    """Give what the roster says of `other` to `kept`, and leave a row that only leads there.

    That row keeps its id, so that what a product has noted under it can be found and moved.
    """
    _move(session, kept, other)
    _fill_in(kept, other)
    other.clever_id, other.district_id, other.roles = None, None, []
    other.first_name, other.last_name, other.email = "", "", None
    other.grade, other.preferred_name = None, None
    other.archived_at = other.archived_at or now()
    other.merged_into = kept.id
    for earlier in session.scalars(select(Person).where(Person.merged_into == other.id)):
        earlier.merged_into = kept.id
    session.flush()  # the id is free now, for `kept` to take


def _move(session: Session, kept: Person, other: Person) -> None:
    """Enrolments and schools; some may be there already."""
    for place in session.scalars(select(PersonSchool).where(PersonSchool.person_id == other.id)):
        session.merge(PersonSchool(person_id=kept.id, school_id=place.school_id, role=place.role))
        session.delete(place)
    for seat in session.scalars(select(Enrolment).where(Enrolment.person_id == other.id)):
        session.merge(Enrolment(section_id=seat.section_id, person_id=kept.id, role=seat.role))
        session.delete(seat)


def _fill_in(kept: Person, other: Person) -> None:
    """Where nothing was known."""
    kept.district_id = kept.district_id or other.district_id
    kept.roles = kept.roles or other.roles
    kept.first_name = kept.first_name or other.first_name
    kept.last_name = kept.last_name or other.last_name
    kept.email = kept.email or other.email
    kept.grade = kept.grade or other.grade
    kept.preferred_name = kept.preferred_name or other.preferred_name
