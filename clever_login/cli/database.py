"""`flask clever db upgrade|downgrade|current`: migrations of the database."""

from __future__ import annotations

from collections.abc import Callable

import click
from alembic.util import CommandError
from flask.cli import AppGroup
from sqlalchemy import Engine

from clever_login.db import migrate
from clever_login.db.database import database
from clever_login.db.driver_errors import translate_driver_errors
from clever_login.errors import DatabaseUnavailable
from clever_login.safe_output import command_failed, echo

db = AppGroup("db", help="Manage the database tables of accounts and rosters.")


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Upgrade the tables to this version of the app. Does nothing if they are up to date."""
    _run_migration(lambda engine: migrate.upgrade(engine, revision))


@db.command("downgrade", context_settings={"ignore_unknown_options": True})  # such as -1
@click.argument("revision")
@click.confirmation_option(
    prompt="This deletes everything that these migrations added, with its data. Continue?"
)
def downgrade(revision: str) -> None:
    """Downgrade the tables to a revision. `base` deletes all data."""
    _run_migration(lambda engine: migrate.downgrade(engine, revision))


@db.command("current")
def current() -> None:
    """Print the revision of the tables."""
    _run_migration(lambda _engine: None)


def _run_migration(work: Callable[[Engine], None]) -> None:
    """Run it, then print the revision of the tables. Failures exit with one sentence."""
    engine = database().engine
    try:
        with translate_driver_errors():
            work(engine)
            revision, outdated = migrate.current_revision(engine), migrate.outdated_reason(engine)
    except DatabaseUnavailable as error:
        reason = f"{str(error)[0].upper()}{str(error)[1:]}"
        raise command_failed(f"{reason}. Check DATABASE_URL.") from None
    except CommandError as error:
        raise command_failed(f"{error}.") from None
    echo(f"Revision of the tables: {revision or 'none'}{'' if outdated else ' (the newest)'}.")
    if outdated:
        echo(f"{outdated[0].upper()}{outdated[1:]}.")
