"""The current user: the only module that reads or writes session keys."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
from flask import Flask, current_app, g, request, session
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug import Response
from werkzeug.local import LocalProxy

from clever_login.clever.models import PROVIDER, District, Fetched, FetchStatus, Role, School
from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS, Settings
from clever_login.errors import StoreUnavailable
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.services import services
from clever_login.sessions import end_sessions, session_interface
from clever_login.sessions.idle_limits import minutes_after
from clever_login.sessions.session_interface import EncryptedSession, SessionOwner
from clever_login.web import fetch_metadata

_USER_KEY, _STATE_KEY = "login", "state"


@dataclass(frozen=True, kw_only=True)
class TaughtClass:
    """A section of a Clever Library teacher, as listed on the teacher's page."""

    name: str
    students: int


@dataclass(frozen=True, kw_only=True)
class CurrentUser:
    """The logged-in user's data in the session. No other data of the user is stored in it."""

    account_id: str
    person_id: str | None  # the user's row in the library's tables, with Accounts or Rosters
    subject: str  # the user's id at the provider: for Clever, Clever's id
    provider: str = PROVIDER
    district_id: str | None
    first_name: str
    last_name: str
    email: str | None
    roles: tuple[Role, ...]
    role: Role | None
    outcome: FetchStatus  # of the user record, which has name, email, and roles
    district: Fetched[District]
    schools: Fetched[tuple[School, ...]]
    more_schools: int
    logged_in_at: float  # Unix seconds
    seen_at: float
    classes: Fetched[tuple[TaughtClass, ...]] = field(default_factory=lambda: Fetched("none"))
    impersonation_claimed: bool = False  # anyone can forge it, so it never gives a permission
    preferred_name: str = ""  # what the user wants to be called, if your product has asked
    # When Clever last confirmed name and roles, if they are the database's. Unix seconds.
    as_of: float | None = None
    idle_minutes: int | None = None  # after the last page, if its view allows more than the setting

    @property
    def pseudonym(self) -> str:
        """The user's pseudonym in the log."""
        return pseudonym(services().settings.secret_key, "person", self.global_subject)

    @property
    def district_pseudonym(self) -> str:
        """The pseudonym of the user's district in the log; NOBODY_PSEUDONYM for a Library user."""
        return pseudonym(services().settings.secret_key, "district", self.district_id)

    @property
    def global_subject(self) -> str:
        """The subject, which differs from the subjects of other providers."""
        return self.subject if self.provider == PROVIDER else f"{self.provider}:{self.subject}"

    @property
    def clever_id(self) -> str | None:
        """Clever's id of the user, None for a user who logged in by another method."""
        return self.subject if self.provider == PROVIDER else None

    @property
    def full_name(self) -> str:
        """First and last name, as far as Clever shares them."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def called(self) -> str:
        """The name for greetings."""
        return self.preferred_name or self.first_name


def log_in(user: CurrentUser, state_digest: str) -> None:
    """Replace this browser's session with one for this user, under a new id.

    `state_digest` is the digest of the state of this login, by which a repeated callback is
    recognized. Raises StoreUnavailable if the store fails.
    """
    session.clear()
    g.pop("csrf_token", None)
    session[_USER_KEY] = msgspec.to_builtins(user)
    session[_STATE_KEY] = state_digest
    generate_csrf()  # now, so that the first page need not write the session again
    owner, *former_owners = [_owner(user, secret) for secret in services().settings.secrets]
    try:
        if services().settings.session_single:
            for pseudonyms in (owner, *former_owners):  # sessions keep those of their first key
                end_sessions.by_pseudonym(district=pseudonyms.district, person=pseudonyms.person)
        _session_interface().regenerate(session, owner)
    except StoreUnavailable:
        session.clear()  # otherwise the error page's response would save it
        raise
    g.current_user = user


def was_logged_in_by(state_digest: str) -> bool:
    """Whether the current user logged in with this state, and not by another login."""
    return current_user() is not None and session.get(_STATE_KEY) == state_digest


def impersonation_claimed() -> bool:
    """Whether the link of the login claimed an impersonation. This does not extend the session."""
    user = peek_user()
    return user is not None and user.impersonation_claimed


def account_id() -> str | None:
    """Return the id of the account that is logged in, or None."""
    user = current_user()
    return user.account_id if user else None


def call_after_save(action: Callable[[], None]) -> None:
    """Call `action` once this request's session is in the store: until then no one is logged in."""
    cast(EncryptedSession, session).when_saved = action


def check_account() -> None:
    """Do nothing: this module has logged the user in, not the app."""


def was_ended_by_app() -> bool:
    """Return False: only this module logs users out."""
    return False


def log_out() -> None:
    """End this browser's session, in the browser and in the store."""
    session.clear()
    session.modified = True  # so that the cookie is expired, too
    g.current_user = None


def clear_browser(response: Response) -> None:
    """Make the browser delete its cache and what scripts have stored.

    Never "cookies": it would also delete those of other hosts of the site.
    """
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def current_user() -> CurrentUser | None:
    """Return the logged-in user, or None. Ends a session that is idle or too old.

    Raises RuntimeError without `parts.Sessions()`: then the app knows who is logged in.
    """
    if "current_user" not in g:
        g.current_user = _load_user()
    return cast("CurrentUser | None", g.current_user)


def peek_user() -> CurrentUser | None:
    """Return the logged-in user, or None. Calling this does not extend the session."""
    return cast("CurrentUser | None", g.current_user) if "current_user" in g else _find_user()


