"""What each role sees: change it to make the product yours.

`/` is for users who are not logged in. A login ends at `/dashboard`, which `app.py` names.
"""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login import current_user, public

bp = Blueprint("dashboard", __name__)


@bp.get("/")
@public
def home() -> ResponseReturnValue:
    """Shows the login page. Redirects logged-in users to the dashboard."""
    if current_user() is not None:
        return redirect(url_for("dashboard.show"))
    return render_template("home.html", next=request.args.get("next"))


@bp.get("/dashboard")
def show() -> ResponseReturnValue:
    """Shows the page of the user's role. The URL never contains the role."""
    user = current_user()
    name = user.role.value if user and user.role else "no_role"
    return render_template(f"dashboard/{name}.html")


def init_app(app: Flask) -> None:
    """Registers the blueprint."""
    app.register_blueprint(bp)
