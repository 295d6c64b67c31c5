"""`flask clever db upgrade|downgrade|current`: the tables of accounts and rosters."""

from __future__ import annotations

from collections.abc import Callable

import click
from alembic.util import CommandError
from flask.cli import AppGroup
from sqlalchemy import Engine

from clever_login.errors import DatabaseUnavailable
from clever_login.school import migrate
from clever_login.school.database import database
from clever_login.school.outages import translated
from clever_login.terminal import failure, say

db = AppGroup("db", help="Look after the tables of accounts and rosters.")


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the tables up to this version of the app; nothing happens when they are."""
    _run(lambda engine: migrate.upgrade(engine, revision))


@db.command("downgrade", context_settings={"ignore_unknown_options": True})  # such as -1
@click.argument("revision")
@click.confirmation_option(prompt="What these steps have added is lost. Go on?")
def downgrade(revision: str) -> None:
    """Take the tables back to an earlier step, or to `base`, which deletes everybody."""
    _run(lambda engine: migrate.downgrade(engine, revision))


@db.command("current")
def current() -> None:
    """Say which step the tables are at."""
    _run(lambda _engine: None)


def _run(work: Callable[[Engine], None]) -> None:
    """Do it, then say where the tables are; a failure is one sentence."""
    engine = database().engine
    try:
        with translated():
            work(engine)
            found, behind = migrate.current(engine), migrate.behind(engine)
    except DatabaseUnavailable as error:
        why = f"{str(error)[0].upper()}{str(error)[1:]}"
        raise failure(f"{why}: look at DATABASE_URL.") from None
    except CommandError as error:
        raise failure(f"{error}.") from None
    say(f"The tables are at {found or 'no step yet'}{'' if behind else ', the newest'}.")
    if behind:
        say(f"{behind[0].upper()}{behind[1:]}.")
