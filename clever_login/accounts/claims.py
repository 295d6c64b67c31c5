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

from clever_login import signals
from clever_login.accounts.announcements import announce_person
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
        expires_at = utc_now() + timedelta(hours=hours)
        session.add(
            Claim(token_hash=_hash_token(token), person_id=person.id, expires_at=expires_at)
        )
    return token


def preview(token: str, clever_id: str | None) -> ClaimPreview:
    """Return what a link offers to this user, or to a visitor who is not logged in yet.

    Raises ClaimLinkInvalid when the link is unknown, used or expired, or its account is in use or
    belongs to a district other than the user's.
    """
    with database().read_session() as session:
        claim = session.get(Claim, _hash_token(token))
        if claim is None or claim.used_at is not None or claim.expires_at <= utc_now():
            raise ClaimLinkInvalid("the link is unknown, used or too old")
        person = session.get_one(Person, claim.person_id)
        _check_still_valid(person, token)
        if clever_id is not None:
            _check_district(person, _find_by_clever_id(session, clever_id))
        return ClaimPreview(first_name=person.first_name, last_name=person.last_name)


def had_account_before(clever_id: str, since: float) -> bool:
    """Return whether this user had an account before their login at `since` (Unix time)."""
    with database().read_session() as session:
        person = _find_by_clever_id(session, clever_id)
        return bool(person and person.first_login and person.first_login.timestamp() < since - 60)


def redeem(token: str, clever_id: str) -> ClaimResult:
    """Use up the link and attach this Clever id to its account.

    The id's previous account, if any, is merged into it. Raises ClaimLinkInvalid and
    ReceiverFailed.
    """
    return database().retry_transaction(
        lambda session: _redeem_in_session(session, token, clever_id)
    )


def _redeem_in_session(session: Session, token: str, clever_id: str) -> ClaimResult:
    invited = session.get_one(Person, _mark_used(session, token), with_for_update=True)
    _check_still_valid(invited, token)
    former_clever_id, current = invited.clever_id, _find_by_clever_id(session, clever_id)
    _check_district(invited, current)
    is_archived = invited.archived_at is not None
    if current is not None and current is not invited:
        _copy_current_data(session, invited, current)
        merge_people(session, invited, current)
    invited.clever_id, invited.archived_at, invited.missing_since = clever_id, None, None
    if is_archived:
        announce_person(session, signals.people_restored, invited)
    return ClaimResult(account_id=invited.id, former_clever_id=former_clever_id)


def _mark_used(session: Session, token: str) -> str:
    """Mark the link as used and return its account's id. Of two concurrent calls, one succeeds."""
    now = utc_now()
    person_id: str | None = session.scalar(
        update(Claim)
        .where(Claim.token_hash == _hash_token(token))
        .where(Claim.used_at.is_(None), Claim.expires_at > now)
        .values(used_at=now)
        .returning(Claim.person_id)
    )
    if person_id is None:
        raise ClaimLinkInvalid("the link is unknown, used or too old")
    return person_id


def _is_in_use(person: Person) -> bool:
    return person.clever_id is not None and person.archived_at is None


def _check_still_valid(person: Person, token: str) -> None:
    """Raise ClaimLinkInvalid if the account has come into use since the link was made.

    Its owner may have logged in again, or it was merged with another account.
    """
    if _is_in_use(person) and not token.startswith(IN_USE_PREFIX):
        raise ClaimLinkInvalid("the account of the link has a Clever id by now")


def _check_district(invited: Person, current: Person | None) -> None:
    """Raise ClaimLinkInvalid if the account has a district, and it is not the user's.

    A link that was sent to the wrong person must not give a child's data to another district.
    """
    district_id = current.district_id if current else None
    if invited.district_id not in {None, district_id}:
        raise ClaimLinkInvalid("the account of the link belongs to another district")


def _copy_current_data(session: Session, invited: Person, current: Person) -> None:
    """Copy Clever's current data to the invited account, whose former school roles end."""
    session.execute(delete(RoleAssignment).where(RoleAssignment.person_id == invited.id))
    invited.district_id, invited.roles, invited.grade = (
        current.district_id,
        current.roles,
        current.grade,
    )
    invited.first_name = current.first_name or invited.first_name
    invited.last_name = current.last_name or invited.last_name
    invited.email = current.email or invited.email


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
