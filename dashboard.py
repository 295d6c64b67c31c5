"""What each role sees: change it to make the product yours.

`/` is for users who are not logged in. A login ends at `/dashboard`, which `app.py` names.
"""

from __future__ import annotations

from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from clever_login import Role, current_user, public, switch_role

bp = Blueprint("dashboard", __name__)
ROLE_LABELS = {
    Role.STUDENT: _("Student"),
    Role.TEACHER: _("Teacher"),
    Role.STAFF: _("School administrator"),
    Role.DISTRICT_ADMIN: _("District administrator"),
}


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


@bp.post("/role")
def switch() -> ResponseReturnValue:
    """Switches to another role of the user. Responds 403 for any other role."""
    try:
        switch_role(Role(request.form.get("role", "")))
    except ValueError:  # no such role, or not a role of this user
        abort(403)
    return redirect(url_for("dashboard.show"), 303)


def init_app(app: Flask) -> None:
    """Registers the blueprint."""
    app.context_processor(lambda: {"role_labels": ROLE_LABELS})
    app.register_blueprint(bp)
