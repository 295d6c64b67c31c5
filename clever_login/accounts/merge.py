"""Merges rows that belong to one person: one row is kept, and the others point to it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from clever_login.accounts.announcements import announce_merge
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
    query = select(Person).where(Person.provider == PROVIDER)
    rows = session.scalars(query.where(Person.clever_id.in_((clever_id, *legacy_ids))))
    allowed_districts = {None, district_id}
    candidates = [
        person
        for person in rows
        if person.clever_id == clever_id or person.district_id in allowed_districts
    ]
    if not candidates:
        return None
    survivor = max(candidates, key=lambda person: _survivor_key(person, clever_id))
    for duplicate in candidates:
        if duplicate is not survivor:
            merge_people(session, survivor, duplicate)
    survivor.clever_id = clever_id
    return survivor


def _survivor_key(person: Person, clever_id: str) -> tuple[float, bool, str]:
    """The most recent login wins, so users find their data; then the row with the current id."""
    last_login = person.last_login.timestamp() if person.last_login else 0.0
    return last_login, person.clever_id == clever_id, person.id


def merge_people(session: Session, survivor: Person, duplicate: Person) -> None:
    """Move everything from `duplicate` to `survivor`; the duplicate row then points to it.

    `duplicate` keeps its id and its account id, so that product data stored under them can be found
    and moved: `people_merged` is sent in the same transaction. Raises ReceiverFailed.
    """
    _move_references(session, survivor, duplicate)
    _fill_missing_fields(survivor, duplicate)
    duplicate.clever_id, duplicate.district_id, duplicate.roles = None, None, []
    duplicate.first_name, duplicate.last_name, duplicate.email = "", "", None
    duplicate.grade, duplicate.preferred_name = None, None
    duplicate.first_login, duplicate.last_login = None, None
    duplicate.archived_at = duplicate.archived_at or utc_now()
    duplicate.merged_into = survivor.id
    for earlier in session.scalars(select(Person).where(Person.merged_into == duplicate.id)):
        earlier.merged_into = survivor.id
    session.flush()  # frees the unique Clever id for `survivor`
    announce_merge(session, survivor, duplicate)


def _move_references(session: Session, survivor: Person, duplicate: Person) -> None:
    """Move school roles and enrollments, some of which may exist already, and claim links."""
    for assignment in session.scalars(
        select(RoleAssignment).where(RoleAssignment.person_id == duplicate.id)
    ):
        copy = RoleAssignment(
            person_id=survivor.id, school_id=assignment.school_id, role=assignment.role
        )
        session.merge(copy)
        session.delete(assignment)
    for enrollment in session.scalars(
        select(Enrollment).where(Enrollment.person_id == duplicate.id)
    ):
        session.merge(
            Enrollment(
                section_id=enrollment.section_id, person_id=survivor.id, role=enrollment.role
            )
        )
        session.delete(enrollment)
    session.execute(
        update(Claim).where(Claim.person_id == duplicate.id).values(person_id=survivor.id)
    )


def _fill_missing_fields(survivor: Person, duplicate: Person) -> None:
    """Fill missing fields from `duplicate`. The survivor is active if either row is."""
    survivor.account_id = survivor.account_id or duplicate.account_id
    survivor.district_id = survivor.district_id or duplicate.district_id
    survivor.roles = survivor.roles or duplicate.roles
    survivor.first_name = survivor.first_name or duplicate.first_name
    survivor.last_name = survivor.last_name or duplicate.last_name
    survivor.email = survivor.email or duplicate.email
    survivor.grade = survivor.grade or duplicate.grade
    if survivor.preferred_name is None:
        survivor.preferred_name = duplicate.preferred_name
    survivor.first_login = _earliest(survivor.first_login, duplicate.first_login)
    survivor.last_login = _latest(survivor.last_login, duplicate.last_login)
    if duplicate.archived_at is None:
        survivor.archived_at = None
        survivor.missing_since = survivor.missing_since and duplicate.missing_since


def _earliest(first: datetime | None, second: datetime | None) -> datetime | None:
    return min(first, second) if first and second else first or second


def _latest(first: datetime | None, second: datetime | None) -> datetime | None:
    return max(first, second) if first and second else first or second
