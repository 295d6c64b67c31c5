"""The product's own tables: those of `parts.Database`, and those that its features add."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask import Flask

if TYPE_CHECKING:
    from sqlalchemy import MetaData

_EXTENSION_KEY = "clever_login_product_tables"


@dataclass(frozen=True, kw_only=True)
class ProductTables:
    """Tables that are created together. `migrations` is the folder of their Alembic migrations."""

    metadata: MetaData | None
    migrations: str
    feature: str = ""  # the name of the package that added them; empty for `parts.Database`


def add(app: Flask, tables: ProductTables) -> None:
    """Add tables to the app. They are created in the order of these calls."""
    app.extensions.setdefault(_EXTENSION_KEY, []).append(tables)


def product_tables(app: Flask) -> tuple[ProductTables, ...]:
    """Return the tables of the product, in the order in which they are created."""
    return tuple(cast("list[ProductTables]", app.extensions.get(_EXTENSION_KEY, [])))


def migrations_folder(app: Flask, tables: ProductTables) -> Path | None:
    """Return the folder of the migrations, or None if there is none.

    A relative path is beside the app's module, or in the current folder, where Flask-Migrate
    creates it.
    """
    for parent in (Path(app.root_path), Path.cwd()):
        folder = parent / tables.migrations
        if (folder / "env.py").is_file():
            return folder
    return None


def created_at_first_use(app: Flask) -> tuple[tuple[MetaData, Path | None], ...]:
    """Return the tables that a SQLite file gets at its first use, with their migrations.

    These are tables without migrations, and the tables of features.
    """
    candidates = (
        (tables.metadata, migrations_folder(app, tables), tables.feature)
        for tables in product_tables(app)
    )
    return tuple(
        (metadata, folder)
        for metadata, folder, feature in candidates
        if metadata is not None and (feature or folder is None)
    )
