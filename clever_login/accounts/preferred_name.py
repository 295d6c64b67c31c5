"""/preferred-name: asks once for a name that Clever does not provide. It can be skipped.

An example of an extra field, off unless ASK_PREFERRED_NAME is on: a column in
`clever_login.db.models` and this page.
"""

from __future__ import annotations

from flask import Flask, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login.clever.parsing import parse_text
from clever_login.config import Settings
from clever_login.logs.events import log_event
from clever_login.sessions.user_session import (
    current_user,
    impersonation_claimed,
    rename_in_session,
)
from clever_login.web.routing import Routes, after_login_url, safe_next

MAX_NAME_LENGTH = 40
routes = Routes()


@routes.get("/preferred-name", "preferred_name")
def show_form() -> ResponseReturnValue:
    """Show the form to a logged-in user."""
    next_url = safe_next(request.args.get("next"))
    return render_template(
        "clever_login/preferred_name.html", next=next_url, longest=MAX_NAME_LENGTH
    )


@routes.post("/preferred-name", "save_preferred_name")
def save() -> ResponseReturnValue:
    """Store the name, or that the user skipped it, and redirect to the page they were going to."""
    from clever_login.accounts.account_lookup import set_preferred_name

    user = current_user()
    if user is not None and user.person_id is not None:
        name = (parse_text(request.form.get("name")) or "")[:MAX_NAME_LENGTH]
        set_preferred_name(user.person_id, name)
        rename_in_session(name)
        log_event("preferred_name_set", person=user.pseudonym)
    next_url = safe_next(request.form.get("next"))
    return redirect(next_url or after_login_url(), 303)


def ask_after_login() -> None:
    """Send the user to the form after the login in progress."""
    g.ask_preferred_name = True


def _redirect_to_question(response: Response) -> Response:
    asked = g.pop("ask_preferred_name", False) and response.status_code == 303
    if asked and not impersonation_claimed():  # such a session could not save the answer
        response.location = url_for("clever_login.preferred_name", next=response.location)
    return response


def init_app(app: Flask, _settings: Settings) -> None:
    """Redirect to the page after login while no answer is stored."""
    app.after_request(_redirect_to_question)
