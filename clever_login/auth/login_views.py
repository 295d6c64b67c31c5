"""/login, /logout, /role for users with several roles, and /session for JavaScript."""

from __future__ import annotations

from flask import Flask, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug import Response

from clever_login import signals, warm_up
from clever_login.auth import impersonation, load_shedding
from clever_login.auth.pending_logins import (
    PendingLogin,
    PendingLogins,
    derive_nonce,
    digest_state,
    new_state,
    pending_logins,
)
from clever_login.auth.used_codes import UsedCodes
from clever_login.clever import oauth
from clever_login.clever.models import PROVIDER, Role
from clever_login.clever.parsing import is_valid_id
from clever_login.config import Settings
from clever_login.i18n import languages
from clever_login.logs.events import log_event
from clever_login.logs.notifications import notify
from clever_login.logs.pseudonyms import NOBODY_PSEUDONYM
from clever_login.services import services
from clever_login.sessions import user_session
from clever_login.sessions.login_session import login_session
from clever_login.web.routing import (
    Routes,
    after_login_url,
    home_url,
    impersonation_allowed,
    public,
    request_origin,
    safe_next,
)

routes = Routes()
ROLE_LABELS = {
    Role.STUDENT: _("Student"),
    Role.TEACHER: _("Teacher"),
    Role.STAFF: _("School administrator"),
    Role.DISTRICT_ADMIN: _("District administrator"),
}
session_routes = Routes()  # of the part Sessions


@routes.get("/login")
@public
def login() -> ResponseReturnValue:
    """Start a login: at the district in `district_id`, with a redirect to `next` after it.

    A further host of the app redirects to the host of APP_URL, where the callback arrives: a
    browser sends the cookie of the pending login only to the host that set it.
    """
    app_url = services().settings.app_url
    if request_origin(app_url) != app_url:
        return redirect(app_url + request.full_path.rstrip("?"))
    district = request.args.get("district_id")
    return redirect_to_clever(
        PendingLogin(
            district_id=district if is_valid_id(district) else None,
            next=safe_next(request.args.get("next")),
        )
    )


@routes.post("/logout")
@public
@impersonation_allowed
def logout() -> ResponseReturnValue:
    """End the session in this app. The session at Clever stays open.

    The next login asks Clever to confirm the student, because Clever's session is still open.
    Without a session no CSRF token is needed: there is nothing left to end.
    """
    session = login_session()
    user = session.current_user()
    account_id = session.account_id()
    if user is not None or account_id is not None:
        session.check_csrf_token()
        session.log_out()
        log_event("logout", person=user.pseudonym if user else NOBODY_PSEUDONYM)
        notify(signals.logged_out, account_id=account_id)
    if user is not None and user.provider != PROVIDER:
        return redirect(home_url(), 303)
    district = user.district_id if user else None
    address = url_for(
        "clever_login.logged_out", district_id=district, language=languages.current_language().name
    )
    response = redirect(address, 303)
    languages.clear_language_cookie(response)  # the next user's browser preference applies
    session.clear_browser(response)
    pending_logins().confirm_next(response)
    return response


@routes.get("/logged-out")
@public
def logged_out() -> ResponseReturnValue:
    """Tell the user that Clever may still be logged in, and offer to log in again."""
    if login_session().current_user() is not None:
        return redirect(after_login_url())
    district = request.args.get("district_id")
    return render_template(
        "clever_login/logged_out.html", district_id=district if is_valid_id(district) else None
    )


@routes.post("/role")
@impersonation_allowed  # it changes only what this session shows
def switch_role() -> ResponseReturnValue:
    """Switch to another role of the user. Responds 403 for any other role."""
    try:
        user_session.switch_role(Role(request.form.get("role", "")))
    except ValueError:  # no such role, or not a role of this user
        abort(403)
    return redirect(after_login_url(), 303)


@session_routes.get("/session", "session")
@public
def show_session() -> ResponseReturnValue:
    """Return the user, and the CSRF token for the header X-CSRFToken, or {"user": null}.

    A script may request this at any interval: it neither extends nor creates a session.
    """
    user = user_session.peek_user()
    if user is None:
        return jsonify(user=None)
    return jsonify(user=_describe_user(user), csrf_token=generate_csrf())


def redirect_to_clever(login: PendingLogin) -> Response:
    """Redirect the browser to Clever with a new state, and set the cookie of the pending login.

    Raises Overloaded when this process cannot serve more logins.
    """
    load_shedding.refuse_if_overloaded()
    app_services = services()
    state = new_state()
    logged_out = pending_logins().to_confirm(request) or login_session().was_ended_by_app()
    url = oauth.authorization_url(
        app_services.settings,
        state=state,
        nonce=derive_nonce(digest_state(state)),
        district_id=login.district_id or app_services.settings.clever_district_id,
        confirm=app_services.settings.clever_confirm_students or logged_out,
    )
    response = redirect(url)
    pending_logins().add(request, response, login, state)
    warm_up.start_loading()
    return response


def _describe_user(user: user_session.CurrentUser) -> dict[str, object]:
    """Return what a front end shows. Clever's ID and the email address stay on the server."""
    return {
        "account_id": user.account_id,
        "name": user.preferred_name or user.full_name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "roles": user.roles,
        "role": user.role,
        "district": user.district.value.name if user.district.value else None,
        "as_of": user.as_of,
        "impersonation_claimed": user.impersonation_claimed,
    }


def init_app(app: Flask, settings: Settings) -> None:
    """Set up pending logins and used codes."""
    store = services(app).store
    app.extensions["clever_login_pending_logins"] = PendingLogins(settings, store)
    app.extensions["clever_login_used_codes"] = UsedCodes(store)
    if "csrf" in app.extensions:
        for view in (logout, impersonation.end):  # which check the token themselves
            app.extensions["csrf"].exempt(view)
