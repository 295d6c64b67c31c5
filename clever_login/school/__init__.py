"""The people of a school, kept: accounts and rosters.

To go without, delete this folder and its line in app.py. What needs the database is imported when
it is first used: an app starts without SQLAlchemy, and its workers are forked before.
"""

from __future__ import annotations

from functools import partial

from flask import Flask, current_app

from clever_login import accounts as defaults
from clever_login import ahead, cli
from clever_login.accounts import Account
from clever_login.api.library import SharedSection
from clever_login.models import User
from clever_login.school import claim_pages, names, pages
from clever_login.settings import Settings

# `flask clever NAME` -> the module and the command in it, imported when it is asked for.
COMMANDS = {
    "accounts": "clever_login.school.cli_accounts:accounts",
    "db": "clever_login.school.cli_db:db",
    "export": "clever_login.school.cli_privacy:export",
    "forget": "clever_login.school.cli_privacy:forget",
    "retention": "clever_login.school.cli_privacy:retention",
    "sync": "clever_login.school.cli_sync:sync_command",
}


def init_app(app: Flask, settings: Settings) -> None:
    """Keep accounts here, unless app.py has brought functions of its own."""
    for name, ours, default in (
        ("FIND_OR_CREATE", _find_or_create, defaults.find_or_create),
        ("KEEP_SECTIONS", _keep_sections, defaults.keep_sections),
    ):
        if app.config[name] is default:
            app.config[name] = ours
    app.config.setdefault("READY_CHECKS", []).append(_not_ready)
    ahead.loads(app, partial(_load, app))
    app.register_blueprint(claim_pages.bp)
    if settings.ask_preferred_name:
        names.init_app(app, settings)
    cli.clever.later.update(COMMANDS)
    pages.init_app(app, settings)


def _load(app: Flask) -> None:
    """Accounts, what a dashboard shows, and the driver of the database."""
    from clever_login.school import accounts, database, shown  # noqa: F401 # to have them imported

    _ = database.database(app).pages


def _find_or_create(user: User) -> Account:
    from clever_login.school.accounts import find_or_create

    account = find_or_create(user)
    if account.preferred_name is None and "names" in current_app.blueprints:
        names.ask_after_this_login()
    return account


def _keep_sections(account: Account, sections: tuple[SharedSection, ...]) -> None:
    from clever_login.school.sections import keep_sections

    keep_sections(account, sections)


def _not_ready() -> str | None:
    from clever_login.school.database import not_ready

    return not_ready()
