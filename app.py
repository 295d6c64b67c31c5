"""The app: its table of contents."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from clever_login import (
    access,
    assets,
    auth,
    callback,
    cli,
    dashboard,
    error_pages,
    headers,
    health,
    idle,
    language_switch,
    languages,
    logs,
    packing,
    services,
    session,
)
from clever_login.accounts import find_or_create, keep_sections
from clever_login.settings import Settings, load_or_exit

PRODUCT = "Reading Room"  # the name on every page

ROOMS = (
    logs,  # one line per event, nobody's data
    services,  # settings, store, transport, pending logins
    languages,  # which language a request speaks
    headers,  # what every answer carries, which hosts are ours
    assets,  # static files, named by their content
    packing,  # pages, packed for slow networks
    session,  # who is logged in
    access,  # closed unless marked public
    language_switch,  # /language/es
    idle,  # a page goes when its session has ended
    error_pages,  # every failure has a page
    health,  # /healthz, /readyz
    auth,  # /login, /logout
    callback,  # /oauth/callback
    dashboard,  # what each role sees: begin here
    cli,  # flask clever ...
    import_module("clever_login.school"),  # accounts, rosters: without, delete this and the folder
)


def create_app(settings: Settings | None = None) -> Flask:
    """The whole app; without settings they are read from the environment."""
    settings = settings or load_or_exit()
    app = Flask(__name__, instance_path=settings.instance_path)
    app.config["FIND_OR_CREATE"] = find_or_create  # who is who in your product
    app.config["KEEP_SECTIONS"] = keep_sections  # what a Clever Library teacher shares
    app.jinja_env.globals["product"] = PRODUCT
    for room in ROOMS:
        room.init_app(app, settings)
    return app
