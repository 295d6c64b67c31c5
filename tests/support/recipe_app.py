"""Small apps for the recipes of examples/recipes/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from flask.typing import ResponseReturnValue

from clever_login import CleverLogin, Settings, current_user, parts, public
from clever_login.parts import Part
from clever_login.testing import sample_settings

PARTS = (
    parts.Sessions(),
    parts.ClosedByDefault(),
    parts.SecurityHeaders(),
    parts.ErrorPages(),
    parts.Languages(),
)


def make_app(settings: Settings, *added: Part, **arguments: Any) -> Flask:
    """Create an app with these parts and `/me`. A part replaces another one of its kind."""
    folder = settings.instance_path  # no other files of an app are there
    app = Flask("product", root_path=folder, instance_path=folder)
    kinds = {type(part) for part in added}
    chosen = [*(part for part in PARTS if type(part) not in kinds), *added]
    CleverLogin(app, settings, parts=chosen, **arguments)
    app.add_url_rule("/", "home", public(lambda: ("Home", {"Content-Type": "text/plain"})))
    app.add_url_rule("/me", "me", _describe_user)
    return app


def sample_app(folder: Path, *added: Part, **arguments: Any) -> Flask:
    """Create an app for `clever_login.testing`, without Clever."""
    return make_app(sample_settings(folder), *added, **arguments)


def _describe_user() -> ResponseReturnValue:
    user = current_user()
    assert user
    described = (user.provider, user.account_id, user.full_name)
    return " ".join(described), {"Content-Type": "text/plain"}
