"""Sessions and one-time keys in one SQLite file, for one machine."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from clever_login.errors import StoreUnavailable
from clever_login.storage.base import KeyFilter, every_key
from clever_login.storage.private_files import make_file, make_folder
from clever_login.storage.sqlite_files import enable_wal

T = TypeVar("T")
FILE_NAME = "sessions.sqlite3"
BUSY_TIMEOUT_SECONDS = 5.0  # how long to wait while another process writes
SWEEP_SECONDS = 5 * 60  # between two removals of expired values

# Power loss may undo the last writes (synchronous=NORMAL): users then log in again. Deleted values
# are overwritten with zeros (secure_delete), because they were sessions.
SETUP_SQL = """
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
PRAGMA journal_size_limit = 1048576;
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL -- Unix seconds
);
CREATE INDEX IF NOT EXISTS entries_expires ON entries (expires);
"""
SET_SQL = (
    "INSERT INTO entries (key, value, expires) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
ADD_SQL = f"{SET_SQL} WHERE entries.expires <= ?"
REPLACE_SQL = "UPDATE entries SET value = ?, expires = ? WHERE key = ? AND expires > ?"


class FileStore:
    """Stores values in one file that only this user can read. See Store for the methods.

    Each process has one connection, which its threads take turns to use.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, ...] = ()  # of the process and the file that it has opened
        self._last_sweep = 0.0  # Unix seconds

    def get(self, key: str) -> bytes | None:
        """See Store."""
        query = "SELECT value FROM entries WHERE key = ? AND expires > ?"
        row = self._with_connection(lambda sql: sql.execute(query, (key, time.time())).fetchone())
        return row[0] if row else None

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        now = time.time()
        if only_existing:
            self._execute(REPLACE_SQL, value, now + seconds, key, now)
        else:
            self._execute(SET_SQL, key, value, now + seconds)
        self._sweep(now)

    def add_if_absent(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """See Store. SQLite lets only one process write at a time."""
        now = time.time()
        self._sweep(now)
        return self._execute(ADD_SQL, key, note, now + seconds, now) == 1

    def delete(self, key: str) -> None:
        """See Store."""
        self._execute("DELETE FROM entries WHERE key = ?", key)

    def delete_matching(self, pattern: str, matches: KeyFilter = every_key) -> int:
        """See Store."""
        keys = [key for (key,) in self._rows("key", pattern) if matches(key)]
        for key in keys:  # one transaction each, so that logins do not wait for all of them
            self.delete(key)
        return len(keys)

    def find(self, pattern: str, matches: KeyFilter = every_key) -> dict[str, bytes]:
        """See Store."""
        return {key: value for key, value in self._rows("key, value", pattern) if matches(key)}

    def load(self) -> None:
        """Do nothing: SQLite is already imported."""

    def _rows(self, columns: str, pattern: str) -> list[Any]:
        query = f"SELECT {columns} FROM entries WHERE key GLOB ? AND expires > ?"  # noqa: S608 # names of columns
        return self._with_connection(
            lambda sql: sql.execute(query, (pattern, time.time())).fetchall()
        )

    def _execute(self, statement: str, *values: object) -> int:
        """Run a statement, and return the number of changed rows."""
        return self._with_connection(lambda sql: sql.execute(statement, values).rowcount)

    def _sweep(self, now: float) -> None:
        """Delete expired values, at most every SWEEP_SECONDS."""
        if now - self._last_sweep >= SWEEP_SECONDS:
            self._last_sweep = now
            self._execute("DELETE FROM entries WHERE expires <= ?", now)

    def _with_connection(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Use the connection.

        Raises StoreUnavailable, without any path in its message, on a failure.
        """
        try:
            with self._lock:
                return action(self._current_connection())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the session file cannot be used: {error}") from error
        except OSError as error:
            reason = f"{error.strerror} ({type(error).__name__})"
            raise StoreUnavailable(f"the session folder cannot be used: {reason}") from error

    def _current_connection(self) -> sqlite3.Connection:
        """Return the connection.

        It is opened again after a fork, and if the file was replaced or deleted.
        """
        if self._connection is None or self._identity != self._file_identity():
            self._connection = self._open_connection()
            self._identity = self._file_identity()
        return self._connection

    def _file_identity(self) -> tuple[int, ...]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return ()
        return (os.getpid(), stat.st_dev, stat.st_ino)

    def _open_connection(self) -> sqlite3.Connection:
        make_folder(self._path.parent)
        make_file(self._path)
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        enable_wal(connection, BUSY_TIMEOUT_SECONDS)
        connection.executescript(SETUP_SQL)
        self._remove_files_of_0_1()
        return connection

    def _remove_files_of_0_1(self) -> None:
        """Delete the files of version 0.1, which stored each value in its own file here."""
        for path in self._path.parent.iterdir():
            if not path.name.startswith((FILE_NAME, f".{FILE_NAME}")):
                with suppress(OSError):
                    path.unlink()
