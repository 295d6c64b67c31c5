"""Find or create the account of a user who logs in.

Users are found by Clever id, never by email, name or the school's own numbers: Clever verifies none
of those. A user who had an account before Clever claims it with a link
(`clever_login.accounts.claims`).

Most logins are by returning users. For them, one UPDATE finds the account and brings it up to date.
All other cases run in one transaction (`_create_or_update`).
"""

from __future__ import annotations

from sqlalchemy import JSON, bindparam, delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from clever_login import signals
from clever_login.accounts.announcements import announce_person
from clever_login.accounts.merge import find_by_clever_id
from clever_login.auth.account_hooks import PersonRow
from clever_login.clever.models import User
from clever_login.db.database import database
from clever_login.db.models import (
    PROVIDER,
    District,
    Person,
    RoleAssignment,
    School,
    UtcDateTime,
    utc_now,
)

_OTHER_PERSON, _LOGIN_TIME = aliased(Person), bindparam("login_time", type_=UtcDateTime())
_DISTRICT_HAS_LEFT = exists().where(
    District.id == bindparam("district"), District.archived_at.is_not(None)
)
_HAS_DUPLICATE_ROWS = exists().where(
    _OTHER_PERSON.provider == PROVIDER,
    _OTHER_PERSON.clever_id.in_(bindparam("legacy_ids", expanding=True)),
    _OTHER_PERSON.id != Person.id,
)
# Writes the same as `_update_from_login`: fields that Clever omits keep their values.
_UPDATE_RETURNING_USER = (
    update(Person)
    .where(Person.provider == PROVIDER, Person.clever_id == bindparam("current_id"))
    .where(Person.district_id == bindparam("district"), Person.archived_at.is_(None))
    .where(~_DISTRICT_HAS_LEFT, ~_HAS_DUPLICATE_ROWS)
    .values(
        roles=func.coalesce(bindparam("new_roles", type_=JSON(none_as_null=True)), Person.roles),
        first_name=func.coalesce(bindparam("new_first_name"), Person.first_name),
        last_name=func.coalesce(bindparam("new_last_name"), Person.last_name),
        email=func.coalesce(bindparam("new_email"), Person.email),
        first_login=func.coalesce(Person.first_login, _LOGIN_TIME),
        last_login=_LOGIN_TIME,
        missing_since=None,
    )
    .returning(Person.id, Person.preferred_name, Person.account_id)
)


def find_returning_user(user: User) -> PersonRow | None:
    """Find and update the account of a returning user in one UPDATE.

    Returns None unless the account is known, in this district and not archived, and the district is
    not archived. Also returns None when another row has to be merged into it. Raises
    DatabaseUnavailable.
    """
    if user.district_id is None:
        return None
    values = {
        "current_id": user.id,
        "district": user.district_id,
        "legacy_ids": [*user.legacy_ids],
        "new_roles": [record.role.value for record in user.roles] or None,
        "new_first_name": user.first_name or None,
        "new_last_name": user.last_name or None,
        "new_email": user.email or None,
        "login_time": utc_now(),
    }
    with database().autocommit() as connection:
        row = connection.execute(_UPDATE_RETURNING_USER, values).one_or_none()
    return PersonRow(row.id, row.preferred_name, row.account_id) if row else None


def find_or_create_account(user: User) -> PersonRow:
    """Return the account of the user who has just logged in, created in one transaction if needed.

    Clever lets only shared users log in, so its answer is newer than the last sync: an archived
    account or archived district is restored. Sends `people_created` or `people_restored` in that
    transaction. Raises DatabaseUnavailable and ReceiverFailed.
    """
    return find_returning_user(user) or database().retry_transaction(
        lambda session: _create_or_update(session, user)
    )


def add_unlinked_account(
    *, first_name: str = "", last_name: str = "", email: str | None = None
) -> str:
    """Add an account for a user who will log in with Clever later, and return its id."""
    with database().begin() as session:
        person = Person(first_name=first_name, last_name=last_name, email=email)
        session.add(person)
        return person.id


def set_preferred_name(account_id: str, name: str) -> None:
    """Store a user's preferred name. An empty name means that they were asked and skipped it.

    Nothing is stored if the account was deleted while the user was logged in.
    """
    statement = update(Person).where(Person.id == account_id).values(preferred_name=name)
    with database().autocommit() as connection:
        connection.execute(statement)


def save_account_id(person_id: str, account_id: str) -> None:
    """Store the id that the product's `find_or_create` returned. Raises DatabaseUnavailable."""
    statement = update(Person).where(Person.id == person_id).values(account_id=account_id)
    with database().autocommit() as connection:
        connection.execute(statement)


def _create_or_update(session: Session, user: User) -> PersonRow:
    _ensure_district(session, user.district_id)
    existing = find_by_clever_id(session, user.id, user.legacy_ids, user.district_id)
    person = existing or _add_person(session, user)
    is_archived = person.archived_at is not None
    if is_archived:
        _restore_account(session, person, user)
    _update_from_login(person, user)
    if existing is None:
        announce_person(session, signals.people_created, person)
    elif is_archived:
        announce_person(session, signals.people_restored, person)
    return PersonRow(person.id, person.preferred_name, person.account_id)


def _ensure_district(session: Session, district_id: str | None) -> None:
    """Add the district's row at the first login from it, and restore an archived one."""
    if district_id is None:
        return
    district = session.get(District, district_id)
    if district is None:
        session.add(District(id=district_id))
    elif district.archived_at is not None:
        district.archived_at = None
    session.flush()


def _add_person(session: Session, user: User) -> Person:
    person = Person(clever_id=user.id)
    session.add(person)
    return person


def _restore_account(session: Session, person: Person, user: User) -> None:
    """Restore an archived account with the roles and schools that Clever names at this login.

    No sync keeps those of an archived person up to date, so the old ones are dropped: a former
    principal must not see the old school. Enrollments are kept up to date by their sections.
    """
    person.archived_at, person.district_id, person.roles = None, None, []
    session.execute(delete(RoleAssignment).where(RoleAssignment.person_id == person.id))
    district_schools = select(School.id).where(School.district_id == user.district_id)
    known_schools = set(session.scalars(district_schools.where(School.id.in_(user.school_ids))))
    for record in user.roles:
        for school_id in known_schools.intersection(record.school_ids):
            assignment = RoleAssignment(
                person_id=person.id, school_id=school_id, role=record.role.value
            )
            session.add(assignment)


def _update_from_login(person: Person, user: User) -> None:
    """Write what Clever sent at this login; fields that it omits keep their values."""
    person.district_id = user.district_id or person.district_id
    person.roles = [record.role.value for record in user.roles] or person.roles
    person.first_name = user.first_name or person.first_name
    person.last_name = user.last_name or person.last_name
    person.email = user.email or person.email
    person.last_login = utc_now()
    person.missing_since = None  # Clever lets only shared users log in
    person.first_login = person.first_login or person.last_login
