"""Pages about this site for families and staff, and the small files that browsers ask for.

Fill in the pages in templates/site/ before a school uses the app: each says what you must add.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Flask, Response, abort, current_app, render_template
from flask.typing import ResponseReturnValue

from clever_login import public

bp = Blueprint("site", __name__)
SECURITY_TXT_DAYS = 180  # RFC 9116 recommends less than a year


@bp.get("/privacy")
@public
def privacy() -> ResponseReturnValue:
    """Tells families what the app stores about a student."""
    return render_template("site/privacy.html")


@bp.get("/help")
@public
def help_page() -> ResponseReturnValue:
    """Tells students and teachers what to do if they cannot log in."""
    return render_template("site/help.html")


@bp.get("/accessibility")
@public
def accessibility() -> ResponseReturnValue:
    """Says how accessible the app is, and whom to tell about a barrier."""
    return render_template("site/accessibility.html")


@bp.get("/robots.txt")
@public
def robots() -> ResponseReturnValue:
    """Lets search engines find the public pages, and nothing else."""
    return _text(render_template("site/robots.txt"))


@bp.get("/.well-known/security.txt")
@public
def security_txt() -> ResponseReturnValue:
    """Says whom to tell about a vulnerability (RFC 9116). 404 if no support team is set."""
    text = render_template(
        "site/security.txt", expires=datetime.now(UTC) + timedelta(days=SECURITY_TXT_DAYS)
    )
    return _text(text) if "Contact:" in text else abort(404)


@bp.get("/site.webmanifest")
@public
def manifest() -> ResponseReturnValue:
    """Names the app and its icons, for a phone's home screen."""
    text = render_template("site/manifest.json")
    return Response(text, mimetype="application/manifest+json")


@bp.get("/favicon.ico")
@public
def favicon() -> ResponseReturnValue:
    """Returns the icon that browsers ask for even if the page names another one."""
    return current_app.send_static_file("icons/favicon.ico")


def _text(text: str) -> Response:
    return Response(text, mimetype="text/plain")


def init_app(app: Flask) -> None:
    """Registers the blueprint."""
    app.register_blueprint(bp)
