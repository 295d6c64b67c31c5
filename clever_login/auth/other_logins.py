"""For the app's other login methods: logs in a user whom the app has identified itself, and out."""

from __future__ import annotations

import secrets
import time

from flask import url_for

from clever_login import signals
from clever_login.auth.account_hooks import account_hooks
from clever_login.auth.identity import Account, Identity
from clever_login.auth.pending_logins import digest_state
from clever_login.clever.models import PROVIDER, Fetched
from clever_login.clever.parsing import is_valid_id
from clever_login.errors import DistrictNotAllowed
from clever_login.logs.events import log_event
from clever_login.logs.notifications import notify
from clever_login.services import services
from clever_login.sessions import user_session
from clever_login.sessions.login_session import login_session
from clever_login.sessions.user_session import CurrentUser


def log_in(identity: Identity, account_id: str | None = None) -> None:
    """Log in a user who has proven by another method who they are, in a new session.

    Without `account_id`, `find_or_create` returns it. `identity.person_id` names the user's row in
    our tables: with it, the user sees the same classes as after a login with Clever. `on_login` is
    not called.

    Raises RuntimeError without `parts.Sessions()`, ValueError without `account_id` where our tables
    have the accounts, AccountRefused like `find_or_create`, and StoreUnavailable.
    """
    if login_session() is not user_session:
        raise RuntimeError("log_in() needs parts.Sessions(). Use the login of your own sessions.")
    allowed = services().settings.clever_district_ids
    if allowed and identity.provider == PROVIDER and identity.district_id not in allowed:
        raise DistrictNotAllowed("the district is not in CLEVER_DISTRICT_IDS")
    user = _build_current_user(identity, _account(identity, account_id))
    user_session.log_in(user, digest_state(secrets.token_urlsafe(32)))
    announce_login(user, identity, user.account_id)


def log_out() -> None:
    """Log the user out in this browser, and end the session.

    Without `parts.Sessions()`, this calls the app's `on_logout`.
    """
    login_session().log_out()


def announce_login(user: CurrentUser, identity: Identity, account_id: str) -> None:
    """Log a login, and send its signal. Call this once the session is stored."""
    log_event(
        "login",
        role=user.role or "none",
        person=user.pseudonym,
        district=user.district_pseudonym,
        impersonation_claimed=user.impersonation_claimed,
    )
    notify(signals.logged_in, identity=identity, account_id=account_id)


def login_url(*, next: str | None = None, district_id: str | None = None) -> str:  # noqa: A002 # the name of the query parameter
    """Return the URL that starts a login with Clever.

    The login ends at `next`, a path of this app. With `district_id`, the user need not choose a
    district at Clever. Raises ValueError if it is malformed.
    """
    if district_id is not None and not is_valid_id(district_id):
        raise ValueError("district_id must be Clever's id of a district")
    return url_for("clever_login.login", next=next, district_id=district_id)


def _account(identity: Identity, account_id: str | None) -> Account:
    if account_id is not None:
        return Account(id=account_id)
    hooks = account_hooks()
    if hooks.accounts_are_people:
        raise ValueError("with parts.Accounts, log_in() needs the id of the account")
    return hooks.account(identity, None)


def _build_current_user(identity: Identity, account: Account) -> CurrentUser:
    now = time.time()
    row_id = account.id if account_hooks().accounts_are_people else None
    return CurrentUser(
        account_id=account.id,
        person_id=identity.person_id or row_id,
        preferred_name=account.called or "",
        subject=identity.subject,
        provider=identity.provider,
        district_id=identity.district_id,
        first_name=identity.first_name,
        last_name=identity.last_name,
        email=identity.email,
        roles=identity.roles,
        role=identity.role or (identity.roles[0] if identity.roles else None),
        outcome="loaded",
        district=Fetched("none"),
        schools=Fetched("none"),
        more_schools=0,
        impersonation_claimed=identity.impersonated,
        logged_in_at=now,
        seen_at=now,
    )
