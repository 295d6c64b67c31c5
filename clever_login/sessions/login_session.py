"""Where a login is stored: in the library's own sessions, or in one key of the app's session.

The views of a login use `login_session()`, and so work with both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from flask import Flask, current_app
from werkzeug import Response

from clever_login.clever.models import Role
from clever_login.sessions.user_session import CurrentUser

_KEY = "clever_login_session"


class LoggedIn(Protocol):
    """What both kinds of session know about the user who is logged in."""

    @property
    def provider(self) -> str:
        """`clever`, or the name of another login method of the app."""

    @property
    def subject(self) -> str:
        """The user's id at the provider."""

    @property
    def district_id(self) -> str | None:
        """Clever's id of the district, None without one."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles of the user."""

    @property
    def role(self) -> Role | None:
        """The current role."""

    @property
    def person_id(self) -> str | None:
        """The user's row in the library's tables, with Accounts or Rosters."""

    @property
    def logged_in_at(self) -> float:
        """When the user logged in, in Unix seconds."""

    @property
    def pseudonym(self) -> str:
        """The user's pseudonym in the log."""


class LoginSession(Protocol):
    """The session of a browser. The module `user_session` and the class `AppSession` are such."""

    def current_user(self) -> LoggedIn | None:
        """Return the user who is logged in, or None."""

    def impersonation_claimed(self) -> bool:
        """Whether the link of the login claimed that an administrator acts as the user."""

    def account_id(self) -> str | None:
        """Return the id of the account that is logged in by any method, or None."""

    def was_logged_in_by(self, state_digest: str) -> bool:
        """Whether the user logged in with this state, and not by another login."""

    def log_in(self, user: CurrentUser, state_digest: str) -> None:
        """Replace the user of this browser. Raises StoreUnavailable."""

    def check_account(self) -> None:
        """Raise AccountRefused if the app, in its `on_login`, has logged nobody in."""

    def was_ended_by_app(self) -> bool:
        """Whether the app itself has logged out a user of Clever, whose session there is open."""

    def log_out(self) -> None:
        """End the login in this browser."""

    def clear_browser(self, response: Response) -> None:
        """Delete what the browser has stored, after a logout."""

    def check_csrf_token(self) -> None:
        """Raise CSRFError or abort with 403 unless the form comes from a page of this session."""

    def call_after_save(self, action: Callable[[], None]) -> None:
        """Call `action` once the login is stored."""


def init_app(app: Flask, session: LoginSession) -> None:
    """Make this the session of all logins of the app."""
    app.extensions[_KEY] = session


def login_session() -> LoginSession:
    """Return the session of logins in the current app."""
    return cast(LoginSession, current_app.extensions[_KEY])
