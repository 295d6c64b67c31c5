"""The file in which sessions are kept without Redis, as an attacker or a test may open it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.running_app import Site


def folder_of(site: Site) -> Path:
    """Where the file is."""
    return Path(str(site.settings.instance_path)) / "store"


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / "sessions.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def values(site: Site, pattern: str = "*") -> dict[str, bytes]:
    """What the file has under the keys that match, oldest first; nothing before there is a file."""
    return values_in(folder_of(site), pattern)


def values_in(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """The same of a folder."""
    if not folder.exists():
        return {}
    query = "SELECT key, value FROM entries WHERE key GLOB ? ORDER BY rowid"
    with _opened(folder) as connection:
        return dict(connection.execute(query, (pattern,)).fetchall())


def put(site: Site, key: str, value: bytes) -> None:
    """Write this under a key, for a quarter of an hour."""
    statement = "REPLACE INTO entries (key, value, expires) VALUES (?, ?, ?)"
    with _opened(folder_of(site)) as connection:
        connection.execute(statement, (key, value, time.time() + 900))


def remove(site: Site, pattern: str) -> None:
    """Delete the values whose keys match."""
    with _opened(folder_of(site)) as connection:
        connection.execute("DELETE FROM entries WHERE key GLOB ?", (pattern,))


def run(site: Site, statement: str) -> None:
    """Run a statement on the file, in which the table is called entries."""
    with _opened(folder_of(site)) as connection:
        connection.execute(statement)
