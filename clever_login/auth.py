"""/login, /oauth/callback, /logout: the way in and the way out.

All three entry points end here: the button (a state of ours comes back), the Clever Portal and an
Instant Login link (a code without a state: dropped, and the login begun anew with a state of ours,
as Clever's guide asks).
"""

from __future__ import annotations

from functools import partial

from flask import (
    Blueprint,
    Flask,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug import Response

from clever_login import arrival, identity, logs, oauth, session
from clever_login.access import public, safe_next
from clever_login.errors import (
    BadCallback,
    CodeUsed,
    LoginCancelled,
    LoginError,
    LoginExpired,
    LoginRefused,
)
from clever_login.models import is_identifier
from clever_login.pending import PendingLogin, new_state
from clever_login.services import services
from clever_login.session import CurrentUser
from clever_login.settings import Settings

bp = Blueprint("auth", __name__)


@bp.get("/login")
@public
def login() -> ResponseReturnValue:
    """Begin a login: with `district_id` at that district, with `next` to that page after it."""
    district = request.args.get("district_id")
    return _send_to_clever(
        PendingLogin(
            district_id=district if is_identifier(district) else None,
            next=safe_next(request.args.get("next")),
        )
    )


@bp.get("/oauth/callback")
@public
def callback() -> ResponseReturnValue:
    """End a login."""
    if arrival.only_looks():
        return "", 204
    arrival.check_parameters()
    state, code = request.args.get("state"), request.args.get("code")
    if not state:
        return _arrived_without_state(code)
    login = services().pending.find(request, state)
    if login is None:
        return _not_ours(LoginExpired("no login of this browser waits for this state"))
    if login.expired:
        return _restart(login, state)
    if not services().pending.spend(state):
        return _used(login, state)
    return _finish(login, state, code)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session here, and never at Clever."""
    user = session.current_user()
    session.log_out()
    logs.event("logout")
    district = user.district_id if user else None
    response = redirect(url_for("auth.logged_out", district_id=district), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'  # never "cookies": also neighbours'
    return response


@bp.get("/logged-out")
@public
def logged_out() -> ResponseReturnValue:
    """Say that Clever itself may still be logged in, and offer to log in again."""
    return render_template("logged_out.html", district_id=request.args.get("district_id"))


def _arrived_without_state(code: str | None) -> ResponseReturnValue:
    """Launched by Clever, or by nobody: never exchange this code."""
    if not arrival.top_level_navigation():
        raise BadCallback("no state, and not a browser's own navigation")
    if code:
        logs.event("login_restarted", reason="no_state")
        return _send_to_clever(PendingLogin())
    if request.args.get("error"):
        return _not_ours(BadCallback("an error without a state"))
    return redirect(url_for("dashboard.home"))  # a bookmark, or Clever's staff having a look


def _send_to_clever(login: PendingLogin) -> Response:
    """Send the browser to Clever with a fresh state, and the cookie that waits for it."""
    here = services()
    state = new_state()
    district = login.district_id or here.settings.clever_district_id
    url = oauth.authorization_url(here.settings, state=state, district_id=district)
    response = redirect(url)
    here.pending.add(request, response, login, state)
    return response


def _restart(login: PendingLogin, state: str) -> Response:
    """Begin the same login once more, without a word to the person."""
    logs.event("login_restarted", reason="expired" if login.expired else "used")
    response = _send_to_clever(PendingLogin(login.district_id, login.next, login.restarts + 1))
    services().pending.forget(response, state)
    return response


def _not_ours(error: LoginError) -> ResponseReturnValue:
    """A callback that this browser did not ask for changes nothing for whoever is logged in."""
    if session.current_user() is not None:
        return redirect(url_for("dashboard.show"))
    raise error


def _used(login: PendingLogin, state: str) -> ResponseReturnValue:
    """Refresh, Back, a bookmark, a double click: quiet for whoever it has logged in."""
    if session.logged_in_by(state):
        return redirect(url_for("dashboard.show"))
    if login.restarts == 0:
        return _restart(login, state)
    raise CodeUsed("the state was used before")


def _finish(login: PendingLogin, state: str, code: str | None) -> ResponseReturnValue:
    """Exchange, read, check, log in. If any of it fails, whoever was logged in no longer is."""
    try:
        user = identity.of(_code_or_error(code))
    except Exception:
        session.log_out()
        raise
    session.log_in(user, state)
    response = redirect(login.next or url_for("dashboard.show"), 303)
    services().pending.forget(response, state)
    response.call_on_close(partial(_log_login, response, user))
    return response


def _log_login(response: Response, user: CurrentUser) -> None:
    """Once the session is saved and the answer sent: before that nobody is in."""
    if response.status_code == 303:
        logs.event("login", role=user.role or "none")


def _code_or_error(code: str | None) -> str:
    """The code, or Clever's `error` by its few known values; its text is not shown or logged."""
    error = request.args.get("error")
    if error == "access_denied":
        raise LoginCancelled("the person said no at Clever")
    if error is not None:
        raise LoginRefused("Clever sent an error instead of a code")
    if not code:
        raise BadCallback("a state of ours, and no code")
    return code


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views."""
    app.register_blueprint(bp)
