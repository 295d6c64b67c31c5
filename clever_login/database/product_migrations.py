"""Runs a product's own migrations, which are an Alembic folder such as Flask-Migrate's.

They run after the library's migrations, and are reverted before them, because a product's foreign
keys point at the library's tables. Their version table is Alembic's default, `alembic_version`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import inspect, text

from clever_login.db import migrate, product_tables
from clever_login.db.database import database
from clever_login.db.product_tables import ProductTables
from clever_login.db.version_table import LEGACY_TABLE


def upgrade() -> str | None:
    """Upgrade the product's tables, and return their revision; None without `parts.Database`.

    Without migrations, SQLite gets the tables that are missing. Raises CommandError if there are
    no migrations and no metadata, or no migrations for PostgreSQL.
    """
    tables = product_tables.product_tables(current_app)
    if tables is None:
        return None
    folder = product_tables.migrations_folder(current_app, tables)
    if folder is None:
        _create_tables(tables)
        return None
    _run(command.upgrade, folder, "head")
    return _current_revision()


def downgrade_to_base() -> None:
    """Revert all of the product's migrations, if it has any."""
    tables = product_tables.product_tables(current_app)
    folder = tables and product_tables.migrations_folder(current_app, tables)
    if folder:
        _run(command.downgrade, folder, "base")


def _create_tables(tables: ProductTables) -> None:
    missing = f"There are no migrations of the app in the folder {tables.migrations!r}"
    if tables.metadata is None:
        raise CommandError(f"{missing}, and parts.Database has no metadata")
    if database().engine.dialect.name != "sqlite":
        raise CommandError(f"{missing}. PostgreSQL needs them")
    migrate.create_missing_tables(database().engine, tables.metadata)


def _run(work: Callable[[Config, str], None], folder: Path, revision: str) -> None:
    """Run an Alembic command with the product's env.py, which opens its own connection."""
    file = folder / "alembic.ini"  # Flask-Migrate's env.py configures logging with it
    config = Config(str(file)) if file.exists() else Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with migrate.migration_lock(database().engine):
        work(config, revision)


def _current_revision() -> str | None:
    with database().engine.connect() as connection:
        if not inspect(connection).has_table(LEGACY_TABLE):
            return None  # the product's env.py names another version table
        query = text(f"SELECT version_num FROM {LEGACY_TABLE}")  # noqa: S608 # a constant
        return ", ".join(sorted(connection.scalars(query))) or None
