"""/session: the logged-in user as JSON, for pages that a script renders in the browser."""

from __future__ import annotations

from flask import jsonify
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from clever_login.auth import sessions
from clever_login.auth.sessions import CurrentUser
from clever_login.web.routing import Routes, public

routes = Routes()


@routes.get("/session", "session")
@public
def show_session() -> ResponseReturnValue:
    """Return the user, and the CSRF token for the header X-CSRFToken, or {"user": null}.

    A script may request this at any interval: it neither extends nor creates a session.
    """
    user = sessions.peek_user()
    if user is None:
        response = jsonify(user=None)
    else:
        response = jsonify(user=_describe(user), csrf_token=generate_csrf())
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response


def _describe(user: CurrentUser) -> dict[str, object]:
    """Return what a front end shows. Clever's ID and the email address stay on the server."""
    return {
        "account_id": user.account_id,
        "name": user.preferred_name or user.full_name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "roles": user.roles,
        "role": user.role,
        "district": user.district.value.name if user.district.value else None,
        "impersonation_claimed": user.impersonation_claimed,
    }
