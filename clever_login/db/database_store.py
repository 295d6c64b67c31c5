"""Sessions and one-time keys in PostgreSQL, beside the accounts and rosters.

No statement runs in a transaction of its own making, and none changes the connection, so that a
pooler such as PgBouncer may give each statement to another connection.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from clever_login.errors import DatabaseUnavailable, StoreUnavailable
from clever_login.storage.base import KeyFilter, every_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clever_login.db.database import Database

T = TypeVar("T")
# With one of these parts of CleverLogin, the app has the library's tables.
PARTS_WITH_TABLES = frozenset({"Accounts", "Rosters", "Database"})
ANSWER_SECONDS = 2.0  # for one statement: every page waits for one
RETRY_WITHIN_SECONDS = 0.5  # a connection that a restarted server has closed fails at once
SWEEP_SECONDS = 5 * 60  # between two removals of expired values
SWEEP_ROWS = 1000  # the most that a request removes; if there are more, the next write continues
DELETED_AT_ONCE = 1000

# The server's clock decides what has expired: those of the app's machines may differ.
GET_SQL = "SELECT value FROM clever_store WHERE key = %(key)s AND expires_at > now()"
SET_SQL = """
INSERT INTO clever_store (key, value, expires_at)
VALUES (%(key)s, %(value)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
# A repeated statement finds its own random value, and so answers as the first did.
ADD_SQL = f"{SET_SQL} WHERE clever_store.expires_at <= now() OR clever_store.value = excluded.value"
REPLACE_SQL = """
UPDATE clever_store SET value = %(value)s,
  expires_at = now() + make_interval(secs => %(seconds)s)
WHERE key = %(key)s AND expires_at > now()
"""
DELETE_SQL = "DELETE FROM clever_store WHERE key = %(key)s"
KEYS_SQL = "SELECT key FROM clever_store WHERE key LIKE %(like)s AND expires_at > now()"
FIND_SQL = "SELECT key, value FROM clever_store WHERE key LIKE %(like)s AND expires_at > now()"
DELETE_KEYS_SQL = "DELETE FROM clever_store WHERE key = ANY(%(keys)s)"
# Rows that another process is writing or removing are left to it.
SWEEP_SQL = """
DELETE FROM clever_store WHERE key = ANY(ARRAY(
  SELECT key FROM clever_store WHERE expires_at <= now()
  ORDER BY expires_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED
))
"""


class DatabaseStore:
    """Stores values in the table clever_store of PostgreSQL. See Store for the methods.

    `get_database` returns the database, whose connections the store shares. It is called at the
    first use, because it loads SQLAlchemy.
    """

    def __init__(self, get_database: Callable[[], Database]) -> None:
        self._get_database = get_database
        self._next_sweep = 0.0  # monotonic seconds

    def get(self, key: str) -> bytes | None:
        """See Store."""
        row = self._run(lambda sql: sql.exec_driver_sql(GET_SQL, {"key": key}).fetchone())
        return bytes(row[0]) if row else None

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        statement = REPLACE_SQL if only_existing else SET_SQL
        self._execute(statement, key=key, value=value, seconds=seconds)
        self._sweep_if_due()

    def add_if_absent(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """See Store. PostgreSQL lets one of several statements insert a row of the same key."""
        mark = note + secrets.token_bytes(16)
        added = self._execute(ADD_SQL, key=key, value=mark, seconds=seconds) == 1
        self._sweep_if_due()
        return added

    def delete(self, key: str) -> None:
        """See Store."""
        self._execute(DELETE_SQL, key=key)

    def delete_matching(self, pattern: str, matches: KeyFilter = every_key) -> int:
        """See Store. The statements have the time limit of the database's other statements."""
        keys = sorted(key for (key,) in self._rows(KEYS_SQL, pattern) if matches(key))
        return sum(
            self._execute(DELETE_KEYS_SQL, None, keys=keys[first : first + DELETED_AT_ONCE])
            for first in range(0, len(keys), DELETED_AT_ONCE)
        )

    def find(self, pattern: str, matches: KeyFilter = every_key) -> dict[str, bytes]:
        """See Store."""
        return {key: bytes(value) for key, value in self._rows(FIND_SQL, pattern) if matches(key)}

    def load(self) -> None:
        """See Store."""
        _ = self._get_database().pages

    def delete_expired(self) -> int:
        """Delete up to SWEEP_ROWS expired values. Returns their number."""
        return self._execute(SWEEP_SQL, rows=SWEEP_ROWS)

    def _sweep_if_due(self) -> None:
        """Delete expired values at intervals. A failure is left to the next write."""
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            with suppress(StoreUnavailable):
                if self.delete_expired() == SWEEP_ROWS:
                    self._next_sweep = 0.0

    def _rows(self, statement: str, pattern: str) -> Sequence[Any]:
        like = {"like": like_pattern(pattern)}
        return self._run(lambda sql: sql.exec_driver_sql(statement, like).fetchall(), seconds=None)

    def _execute(
        self, statement: str, seconds_for_answer: float | None = ANSWER_SECONDS, **values: object
    ) -> int:
        """Run a statement, and return the number of changed rows."""
        return self._run(
            lambda sql: sql.exec_driver_sql(statement, values).rowcount, seconds_for_answer
        )

    def _run(self, action: Callable[[Connection], T], seconds: float | None = ANSWER_SECONDS) -> T:
        """Run one statement, and once more if it failed at once, as on a closed connection.

        Raises StoreUnavailable, with the cause that the log shows for the database.
        """
        began = time.monotonic()
        try:
            return self._attempt(action, seconds)
        except StoreUnavailable:
            if time.monotonic() - began > RETRY_WITHIN_SECONDS:
                raise
        return self._attempt(action, seconds)

    def _attempt(self, action: Callable[[Connection], T], seconds: float | None) -> T:
        try:
            with self._get_database().autocommit() as connection:
                driver: Any = connection.connection.driver_connection
                usual = driver.limit
                driver.limit = usual if seconds is None else min(seconds, usual)
                try:
                    return action(connection)
                finally:
                    driver.limit = usual
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from error
        except Exception as error:
            from sqlalchemy.exc import DBAPIError

            if not isinstance(error, DBAPIError):
                raise
            state = getattr(error.orig, "sqlstate", None)
            raise StoreUnavailable(f"the database refused a statement ({state})") from error


def like_pattern(pattern: str) -> str:
    r"""Return a glob pattern, in which only `*` is special, as a pattern of LIKE."""
    for character in ("\\", "%", "_"):
        pattern = pattern.replace(character, f"\\{character}")
    return pattern.replace("*", "%")
