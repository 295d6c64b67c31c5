"""What each role sees: the module to replace with your own.

`/` is for users who are not logged in. A login ends at `/dashboard`, which `app.py` names.
"""

from __future__ import annotations

from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from clever_login.auth.sessions import current_user, switch_role
from clever_login.clever.models import Role
from clever_login.logs.events import log_event
from clever_login.services import services
from clever_login.web.routing import public, safe_next

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
    library = services().settings.clever_library
    return render_template("home.html", next=safe_next(request.args.get("next")), library=library)


@bp.get("/dashboard")
def show() -> ResponseReturnValue:
    """Shows the page of the user's role. The URL never contains the role."""
    user = current_user()
    name = user.role.value if user and user.role else "no_role"
    return render_template(f"dashboard/{name}.html")


@bp.post("/role")
def switch() -> ResponseReturnValue:
    """Switches to another role of the user. Responds 403 for any other role."""
    user, role = current_user(), request.form.get("role", "")
    if user is None or role not in user.roles:
        abort(403)
    switch_role(Role(role))
    log_event("role_switched", role=role, person=user.pseudonym)
    return redirect(url_for("dashboard.show"), 303)


def init_app(app: Flask) -> None:
    """Registers the blueprint."""
    app.context_processor(lambda: {"role_labels": ROLE_LABELS})
    app.register_blueprint(bp)
