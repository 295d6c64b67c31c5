"""The pages of the school: a class, a school, a district; what one may not see is a 404.

They read the store alone: no page asks Clever for anything. What reads it is imported by the first
page that does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Flask, abort, g, render_template, request
from flask.typing import ResponseReturnValue

from clever_login.clever.parsing import is_valid_id
from clever_login.config import Settings
from clever_login.rosters import formatting
from clever_login.rosters.pagination import ALL_PAGES
from clever_login.rosters.viewer import current_viewer

if TYPE_CHECKING:
    from clever_login.rosters.page_data import Dashboard

bp = Blueprint("classes", __name__, template_folder="../templates")


@bp.get("/classes/<section_id>")
def section(section_id: str) -> ResponseReturnValue:
    """A class and, for its teachers and those above them, its students."""
    from clever_login.rosters import page_data

    found = page_data.load_class_page(
        current_viewer(), _valid_id(section_id), _requested_page(whole=True)
    ) or abort(404)
    return render_template("school/class.html", shown=found)


@bp.get("/schools/<school_id>")
def school(school_id: str) -> ResponseReturnValue:
    """A school in numbers, and its classes."""
    from clever_login.rosters import page_data

    found = page_data.load_school_page(
        current_viewer(), _valid_id(school_id), _requested_page()
    ) or abort(404)
    return render_template("school/school.html", shown=found)


@bp.get("/district")
def district() -> ResponseReturnValue:
    """A district in numbers, and its schools."""
    from clever_login.rosters import page_data

    found = page_data.load_district_page(current_viewer(), _requested_page()) or abort(404)
    return render_template("school/district.html", shown=found)


def current_dashboard() -> Dashboard:
    """What whoever is logged in has on their dashboard; read once a request."""
    from clever_login.rosters import page_data

    if "own_lists" not in g:
        g.own_lists = page_data.load_dashboard(current_viewer(), _requested_page())
    return cast("Dashboard", g.own_lists)


def _valid_id(text: str) -> str:
    """What may be an id of Clever's; PostgreSQL refuses some other texts, such as a NUL."""
    return text if is_valid_id(text) else abort(404)


def _requested_page(*, whole: bool = False) -> int:
    """Which page of a list is asked for; what is no number is the first, `all` is for paper."""
    asked = request.args.get("page", "")
    if whole and asked == "all":
        return ALL_PAGES
    return max(int(asked), 1) if re.fullmatch("[0-9]{1,6}", asked) else 1


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the pages, and let the dashboards show their lists."""
    app.jinja_env.globals["own_lists"] = current_dashboard
    app.jinja_env.filters.update(formatting.TEMPLATE_FILTERS)
    app.register_blueprint(bp)
