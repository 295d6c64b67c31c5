"""`flask clever db upgrade|downgrade|current`: the tables of accounts and rosters."""

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

db = AppGroup("db", help="Look after the tables of accounts and rosters.")


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the tables up to this version of the app; nothing happens when they are."""
    _run_migration(lambda engine: migrate.upgrade(engine, revision))


@db.command("downgrade", context_settings={"ignore_unknown_options": True})  # such as -1
@click.argument("revision")
@click.confirmation_option(prompt="What these steps have added is lost. Go on?")
def downgrade(revision: str) -> None:
    """Take the tables back to an earlier step, or to `base`, which deletes everybody."""
    _run_migration(lambda engine: migrate.downgrade(engine, revision))


@db.command("current")
def current() -> None:
    """Say which step the tables are at."""
    _run_migration(lambda _engine: None)


def _run_migration(work: Callable[[Engine], None]) -> None:
    """Do it, then say where the tables are; a failure is one sentence."""
    engine = database().engine
    try:
        with translate_driver_errors():
            work(engine)
            found, behind = migrate.current_revision(engine), migrate.outdated_reason(engine)
    except DatabaseUnavailable as error:
        why = f"{str(error)[0].upper()}{str(error)[1:]}"
        raise command_failed(f"{why}: look at DATABASE_URL.") from None
    except CommandError as error:
        raise command_failed(f"{error}.") from None
    echo(f"The tables are at {found or 'no step yet'}{'' if behind else ', the newest'}.")
    if behind:
        echo(f"{behind[0].upper()}{behind[1:]}.")
