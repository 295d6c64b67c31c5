"""Shared computers: a page goes by itself when its session has ended, and can be asked to stay.

Without JavaScript the browser is told when to leave. With it, `static/page.js` warns first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask import Blueprint, Flask, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login import session
from clever_login.access import public
from clever_login.languages import forget, language
from clever_login.services import services
from clever_login.settings import Settings
from clever_login.values import is_identifier

bp = Blueprint("idle", __name__)
SHORTEST_WARNING, LONGEST_WARNING = 20, 120  # seconds; WCAG 2.2.1 asks for twenty at least


@dataclass(frozen=True, kw_only=True)
class End:
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
    left = session.seconds_left()
    district = district if is_identifier(district) else None
    page = render_template("away.html", user=None, ended=left is None, district_id=district)
    response = make_response(page)
    if left is None:
        if "language" in request.args:  # not where somebody has chosen one on this page
            forget(response)  # the next person's browser says what they speak
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        services().pending.confirm_next(response)  # Clever's own session goes on
    return response


@bp.post("/still-here")
def still_here() -> ResponseReturnValue:
    """The button of the warning, a click like any other: how many seconds there are now."""
    return jsonify(seconds=_seconds())


def _end() -> End | None:
    """None on a page for nobody: there is nothing to hide."""
    user = session.current_user()
    if user is None:
        return None
    return End(
        seconds=_seconds(),
        warning=_warning(services().settings),
        login=session.login_name(),
        away=url_for("idle.away", district_id=user.district_id, language=language().name),
    )


def _seconds() -> int:
    """Rounded up, and one more: whoever comes when they are over finds the session ended."""
    return math.ceil(session.seconds_left() or 0) + 1


def _warning(settings: Settings) -> int:
    """How long before the end the page asks: a tenth of the idle time, within limits."""
    return min(max(settings.session_idle_minutes * 6, SHORTEST_WARNING), LONGEST_WARNING)


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views, and tell templates when a page has to go."""
    app.context_processor(lambda: {"session_end": _end})
    app.register_blueprint(bp)
