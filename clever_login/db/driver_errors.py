"""What a database cannot do now, in words for the log and for operators.

The driver's own messages may quote a person's row, so they are never repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from clever_login.errors import DatabaseUnavailable

DEADLOCK_SQLSTATES = {"40P01", "40001"}  # PostgreSQL has undone one of two transactions
NO_ANSWER = "the database does not answer"
# SQLSTATE (PostgreSQL's manual, appendix A), whole or its class: the states that pass without a
# change of this code, by an operator or by themselves.
POSTGRESQL_CAUSES = {
    "08": NO_ANSWER,
    "25006": "the database is read-only",
    "25P03": "the database ended a transaction that stood still",
    "25P04": "the database ended a transaction that took too long",
    "28": "the database does not accept the user name or password",
    "3D": "the database server has no database of this name",
    "42501": "the database does not permit this user to do that",
    "53": "the database has too little memory or disk",
    "53300": "the database takes no more connections",
    "55P03": "a row or table was locked for too long",
    "57": "the database is stopping, starting or being repaired",
    "57014": "the database took too long for a statement",
    "58": "the database's machine has a fault",
    "XX": "the database's files have a fault",
}
# Answers to a new connection come without a SQLSTATE.
CONNECT_MESSAGES = {
    "too many": "53300",
    "remaining connection slots": "53300",
    "no more connections": "53300",  # PgBouncer's
    "password authentication": "28P01",
    'role "': "28000",
    'database "': "3D000",
    "the database system is": "57P03",
}
# Result codes (sqlite.org/rescode.html), without their extended part.
SQLITE_CAUSES = {
    3: "the database file may not be opened",
    5: "the database file is locked by another process",
    6: "the database file is locked",
    7: "there is too little memory for the database",
    8: "the database file is read-only",
    10: "the disk of the database file is full or has a fault",
    11: "the database file is damaged",
    13: "the disk of the database file is full",
    14: "the database file cannot be opened",
    15: "the database file is locked by another process",
    26: "the database file is not a SQLite file",
}
# Classes of states that say something of every connection, not of one statement alone.
SERVER_WIDE_CLASSES = {"08", "25", "28", "57", "58", "XX"}
STATEMENT_CANCELED = "57014"


class RetryableError(DatabaseUnavailable):
    """It would work the next time."""


@contextmanager
def translate_driver_errors() -> Iterator[None]:
    """Turn what a driver raises into DatabaseUnavailable, or Again after a deadlock.

    Errors of our own making, such as an unknown column, stay as they are.
    """
    try:
        yield
    except NoConnectionFree as error:
        raise DatabaseUnavailable("no connection to the database was free in time") from error
    except DBAPIError as error:
        if sqlstate_of(error.orig) in DEADLOCK_SQLSTATES:
            raise RetryableError("two transactions waited for each other") from error
        if why := unavailable_reason(error):
            raise DatabaseUnavailable(why) from error
        raise


def unavailable_reason(error: DBAPIError) -> str | None:
    """Why the database cannot do it now; None for an error that would come again."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in SQLITE_CAUSES:
        return SQLITE_CAUSES[code & 0xFF]
    if state := sqlstate_of(error.orig):
        if words := describe_sqlstate(state):
            return f"{words} ({state})"
    elif isinstance(error, OperationalError):
        return NO_ANSWER
    return NO_ANSWER if error.connection_invalidated else None


def describe_sqlstate(state: str) -> str | None:
    """What a SQLSTATE means, if it is one of those that pass."""
    return POSTGRESQL_CAUSES.get(state) or POSTGRESQL_CAUSES.get(state[:2])


def is_server_wide(state: str) -> bool:
    """Whether other connections to the same server will meet the same."""
    return state[:2] in SERVER_WIDE_CLASSES and state != STATEMENT_CANCELED


def sqlstate_of(error: BaseException | None) -> str | None:
    """The SQLSTATE of PostgreSQL's answer, None for SQLite and where there was no answer."""
    state: str | None = getattr(error, "sqlstate", None)
    if state or not hasattr(error, "sqlstate"):
        return state
    message = str(error)
    return next((state for words, state in CONNECT_MESSAGES.items() if words in message), None)
