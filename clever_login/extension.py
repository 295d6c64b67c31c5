"""CleverLogin: adds the login with Clever, and the parts that an app chooses, to a Flask app.

Code that needs the database is imported at first use: an app without accounts and rosters starts
without SQLAlchemy, and gunicorn forks its workers before loading it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

from clever_login import services, warm_up
from clever_login.accounts import claim_views, preferred_name
from clever_login.auth import callback, idle_timeout, link_views, login_views, permissions
from clever_login.auth.account_hooks import AccountHooks
from clever_login.auth.identity import Account, Identity
from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection
from clever_login.cli import group
from clever_login.config import Settings, load_settings
from clever_login.i18n import languages
from clever_login.logs import app_logging
from clever_login.logs.events import log_event
from clever_login.parts import Languages, Part, Rosters, SecurityHeaders
from clever_login.rosters import views as roster_views
from clever_login.sessions import login_session, user_session
from clever_login.sessions.app_session import AppLogin, AppSession
from clever_login.web import (
    body_limits,
    compression,
    error_pages,
    health,
    language_views,
    request_checks,
    security_headers,
    static_files,
    template_overrides,
)
from clever_login.web.routing import NAMESPACE, Destinations

FindOrCreate = Callable[[Identity], str | Account]
OnLogin = Callable[[Identity], ResponseReturnValue | None]
OnLink = Callable[[str, Identity], None]

# `flask clever NAME` -> the command's module and attribute, imported when the command is used.
ACCOUNT_COMMANDS = {"accounts": "clever_login.cli.accounts:accounts"}
DATABASE_COMMANDS = {
    "db": "clever_login.cli.database:db",
    "export": "clever_login.cli.privacy:export",
    "forget": "clever_login.cli.privacy:forget",
    "retention": "clever_login.cli.privacy:retention",
}
ROSTER_COMMANDS = {
    "accounts": "clever_login.cli.account_transfer:accounts",
    "sync": "clever_login.cli.sync:sync_command",
}


@dataclass(frozen=True)
class Target:
    """What the parts are installed in."""

    app: Flask
    settings: Settings
    blueprint: Blueprint


@dataclass(frozen=True)
class TemplateNames:
    """What templates find under the name `clever_login`."""

    static: Callable[[str], str]  # the URL of one of the library's static files


Installer = Callable[[Target, Part], None]
LOGIN = "login"  # not a part: every app has it


class CleverLogin:
    """The login with Clever in a Flask app: /login, /oauth/callback, /logout, and parts.

    `parts` may have any order. `home` is where users go who are not logged in, and `after_login`
    where a login ends; both are paths or names of endpoints.

    `find_or_create` returns the id of the user's account in your own database, and is called once
    per login. `on_login` is called when the user is logged in, and may return a response. Both may
    refuse the user: raise AccountRefused with a sentence that the user reads.

    Without `parts.Sessions()`, the app keeps its own sessions: `on_login` logs the user in and
    `on_logout` logs the user out. `current_account` returns the id of the account that is logged
    in by any method, or None. When another person logs in, the session is cleared, except for the
    keys in `keep_session`. `on_link` connects an account to a user of Clever, after the user's yes.

    Raises TypeError for arguments that do not go together and for a part that another part needs,
    ImportError if the packages of a part are not installed, and SettingsError for invalid settings.
    """

    def __init__(
        self,
        app: Flask | None = None,
        settings: Settings | None = None,
        *,
        product: str = "",
        url_prefix: str = "/clever",
        home: str = "/",
        after_login: str = "/",
        parts: Sequence[Part] = (),
        find_or_create: FindOrCreate | None = None,
        on_login: OnLogin | None = None,
        on_logout: Callable[[], None] | None = None,
        current_account: Callable[[], str | None] | None = None,
        on_link: OnLink | None = None,
        keep_session: Collection[str] = (),
    ) -> None:
        self.product = product
        self.url_prefix = url_prefix
        self.destinations = Destinations(home=home, after_login=after_login)
        self.parts = {type(part).__name__: part for part in parts}
        self.app_login = AppLogin(
            on_logout=on_logout, current_account=current_account, keep_session=keep_session
        )
        self.hooks = _choose_hooks(self.parts, find_or_create, on_login, on_link)
        _check_parts(parts)
        _check_login(self.parts, self.hooks, self.app_login)
        if app is not None:
            self.init_app(app, settings)

    def init_app(self, app: Flask, settings: Settings | None = None) -> None:
        """Add the login and the parts to the app. Without `settings`, reads the environment."""
        settings = settings or load_settings(_environment(app))
        for part in self.parts.values():
            settings = part.apply(settings)
        settings = replace(settings, url_prefix=self.url_prefix)
        app.jinja_env.globals.update(product=self.product, clever_library=settings.clever_library)
        self.destinations.install(app)
        self.hooks.install(app)
        blueprint = Blueprint(
            NAMESPACE, __package__, template_folder="templates", url_prefix=self.url_prefix or None
        )
        app_logging.init_app(app, settings)
        static_files.add_library_files(app)
        app.jinja_env.globals[NAMESPACE] = TemplateNames(static=static_files.library_urls(app).url)
        _warn_of_outdated_templates(app)
        services.init_app(app, settings)
        self._install_parts(app, settings, blueprint)
        if self.hooks.on_link:
            link_views.routes.add_to(blueprint)
        app.register_blueprint(blueprint)
        group.init_app(app, self._lazy_commands())

    def _install_parts(self, app: Flask, settings: Settings, blueprint: Blueprint) -> None:
        target = Target(app, settings, blueprint)
        for name, install in INSTALLERS:
            if name == LOGIN:
                install(target, Part())
            elif part := self.parts.get(name):
                install(target, part)
            elif install_without := WITHOUT_PART.get(name):
                install_without(target)
        if "Sessions" not in self.parts:
            login_session.init_app(app, AppSession(self.app_login))

    def _lazy_commands(self) -> dict[str, str]:
        commands: dict[str, str] = {}
        if {"Accounts", "Rosters", "Database"} & set(self.parts):
            commands |= DATABASE_COMMANDS
        if "Rosters" in self.parts:
            commands |= ROSTER_COMMANDS
        if "Accounts" in self.parts:
            commands |= ACCOUNT_COMMANDS
        return commands


def _check_parts(parts: Sequence[Part]) -> None:
    names = [type(part).__name__ for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise TypeError(f"CleverLogin got parts.{name} twice: pass it once.")
    for part in parts:
        part.check_packages()
        for needed in part.needed_parts():
            if needed not in names:
                name = type(part).__name__
                raise TypeError(f"parts.{name} needs parts.{needed}: add it to `parts`.")


def _check_login(parts: dict[str, Part], hooks: AccountHooks, app_login: AppLogin) -> None:
    """Raise TypeError unless exactly one side, the app or the library, logs users in and out."""
    if "Sessions" in parts:
        for name in ("on_logout", "current_account", "keep_session"):
            if getattr(app_login, name):
                raise TypeError(
                    f"CleverLogin got both {name} and parts.Sessions, which keeps the sessions of "
                    "all users: pass one of them."
                )
        return
    if hooks.find_or_create:
        raise TypeError(
            "CleverLogin got find_or_create without parts.Sessions: add parts.Sessions, or log the "
            "user in yourself in on_login."
        )
    if not hooks.on_login:
        raise TypeError(
            "CleverLogin needs on_login or parts.Sessions: one of them must log the user in."
        )
    if hooks.on_link and not app_login.current_account:
        raise TypeError(
            "CleverLogin got on_link without current_account, which returns the account to connect."
        )


def _environment(app: Flask) -> dict[str, str]:
    """Return the environment. If it has no SECRET_KEY, the app's own key is used."""
    key = app.secret_key
    if not key:
        return dict(os.environ)
    return {"SECRET_KEY": key if isinstance(key, str) else key.hex(), **os.environ}


