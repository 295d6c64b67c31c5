"""Where an app keeps sessions and one-time keys: in Redis, in PostgreSQL, or in a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from clever_login.config import Settings
from clever_login.db.database_store import PARTS_WITH_TABLES, DatabaseStore
from clever_login.storage.base import Store

if TYPE_CHECKING:
    from clever_login.db.database import Database


def database_store(app: Flask, settings: Settings, parts: Iterable[str]) -> Store | None:
    """Return the store in PostgreSQL, or None if the app keeps its values elsewhere.

    REDIS_URL comes first. Without the library's tables, DATABASE_URL may be the product's own, so
    nothing is stored there.
    """
    if settings.redis_url or not settings.uses_postgresql or PARTS_WITH_TABLES.isdisjoint(parts):
        return None

    def get_database() -> Database:
        from clever_login.db import database  # loads SQLAlchemy

        return database.database(app)

    return DatabaseStore(get_database)
