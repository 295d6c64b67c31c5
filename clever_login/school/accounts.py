"""Whoever logs in -> their account: found by Clever's id, or made.

Never by email, name or the school's own numbers: Clever verifies none of them. Who had an account
before they came with Clever claims it (`school.claims`).
"""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from clever_login.accounts import Account
from clever_login.models import User
from clever_login.school.database import database
from clever_login.school.merging import known
from clever_login.school.returning import as_ever
from clever_login.school.tables import District, Person, PersonSchool, School, now


def find_or_create(user: User) -> Account:
    """The account of whoever has just logged in, in one transaction.

    Clever lets only shared users in. So its answer is newer than what the last sync knew, and an
    archived account, or an archived district, is restored. Raises DatabaseUnavailable.
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
    _open(session, user.district_id)
    person = known(session, user.id, user.legacy_ids, user.district_id) or _added(session, user)
    if person.archived_at is not None:
        _restore(session, person, user)
    _write(person, user)
    return Account(id=person.id, preferred_name=person.preferred_name)


def _open(session: Session, district_id: str | None) -> None:
    """Add the district's row if this is the first login from it, and restore it if it had left."""
    if district_id is None:
        return
    district = session.get(District, district_id)
    if district is None:
        session.add(District(id=district_id))
    elif district.archived_at is not None:
        district.archived_at = None
    session.flush()


def _added(session: Session, user: User) -> Person:
    person = Person(clever_id=user.id)
    session.add(person)
    return person


def _restore(session: Session, person: Person, user: User) -> None:
    """Restore an archived account with the schools that Clever names at this login.

    No sync kept the schools of an archived person up to date, so those of before are dropped: a
    former principal must not see the old school. Enrollments are kept up by their sections.
    """
    person.archived_at, person.district_id = None, None
    session.execute(delete(PersonSchool).where(PersonSchool.person_id == person.id))
    there = select(School.id).where(School.district_id == user.district_id)
    known_schools = set(session.scalars(there.where(School.id.in_(user.school_ids))))
    for record in user.roles:
        for school_id in known_schools.intersection(record.school_ids):
            post = PersonSchool(person_id=person.id, school_id=school_id, role=record.role.value)
            session.add(post)


def _write(person: Person, user: User) -> None:
    """What Clever has said at this login; what it has not said stays as it was."""
    person.district_id = user.district_id or person.district_id
    person.roles = [record.role.value for record in user.roles] or person.roles
    person.first_name = user.first_name or person.first_name
    person.last_name = user.last_name or person.last_name
    person.email = user.email or person.email
    person.last_login = now()
    person.first_login = person.first_login or person.last_login
