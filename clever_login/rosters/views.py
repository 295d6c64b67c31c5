"""Pages for classes, schools and districts. What a user may not see is a 404.

The pages read only the database and never call Clever. The first page view imports the modules that
read it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from flask import Flask, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login.clever.parsing import is_valid_id
from clever_login.config import Settings
from clever_login.logs.events import log_event
from clever_login.rosters import formatting
from clever_login.rosters.pagination import ALL_PAGES
from clever_login.rosters.viewers import current_viewer
from clever_login.sessions.user_session import current_user
from clever_login.web.routing import Routes

if TYPE_CHECKING:
    from clever_login.rosters.page_data import Dashboard

routes = Routes()


@routes.get("/classes/<section_id>")
def section(section_id: str) -> ResponseReturnValue:
    """Show a class and, to its teachers and administrators, its students."""
    from clever_login.rosters import page_data

    class_page = page_data.load_class_page(
        current_viewer(), _valid_id(section_id), _requested_page(allow_all=True)
    )
    return render_template("clever_login/class.html", page_data=class_page)


@routes.get("/schools/<school_id>")
def school(school_id: str) -> ResponseReturnValue:
    """Show a school's numbers and classes."""
    from clever_login.rosters import page_data

    school_page = page_data.load_school_page(
        current_viewer(), _valid_id(school_id), _requested_page()
    )
    return render_template("clever_login/school.html", page_data=school_page)


@routes.get("/district")
def district() -> ResponseReturnValue:
    """Show a district's numbers and schools."""
    from clever_login.rosters import page_data

    district_page = page_data.load_district_page(current_viewer(), _requested_page())
    return render_template("clever_login/district.html", page_data=district_page)


@routes.get("/district/removals")
def removals() -> ResponseReturnValue:
    """Show a district administrator what the sync has put on hold, by school."""
    from clever_login.rosters import page_data

    review = page_data.load_review(current_viewer())
    return render_template("clever_login/removals.html", review=review)


@routes.post("/district/removals", "approve_removals")
def approve_removals() -> ResponseReturnValue:
    """Approve the removals that the administrator has seen. The next sync makes them."""
    from clever_login.db.database import database
    from clever_login.rosters import page_data, removal_review

    viewer, until = current_viewer(), _shown_time(request.form.get("until", ""))
    number = database().retry_transaction(  # a sync may write the same rows
        lambda session: removal_review.approve(session.connection(), viewer, until=until)
    )
    if number:
        user = current_user() or abort(401)
        log_event("removals_approved", person=user.pseudonym, number=number)
    else:  # a second click, or nothing on hold for this viewer: then this raises NotVisible
        page_data.load_review(viewer)
    return redirect(url_for("clever_login.removals"), 303)


def _shown_time(text: str) -> datetime:
    """Return the time in a form, which says what the page has shown. Aborts with 400."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else abort(400)
    except (ValueError, OverflowError):  # not a time, or outside of the calendar in UTC
        abort(400)


def current_dashboard() -> Dashboard:
    """Return the dashboard data of the logged-in user, read once per request."""
    from clever_login.rosters import page_data

    if "dashboard_data" not in g:
        g.dashboard_data = page_data.load_dashboard(current_viewer(), _requested_page())
    return cast("Dashboard", g.dashboard_data)


def _valid_id(text: str) -> str:
    """Return a well-formed Clever id, or abort with 404. PostgreSQL rejects some texts (NUL)."""
    return text if is_valid_id(text) else abort(404)


def _requested_page(*, allow_all: bool = False) -> int:
    """Return the page number asked for: 1 if invalid, ALL_PAGES for `all` (for printing)."""
    text = request.args.get("page", "")
    if allow_all and text == "all":
        return ALL_PAGES
    return max(int(text), 1) if re.fullmatch("[0-9]{1,6}", text) else 1


def init_app(app: Flask, _settings: Settings) -> None:
    """Give templates the dashboard data and filters."""
    app.jinja_env.globals["dashboard_data"] = current_dashboard
    app.jinja_env.filters.update(formatting.TEMPLATE_FILTERS)
