"""Shared computers: a page goes by itself when its session has ended, and can be asked to stay.

Without JavaScript the browser is told when to leave. With it, `static/page.js` warns first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask import Blueprint, Flask, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login.auth import sessions
from clever_login.auth.pending_logins import pending_logins
from clever_login.clever.parsing import is_valid_id
from clever_login.config import Settings
from clever_login.i18n.languages import clear_language_cookie, current_language
from clever_login.services import services
from clever_login.web.routing import public

bp = Blueprint("idle", __name__)
MIN_WARNING_SECONDS, MAX_WARNING_SECONDS = 20, 120  # seconds; WCAG 2.2.1 asks for twenty at least


@dataclass(frozen=True, kw_only=True)
class SessionEnd:
    """When a page has to go, for its template: seconds, and which login it belongs to."""

    seconds: int
    warning: int
    login: str
    away: str


@bp.get("/away")
@public
def away() -> ResponseReturnValue:
    """Where a page goes by itself; it holds nobody's data, and coming here is no click."""
    district = request.args.get("district_id")
    left = sessions.seconds_left()
    district = district if is_valid_id(district) else None
    page = render_template("away.html", user=None, ended=left is None, district_id=district)
    response = make_response(page)
    if left is None:
        if "language" in request.args:  # not where somebody has chosen one on this page
            clear_language_cookie(response)  # the next person's browser says what they speak
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        pending_logins().confirm_next(response)  # Clever's own session goes on
    return response


@bp.post("/still-here")
def still_here() -> ResponseReturnValue:
    """The button of the warning, a click like any other: how many seconds there are now."""
    return jsonify(seconds=_seconds_left())


def _session_end() -> SessionEnd | None:
    """None on a page for nobody: there is nothing to hide."""
    user = sessions.current_user()
    if user is None:
        return None
    return SessionEnd(
        seconds=_seconds_left(),
        warning=_warning_seconds(services().settings),
        login=sessions.login_marker(),
        away=url_for("idle.away", district_id=user.district_id, language=current_language().name),
    )


def _seconds_left() -> int:
    """Rounded up, and one more: whoever comes when they are over finds the session ended."""
    return math.ceil(sessions.seconds_left() or 0) + 1


def _warning_seconds(settings: Settings) -> int:
    """How long before the end the page asks: a tenth of the idle time, within limits."""
    return min(max(settings.session_idle_minutes * 6, MIN_WARNING_SECONDS), MAX_WARNING_SECONDS)


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views, and tell templates when a page has to go."""
    app.context_processor(lambda: {"session_end": _session_end})
    app.register_blueprint(bp)
