"""Exchanges an authorization code for a verified user with an account."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from flask import current_app

from clever_login import logs
from clever_login.auth.account_hooks import Account
from clever_login.auth.sessions import CurrentUser, TaughtClass
from clever_login.clever import oauth, oidc, profile
from clever_login.clever.deadlines import Deadline
from clever_login.clever.models import Fetched, Me
from clever_login.clever.oauth import Tokens
from clever_login.clever.profile import Profile
from clever_login.clever.user_client import UserClient
from clever_login.errors import CleverMisconfigured, CleverUnavailable, DistrictNotAllowed
from clever_login.services import services


def authenticate_user(code: str, nonce: str) -> CurrentUser:
    """Exchange the code, load the user's profile, and find or create the account.

    The tokens are discarded when this function returns. `nonce` was sent with this login's state,
    and an ID token must contain it. Raises LoginError when Clever does not identify the user or
    when the account is refused.
    """
    here = services()
    deadline = Deadline(here.settings.login_seconds)
    try:
        tokens = oauth.exchange_code(here.settings, here.transport, code, deadline)
        client = here.client(tokens.access_token, deadline)
        if tokens.id_token is None and here.settings.clever_oidc:
            me: Me | None = _me_without_id_token(client)
        else:
            me = _me_from_id_token(tokens, nonce, deadline)
        person = profile.load_profile(client, here.record_cache, me)
    except TimeoutError as error:
        raise CleverUnavailable("the time for this login is over") from error
    allowed = here.settings.clever_district_ids
    if allowed and person.user.district_id not in allowed:
        raise DistrictNotAllowed("the district is not in CLEVER_DISTRICT_IDS")
    _log_missing_parts(person)
    account: Account = current_app.config["FIND_OR_CREATE"](person.user)
    if account.id in (None, ""):
        raise TypeError("find_or_create gave an account without an id")
    if person.sections.value is not None:
        current_app.config["KEEP_SECTIONS"](account, person.sections.value)
    called = getattr(account, "preferred_name", None) or ""
    return replace(_build_current_user(person, str(account.id)), preferred_name=called)


def _me_from_id_token(tokens: Tokens, nonce: str, deadline: Deadline) -> Me | None:
    """Return the user named by the ID token, which saves a call to `/me`.

    Returns None without an ID token, and when the token lacks Clever's own claims: `/me` has the
    same data. If Clever's keys cannot be read, the nonce cannot be checked: the function returns
    None, or raises CleverUnavailable with CLEVER_OIDC on.
    """
    here = services()
    if tokens.id_token is None:
        return None
    token = oidc.IdToken(value=tokens.id_token, access_token=tokens.access_token, nonce=nonce)
    try:
        claims = oidc.verify_id_token(token, here.settings, here.keys, deadline)
    except CleverUnavailable as error:
        if here.settings.clever_oidc:
            raise
        logs.log_event("id_token_left_aside", level=logging.WARNING, cause=str(error))
        return None
    return Me.from_claims(claims, one_id=here.version.roles_in_record)


def _me_without_id_token(client: UserClient) -> Me:
    """Call `/me` with CLEVER_OIDC on. Only Clever Library logins come without an ID token.

    Raises CleverMisconfigured for any other login, because nothing ties it to its nonce.
    """
    me = client.me()
    if not me.may_lack_id_token:
        raise CleverMisconfigured("CLEVER_OIDC is on, and a district login has no id token")
    return me


def _log_missing_parts(person: Profile) -> None:
    for name in ("user_record", "district", "schools", "sections"):
        part = getattr(person, name)
        if part.cause:
            level = logging.WARNING if part.outcome == "failed" else logging.INFO
            outcome, cause = part.outcome, part.cause
            logs.log_event("part_missing", level=level, part=name, outcome=outcome, cause=cause)


def _taught_classes(person: Profile) -> Fetched[tuple[TaughtClass, ...]]:
    """Return what the page shows of a teacher's sections. Students' names are not stored."""
    shared = person.sections
    names = [
        TaughtClass(name=each.section.name or "", students=len(each.students))
        for each in shared.value or ()
    ]
    return Fetched(shared.outcome, tuple(names) if shared.value is not None else None)


def _build_current_user(person: Profile, account_id: str) -> CurrentUser:
    user, now = person.user, time.time()
    return CurrentUser(
        account_id=account_id,
        clever_id=user.id,
        district_id=user.district_id,
        first_name=user.first_name,
        last_name=user.last_name,
        email=user.email,
        roles=tuple(record.role for record in user.roles),
        role=person.role,
        outcome=person.user_record.outcome,
        district=replace(person.district, cause=""),
        schools=replace(person.schools, cause=""),
        more_schools=person.more_schools,
        classes=_taught_classes(person),
        logged_in_at=now,
        seen_at=now,
    )
