"""The app: its table of contents."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

import dashboard
from clever_login import logs, services
from clever_login.auth import callback, idle_timeout, login_views, permissions, sessions
from clever_login.auth.account_hooks import find_or_create, keep_sections
from clever_login.cli import group
from clever_login.config import Settings, load_settings_or_exit
from clever_login.i18n import languages
from clever_login.web import (
    compression,
    error_pages,
    health,
    language_views,
    security_headers,
    static_files,
)

PRODUCT = "Reading Room"  # the name on every page

PARTS = (
    logs,  # one line per event, nobody's data
    services,  # settings, store, transport, pending logins
    languages,  # which language a request speaks
    security_headers,  # what every answer carries, which hosts are ours
    static_files,  # static files, named by their content
    compression,  # pages, packed for slow networks
    sessions,  # who is logged in
    permissions,  # closed unless marked public
    language_views,  # /language/es
    idle_timeout,  # a page goes when its session has ended
    error_pages,  # every failure has a page
    health,  # /healthz, /readyz
    login_views,  # /login, /logout
    callback,  # /oauth/callback
    dashboard,  # what each role sees: begin here
    group,  # flask clever ...
    import_module("clever_login.extension"),  # accounts, rosters: see docs/make-it-yours.md
)


def create_app(settings: Settings | None = None) -> Flask:
    """The whole app; without settings they are read from the environment."""
    settings = settings or load_settings_or_exit()
    app = Flask(__name__, instance_path=settings.instance_path)
    app.config["FIND_OR_CREATE"] = find_or_create  # who is who in your product
    app.config["KEEP_SECTIONS"] = keep_sections  # what a Clever Library teacher shares
    app.jinja_env.globals["product"] = PRODUCT
    for room in PARTS:
        room.init_app(app, settings)
    return app