def _warn_of_outdated_templates(app: Flask) -> None:
    folder = Path(app.root_path, app.template_folder or "templates")
    for name in template_overrides.outdated_overrides(folder):
        log_event("template_outdated", level=logging.WARNING, template=name)


def _choose_hooks(
    parts: dict[str, Part],
    find_or_create: FindOrCreate | None,
    on_login: OnLogin | None,
    on_link: OnLink | None,
) -> AccountHooks:
    if find_or_create and "Accounts" in parts:
        raise TypeError(
            "CleverLogin got both find_or_create and parts.Accounts, which find the account: "
            "pass one of them."
        )
    if on_link and "Accounts" in parts:
        raise TypeError(
            "CleverLogin got both on_link and parts.Accounts, whose claim links connect accounts: "
            "pass one of them."
        )
    if not {"Accounts", "Rosters"} & set(parts):
        return AccountHooks(find_or_create=find_or_create, on_login=on_login, on_link=on_link)
    return AccountHooks(
        find_person=_find_account if "Accounts" in parts else _find_person,
        save_sections=_save_sections,
        save_account_id=_save_account_id,
        find_or_create=find_or_create,
        on_login=on_login,
        on_link=on_link,
    )


def _install_login(to: Target, _part: Part) -> None:
    login_views.init_app(to.app, to.settings)
    login_views.routes.add_to(to.blueprint)
    callback.routes.add_to(to.blueprint)
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
    login_views.session_routes.add_to(to.blueprint)


def _install_idle_timeout(to: Target, _part: Part) -> None:
    idle_timeout.init_app(to.app, to.settings)
    idle_timeout.routes.add_to(to.blueprint)


def _install_product_tables(to: Target, part: Part) -> None:
    to.app.extensions["clever_login_product_tables"] = part
    _install_database(to.app)


def _install_accounts(to: Target, _part: Part) -> None:
    _install_database(to.app)
    claim_views.routes.add_to(to.blueprint)
    if to.settings.ask_preferred_name:
        preferred_name.init_app(to.app, to.settings)
        preferred_name.routes.add_to(to.blueprint)


def _install_rosters(to: Target, part: Part) -> None:
    _install_database(to.app)
    if cast(Rosters, part).pages:
        roster_views.init_app(to.app, to.settings)
        roster_views.routes.add_to(to.blueprint)


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


def _find_person(user: User) -> Account:
    from clever_login.accounts.account_lookup import find_or_create_account

    return find_or_create_account(user)


def _find_account(user: User) -> Account:
    account = _find_person(user)
    if account.called is None and services.services().settings.ask_preferred_name:
        preferred_name.ask_after_login()
    return account


def _save_sections(teacher_id: str, sections: tuple[SharedSection, ...]) -> None:
    from clever_login.accounts.library_sections import save_sections

    save_sections(teacher_id, sections)


def _save_account_id(person_id: str, account_id: str) -> None:
    from clever_login.accounts import account_lookup

    account_lookup.save_account_id(person_id, account_id)


def _not_ready_reason() -> str | None:
    from clever_login.db.database import not_ready_reason

    return not_ready_reason()


def _use_app_sessions(to: Target) -> None:
    to.app.secret_key = to.app.secret_key or to.settings.secret_key


def _translate_library_pages(to: Target) -> None:
    languages.init_library_pages(to.app, to.settings)
    to.blueprint.after_request(languages.set_content_language)


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
