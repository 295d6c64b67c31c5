"""A second host name: pages for parents, beside the app of the school."""

from flask import Blueprint, Flask, redirect, render_template_string, request, url_for
from flask.typing import ResponseReturnValue

from clever_login import Settings, parts, public

PARENTS = "parents.example.org"
HEADERS = parts.SecurityHeaders(hosts=(PARENTS,))
PAGE = """{% extends "clever_login/base.html" %}
{% block heading %}For parents{% endblock %}
{% block content %}<p>Your child logs in at {{ school_url }}.</p>{% endblock %}"""


def init_app(app: Flask) -> None:
    """Register the page, and redirect requests for other pages to the host of APP_URL."""
    settings: Settings = app.extensions["clever_login"].settings
    bp = Blueprint("parents", __name__)

    @bp.get("/parents")
    @public
    def show() -> str:
        return render_template_string(PAGE, school_url=settings.app_url)

    @app.before_request
    def only_pages_for_parents() -> ResponseReturnValue | None:
        if request.host != PARENTS or request.blueprint == "parents" or _is_file():
            return None
        if request.path == "/":
            return redirect(url_for("parents.show"))
        return redirect(settings.app_url + request.full_path.rstrip("?"))

    app.register_blueprint(bp)


def _is_file() -> bool:
    return request.endpoint in {"static", "clever_login.static"}
