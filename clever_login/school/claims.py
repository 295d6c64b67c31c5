"""One-time links by which somebody proves that an account from before Clever is theirs.

Only a hash of a link's token is kept: whoever reads the database cannot use one.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from clever_login.errors import ClaimUseless
from clever_login.school.database import database
from clever_login.school.merging import merge
from clever_login.school.tables import PROVIDER, Claim, Person, PersonSchool, now

HOURS = 72
IN_USE = "new."  # how the token begins of a link that may lead to an account in use


class NotInvited(Exception):
    """This account cannot be claimed; the message is a sentence for an operator."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What a link offers: an account, by the names that it has."""

    first_name: str
    last_name: str


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The account that a person has from now on, and the Clever id that it had before, if any."""

    account_id: str
    former_clever_id: str | None


def invite(person_id: str, *, hours: int = HOURS, new_clever_id: bool = False) -> str:
    """The token of a new link to this account, which is named by its id here or at Clever.

    Earlier links to it are void. An account that has a Clever id is somebody's already: only with
    `new_clever_id`, or when it is archived, may it pass to another one. Raises NotInvited.
    """
    token = (IN_USE if new_clever_id else "") + secrets.token_urlsafe(32)
    with database().begin() as session:
        person = _person(session, person_id)
        if _in_use(person) and not new_clever_id:
            raise NotInvited("Somebody logs in to this account with Clever already.")
        session.execute(delete(Claim).where(Claim.person_id == person.id))
        until = now() + timedelta(hours=hours)
        session.add(Claim(token_hash=_hash(token), person_id=person.id, expires_at=until))
    return token


def look_at(token: str) -> Invitation:
    """What this link offers; ClaimUseless when it is wrong, used or too old."""
    with database().read() as session:
        claim = session.get(Claim, _hash(token))
        if claim is None or claim.used_at is not None or claim.expires_at <= now():
            raise ClaimUseless("the link is unknown, used or too old")
        person = session.get_one(Person, claim.person_id)
        _check(person, token)
        return Invitation(first_name=person.first_name, last_name=person.last_name)


def here_before(clever_id: str, since: float) -> bool:
    """Whether this person had an account of their own before the login at this Unix time."""
    with database().read() as session:
        own = _of_clever(session, clever_id)
        return bool(own and own.first_login and own.first_login.timestamp() < since - 60)


def redeem(token: str, clever_id: str) -> Joined:
    """Use the link up, and let this Clever id lead to its account from now on.

    What the id led to before becomes a row that leads there, too. Raises ClaimUseless.
    """
    return database().work(lambda session: _join(session, token, clever_id))


def _join(session: Session, token: str, clever_id: str) -> Joined:
    kept = session.get_one(Person, _use_up(session, token), with_for_update=True)
    _check(kept, token)
    former, own = kept.clever_id, _of_clever(session, clever_id)
    if own is not None and own is not kept:
        _bring_up_to_date(session, kept, own)
        merge(session, kept, own)
    kept.clever_id, kept.archived_at = clever_id, None
    return Joined(account_id=kept.id, former_clever_id=former)


def _use_up(session: Session, token: str) -> str:
    """The id of the link's account; of two that come at once, one gets it."""
    moment = now()
    found: str | None = session.scalar(
        update(Claim)
        .where(Claim.token_hash == _hash(token))
        .where(Claim.used_at.is_(None), Claim.expires_at > moment)
        .values(used_at=moment)
        .returning(Claim.person_id)
    )
    if found is None:
        raise ClaimUseless("the link is unknown, used or too old")
    return found


def _in_use(person: Person) -> bool:
    return person.clever_id is not None and person.archived_at is None


def _check(person: Person, token: str) -> None:
    """Raise ClaimUseless if its owner came back, or it became one with another, after the link."""
    if _in_use(person) and not token.startswith(IN_USE):
        raise ClaimUseless("somebody logs in to the account of the link with Clever by now")


def _bring_up_to_date(session: Session, kept: Person, own: Person) -> None:
    """What Clever says of the person now; where they were at school before is over."""
    session.execute(delete(PersonSchool).where(PersonSchool.person_id == kept.id))
    kept.district_id, kept.roles, kept.grade = own.district_id, own.roles, own.grade
    kept.first_name = own.first_name or kept.first_name
    kept.last_name = own.last_name or kept.last_name
    kept.email = own.email or kept.email


def _person(session: Session, person_id: str) -> Person:
    person = session.get(Person, person_id) or _of_clever(session, person_id)
    if person is None:
        raise NotInvited("There is no account with this id.")
    if person.merged_into is not None:
        raise NotInvited(f"This account has become another one: {person.merged_into}.")
    return person


def _of_clever(session: Session, clever_id: str) -> Person | None:
    by_key = select(Person).where(Person.provider == PROVIDER, Person.clever_id == clever_id)
    return session.scalar(by_key)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
