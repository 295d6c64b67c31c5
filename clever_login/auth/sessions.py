"""Who is logged in: the only file that reads or writes session keys.

Who is archived is logged out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
from flask import Flask, current_app, g, session
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.local import LocalProxy

from clever_login import logs
from clever_login.auth import session_interface
from clever_login.auth.session_interface import EncryptedSession
from clever_login.clever.models import District, Fetched, FetchStatus, Role, School
from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS, Settings
from clever_login.errors import StoreUnavailable
from clever_login.logs import pseudonym
from clever_login.services import services
from clever_login.web import fetch_metadata

_USER_KEY, _STATE_KEY = "login", "state"


@dataclass(frozen=True, kw_only=True)
class TaughtClass:
    """A section of a Clever Library teacher, as their page lists it."""

    name: str
    students: int


@dataclass(frozen=True, kw_only=True)
class CurrentUser:
    """The person who is logged in, as the pages need them; nothing else of theirs is kept."""

    account_id: str
    clever_id: str
    district_id: str | None
    first_name: str
    last_name: str
    email: str | None
    roles: tuple[Role, ...]
    role: Role | None
    outcome: FetchStatus  # of the user record, which has name, email and roles
    district: Fetched[District]
    schools: Fetched[tuple[School, ...]]
    more_schools: int
    logged_in_at: float  # Unix seconds
    seen_at: float
    classes: Fetched[tuple[TaughtClass, ...]] = field(default_factory=lambda: Fetched("none"))
    impersonation_claimed: bool = False  # a note for the page and the log, which anybody can forge
    preferred_name: str = ""  # what they want to be called, if your product has asked

    @property
    def pseudonym(self) -> str:
        """What stands for this person in the log."""
        return pseudonym(services().settings.secret_key, "person", self.clever_id)

    @property
    def district_pseudonym(self) -> str:
        """What stands for this person's district in the log; NOBODY for a Library person."""
        return pseudonym(services().settings.secret_key, "district", self.district_id)

    @property
    def full_name(self) -> str:
        """First and last name, as far as Clever shares them."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def called(self) -> str:
        """What a greeting calls them."""
        return self.preferred_name or self.first_name


def log_in(user: CurrentUser, state_digest: str) -> None:
    """Replace whatever this browser's session held by this person, under a new id.

    The digest is of the state that this login came back with: a repeated callback is told by it.
    """
    session.clear()
    g.pop("csrf_token", None)
    session[_USER_KEY] = msgspec.to_builtins(user)
    session[_STATE_KEY] = state_digest
    generate_csrf()  # now, so that the first page need not write the session again
    district, person = owner = _owner_pseudonyms(user, services().settings.secret_key)
    try:
        if services().settings.session_single:
            end_sessions(district=district, person=person)
        _session_interface().regenerate(session, owner=".".join(owner))
    except StoreUnavailable:
        session.clear()  # else the error page's answer would save it
        raise
    g.current_user = user


def was_logged_in_by(state_digest: str) -> bool:
    """Whether whoever is logged in came with this state, and not by another login."""
    return current_user() is not None and session.get(_STATE_KEY) == state_digest


def end_sessions(*, district: str = "*", person: str = "*") -> int:
    """End the sessions of these pseudonyms, by default everybody's; how many there were."""
    return services().store.delete_matching(f"session-{district}-{person}-*")


def end_sessions_of_pseudonyms(people: Collection[str]) -> int:
    """End the sessions of many pseudonyms, in one walk over the store; how many there were."""
    if not people:
        return 0
    return services().store.delete_matching(
        "session-*-*-*", lambda key: key.split("-")[2] in people
    )


def call_after_save(action: Callable[[], None]) -> None:
    """Do something once this request's session is in the store: before that nobody is in."""
    cast(EncryptedSession, session).when_saved = action


def log_out() -> None:
    """End this browser's session, here and in the store."""
    session.clear()
    session.modified = True  # so that the cookie is expired, too
    g.current_user = None


def current_user() -> CurrentUser | None:
    """The person who is logged in, or None; an idle or too old session is ended."""
    if "current_user" not in g:
        g.current_user = _load_user()
    return cast("CurrentUser | None", g.current_user)


def seconds_left() -> float | None:
    """After how long without a click this session ends, None for nobody; asking is no click."""
    user = cast("CurrentUser | None", g.current_user) if "current_user" in g else _find_user()
    return None if user is None else _ends_at(user, services().settings) - time.time()


def login_marker() -> str:
    """What tells this login from another one of the same browser, and is of no other use."""
    return hashlib.sha256(f"tab of {session.get(_STATE_KEY)}".encode()).hexdigest()[:16]


