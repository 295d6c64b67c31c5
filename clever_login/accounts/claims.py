"""One-time links that prove who owns an account from before Clever.

Only a hash of a link's token is stored, so read access to the database is not enough to use a link.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from clever_login.accounts.merge import merge_people
from clever_login.db.database import database
from clever_login.db.models import PROVIDER, Claim, Person, RoleAssignment, utc_now
from clever_login.errors import ClaimLinkInvalid

DEFAULT_LINK_HOURS = 72
IN_USE_PREFIX = "new."  # prefix of tokens whose link may take over an account in use


class NotClaimable(Exception):
    """The account cannot be claimed. The message is a sentence for an operator."""


@dataclass(frozen=True, kw_only=True)
class ClaimPreview:
    """The names on the account that a link offers."""

    first_name: str
    last_name: str


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """The claimed account, and the Clever id that it had before, if any."""

    account_id: str
    former_clever_id: str | None


def create_link(
    person_id: str, *, hours: int = DEFAULT_LINK_HOURS, new_clever_id: bool = False
) -> str:
    """Return the token of a new link to this account, given its id or its Clever id.

    Earlier links to the account become invalid. An account that has a Clever id already belongs to
    someone: it can be claimed only if it is archived or `new_clever_id` is set. Raises
    NotClaimable.
    """
    token = (IN_USE_PREFIX if new_clever_id else "") + secrets.token_urlsafe(32)
    with database().begin() as session:
        person = _load_person(session, person_id)
        if _is_in_use(person) and not new_clever_id:
            raise NotClaimable(
                "This account already has a Clever id. If its owner has a new one, add "
                "--new-clever-id."
            )
        session.execute(delete(Claim).where(Claim.person_id == person.id))
        until = utc_now() + timedelta(hours=hours)
        session.add(Claim(token_hash=_hash_token(token), person_id=person.id, expires_at=until))
    return token


def preview(token: str) -> ClaimPreview:
    """Return what a link offers.

    Raises ClaimLinkInvalid when the link is unknown, used or expired, or its account is in use.
    """
    with database().read() as session:
        claim = session.get(Claim, _hash_token(token))
        if claim is None or claim.used_at is not None or claim.expires_at <= utc_now():
            raise ClaimLinkInvalid("the link is unknown, used or too old")
        person = session.get_one(Person, claim.person_id)
        _check_still_valid(person, token)
        return ClaimPreview(first_name=person.first_name, last_name=person.last_name)


def had_account_before(clever_id: str, since: float) -> bool:
    """Return whether this user had an account before their login at `since` (Unix time)."""
    with database().read() as session:
        own = _find_by_clever_id(session, clever_id)
        return bool(own and own.first_login and own.first_login.timestamp() < since - 60)


def redeem(token: str, clever_id: str) -> ClaimResult:
    """Use up the link and attach this Clever id to its account.

    The id's previous account, if any, is merged into it. Raises ClaimLinkInvalid.
    """
    return database().work(lambda session: _redeem_in_session(session, token, clever_id))


def _redeem_in_session(session: Session, token: str, clever_id: str) -> ClaimResult:
    kept = session.get_one(Person, _mark_used(session, token), with_for_update=True)
    _check_still_valid(kept, token)
    former, own = kept.clever_id, _find_by_clever_id(session, clever_id)
    if own is not None and own is not kept:
        _copy_current_data(session, kept, own)
        merge_people(session, kept, own)
    kept.clever_id, kept.archived_at = clever_id, None
    return ClaimResult(account_id=kept.id, former_clever_id=former)


def _mark_used(session: Session, token: str) -> str:
    """Mark the link as used and return its account's id. Of two concurrent calls, one succeeds."""
    moment = utc_now()
    found: str | None = session.scalar(
        update(Claim)
        .where(Claim.token_hash == _hash_token(token))
        .where(Claim.used_at.is_(None), Claim.expires_at > moment)
        .values(used_at=moment)
        .returning(Claim.person_id)
    )
    if found is None:
        raise ClaimLinkInvalid("the link is unknown, used or too old")
    return found


def _is_in_use(person: Person) -> bool:
    return person.clever_id is not None and person.archived_at is None


def _check_still_valid(person: Person, token: str) -> None:
    """Raise ClaimLinkInvalid if the account has come into use since the link was made.

    Its owner may have logged in again, or it was merged with another account.
    """
    if _is_in_use(person) and not token.startswith(IN_USE_PREFIX):
        raise ClaimLinkInvalid("the account of the link has a Clever id by now")


def _copy_current_data(session: Session, kept: Person, own: Person) -> None:
    """Copy Clever's current data to the kept account; its former school roles no longer apply."""
    session.execute(delete(RoleAssignment).where(RoleAssignment.person_id == kept.id))
    kept.district_id, kept.roles, kept.grade = own.district_id, own.roles, own.grade
    kept.first_name = own.first_name or kept.first_name
    kept.last_name = own.last_name or kept.last_name
    kept.email = own.email or kept.email


def _load_person(session: Session, person_id: str) -> Person:
    person = session.get(Person, person_id) or _find_by_clever_id(session, person_id)
    if person is None:
        raise NotClaimable("There is no account with this id.")
    if person.merged_into is not None:
        raise NotClaimable(f"This account was merged into another account: {person.merged_into}.")
    return person


def _find_by_clever_id(session: Session, clever_id: str) -> Person | None:
    by_key = select(Person).where(Person.provider == PROVIDER, Person.clever_id == clever_id)
    return session.scalar(by_key)


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
