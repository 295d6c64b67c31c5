"""The product's own tables, as `parts.Database` describes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from flask import Flask

if TYPE_CHECKING:
    from sqlalchemy import MetaData

EXTENSION_KEY = "clever_login_product_tables"


class ProductTables(Protocol):
    """The fields of `parts.Database`."""

    @property
    def metadata(self) -> MetaData | None:
        """The product's tables."""

    @property
    def migrations(self) -> str:
        """The folder of the product's Alembic migrations."""


def product_tables(app: Flask) -> ProductTables | None:
    """Return the product's tables, or None if the app has no `parts.Database`."""
    return cast("ProductTables | None", app.extensions.get(EXTENSION_KEY))


def migrations_folder(app: Flask, tables: ProductTables) -> Path | None:
    """Return the folder of the product's migrations, or None if there is none.

    It is beside the app's module, or in the current folder, where Flask-Migrate creates it.
    """
    for parent in (Path(app.root_path), Path.cwd()):
        folder = parent / tables.migrations
        if (folder / "env.py").is_file():
            return folder
    return None


def metadata_without_migrations(app: Flask) -> MetaData | None:
    """Return the product's tables if no migrations create them."""
    tables = product_tables(app)
    if tables is None or migrations_folder(app, tables) is not None:
        return None
    return tables.metadata
