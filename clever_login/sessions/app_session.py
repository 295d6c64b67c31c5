"""A login in an app that keeps its own sessions: one key in `flask.session`, and no name.

The key says who logged in with Clever. Who is logged in to the app is the app's business: it logs
the user in and out in its own functions (`AppLogin`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask import abort, current_app, session
from werkzeug import Response

from clever_login.clever.models import Role
from clever_login.errors import AccountRefused
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.services import services
from clever_login.sessions import flask_login_user
from clever_login.sessions.user_session import CurrentUser
from clever_login.web import fetch_metadata

KEY = "_clever"


@dataclass(frozen=True, kw_only=True)
class AppLogin:
    """The app's own login: functions that CleverLogin was given.

    `on_logout` logs the app's user out. `current_account` returns the id of the account that is
    logged in by any method, or None. Without these functions, Flask-Login is asked if the app uses
    it. `keep_session` names session keys that stay when another person logs in.
    """

    on_logout: Callable[[], None] | None = None
    current_account: Callable[[], str | None] | None = None
    keep_session: Collection[str] = field(default=())


@dataclass(frozen=True, kw_only=True)
class SessionKey:
    """The value of the key. It has no name, no email address, and no token."""

    provider: str
    subject: str
    app: str
    district_id: str | None
    roles: tuple[Role, ...]
    role: Role | None
    person_id: str | None
    logged_in_at: float  # Unix seconds
    state: str  # digest of the state of this login
    impersonation_claimed: bool = False  # by the link of this login
    account_id: str | None = None  # who was logged in to the app after the login

    @property
    def pseudonym(self) -> str:
        """The user's pseudonym in the log."""
        return pseudonym(services().settings.secret_key, "person", self.subject)


class AppSession:
    """A `LoginSession` in the app's own session."""

    def __init__(self, app_login: AppLogin) -> None:
        self._app_login = app_login

    def current_user(self) -> SessionKey | None:
        """Return who logged in with Clever, or None.

        Returns None, too, if the app has logged somebody else in since then.
        """
        data: Any = session.get(KEY)
        if data is None:
            return None
        try:
            user = msgspec.convert(data, SessionKey)
        except msgspec.ValidationError:  # written by another version of the library
            log_event("session_dropped", reason="unknown_shape")
            session.pop(KEY)
            return None
        return user if self._is_allowed(user) and self._is_current(user) else None

    def impersonation_claimed(self) -> bool:
        """Whether the link of the login with Clever claimed an impersonation."""
        user = self.current_user()
        return user is not None and user.impersonation_claimed

    def account_id(self) -> str | None:
        """Return the account that is logged in to the app, or None."""
        return (self._app_login.current_account or flask_login_user.account_id)()

    def was_logged_in_by(self, state_digest: str) -> bool:
        """Whether the user logged in with this state."""
        user = self.current_user()
        return user is not None and user.state == state_digest

    def log_in(self, user: CurrentUser, state_digest: str) -> None:
        """Store the key. If another person was logged in, log them out and clear the session."""
        if self._belongs_to_another(user):
            self.log_out()
        self._change_session_id()
        session[KEY] = msgspec.to_builtins(
            SessionKey(
                provider=user.provider,
                subject=user.subject,
                app="clever",
                district_id=user.district_id,
                roles=user.roles,
                role=user.role,
                person_id=user.person_id,
                logged_in_at=time.time(),
                state=state_digest,
                impersonation_claimed=user.impersonation_claimed,
            )
        )

    def check_account(self) -> None:
        """Raise AccountRefused if nobody is logged in to the app, and the app can tell.

        Flask-Login's `login_user` returns False for an inactive user, and apps overlook that.
        """
        if self._knows_account() and self.account_id() is None:
            raise AccountRefused

    def was_ended_by_app(self) -> bool:
        """Whether the app logged the user of the key out, or logged another user in."""
        return KEY in session and self.current_user() is None

    def log_out(self) -> None:
        """Log the app's user out, and clear the session: the next person may use this browser.

        What `on_logout` itself puts into the session stays: Flask-Login deletes its cookie that
        remembers the user by such a key.
        """
        before = dict(session)
        (self._app_login.on_logout or flask_login_user.log_out)()
        for name in before.keys() - set(self._app_login.keep_session):
            if name in session and session[name] == before[name]:
                session.pop(name)

    def clear_browser(self, response: Response) -> None:
        """Delete nothing: what the app's pages store in a browser is the app's."""

    def check_csrf_token(self) -> None:
        """Refuse a form from another site, and one without the token of the app's Flask-WTF."""
        if fetch_metadata.is_from_another_origin(services().settings.app_url):
            abort(403)
        if "csrf" in current_app.extensions and current_app.config["WTF_CSRF_ENABLED"]:
            current_app.extensions["csrf"].protect()

    def call_after_save(self, action: Callable[[], None]) -> None:
        """Remember which account the app logged in, and call `action`.

        The app's session is saved with the response; the library cannot wait for that.
        """
        if KEY in session:
            session[KEY] = {**session[KEY], "account_id": self.account_id()}
        action()

    def _knows_account(self) -> bool:
        return self._app_login.current_account is not None or flask_login_user.is_used()

    def _is_allowed(self, user: SessionKey) -> bool:
        allowed = services().settings.clever_district_ids
        return not allowed or user.district_id in allowed

    def _is_current(self, user: SessionKey) -> bool:
        return user.account_id is None or user.account_id == self.account_id()

    def _belongs_to_another(self, user: CurrentUser) -> bool:
        """Whether this browser has a user who is not, or may not be, the one who logs in."""
        former = self.current_user()
        if former is not None:
            return (former.provider, former.subject) != (user.provider, user.subject)
        if KEY in session:
            return True
        return self.account_id() is not None

    def _change_session_id(self) -> None:
        """Give the session a new id, so that nobody who planted the old one shares it.

        Flask's signed cookies have no id. Flask-Session (0.6 and later) has this method.
        """
        regenerate = getattr(current_app.session_interface, "regenerate", None)
        if regenerate:
            regenerate(session)
