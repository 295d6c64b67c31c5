"""Exchanges an authorization code for a verified user with an account."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from clever_login.auth.account_hooks import AccountHooks, account_hooks
from clever_login.auth.identity import Account, Identity
from clever_login.auth.last_known import LastKnown
from clever_login.clever import oauth, oidc
from clever_login.clever.deadlines import Deadline
from clever_login.clever.models import Fetched, Me
from clever_login.clever.oauth import Tokens
from clever_login.clever.profile import Profile
from clever_login.clever.user_client import UserClient
from clever_login.errors import CleverMisconfigured, CleverUnavailable, DistrictNotAllowed
from clever_login.logs.events import log_event
from clever_login.services import services
from clever_login.sessions.user_session import CurrentUser, TaughtClass


@dataclass(frozen=True)
class Authentication:
    """A user whom Clever has identified: what the session stores, and what the product is told."""

    user: CurrentUser
    identity: Identity


def authenticate_user(code: str, nonce: str, *, impersonated: bool) -> Authentication:
    """Exchange the code, load the user's profile, and find or create the account.

    The tokens are discarded when this function returns. `nonce` was sent with this login's state,
    and an ID token must contain it. `impersonated` is what the link claims. Raises LoginError when
    Clever does not identify the user or when the account is refused.
    """
    profile = identify(code, nonce)
    hooks = account_hooks()
    last_known = _find_last_known(hooks, profile)
    person = hooks.find_person(profile.user) if hooks.find_person else None
    if person and hooks.save_sections and profile.sections.value is not None:
        hooks.save_sections(person.id, profile.sections.value)
    person_id = person.id if person else None
    identity = Identity.from_profile(profile, person_id=person_id, impersonated=impersonated)
    account = hooks.account(identity, person)
    user = _build_current_user(profile, account, person_id)
    user = last_known.complete(user) if last_known else user
    return Authentication(replace(user, impersonation_claimed=impersonated), identity)


def identify(code: str, nonce: str) -> Profile:
    """Exchange the code and load the user's profile, without an account. Raises LoginError."""
    profile = _load_profile(code, nonce)
    allowed = services().settings.clever_district_ids
    if allowed and profile.user.district_id not in allowed:
        raise DistrictNotAllowed("the district is not in CLEVER_DISTRICT_IDS")
    _log_missing_parts(profile)
    return profile


def _load_profile(code: str, nonce: str) -> Profile:
    app_services = services()
    deadline = Deadline(app_services.settings.login_seconds)
    tokens = oauth.exchange_code(app_services.settings, app_services.transport, code, deadline)
    loader = app_services.profile_loader(tokens.access_token, deadline)
    if tokens.id_token is None and app_services.settings.clever_oidc:
        me: Me | None = _me_without_id_token(loader.client)
    else:
        me = _me_from_id_token(tokens, nonce, deadline)
    return loader.load(me)


def _me_from_id_token(tokens: Tokens, nonce: str, deadline: Deadline) -> Me | None:
    """Return the user named by the ID token, which saves a call to `/me`.

    Returns None without an ID token, and when the token lacks Clever's own claims: `/me` has the
    same data. If Clever's keys cannot be read, the nonce cannot be checked: the function returns
    None, or raises CleverUnavailable with CLEVER_OIDC on.
    """
    app_services = services()
    if tokens.id_token is None:
        return None
    token = oidc.IdToken(value=tokens.id_token, access_token=tokens.access_token, nonce=nonce)
    try:
        claims = oidc.verify_id_token(token, app_services.settings, app_services.keys, deadline)
    except CleverUnavailable as error:
        if app_services.settings.clever_oidc:
            raise
        log_event("id_token_left_aside", level=logging.WARNING, cause=str(error))
        return None
    return Me.from_claims(claims, one_id=app_services.version.roles_in_record)


def _me_without_id_token(client: UserClient) -> Me:
    """Call `/me` with CLEVER_OIDC on. Only Clever Library logins come without an ID token.

    Raises CleverMisconfigured for any other login, because nothing ties it to its nonce.
    """
    me = client.me()
    if not me.may_lack_id_token:
        raise CleverMisconfigured(
            "CLEVER_OIDC is on, but Clever sent no id token for a district login"
        )
    return me


def _find_last_known(hooks: AccountHooks, profile: Profile) -> LastKnown | None:
    """Return what the database knows, if Clever sent no record. Otherwise nothing is read."""
    if profile.user_record.outcome == "loaded" or hooks.find_last_known is None:
        return None
    last_known = hooks.find_last_known(profile.user)
    if last_known:
        roles = " ".join(last_known.roles)
        log_event("last_known_used", roles=roles, as_of=last_known.as_of.isoformat())
    return last_known


def _log_missing_parts(profile: Profile) -> None:
    for name in ("user_record", "district", "schools", "sections"):
        part = getattr(profile, name)
        if part.cause:
            level = logging.WARNING if part.outcome == "failed" else logging.INFO
            outcome, cause = part.outcome, part.cause
            log_event("part_missing", level=level, part=name, outcome=outcome, cause=cause)


def _taught_classes(profile: Profile) -> Fetched[tuple[TaughtClass, ...]]:
    """Return what the page shows of a teacher's sections. Students' names are not stored."""
    shared = profile.sections
    names = [
        TaughtClass(name=section.section.name or "", students=len(section.students))
        for section in shared.value or ()
    ]
    return Fetched(shared.outcome, tuple(names) if shared.value is not None else None)


def _build_current_user(profile: Profile, account: Account, person_id: str | None) -> CurrentUser:
    user, now = profile.user, time.time()
    return CurrentUser(
        account_id=account.id,
        person_id=person_id,
        preferred_name=account.called or "",
        subject=user.id,
        district_id=user.district_id,
        first_name=user.first_name,
        last_name=user.last_name,
        email=user.email,
        roles=tuple(record.role for record in user.roles),
        role=profile.role,
        outcome=profile.user_record.outcome,
        district=profile.district,
        schools=profile.schools,
        more_schools=profile.more_schools,
        classes=_taught_classes(profile),
        logged_in_at=now,
        seen_at=now,
    )
