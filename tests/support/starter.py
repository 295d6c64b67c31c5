"""The starter's app with other arguments for CleverLogin, such as an own find_or_create."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

import dashboard
from app import PARTS, clever
from clever_login.config import Settings
from clever_login.extension import CleverLogin
from tests.support.running_app import ROOT


def make_starter(
    settings: Settings, *, without: tuple[str, ...] = (), root: Path = ROOT, **arguments: Any
) -> Flask:
    """Create the app of app.py without the parts of these names, and with these arguments.

    `root` is the folder with the app's templates, static files, and translations.
    """
    app = Flask("app", root_path=str(root), instance_path=settings.instance_path)
    options: dict[str, Any] = {
        "product": clever.product,
        "url_prefix": "",
        "after_login": "/dashboard",
        "parts": [part for part in PARTS if type(part).__name__ not in without],
    }
    CleverLogin(app, settings, **(options | arguments))
    dashboard.init_app(app)
    return app
