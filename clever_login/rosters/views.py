"""Pages for classes, schools and districts. What a user may not see is a 404.

The pages read only the database and never call Clever. The first page view imports the modules that
read it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from flask import Flask, abort, g, render_template, request
from flask.typing import ResponseReturnValue

from clever_login.clever.parsing import is_valid_id
from clever_login.config import Settings
from clever_login.rosters import formatting
from clever_login.rosters.pagination import ALL_PAGES
from clever_login.rosters.viewers import current_viewer
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
