"""What each role sees: the part that you replace.

Copy it beside `app.py`, import the copy there, and change that. The other rooms lead people to its
endpoints `dashboard.home` (nobody is logged in) and `dashboard.show` (somebody is).
"""

from __future__ import annotations

from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from clever_login import logs
from clever_login.auth.sessions import current_user, switch_role
from clever_login.clever.models import Role
from clever_login.config import Settings
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
    """The login page; who is logged in goes on to the dashboard."""
    if current_user() is not None:
        return redirect(url_for("dashboard.show"))
    library = services().settings.clever_library
    return render_template("home.html", next=safe_next(request.args.get("next")), library=library)


@bp.get("/dashboard")
def show() -> ResponseReturnValue:
    """The page of the person's role; the address never carries one."""
    user = current_user()
    name = user.role.value if user and user.role else "no_role"
    return render_template(f"dashboard/{name}.html")


@bp.post("/role")
def switch() -> ResponseReturnValue:
    """Change to another of one's own roles, and to no other."""
    user, wanted = current_user(), request.form.get("role", "")
    if user is None or wanted not in user.roles:
        abort(403)
    switch_role(Role(wanted))
    logs.log_event("role_switched", role=wanted, person=user.pseudonym)
    return redirect(url_for("dashboard.show"), 303)


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views."""
    app.context_processor(lambda: {"role_labels": ROLE_LABELS})
    app.register_blueprint(bp)