def check_csrf_token() -> None:
    """Raise CSRFError unless the form that was sent belongs to this session."""
    current_app.extensions["csrf"].protect()


def switch_role(role: Role) -> None:
    """Show the person another of their roles; the caller has checked that it is one."""
    user = current_user()
    if user is not None:
        _save_user(replace(user, role=role))


def rename_in_session(name: str) -> None:
    """Call whoever is logged in by this name from now on."""
    user = current_user()
    if user is not None:
        _save_user(replace(user, preferred_name=name))


def _load_user() -> CurrentUser | None:
    user = _find_user()
    if user is None or fetch_metadata.is_cross_site_subresource():  # no click of the person's
        return user
    # Another machine's clock may be ahead: a click has to count there as well as here.
    if abs(time.time() - user.seen_at) > _write_interval_seconds(services().settings):
        return _save_user(user)
    return user


def _find_user() -> CurrentUser | None:
    """Whoever is logged in; a session that is over, or of another shape, is ended."""
    data: Any = session.get(_USER_KEY)
    if data is None:
        return None
    try:
        user = msgspec.convert(data, CurrentUser)
    except msgspec.ValidationError:  # written by another version of this app
        logs.log_event("session_dropped", reason="unknown_shape")
        user = None
    if user is None or _has_ended(user, services().settings):
        log_out()
        return None
    return user


def _has_ended(user: CurrentUser, settings: Settings) -> bool:
    """Whether its time is up, or its district was taken off the list of those that may come.

    The store ends an idle session by its own clock. This check only has to end one that something
    other than a click has written again, so it can allow for another machine's clock.
    """
    allowed = settings.clever_district_ids
    if allowed and user.district_id not in allowed:
        return True
    now = time.time()
    idle = now - user.seen_at >= settings.session_idle_minutes * 60 + MAX_CLOCK_DIFFERENCE_SECONDS
    return idle or now - user.logged_in_at >= settings.session_max_hours * 3600


def _ends_at(user: CurrentUser, settings: Settings) -> float:
    """When it is over, idle or not; an idle one is then gone from the store, too."""
    idle = user.seen_at + settings.session_idle_minutes * 60
    return min(idle, user.logged_in_at + settings.session_max_hours * 3600)


def _write_interval_seconds(settings: Settings) -> float:
    """How often a read is worth a write: so the idle limit is met to a sixth of it at worst."""
    return min(5 * 60, settings.session_idle_minutes * 60 / 6)


def _owner_pseudonyms(user: CurrentUser, secret: str) -> tuple[str, str]:
    district = pseudonym(secret, "district", user.district_id)
    return district, pseudonym(secret, "person", user.clever_id)


def _save_user(user: CurrentUser) -> CurrentUser:
    """Keep this, seen now: the store keeps what is written for the idle minutes from now on."""
    g.current_user = seen = replace(user, seen_at=time.time())
    session[_USER_KEY] = msgspec.to_builtins(seen)
    return seen


def _session_interface() -> Any:
    return current_app.session_interface


def _require_store() -> None:
    """A session that could not be read must not pass for nobody's."""
    if error := cast(EncryptedSession, session).unavailable:
        raise error


def _template_context() -> dict[str, object]:
    """Whoever is logged in; on a page that has not asked, not before its template does."""
    return {"user": g.current_user if "current_user" in g else LocalProxy(current_user)}


def init_app(app: Flask, settings: Settings) -> None:
    """Give the app its sessions, CSRF tokens, and `user` in templates."""
    with suppress(msgspec.ValidationError):
        # msgspec reads the types at the first use: two threads doing that at once crash (0.22.0).
        msgspec.convert({}, CurrentUser)
    session_interface.init_app(app, settings, services(app).store)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session
        WTF_CSRF_SSL_STRICT=False,  # wants a Referer; `access` checks where a form comes from
    )
    app.before_request(_require_store)
    CSRFProtect(app)
    app.context_processor(_template_context)


def end_sessions_of_people(people: Iterable[str]) -> int:
    """End the sessions of these Clever ids; how many there were."""
    secrets = services().settings.secrets
    return end_sessions_of_pseudonyms(
        {pseudonym(secret, "person", each) for each in people for secret in secrets}
    )


def name_of_district(district_id: str) -> str:
    """By which a district goes in the log."""
    return pseudonym(services().settings.secrets[0], "district", district_id)


def end_sessions_in_district(district_id: str) -> int:
    """End the sessions of everybody in a district; how many there were."""
    secrets = services().settings.secrets
    return sum(end_sessions(district=pseudonym(each, "district", district_id)) for each in secrets)
