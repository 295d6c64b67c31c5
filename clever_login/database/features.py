"""Tables of a feature: a package of the product that brings its own tables and migrations."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, current_app, has_app_context
from sqlalchemy import MetaData

from clever_login.db import product_tables
from clever_login.db.product_tables import ProductTables

_VERSION_TABLE_SUFFIX = "_alembic_version"


def add_tables(app: Flask, metadata: MetaData, migrations: str | Path) -> None:
    """Add the tables of a feature to the database. Call it after `CleverLogin.init_app`.

    `migrations` is the folder of the feature's Alembic migrations, whose env.py names a version
    table that ends in `_alembic_version`. `flask clever db upgrade` runs them. A SQLite file
    also gets the tables of `metadata` at its first use. Raises TypeError if the app has
    no database.
    """
    if not app.extensions.get("clever_login_database_installed"):
        raise TypeError(
            "database.add_tables needs an app with parts.Rosters(), parts.Accounts(), or "
            "parts.Database(): call it after CleverLogin.init_app"
        )
    tables = ProductTables(
        metadata=metadata,
        migrations=str(migrations),
        feature=Path(migrations).resolve().parent.name,
    )
    product_tables.add(app, tables)


def is_table_of_a_feature(name: str) -> bool:
    """Whether a feature of the current app has this table, or may have it as its version table."""
    features = product_tables.product_tables(current_app) if has_app_context() else ()
    return name.endswith(_VERSION_TABLE_SUFFIX) or any(
        name in tables.metadata.tables for tables in features if tables.metadata is not None
    )
