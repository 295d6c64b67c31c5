"""Connections to the database of the current app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from clever_login.db.database import database


def engine() -> Engine:
    """Return the engine of the current app, with the library's limits and pool.

    It does not check that the tables exist. Requests and commands have different engines on
    PostgreSQL, so call this function each time instead of storing its result.
    """
    return database().engine


@contextmanager
def begin() -> Iterator[Connection]:
    """Run the block in one transaction: commit at its end, roll back if it raises.

    Raises DatabaseUnavailable (503) if the database does not respond or its tables are outdated.
    On SQLite, a second transaction inside the block would wait for the first one until it fails.
    """
    with database().begin() as session:
        yield session.connection()


@contextmanager
def read() -> Iterator[Connection]:
    """Run the block with a connection for reading. Nothing is committed.

    Each statement sees the data of its own time, and none waits for a writer. It costs PostgreSQL
    one statement instead of the three of `begin`. Raises DatabaseUnavailable like `begin`.
    """
    with database().read() as connection:
        yield connection
