"""The steps by which the tables came to be as they are: up, down, and whether any is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

FOLDER = Path(__file__).resolve().parent / "migrations"
LOCK = 7236401  # PostgreSQL's lock of those who change the tables: any number that stays the same
HOW = "run `flask --app app clever db upgrade`"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to this step; many may try at once, and one does it."""
    with _alone(engine) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to this step; `base` leaves none of them, and nothing in them."""
    with _alone(engine) as connection:
        command.downgrade(_config(connection), revision)


def current(engine: Engine) -> str | None:
    """The step that the tables are at; None before the first."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The step that this code is written for."""
    return _scripts().get_current_head()


def behind(engine: Engine) -> str | None:
    """A sentence for an operator when the tables are not those of this code, else None."""
    found, wanted = current(engine), newest()
    if found == wanted:
        return None
    if found is None:
        return f"the database has no tables yet: {HOW}"
    known = {each.revision for each in _scripts().walk_revisions()}
    if found not in known:
        return f"the database is of a newer version of this app ({found}): deploy that one"
    return f"the database is behind (at {found}, not {wanted}): {HOW}"


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """One transaction for all steps; SQLite's own lock keeps others out by itself."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": LOCK})
        yield connection
