"""/login and /logout: the way to Clever, and the way out."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from clever_login import ahead, crowd, languages, logs, oauth, session
from clever_login.access import public, safe_next
from clever_login.pending import PendingLogin, digest, new_state, nonce
from clever_login.services import services
from clever_login.settings import Settings
from clever_login.values import is_identifier

bp = Blueprint("auth", __name__)


@bp.get("/login")
@public
def login() -> ResponseReturnValue:
    """Begin a login: with `district_id` at that district, with `next` to that page after it."""
    district = request.args.get("district_id")
    return send_to_clever(
        PendingLogin(
            district_id=district if is_identifier(district) else None,
            next=safe_next(request.args.get("next")),
        )
    )


@bp.post("/logout")
@public
def logout() -> ResponseReturnValue:
    """End the session here, and never at Clever, which is asked to confirm the next student.

    A page whose session has ended asks for what has happened already: it needs no token.
    """
    user = session.current_user()
    if user is not None:
        session.check_form()
        session.log_out()
        logs.event("logout", person=user.pseudonym)
    district = user.district_id if user else None
    address = url_for("auth.logged_out", district_id=district, language=languages.language().name)
    response = redirect(address, 303)
    languages.forget(response)  # the next person's browser says what they speak
    response.headers["Clear-Site-Data"] = '"cache", "storage"'  # never "cookies": also neighbours'
    services().pending.confirm_next(response)
    return response


@bp.get("/logged-out")
@public
def logged_out() -> ResponseReturnValue:
    """Say that Clever itself may still be logged in, and offer to log in again."""
    if session.current_user() is not None:
        return redirect(url_for("dashboard.show"))
    district = request.args.get("district_id")
    return render_template(
        "logged_out.html", district_id=district if is_identifier(district) else None
    )


def send_to_clever(login: PendingLogin) -> Response:
    """Send the browser to Clever with a fresh state, and the cookie that waits for it.

    Raises Crowded when more people come than can be answered.
    """
    crowd.turn_away()
    here = services()
    state = new_state()
    url = oauth.authorization_url(
        here.settings,
        state=state,
        nonce=nonce(digest(state)),
        district_id=login.district_id or here.settings.clever_district_id,
        confirm=here.settings.clever_confirm_students or here.pending.to_confirm(request),
    )
    response = redirect(url)
    here.pending.add(request, response, login, state)
    ahead.begin()
    return response


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views."""
    app.extensions["csrf"].exempt(logout)  # which asks for the token itself
    app.register_blueprint(bp)
