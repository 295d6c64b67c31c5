"""Driver errors, translated into messages for logs and operators.

The driver's own messages may quote personal data, so they are never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from clever_login.errors import DatabaseUnavailable

DEADLOCK_SQLSTATES = {"40P01", "40001"}  # PostgreSQL rolled back one of two transactions
NO_ANSWER = "the database does not answer"
# SQLSTATE codes or classes (PostgreSQL manual, appendix A) that an operator can fix, or that
# clear without a change to this code.
POSTGRESQL_CAUSES = {
    "08": NO_ANSWER,
    "25006": "the database is read-only",
    "25P03": "the database ended an idle transaction",
    "25P04": "the database ended a transaction that took too long",
    "28": "the database does not accept the user name or password",
    "3D": "the database server has no database with this name",
    "42501": "the database user does not have the necessary permissions",
    "53": "the database has too little memory or disk",
    "53300": "the database accepts no more connections",
    "55P03": "a row or table was locked for too long",
    "57": "the database is stopping, starting or being repaired",
    "57014": "a database statement took too long",
    "58": "the database server has a system error",
    "XX": "the database's files are damaged",
}
# Errors while connecting carry no SQLSTATE, so the text of the message is matched.
CONNECT_MESSAGES = {
    "too many": "53300",
    "remaining connection slots": "53300",
    "no more connections": "53300",  # PgBouncer
    "password authentication": "28P01",
    'role "': "28000",
    'database "': "3D000",
    "the database system is": "57P03",
}
# Primary result codes (sqlite.org/rescode.html).
SQLITE_LOCKED = {5, 6}
SQLITE_CAUSES = {
    3: "the app has no permission to open the database file",
    5: "the database file is locked by another process",
    6: "the database file is locked",
    7: "there is too little memory for the database",
    8: "the database file is read-only",
    10: "the disk of the database file is full or has an error",
    11: "the database file is damaged",
    13: "the disk of the database file is full",
    14: "the database file cannot be opened",
    15: "the database file is locked by another process",
    26: "the database file is not a SQLite file",
}
# SQLSTATE classes that affect every connection, not one statement only.
SERVER_WIDE_CLASSES = {"08", "25", "28", "57", "58", "XX"}
STATEMENT_CANCELED = "57014"
DISK_FULL = "53100"
LOCK_NOT_AVAILABLE = "55P03"
INSUFFICIENT_PRIVILEGE = "42501"
# Statements have placeholders instead of values, so these words name no person.
TARGET_PATTERN = re.compile(
    r"\b(INSERT INTO|UPDATE|DELETE FROM|FROM|CREATE TABLE|ALTER TABLE|DROP TABLE)\s+([\w.]+)"
)


class DiskFull(DatabaseUnavailable):
    """PostgreSQL has no place on its disk for a new page of a table or an index."""


class RetryableError(DatabaseUnavailable):
    """The transaction failed because of a conflict; a retry can succeed."""


@contextmanager
def translate_driver_errors() -> Iterator[None]:
    """Turn driver errors into DatabaseUnavailable, or into RetryableError after a deadlock.

    Programming errors, such as an unknown column, are not translated.
    """
    try:
        yield
    except NoConnectionFree as error:
        raise DatabaseUnavailable("no database connection became free in time") from error
    except DBAPIError as error:
        if sqlstate_of(error.orig) in DEADLOCK_SQLSTATES:
            raise RetryableError("two transactions blocked each other (deadlock)") from error
        if reason := unavailable_reason(error):
            is_full = sqlstate_of(error.orig) == DISK_FULL
            raise (DiskFull if is_full else DatabaseUnavailable)(reason) from error
        raise


def unavailable_reason(error: DBAPIError) -> str | None:
    """Return why the database is unavailable; None for an error that a retry would not change."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in SQLITE_CAUSES:
        return SQLITE_CAUSES[code & 0xFF]
    if state := sqlstate_of(error.orig):
        if meaning := describe_sqlstate(state):
            return f"{meaning} ({state}{_denied_target(error, state)})"
    elif isinstance(error, OperationalError):
        return NO_ANSWER
    return NO_ANSWER if error.connection_invalidated else None


def _denied_target(error: DBAPIError, state: str) -> str:
    """Return the statement's verb and table, such as ", INSERT INTO clever_people", if refused."""
    match = TARGET_PATTERN.search(error.statement or "")
    if state != INSUFFICIENT_PRIVILEGE or not match:
        return ""
    return f", {'SELECT FROM' if match[1] == 'FROM' else match[1]} {match[2]}"


def is_conflict(error: Exception) -> bool:
    """Return whether another transaction may have caused the error, so that a retry can succeed."""
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    is_locked = isinstance(code, int) and code & 0xFF in SQLITE_LOCKED
    is_refused = sqlstate_of(error.orig) in DEADLOCK_SQLSTATES | {LOCK_NOT_AVAILABLE}
    return isinstance(error, IntegrityError) or is_locked or is_refused


def describe_sqlstate(state: str) -> str | None:
    """Return what a SQLSTATE means if it is in POSTGRESQL_CAUSES, else None."""
    return POSTGRESQL_CAUSES.get(state) or POSTGRESQL_CAUSES.get(state[:2])


def is_server_wide(state: str) -> bool:
    """Return whether other connections to the same server get the same error."""
    return state[:2] in SERVER_WIDE_CLASSES and state != STATEMENT_CANCELED


def sqlstate_of(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of a PostgreSQL error; None for SQLite, or if the server sent nothing."""
    state: str | None = getattr(error, "sqlstate", None)
    if state or not hasattr(error, "sqlstate"):
        return state
    message = str(error)
    return next(
        (state for fragment, state in CONNECT_MESSAGES.items() if fragment in message), None
    )
