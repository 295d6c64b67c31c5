"""Whoever logs in -> their account: found by Clever's id, or made.

Never by email, name or the school's own numbers: Clever verifies none of them. Who had an account
before they came with Clever claims it (`school.claims`).
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from clever_login.accounts import Account
from clever_login.errors import AccountArchived, DistrictLeft
from clever_login.models import User
from clever_login.school.database import database
from clever_login.school.merging import known
from clever_login.school.returning import as_ever
from clever_login.school.tables import District, Person, now


def find_or_create(user: User) -> Account:
    """The account of whoever has just logged in, in one transaction.

    Raises AccountArchived for somebody whom Clever no longer shares, DatabaseUnavailable.
    """
    return as_ever(user) or database().work(lambda session: _arrived(session, user))


def add_before_clever(
    *, first_name: str = "", last_name: str = "", email: str | None = None
) -> str:
    """Add somebody who has an account already, and comes with Clever later; their id here."""
    with database().begin() as session:
        person = Person(first_name=first_name, last_name=last_name, email=email)
        session.add(person)
        return person.id


def prefer(account_id: str, name: str) -> None:
    """Keep what somebody wants to be called; empty: they have been asked, and would not say."""
    with database().begin() as session:
        session.get_one(Person, account_id).preferred_name = name


def _arrived(session: Session, user: User) -> Account:
    district = _district(session, user.district_id)
    person = known(session, user.id, user.legacy_ids, user.district_id) or _added(session, user)
    _check(person, user, district, _synced(session, person))
    _write(person, user)
    return Account(id=person.id, preferred_name=person.preferred_name)


def _district(session: Session, district_id: str | None) -> District | None:
    """The row of a district; one that nobody has come from yet is made."""
    if district_id is None:
        return None
    district = session.get(District, district_id)
    if district is None:
        district = District(id=district_id)
        session.add(district)
        session.flush()
    return district


def _added(session: Session, user: User) -> Person:
    person = Person(clever_id=user.id)
    session.add(person)
    return person


def _synced(session: Session, person: Person) -> bool:
    """Whether a sync will restore this person once Clever shares them again."""
    district = session.get(District, person.district_id) if person.district_id else None
    return district is not None and district.connected


def _check(person: Person, user: User, district: District | None, synced: bool) -> None:
    """Refuse who is archived; where no sync could restore them, Clever's login says enough."""
    if district is not None and district.archived_at is not None:
        raise DistrictLeft("the district has left the app")
    if person.archived_at is not None and user.district_id is not None and synced:
        raise AccountArchived("Clever no longer shares this person")


def _write(person: Person, user: User) -> None:
    """What Clever has said at this login; what it has not said stays as it was."""
    if person.archived_at is not None:
        person.archived_at, person.district_id = None, None
    person.district_id = user.district_id or person.district_id
    person.roles = [record.role.value for record in user.roles] or person.roles
    person.first_name = user.first_name or person.first_name
    person.last_name = user.last_name or person.last_name
    person.email = user.email or person.email
    person.last_login = now()
    person.first_login = person.first_login or person.last_login
