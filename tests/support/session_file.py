"""The file that stores sessions without Redis, opened as an attacker or a test would."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.running_app import Site


def folder_of(site: Site) -> Path:
    """Return the folder of the file."""
    return Path(str(site.settings.instance_path)) / "store"


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / "sessions.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def values(site: Site, pattern: str = "*") -> dict[str, bytes]:
    """Return the values under matching keys, oldest first. Empty before the file exists."""
    return values_in(folder_of(site), pattern)


def values_in(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """Return the matching values of the file in this folder."""
    if not folder.exists():
        return {}
    query = "SELECT key, value FROM entries WHERE key GLOB ? ORDER BY rowid"
    with _opened(folder) as connection:
        return dict(connection.execute(query, (pattern,)).fetchall())


def seconds_left(site: Site) -> dict[str, float]:
    """Return for how many seconds each value is kept, by key."""
    if not folder_of(site).exists():
        return {}
    with _opened(folder_of(site)) as connection:
        rows = connection.execute("SELECT key, expires FROM entries").fetchall()
    return {key: expires - time.time() for key, expires in rows}


def put(site: Site, key: str, value: bytes) -> None:
    """Write a value under a key. It expires in 15 minutes."""
    statement = "REPLACE INTO entries (key, value, expires) VALUES (?, ?, ?)"
    with _opened(folder_of(site)) as connection:
        connection.execute(statement, (key, value, time.time() + 900))


def remove(site: Site, pattern: str) -> None:
    """Delete the values under matching keys."""
    with _opened(folder_of(site)) as connection:
        connection.execute("DELETE FROM entries WHERE key GLOB ?", (pattern,))


def run(site: Site, statement: str) -> None:
    """Run a statement on the file. Its table is named entries."""
    with _opened(folder_of(site)) as connection:
        connection.execute(statement)
