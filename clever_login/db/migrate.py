"""Database migrations: upgrade, downgrade, and whether the tables match the code.

Alembic runs the migrations. The current revision is read without Alembic: importing it would make
the first login of each process a tenth of a second slower, and the process 8 MB larger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, MetaData, inspect, text

from clever_login.db import version_table
from clever_login.db.engines import read_only

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS_FOLDER = Path(__file__).resolve().parent / "migrations"
ADVISORY_LOCK_ID = 7236401  # PostgreSQL advisory lock for migrations: any number that never changes
UPGRADE_HINT = (
    "run `flask --app app clever db upgrade` (on your own machine `bin/clever db upgrade`)"
)
# Assignments in a migration file, with or without a type; a merge lists several revisions.
REVISION_PATTERN = re.compile(r"^(revision|down_revision)\b[^=\n]*=(.*)$", re.M)
QUOTED_NAME_PATTERN = re.compile(r"[\"'](\w+)[\"']")


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Upgrade the tables to this revision. Of several concurrent calls, one does the work."""
    from alembic import command

    with _exclusive_transaction(engine) as connection:
        command.upgrade(_alembic_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Downgrade the tables to this revision. `base` drops all tables and their data."""
    from alembic import command

    with _exclusive_transaction(engine) as connection:
        command.downgrade(_alembic_config(connection), revision)


def is_table_missing(engine: Engine, metadata: MetaData) -> bool:
    """Whether the database lacks any of these tables."""
    with read_only(engine).connect() as connection:
        existing = set(inspect(connection).get_table_names())
    return not existing.issuperset(table.name for table in metadata.tables.values())


def create_missing_tables(engine: Engine, metadata: MetaData) -> None:
    """Create those tables that do not exist, in one transaction. Existing ones are not changed."""
    if is_table_missing(engine, metadata):
        with _exclusive_transaction(engine) as connection:
            metadata.create_all(connection)


@contextmanager
def migration_lock(engine: Engine) -> Iterator[None]:
    """On PostgreSQL, let one process at a time run the block, which has its own connections.

    SQLite has no lock of this kind.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.begin() as connection:
        _take_advisory_lock(connection)
        yield


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the tables, or None before the first migration."""
    with read_only(engine).connect() as connection:
        return version_table.stored_revision(connection)


def head_revisions() -> list[str]:
    """Return the newest revisions of this code; more than one means a branched history."""
    return sorted(_revision_names("revision") - _revision_names("down_revision"))


def outdated_reason(engine: Engine) -> str | None:
    """Return why the tables do not match this code, as a sentence for an operator, or None."""
    current, (head, *other_heads) = current_revision(engine), head_revisions()
    if other_heads:
        heads = ", ".join([head, *other_heads])
        return (
            f"the migrations have more than one newest revision ({heads}): make one of them "
            "follow the other"
        )
    if current == head:
        return None
    if current is None:
        return _no_schema_reason(engine) or f"the database has no tables yet: {UPGRADE_HINT}"
    if current not in _revision_names("revision"):
        return (
            f"the database belongs to a newer version of this app (revision {current}): deploy "
            "that version"
        )
    return f"the database is out of date (revision {current}, not {head}): {UPGRADE_HINT}"


def _no_schema_reason(engine: Engine) -> str | None:
    """Return a sentence if the role may not use the schema of the tables: it then sees none."""
    if engine.dialect.name != "postgresql":
        return None
    with read_only(engine).connect() as connection:
        if connection.scalar(text("SELECT current_schema()")):
            return None
    return (
        "the database role lacks USAGE on the schema of the tables (42501): run the statements "
        "that `flask --app app clever db grants ROLE` prints"
    )


def _revision_names(kind: str) -> set[str]:
    """Return all revisions, or those that another revision follows (`kind`: "down_revision")."""
    files = (path.read_text("utf-8") for path in (MIGRATIONS_FOLDER / "versions").glob("*.py"))
    lines = (
        names
        for text in files
        for variable, names in REVISION_PATTERN.findall(text)
        if variable == kind
    )
    return {name for names in lines for name in QUOTED_NAME_PATTERN.findall(names)}


def _alembic_config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _exclusive_transaction(engine: Engine) -> Iterator[Connection]:
    """Run all migrations in one transaction. On SQLite, BEGIN IMMEDIATE is the lock."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            _stop_enforcing_foreign_keys(connection)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                _take_advisory_lock(connection)
            version_table.take_over_legacy_table(connection)
            yield connection
            version_table.restore_legacy_table(connection)


def _take_advisory_lock(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": ADVISORY_LOCK_ID})


def _stop_enforcing_foreign_keys(connection: Connection) -> None:
    """On SQLite, migrations recreate tables. With foreign keys on, that would delete references.

    SQLite ignores this statement inside a transaction. The connection is closed afterwards.
    """
    driver_connection: Any = connection.connection.driver_connection
    driver_connection.execute("PRAGMA foreign_keys=OFF")
