"""Adds database-backed accounts and rosters to the app.

To run without them, delete this module and its line in app.py (see docs/accounts.md). Code that
needs the database is imported at first use, so the app starts without SQLAlchemy and gunicorn forks
its workers before loading it.
"""

from __future__ import annotations

from functools import partial

from flask import Flask, current_app

from clever_login import warm_up
from clever_login.accounts import claim_views, preferred_name
from clever_login.auth import account_hooks as defaults
from clever_login.auth.account_hooks import Account
from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection
from clever_login.cli import group
from clever_login.config import Settings
from clever_login.rosters import views

# `flask clever NAME` -> the command's module and attribute, imported when the command is used.
LAZY_COMMANDS = {
    "accounts": "clever_login.cli.accounts:accounts",
    "db": "clever_login.cli.database:db",
    "export": "clever_login.cli.privacy:export",
    "forget": "clever_login.cli.privacy:forget",
    "retention": "clever_login.cli.privacy:retention",
    "sync": "clever_login.cli.sync:sync_command",
}


def init_app(app: Flask, settings: Settings) -> None:
    """Install the account hooks that app.py has not replaced, and the account and roster views."""
    for name, replacement, default in (
        ("FIND_OR_CREATE", _find_or_create, defaults.find_or_create),
        ("KEEP_SECTIONS", _save_sections, defaults.keep_sections),
    ):
        if app.config[name] is default:
            app.config[name] = replacement
    app.config.setdefault("READY_CHECKS", []).append(_not_ready_reason)
    warm_up.register_loader(app, partial(_warm_up, app))
    app.register_blueprint(claim_views.bp)
    if settings.ask_preferred_name:
        preferred_name.init_app(app, settings)
    group.clever.lazy_commands.update(LAZY_COMMANDS)
    views.init_app(app, settings)


def _warm_up(app: Flask) -> None:
    """Load the accounts, the dashboard's data, and the database driver."""
    from clever_login.db import database
    from clever_login.rosters import page_data  # noqa: F401 # only to load it

    _ = database.database(app).pages


def _find_or_create(user: User) -> Account:
    from clever_login.accounts.account_lookup import find_or_create_account

    account = find_or_create_account(user)
    if account.preferred_name is None and "preferred_name" in current_app.blueprints:
        preferred_name.ask_after_login()
    return account


def _save_sections(account: Account, sections: tuple[SharedSection, ...]) -> None:
    from clever_login.accounts.library_sections import save_sections

    save_sections(account, sections)


def _not_ready_reason() -> str | None:
    from clever_login.db.database import not_ready_reason

    return not_ready_reason()
