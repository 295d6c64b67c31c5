"""The app: what it is made of. Start in dashboard.py, which decides what each role sees."""

from importlib import import_module

from flask import Flask

from clever_login import CleverLogin, Settings, parts

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
# Modules with a function `init_app`. reading is an example to delete.
FEATURES = ("dashboard", "site_pages", "reading")
clever = CleverLogin(product="Reading Room", url_prefix="", after_login="/dashboard", parts=PARTS)


def create_app(settings: Settings | None = None) -> Flask:
    """Creates the app. Reads the settings from the environment by default."""
    settings = settings or Settings.load_or_exit()
    app = Flask(__name__, instance_path=settings.instance_path)
    clever.init_app(app, settings)
    for name in FEATURES:
        import_module(name).init_app(app)
    return app
