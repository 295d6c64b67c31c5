"""An app with every part of the library, a first page, and a dashboard for each role."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login import CleverLogin, Settings, current_user, parts, public

PRODUCT = "Reading Room"
PARTS = (
    parts.Sessions(),
    parts.ClosedByDefault(),
    parts.SecurityHeaders(),
    parts.ErrorPages(),
    parts.StaticFiles(),
    parts.Compression(),
    parts.IdleTimeout(),
    parts.Languages(),
    parts.Health(),
    parts.Accounts(),
    parts.Rosters(flask_app=__name__),
)
clever = CleverLogin(product=PRODUCT, url_prefix="", after_login="/dashboard", parts=PARTS)


def create_app(settings: Settings | None = None) -> Flask:
    """Create the app. Reads the settings from the environment by default."""
    settings = settings or Settings.load_or_exit()
    app = Flask("app", root_path=str(Path(__file__).parent), instance_path=settings.instance_path)
    clever.init_app(app, settings)
    add_pages(app)
    return app


def add_pages(app: Flask) -> None:
    """Add the first page and the dashboards."""
    pages = Blueprint("dashboard", __name__)
    pages.add_url_rule("/", "home", public(home))
    pages.add_url_rule("/dashboard", "show", show)
    app.register_blueprint(pages)


def home() -> ResponseReturnValue:
    """Show the login page. Redirects logged-in users to the dashboard."""
    if current_user() is not None:
        return redirect(url_for("dashboard.show"))
    return render_template("home.html", next=request.args.get("next"))


def show() -> ResponseReturnValue:
    """Show the page of the user's role."""
    user = current_user()
    name = user.role.value if user and user.role else "no_role"
    return render_template(f"dashboard/{name}.html")
