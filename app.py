"""The application factory and the list of the app's parts."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

import dashboard
from clever_login import services
from clever_login.auth import callback, idle_timeout, login_views, permissions, sessions
from clever_login.auth.account_hooks import find_or_create, keep_sections
from clever_login.cli import group
from clever_login.config import Settings, load_settings_or_exit
from clever_login.i18n import languages
from clever_login.logs import app_logging
from clever_login.web import (
    body_limits,
    compression,
    error_pages,
    health,
    language_views,
    request_checks,
    security_headers,
    static_files,
)

PRODUCT = "Reading Room"  # the name on every page

PARTS = (
    app_logging,  # one log line per event, without personal data
    services,  # settings, store, transport, pending logins
    languages,  # the language of a request
    body_limits,  # the size of a request
    request_checks,  # allowed hosts, HTTPS, no frames
    security_headers,  # headers of every response
    static_files,  # static files, with content hashes in their URLs
    compression,  # compressed pages
    sessions,  # the logged-in user
    permissions,  # views are private unless marked public
    language_views,  # /language/es
    idle_timeout,  # redirects open pages when their session ends
    error_pages,  # an error page for every failure
    health,  # /healthz, /readyz
    login_views,  # /login, /logout
    callback,  # /oauth/callback
    dashboard,  # what each role sees: start here
    group,  # flask clever ...
    import_module("clever_login.extension"),  # accounts, rosters: see docs/make-it-yours.md
)


def create_app(settings: Settings | None = None) -> Flask:
    """Creates the app. Reads the settings from the environment by default."""
    settings = settings or load_settings_or_exit()
    app = Flask(__name__, instance_path=settings.instance_path)
    app.config["FIND_OR_CREATE"] = find_or_create  # finds the account in your product
    app.config["KEEP_SECTIONS"] = keep_sections  # stores what a Clever Library teacher shares
    app.jinja_env.globals["product"] = PRODUCT
    for part in PARTS:
        part.init_app(app, settings)
    return app
