"""Runs a product's own migrations, which are Alembic folders such as Flask-Migrate's.

They run after the library's migrations, and are reverted before them, because a product's foreign
keys point at the library's tables. Each folder's env.py names its version table: by default
Alembic's, `alembic_version`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from sqlalchemy import Engine

from clever_login.db import migrate
from clever_login.db.product_tables import ProductTables, migrations_folder, product_tables


def upgrade(app: Flask, engine: Engine) -> dict[str, str]:
    """Upgrade the product's tables, and return the revisions of those with migrations.

    The keys are names of features; the app's own is empty. Without migrations, SQLite gets the
    tables that are missing. Raises CommandError if there are no migrations and no metadata, or no
    migrations for PostgreSQL.
    """
    revisions = {}
    for tables in product_tables(app):
        folder = migrations_folder(app, tables)
        if folder is None:
            _create_tables(engine, tables)
        else:
            _run(engine, command.upgrade, folder, "head")
            revisions[tables.feature] = _current_revision(folder)
    return revisions


def downgrade_to_base(app: Flask, engine: Engine) -> None:
    """Revert all of the product's migrations, if it has any, in reverse order."""
    for tables in reversed(product_tables(app)):
        if folder := migrations_folder(app, tables):
            _run(engine, command.downgrade, folder, "base")


def upgrade_feature(engine: Engine, folder: Path) -> None:
    """Run the migrations of a feature. Raises CommandError."""
    _run(engine, command.upgrade, folder, "head")


def _create_tables(engine: Engine, tables: ProductTables) -> None:
    missing = f"There are no migrations of the app in the folder {tables.migrations!r}"
    if tables.metadata is None:
        raise CommandError(f"{missing}, and parts.Database has no metadata")
    if engine.dialect.name != "sqlite":
        raise CommandError(f"{missing}. PostgreSQL needs them")
    migrate.create_missing_tables(engine, tables.metadata)


def _run(engine: Engine, work: Callable[[Config, str], None], folder: Path, revision: str) -> None:
    """Run an Alembic command with the product's env.py, which opens its own connection."""
    with migrate.migration_lock(engine):
        work(_config(folder), revision)


def _config(folder: Path) -> Config:
    file = folder / "alembic.ini"  # Flask-Migrate's env.py configures logging with it
    config = Config(str(file)) if file.exists() else Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _current_revision(folder: Path) -> str:
    """Return the revision in the version table that the folder's env.py names."""
    config = _config(folder)
    script = ScriptDirectory.from_config(config)
    revisions: list[str] = []

    def record(current: tuple[str, ...], _context: object) -> list[RevisionStep]:
        revisions.extend(current)
        return []  # no migration to run

    with EnvironmentContext(config, script, fn=record, dont_mutate=True):
        script.run_env()
    return ", ".join(sorted(revisions))
