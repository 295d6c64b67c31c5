"""A connection to PostgreSQL that waits for no answer longer than it may.

psycopg itself has no limit on a server that is silent: the kernel of a stopped or overloaded
server still confirms packets, so that `tcp_user_timeout` alone does not help.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from clever_login.db.connection_limits import ConnectionLimits
from clever_login.db.driver_errors import sqlstate_of

RV = TypeVar("RV")
SETUP_SECONDS = 3  # for the first question on a new connection
INTERVAL_SECONDS = 0.1  # after which psycopg looks for a signal, as by default
PAUSE_SECONDS = 0.1
TOO_MANY_CONNECTIONS = "53300"
# A pooler in between gives out a process id of its own. What is set for a session there stays for
# the next client, so that the time limits are set only where the server itself answers.
SETUP_QUERY = """
SELECT CASE WHEN pg_backend_pid() = %(process)s THEN
  set_config('statement_timeout', %(statement)s, false)
  || set_config('idle_in_transaction_session_timeout', %(idle)s, false)
END
"""


class AnswerTimeout(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when an answer takes longer than `limit` seconds."""

    limit: float = SETUP_SECONDS
    pooled: bool = False  # by a pooler such as PgBouncer between the app and the server

    def wait(
        self, gen: PQGen[RV], interval: float = INTERVAL_SECONDS, timeout: float | None = None
    ) -> RV:
        """See psycopg.Connection; every statement waits here for its answer."""
        try:
            return super().wait(gen, interval, self.limit if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.close()  # its answer may still come, and must not be taken for another one's
            raise AnswerTimeout("no answer in time") from error


def connect(limits: ConnectionLimits, *arguments: Any, **parameters: Any) -> BoundedConnection:
    """A connection with these limits; what is in DATABASE_URL comes before ours."""
    connection = _open_connection(limits, *arguments, **(_default_parameters(limits) | parameters))
    try:
        _configure_session(connection, limits)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _open_connection(
    limits: ConnectionLimits, *arguments: Any, **parameters: Any
) -> BoundedConnection:
    """Open it, and wait for a short while if the server takes no more connections."""
    give_up = time.monotonic() + limits.wait
    while True:
        try:
            return BoundedConnection.connect(*arguments, autocommit=True, **parameters)
        except psycopg.OperationalError as error:
            if sqlstate_of(error) != TOO_MANY_CONNECTIONS or time.monotonic() > give_up:
                raise
        time.sleep(PAUSE_SECONDS)


def _default_parameters(limits: ConnectionLimits) -> dict[str, int]:
    """Parameters of libpq: when a connection to a machine that has gone is given up."""
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
        connection.prepare_threshold = None  # a pooler may give them to another client
    connection.autocommit = False
    connection.limit = limits.statement + 1  # the server's own limit comes first
