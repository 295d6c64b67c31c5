"""Idle timeout for shared computers: the page leaves when its session has ended.

Without JavaScript a meta refresh leaves the page. With JavaScript, `static/page.js` warns first and
lets the user stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from flask import Flask, g, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login.auth.pending_logins import pending_logins
from clever_login.clever.parsing import is_valid_id
from clever_login.config import Settings
from clever_login.i18n.languages import clear_language_cookie, current_language
from clever_login.services import services
from clever_login.sessions import user_session
from clever_login.sessions.idle_limits import keep_idle_limit
from clever_login.sessions.user_session import CurrentUser
from clever_login.web.routing import Routes, impersonation_allowed, public

routes = Routes()
_KEY = "clever_login_session_end"  # in g
MIN_WARNING_SECONDS, MAX_WARNING_SECONDS = 20, 120  # seconds; WCAG 2.2.1 asks for at least 20


@dataclass(frozen=True, kw_only=True)
class SessionEnd:
    """When a page must leave, for its template.

    Times are in seconds; `login` identifies the login.
    """

    seconds: int
    warning: int
    login: str
    away: str


@routes.get("/away")
@public
def away() -> ResponseReturnValue:
    """Show the page that a browser goes to after the idle timeout.

    It contains no user's data. Requesting it does not extend the session.
    """
    district = request.args.get("district_id")
    seconds = user_session.seconds_left()
    district = district if is_valid_id(district) else None
    page = render_template(
        "clever_login/away.html", user=None, ended=seconds is None, district_id=district
    )
    response = make_response(page)
    if seconds is None:
        if "language" in request.args:  # not if a user chose a language on this page
            clear_language_cookie(response)  # the next user's browser preference applies
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        pending_logins().confirm_next(response)  # the session at Clever is still open
    return response


@routes.post("/still-here")
@impersonation_allowed  # it changes only how long this session lasts
@keep_idle_limit
def still_here() -> ResponseReturnValue:
    """Extend the session, as any other click does, and return the seconds left as JSON."""
    return jsonify(seconds=_seconds_left())


def _session_end() -> SessionEnd | None:
    """Return when this page must leave, or None without a user: then there is nothing to hide."""
    user = user_session.current_user()
    if user is None:
        return None
    known_user, end = g.get(_KEY, (None, None))
    if known_user is not user:  # two templates of a page ask
        end = _session_end_of(user)
        setattr(g, _KEY, (user, end))
    return cast("SessionEnd", end)


def _session_end_of(user: CurrentUser) -> SessionEnd:
    return SessionEnd(
        seconds=_seconds_left(),
        warning=_warning_seconds(services().settings),
        login=user_session.login_marker(),
        away=url_for(
            "clever_login.away", district_id=user.district_id, language=current_language().name
        ),
    )


def _seconds_left() -> int:
    """Return the time left, rounded up, plus one second.

    A request after that time finds the session ended.
    """
    return math.ceil(user_session.seconds_left() or 0) + 1


def _warning_seconds(settings: Settings) -> int:
    """Return how long before the end the page warns: a tenth of the idle time, within limits."""
    return min(max(settings.session_idle_minutes * 6, MIN_WARNING_SECONDS), MAX_WARNING_SECONDS)


def init_app(app: Flask, _settings: Settings) -> None:
    """Give templates `session_end`."""
    app.context_processor(lambda: {"session_end": _session_end})
