"""Merges rows that belong to one person: one row is kept, and the others point to it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from clever_login.db.models import (
    PROVIDER,
    Claim,
    Enrollment,
    Person,
    RoleAssignment,
    utc_now,
)


def find_by_clever_id(
    session: Session, clever_id: str, legacy_ids: Collection[str], district_id: str | None
) -> Person | None:
    """Return the row of this Clever id. Rows with the user's ids from before v3 are merged into it.

    Before v3 each role had its own id, so one person may have several rows. One is kept, gets
    `clever_id`, and the others point to it. A row of another district belongs to someone else.
    """
    asked = select(Person).where(Person.provider == PROVIDER)
    rows = session.scalars(asked.where(Person.clever_id.in_((clever_id, *legacy_ids))))
    here = {None, district_id}
    found = [each for each in rows if each.clever_id == clever_id or each.district_id in here]
    if not found:
        return None
    kept = max(found, key=lambda each: _survivor_key(each, clever_id))
    for other in found:
        if other is not kept:
            merge_people(session, kept, other)
    kept.clever_id = clever_id
    return kept


def _survivor_key(person: Person, clever_id: str) -> tuple[float, bool, str]:
    """The most recent login wins, so users find their data; then the row with the current id."""
    last = person.last_login.timestamp() if person.last_login else 0.0
    return last, person.clever_id == clever_id, person.id


def merge_people(session: Session, kept: Person, other: Person) -> None:
    """Move everything from `other` to `kept`, and leave `other` as a row that points to it.

    `other` keeps its id, so that product data stored under that id can be found and moved.
    """
    _move_references(session, kept, other)
    _fill_missing_fields(kept, other)
    other.clever_id, other.district_id, other.roles = None, None, []
    other.first_name, other.last_name, other.email = "", "", None
    other.grade, other.preferred_name = None, None
    other.first_login, other.last_login = None, None
    other.archived_at = other.archived_at or utc_now()
    other.merged_into = kept.id
    for earlier in session.scalars(select(Person).where(Person.merged_into == other.id)):
        earlier.merged_into = kept.id
    session.flush()  # frees the unique Clever id for `kept`


def _move_references(session: Session, kept: Person, other: Person) -> None:
    """Move school roles and enrollments, some of which may exist already, and claim links."""
    for place in session.scalars(
        select(RoleAssignment).where(RoleAssignment.person_id == other.id)
    ):
        same = RoleAssignment(person_id=kept.id, school_id=place.school_id, role=place.role)
        session.merge(same)
        session.delete(place)
    for seat in session.scalars(select(Enrollment).where(Enrollment.person_id == other.id)):
        session.merge(Enrollment(section_id=seat.section_id, person_id=kept.id, role=seat.role))
        session.delete(seat)
    session.execute(update(Claim).where(Claim.person_id == other.id).values(person_id=kept.id))


def _fill_missing_fields(kept: Person, other: Person) -> None:
    """Fill missing fields from `other`. The kept row is active if either row is."""
    kept.district_id = kept.district_id or other.district_id
    kept.roles = kept.roles or other.roles
    kept.first_name = kept.first_name or other.first_name
    kept.last_name = kept.last_name or other.last_name
    kept.email = kept.email or other.email
    kept.grade = kept.grade or other.grade
    if kept.preferred_name is None:
        kept.preferred_name = other.preferred_name
    kept.first_login = _earliest(kept.first_login, other.first_login)
    kept.last_login = _latest(kept.last_login, other.last_login)
    if other.archived_at is None:
        kept.archived_at = None


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other
