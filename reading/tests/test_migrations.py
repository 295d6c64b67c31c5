"""Tests that the migrations create the tables of reading/tables.py."""

from __future__ import annotations

import runpy
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask
from sqlalchemy import inspect

from app import create_app
from clever_login import database
from clever_login.testing import sample_settings
from reading import tables
from reading.tables import metadata


def run(app: Flask, *words: str) -> str:
    """Run `flask clever db ...` and return its output."""
    result = app.test_cli_runner().invoke(args=["clever", "db", *words])
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_the_migrations_create_the_tables_of_the_code(tmp_path: Path) -> None:
    app = create_app(sample_settings(tmp_path))
    assert "Revision of reading's own tables: reading_0001." in run(app, "upgrade")
    with app.app_context(), database.begin() as connection:
        options = {"include_object": database.include_object}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_the_migration_can_be_undone_and_repeated(tmp_path: Path) -> None:
    """The product's own tables, which may not have a migration, stay as they are."""
    (file,) = (Path(tables.__file__).parent / "migrations" / "versions").glob("*.py")
    migration = runpy.run_path(str(file))
    app = create_app(sample_settings(tmp_path))
    run(app, "upgrade")
    with app.app_context(), database.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            migration["downgrade"]()
            assert not inspect(connection).has_table(tables.assignments.name)
            migration["upgrade"]()
        assert inspect(connection).has_table(tables.assignments.name)
