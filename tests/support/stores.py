"""The three kinds of session store, without an app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from clever_login.db.connection_limits import page_limits
from clever_login.db.database import Database, resolve_url
from clever_login.db.database_store import DatabaseStore
from clever_login.storage.base import Store
from clever_login.storage.file_store import FileStore
from clever_login.storage.redis_store import RedisStore
from tests.support import running_app

CONNECTIONS = 4  # as by default


@contextmanager
def open_store(kind: str, folder: Path, server: str | None = None) -> Iterator[Store]:
    """Open an empty store: "files", "redis" or "postgresql", on the `server` at this URL."""
    if kind == "files":
        yield FileStore(folder)
    elif kind == "redis":
        with running_app.run_redis(folder) as url:
            yield RedisStore(
                running_app.settings_for("http://x", "http://x", folder, redis_url=url)
            )
    else:
        with database_store(running_app.new_database_with_tables(str(server))) as store:
            yield store


@contextmanager
def database_store(url: str) -> Iterator[DatabaseStore]:
    """Open the store in the PostgreSQL database at this URL, with the limits of pages."""
    database = open_database(url)
    try:
        yield DatabaseStore(lambda: database)
    finally:
        database.close()


def open_database(url: str) -> Database:
    """Return the database at this URL. It keeps its connections, as in requests."""
    settings = running_app.settings_for("http://x", "http://x", Path(), database_url=url)
    return Database(resolve_url(settings, Path()), CONNECTIONS, jobs=page_limits(CONNECTIONS))


def rows(url: str, pattern: str = "%") -> dict[str, bytes]:
    """Return the rows of clever_store under keys that are LIKE this, expired ones too."""
    query = "SELECT key, value FROM clever_store WHERE key LIKE %s"
    with psycopg.connect(url) as connection:
        return {key: bytes(value) for key, value in connection.execute(query, [pattern])}


def run(url: str, statement: str) -> None:
    """Run a statement on the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
