"""Installs the parts in an app, and what the library's own views need without a part.

Code that needs the database is imported at first use: an app without accounts and rosters starts
without SQLAlchemy, and gunicorn forks its workers before loading it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from flask import Blueprint, Flask

from clever_login import warm_up
from clever_login.accounts import claim_views, preferred_name
from clever_login.auth import callback, idle_timeout, impersonation, login_views, permissions
from clever_login.config import Settings
from clever_login.db import product_tables
from clever_login.db.product_tables import ProductTables
from clever_login.i18n import languages
from clever_login.parts import Database, Languages, Part, Rosters, SecurityHeaders
from clever_login.rosters import views as roster_views
from clever_login.rosters.updates import views as update_views
from clever_login.sessions import login_session, user_session
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


@dataclass(frozen=True)
class Target:
    """What the parts are installed in."""

    app: Flask
    settings: Settings
    blueprint: Blueprint


Installer = Callable[[Target, Part], None]
LOGIN = "login"  # not a part: every app has it


def _install_login(to: Target, _part: Part) -> None:
    login_views.init_app(to.app, to.settings)
    login_views.routes.add_to(to.blueprint)
    callback.routes.add_to(to.blueprint)
    impersonation.routes.add_to(to.blueprint)
    to.app.after_request(callback.drop_unused_codes)


def _install_languages(to: Target, part: Part) -> None:
    languages.init_app(to.app, to.settings, cast(Languages, part).only)
    language_views.routes.add_to(to.blueprint)


def _install_security_headers(to: Target, part: Part) -> None:
    options = cast(SecurityHeaders, part)
    body_limits.init_app(to.app, options.max_body)
    request_checks.init_app(to.app, to.settings, options.hosts)
    security_headers.init_app(to.app, to.settings, options.csp)


def _install_sessions(to: Target, _part: Part) -> None:
    user_session.init_app(to.app, to.settings)
    login_session.init_app(to.app, user_session)
    impersonation.init_app(to.app)
    login_views.session_routes.add_to(to.blueprint)


def _install_idle_timeout(to: Target, _part: Part) -> None:
    idle_timeout.init_app(to.app, to.settings)
    idle_timeout.routes.add_to(to.blueprint)


def _install_product_tables(to: Target, part: Part) -> None:
    options = cast(Database, part)
    tables = ProductTables(metadata=options.metadata, migrations=options.migrations)
    product_tables.add(to.app, tables)
    _install_database(to.app)


def _install_accounts(to: Target, _part: Part) -> None:
    _install_database(to.app)
    claim_views.routes.add_to(to.blueprint)
    if to.settings.ask_preferred_name:
        preferred_name.init_app(to.app, to.settings)
        preferred_name.routes.add_to(to.blueprint)


def _install_rosters(to: Target, part: Part) -> None:
    _install_database(to.app)
    options = cast(Rosters, part)
    if options.pages:
        roster_views.init_app(to.app, to.settings)
        roster_views.routes.add_to(to.blueprint)
        update_views.init_app(to.app, options.flask_app)
        update_views.routes.add_to(to.blueprint)


def _only_app(init_app: Callable[[Flask, Settings], None]) -> Installer:
    return lambda to, _part: init_app(to.app, to.settings)


def _install_database(app: Flask) -> None:
    if not app.extensions.get("clever_login_database_installed"):
        app.extensions["clever_login_database_installed"] = True
        health.add_check(app, _not_ready_reason)
        warm_up.register_loader(app, partial(_warm_up, app))


def _warm_up(app: Flask) -> None:
    """Load the accounts, the dashboard's data, and the database driver."""
    from clever_login.db import database
    from clever_login.rosters import page_data  # noqa: F401 # only to load it

    _ = database.database(app).pages


def _not_ready_reason() -> str | None:
    from clever_login.db.database import not_ready_reason

    return not_ready_reason()


def _use_app_sessions(to: Target) -> None:
    impersonation.init_app(to.blueprint)  # the app's own views decide for themselves
    if not to.app.secret_key:
        to.app.config.update(
            SECRET_KEY=to.settings.secret_key,
            SECRET_KEY_FALLBACKS=list(to.settings.secret_key_fallbacks),
        )


def _translate_library_pages(to: Target) -> None:
    languages.init_blueprint(to.app, to.blueprint)


def _handle_library_errors(to: Target) -> None:
    error_pages.init_app(to.blueprint, to.settings)


def _protect_library_pages(to: Target) -> None:
    to.blueprint.after_request(security_headers.protect_login)


# What the library's own views need if the app does without a part.
WITHOUT_PART: dict[str, Callable[[Target], None]] = {
    "Languages": _translate_library_pages,
    "SecurityHeaders": _protect_library_pages,
    "Sessions": _use_app_sessions,
    "ErrorPages": _handle_library_errors,
}

# In this order the parts see a request. A response passes them in reverse order.
INSTALLERS: tuple[tuple[str, Installer], ...] = (
    ("Languages", _install_languages),
    ("SecurityHeaders", _install_security_headers),
    ("StaticFiles", _only_app(static_files.init_app)),
    ("Compression", _only_app(compression.init_app)),
    ("Sessions", _install_sessions),
    ("ClosedByDefault", _only_app(permissions.init_app)),
    ("IdleTimeout", _install_idle_timeout),
    ("ErrorPages", _only_app(error_pages.init_app)),
    ("Health", _only_app(health.init_app)),
    (LOGIN, _install_login),
    ("Database", _install_product_tables),
    ("Accounts", _install_accounts),
    ("Rosters", _install_rosters),
)