def seconds_left() -> float | None:
    """Return the seconds until this session ends without a click, or None without a user.

    Calling this does not extend the session.
    """
    user = peek_user()
    return None if user is None else _ends_at(user, services().settings) - time.time()


def login_marker() -> str:
    """Return a value that distinguishes this login from others in the same browser."""
    return hashlib.sha256(f"tab of {session.get(_STATE_KEY)}".encode()).hexdigest()[:16]


def check_csrf_token() -> None:
    """Raise CSRFError unless the submitted form belongs to this session."""
    current_app.extensions["csrf"].protect()


def switch_role(role: Role) -> None:
    """Switch the current user to another role. Raises ValueError if the user does not have it."""
    user = current_user()
    if user is None or role not in user.roles:
        raise ValueError(f"the current user has no role {role!r}")
    _save_user(replace(user, role=role))
    log_event("role_switched", role=role, person=user.pseudonym)


def rename_in_session(name: str) -> None:
    """Set the preferred name of the current user, if any."""
    user = current_user()
    if user is not None:
        _save_user(replace(user, preferred_name=name))


def _load_user() -> CurrentUser | None:
    user = _find_user()
    if user is None or fetch_metadata.is_cross_site_subresource():  # not a click by the user
        return user
    endpoint = request.endpoint or ""
    view = current_app.view_functions.get(endpoint)
    if (minutes := minutes_after(endpoint, view, user.idle_minutes)) != user.idle_minutes:
        return _save_user(replace(user, idle_minutes=minutes))
    # Another machine's clock may be ahead: a click must count there as well as here.
    if abs(time.time() - user.seen_at) > _write_interval_seconds(services().settings):
        return _save_user(user)
    return user


def _find_user() -> CurrentUser | None:
    """Return the logged-in user. Ends a session that has expired or has an unknown structure."""
    if not isinstance(session, EncryptedSession):
        raise RuntimeError(
            "current_user() needs parts.Sessions(). An app with its own sessions knows its user."
        )
    data: Any = session.get(_USER_KEY)
    if data is None:
        return None
    try:
        user = msgspec.convert(data, CurrentUser)
    except msgspec.ValidationError:  # written by another version of this app
        log_event("session_dropped", reason="unknown_shape")
        user = None
    if user is None or _has_ended(user, services().settings):
        log_out()
        return None
    session.idle_seconds = _idle_seconds(user, services().settings)
    return user


def _has_ended(user: CurrentUser, settings: Settings) -> bool:
    """Whether the session has expired, or its district is no longer in PROVIDER_DISTRICT_IDS.

    The store expires idle sessions by its own clock. This check only ends sessions that something
    other than a click has saved, so it can allow for another machine's clock.
    """
    allowed = settings.clever_district_ids
    if allowed and user.provider == PROVIDER and user.district_id not in allowed:
        return True
    now = time.time()
    idle = now - user.seen_at >= _idle_seconds(user, settings) + MAX_CLOCK_DIFFERENCE_SECONDS
    return idle or now - user.logged_in_at >= settings.session_max_hours * 3600


def _ends_at(user: CurrentUser, settings: Settings) -> float:
    """Return when the session ends, in Unix seconds.

    An idle session is gone from the store at that time, too.
    """
    idle = user.seen_at + _idle_seconds(user, settings)
    return min(idle, user.logged_in_at + settings.session_max_hours * 3600)


def _idle_seconds(user: CurrentUser, settings: Settings) -> int:
    return max(settings.session_idle_minutes, user.idle_minutes or 0) * 60


def _write_interval_seconds(settings: Settings) -> float:
    """Return how old `seen_at` may be before it is saved again, in seconds.

    It is at most a sixth of the idle limit, which is the largest error of the idle timeout.
    """
    return min(5 * 60, settings.session_idle_minutes * 60 / 6)


def _owner(user: CurrentUser, secret: str) -> SessionOwner:
    return SessionOwner(
        district=pseudonym(secret, "district", user.district_id),
        person=pseudonym(secret, "person", user.global_subject),
        account=pseudonym(secret, "account", user.account_id),
        row=pseudonym(secret, "row", user.person_id),
    )


def _save_user(user: CurrentUser) -> CurrentUser:
    """Save the user, seen now. The store keeps the session for the idle time from this write on."""
    g.current_user = current = replace(user, seen_at=time.time())
    session[_USER_KEY] = msgspec.to_builtins(current)
    cast(EncryptedSession, session).idle_seconds = _idle_seconds(user, services().settings)
    return current


def _session_interface() -> Any:
    return current_app.session_interface


def _require_store() -> None:
    """Raise StoreUnavailable if the session could not be read.

    An unreadable session must not count as logged out.
    """
    if error := cast(EncryptedSession, session).unavailable:
        raise error


def _template_context() -> dict[str, object]:
    """Return `user` for templates.

    The session is read only if the view or the template needs it.
    """
    return {"user": g.current_user if "current_user" in g else LocalProxy(current_user)}


def init_app(app: Flask, settings: Settings) -> None:
    """Set up sessions, CSRF protection, and `user` in templates."""
    with suppress(msgspec.ValidationError):
        # msgspec reads the types at the first use: two threads doing that at once crash (0.22.0).
        msgspec.convert({}, CurrentUser)
    session_interface.init_app(app, settings, services(app).store)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        # Flask-WTF ignores Flask's fallbacks, but itsdangerous takes several keys.
        WTF_CSRF_SECRET_KEY=settings.signing_keys,
        WTF_CSRF_TIME_LIMIT=None,  # a token is valid as long as its session
        # Would require a Referer; `permissions` checks the origin of forms.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.before_request(_require_store)
    CSRFProtect(app)
    app.context_processor(_template_context)
