"""What a database cannot do now, in words for the log and for operators.

The driver's own messages may quote a person's row, so they are never repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from clever_login.errors import DatabaseUnavailable

DEADLOCKS = {"40P01", "40001"}  # PostgreSQL has undone one of two transactions
SILENT = "the database does not answer"
# SQLSTATE (PostgreSQL's manual, appendix A), whole or its class: the states that pass without a
# change of this code, by an operator or by themselves.
POSTGRESQL = {
    "08": SILENT,
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
CONNECTING = {
    "too many": "53300",
    "remaining connection slots": "53300",
    "no more connections": "53300",  # PgBouncer's
    "password authentication": "28P01",
    'role "': "28000",
    'database "': "3D000",
    "the database system is": "57P03",
}
# Result codes (sqlite.org/rescode.html), without their extended part.
SQLITE = {
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
OF_THE_SERVER = {"08", "25", "28", "57", "58", "XX"}
STATEMENT_CANCELED = "57014"


class Again(DatabaseUnavailable):
    """It would work the next time."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a driver raises into DatabaseUnavailable, or Again after a deadlock.

    Errors of our own making, such as an unknown column, stay as they are.
    """
    try:
        yield
    except NoConnectionFree as error:
        raise DatabaseUnavailable("no connection to the database was free in time") from error
    except DBAPIError as error:
        if state_of(error.orig) in DEADLOCKS:
            raise Again("two transactions waited for each other") from error
        if why := not_now(error):
            raise DatabaseUnavailable(why) from error
        raise


def not_now(error: DBAPIError) -> str | None:
    """Why the database cannot do it now; None for an error that would come again."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in SQLITE:
        return SQLITE[code & 0xFF]
    if state := state_of(error.orig):
        if words := words_of(state):
            return f"{words} ({state})"
    elif isinstance(error, OperationalError):
        return SILENT
    return SILENT if error.connection_invalidated else None


def words_of(state: str) -> str | None:
    """What a SQLSTATE means, if it is one of those that pass."""
    return POSTGRESQL.get(state) or POSTGRESQL.get(state[:2])


def is_of_the_server(state: str) -> bool:
    """Whether other connections to the same server will meet the same."""
    return state[:2] in OF_THE_SERVER and state != STATEMENT_CANCELED


def state_of(error: BaseException | None) -> str | None:
    """The SQLSTATE of PostgreSQL's answer, None for SQLite and where there was no answer."""
    state: str | None = getattr(error, "sqlstate", None)
    if state or not hasattr(error, "sqlstate"):
        return state
    message = str(error)
    return next((state for words, state in CONNECTING.items() if words in message), None)
