"""The pages of the school: a class, a school, a district; what one may not see is a 404.

They read the store alone: no page asks Clever for anything. What reads it is imported by the first
page that does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Flask, abort, g, render_template, request
from flask.typing import ResponseReturnValue

from clever_login.school import words
from clever_login.school.paged import WHOLE
from clever_login.school.viewer import viewer
from clever_login.settings import Settings
from clever_login.values import is_identifier

if TYPE_CHECKING:
    from clever_login.school.shown import Dashboard

bp = Blueprint("classes", __name__, template_folder="templates")


@bp.get("/classes/<section_id>")
def section(section_id: str) -> ResponseReturnValue:
    """A class and, for its teachers and those above them, its students."""
    from clever_login.school import shown

    found = shown.section(viewer(), _an_id(section_id), _page(whole=True)) or abort(404)
    return render_template("school/class.html", shown=found)


@bp.get("/schools/<school_id>")
def school(school_id: str) -> ResponseReturnValue:
    """A school in numbers, and its classes."""
    from clever_login.school import shown

    found = shown.school(viewer(), _an_id(school_id), _page()) or abort(404)
    return render_template("school/school.html", shown=found)


@bp.get("/district")
def district() -> ResponseReturnValue:
    """A district in numbers, and its schools."""
    from clever_login.school import shown

    found = shown.district(viewer(), _page()) or abort(404)
    return render_template("school/district.html", shown=found)


def own_lists() -> Dashboard:
    """What whoever is logged in has on their dashboard; read once a request."""
    from clever_login.school import shown

    if "own_lists" not in g:
        g.own_lists = shown.dashboard(viewer(), _page())
    return cast("Dashboard", g.own_lists)


def _an_id(text: str) -> str:
    """What may be an id of Clever's; PostgreSQL refuses some other texts, such as a NUL."""
    return text if is_identifier(text) else abort(404)


def _page(*, whole: bool = False) -> int:
    """Which page of a list is asked for; what is no number is the first, `all` is for paper."""
    asked = request.args.get("page", "")
    if whole and asked == "all":
        return WHOLE
    return max(int(asked), 1) if re.fullmatch("[0-9]{1,6}", asked) else 1


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the pages, and let the dashboards show their lists."""
    app.jinja_env.globals["own_lists"] = own_lists
    app.jinja_env.filters.update(words.FILTERS)
    app.register_blueprint(bp)
