"""PostgreSQL connections with a time limit for every answer.

psycopg has no limit for a server that sends nothing. `tcp_user_timeout` alone does not help: the
kernel of a stopped or overloaded server still acknowledges packets.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from clever_login.db.connection_limits import ConnectionLimits
from clever_login.db.driver_errors import sqlstate_of

RV = TypeVar("RV")
SETUP_SECONDS = 3  # for the first query on a new connection
INTERVAL_SECONDS = 0.1  # how often psycopg checks for signals; its default
PAUSE_SECONDS = 0.1
TOO_MANY_CONNECTIONS = "53300"
# A pooler reports its own process id. Session settings made through a pooler would stay for its
# next client, so the time limits are set for the session only on a direct connection, and otherwise
# for each transaction.
SETUP_QUERY = """
SELECT CASE WHEN pg_backend_pid() = %(process)s THEN
  set_config('statement_timeout', %(statement)s, false)
  || set_config('idle_in_transaction_session_timeout', %(idle)s, false)
END
"""


# Simple statements, which a pooler forwards together. They end with the transaction.
TRANSACTION_LIMITS = (
    "SET LOCAL statement_timeout = {statement}; "
    "SET LOCAL idle_in_transaction_session_timeout = {idle}"
)


class AnswerTimeout(psycopg.OperationalError):
    """The server did not answer in time. The connection is closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes itself when an answer takes longer than `limit` seconds."""

    limit: float = SETUP_SECONDS
    pooled: bool = False  # whether a pooler such as PgBouncer is in between
    transaction_limits: str = ""  # a pooled connection's statements at the start of a transaction

    def wait(
        self, gen: PQGen[RV], interval: float = INTERVAL_SECONDS, timeout: float | None = None
    ) -> RV:
        """Wait for an answer. See psycopg.Connection; every statement calls this."""
        try:
            return super().wait(gen, interval, self.limit if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.close()  # a late answer must not be read as the next statement's
            raise AnswerTimeout("no answer in time") from error


def connect(limits: ConnectionLimits, *arguments: Any, **parameters: Any) -> BoundedConnection:
    """Open a connection with these limits. Parameters in DATABASE_URL override the defaults."""
    connection = _open_connection(limits, *arguments, **(_default_parameters(limits) | parameters))
    try:
        _configure_session(connection, limits)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def limit_transaction(connection: BoundedConnection) -> None:
    """Set the time limits of a transaction that begins, if a pooler has no session to set them in.

    A single read is its own transaction, and only the client limits its time.
    """
    if connection.transaction_limits and not connection.autocommit:
        connection.execute(connection.transaction_limits)


def _open_connection(
    limits: ConnectionLimits, *arguments: Any, **parameters: Any
) -> BoundedConnection:
    """Connect; retry for up to `limits.wait` seconds while the server has too many connections."""
    deadline = time.monotonic() + limits.wait
    while True:
        try:
            return BoundedConnection.connect(*arguments, autocommit=True, **parameters)
        except psycopg.OperationalError as error:
            if sqlstate_of(error) != TOO_MANY_CONNECTIONS or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def _default_parameters(limits: ConnectionLimits) -> dict[str, int]:
    """Return libpq parameters that detect a server machine that is gone."""
    return {
        "connect_timeout": limits.connect,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * limits.connect * 3,
    }


def _configure_session(connection: BoundedConnection, limits: ConnectionLimits) -> None:
    milliseconds = str(int(limits.statement * 1000))
    values = {
        "process": connection.info.backend_pid,
        "statement": milliseconds,
        "idle": str(60_000 if limits.pool else 900_000),
    }
    row = connection.execute(SETUP_QUERY, values).fetchone()
    if not row or row[0] is None:
        connection.pooled = True
        connection.prepare_threshold = None  # a pooler may give these to another client
        connection.transaction_limits = TRANSACTION_LIMITS.format_map(values)
    connection.autocommit = False
    connection.limit = limits.statement + 1  # so the server's own limit applies first
