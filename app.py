"""The app: what it is made of. Start in dashboard.py, which decides what each role sees."""

from __future__ import annotations

from flask import Flask

import dashboard
from clever_login import parts
from clever_login.config import Settings, load_settings_or_exit
from clever_login.extension import CleverLogin

PRODUCT = "Reading Room"  # the name on every page
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
    parts.Rosters(),
)


def create_app(settings: Settings | None = None) -> Flask:
    """Creates the app. Reads the settings from the environment by default."""
    settings = settings or load_settings_or_exit()
    app = Flask(__name__, instance_path=settings.instance_path)
    CleverLogin(
        app,
        settings,
        product=PRODUCT,
        url_prefix="",
        home="dashboard.home",
        after_login="dashboard.show",
        parts=PARTS,
    )
    dashboard.init_app(app)
    return app
