"""/preferred-name: what Clever does not tell and the app wants to know, asked once, skippable.

An example of such a field, off unless ASK_PREFERRED_NAME is on: a column in `tables`, this page.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login import logs
from clever_login.access import safe_next
from clever_login.session import call, current_user
from clever_login.settings import Settings
from clever_login.values import text

LONGEST = 40
bp = Blueprint("names", __name__, template_folder="templates")


@bp.get("/preferred-name")
def ask() -> ResponseReturnValue:
    """Ask whoever is logged in."""
    after = safe_next(request.args.get("next"))
    return render_template("school/preferred_name.html", next=after, longest=LONGEST)


@bp.post("/preferred-name")
def answer() -> ResponseReturnValue:
    """Keep the name, or that they would rather not say, and go on to where they were going."""
    from clever_login.school.accounts import prefer

    user = current_user()
    if user is not None:
        name = (text(request.form.get("name")) or "")[:LONGEST]
        prefer(user.account_id, name)
        call(name)
        claimed = user.impersonation_claimed
        logs.event("preferred_name_set", person=user.pseudonym, impersonation_claimed=claimed)
    after = safe_next(request.form.get("next"))
    return redirect(after or url_for("dashboard.show"), 303)


def ask_after_this_login() -> None:
    """Lead whoever is logging in to the question first."""
    g.ask_preferred_name = True


def _question_first(response: Response) -> Response:
    if g.pop("ask_preferred_name", False) and response.status_code == 303:
        response.location = url_for("names.ask", next=response.location)
    return response


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the page, and lead to it from a first login."""
    app.register_blueprint(bp)
    app.after_request(_question_first)
