"""CleverLogin: adds the login with Clever, and the parts that an app chooses, to a Flask app."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from flask import Blueprint, Flask

from clever_login import services
from clever_login.auth import link_views
from clever_login.auth.account_hooks import AccountHooks
from clever_login.cli import group
from clever_login.config import Settings, load_settings
from clever_login.db.database_store import PARTS_WITH_TABLES
from clever_login.extension import library_accounts, template_names
from clever_login.extension.arguments import (
    FindOrCreate,
    OnLink,
    OnLogin,
    check_account_functions,
    check_login,
    check_parts,
)
from clever_login.extension.installers import INSTALLERS, LOGIN, WITHOUT_PART, Target
from clever_login.extension.stores import database_store
from clever_login.logs import app_logging
from clever_login.logs.events import log_event
from clever_login.parts import Part
from clever_login.sessions import login_session
from clever_login.sessions.app_session import AppLogin, AppSession
from clever_login.web import static_files, template_overrides
from clever_login.web.routing import NAMESPACE, Destinations

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
    "run-sync": "clever_login.cli.runs:run_requested_sync",
    "runs": "clever_login.cli.runs:list_runs",
    "sync": "clever_login.cli.sync:sync_command",
}


class CleverLogin:
    """The login with Clever in a Flask app: /login, /oauth/callback, /logout, and parts.

    `parts` may have any order. `home` is where users go who are not logged in, and `after_login`
    where a login ends; both are paths or names of endpoints.

    `find_or_create` returns the id of the user's account in your own database, and is called once
    per login. `on_login` is called when the user is logged in, and may return a response. Both may
    refuse the user: raise AccountRefused with a sentence that the user reads.

    Without `parts.Sessions()`, the app keeps its own sessions: `on_login` logs the user in and
    `on_logout` logs the user out. `current_account` returns the id of the account that is logged
    in by any method, or None. In an app with Flask-Login, both have a default. When another person
    logs in, the session is cleared, except for the keys in `keep_session`. `on_link` connects an
    account to a user of Clever, after the user's yes.

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
        check_parts(parts)
        check_login(self.parts, self.hooks, self.app_login)
        if app is not None:
            self.init_app(app, settings)

    def init_app(self, app: Flask, settings: Settings | None = None) -> None:
        """Add the login and the parts to the app. Without `settings`, reads the environment."""
        settings = settings or _load_settings(app)
        for part in self.parts.values():
            settings = part.apply(settings)
        settings = replace(settings, url_prefix=self.url_prefix)
        self.destinations.install(app)
        self.hooks.install(app)
        blueprint = Blueprint(
            NAMESPACE, NAMESPACE, template_folder="templates", url_prefix=self.url_prefix or None
        )
        app_logging.init_app(app, settings)
        static_files.add_library_files(app)
        _warn_of_outdated_templates(app)
        services.init_app(app, settings, database_store(app, settings, self.parts))
        template_names.init_app(app, settings, self.product)
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
        if PARTS_WITH_TABLES & set(self.parts):
            commands |= DATABASE_COMMANDS
        if "Rosters" in self.parts:
            commands |= ROSTER_COMMANDS
        if "Accounts" in self.parts:
            commands |= ACCOUNT_COMMANDS
        return commands


def _load_settings(app: Flask) -> Settings:
    """Read the environment. If it has no SECRET_KEY, the app's key and its fallbacks are used."""
    if not app.secret_key:
        return load_settings()
    settings = load_settings({"SECRET_KEY": _key_as_text(app.secret_key), **os.environ})
    fallbacks = map(_key_as_text, app.config["SECRET_KEY_FALLBACKS"] or ())
    return replace(settings, secret_key_fallbacks=(*settings.secret_key_fallbacks, *fallbacks))


def _key_as_text(key: str | bytes) -> str:
    """Return a key of Flask's as the environment would have it."""
    return key.strip() if isinstance(key, str) else key.hex()


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
    check_account_functions(parts, find_or_create, on_link)
    if not {"Accounts", "Rosters"} & set(parts):
        return AccountHooks(find_or_create=find_or_create, on_login=on_login, on_link=on_link)
    return AccountHooks(
        find_person=library_accounts.find_account
        if "Accounts" in parts
        else library_accounts.find_person,
        find_last_known=library_accounts.find_last_known,
        save_sections=library_accounts.save_sections,
        save_account_id=library_accounts.save_account_id,
        find_or_create=find_or_create,
        on_login=on_login,
        on_link=on_link,
    )
