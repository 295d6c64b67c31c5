"""SQLAlchemy engines for SQLite and PostgreSQL, set up so that concurrent writes lose no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, ExceptionContext, NullPool, create_engine, event

from clever_login.db.connection_limits import ConnectionLimits
from clever_login.db.driver_errors import describe_sqlstate, is_server_wide, sqlstate_of
from clever_login.db.idle_connections import IdleConnections
from clever_login.errors import DatabaseUnavailable
from clever_login.storage.private_files import make_file, make_folder
from clever_login.storage.sqlite_files import enable_wal

BUSY_TIMEOUT_SECONDS = 10  # to wait for another SQLite transaction
# Statements that a SQLite connection caches (default 128). A statement with 5,000 ids takes almost
# a megabyte, and each number of ids makes a different statement.
STATEMENTS = 16
READ_ONLY_OPTIONS: dict[str, Any] = {"reading": True}
# On PostgreSQL, reads and single statements skip BEGIN and COMMIT, each of which is a round trip.
# A transaction would not isolate reads more: in READ COMMITTED each statement sees new commits.
AUTOCOMMIT_OPTIONS: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
# VACUUM refuses to run in a transaction.
NO_TRANSACTION_OPTIONS: dict[str, Any] = {"without_transaction": True}
# Of the limits of the server, the user, and the database, the one that is reached first. Users
# without rights see the rows of other users, but not what kind of process each is.
USAGE_QUERY = """
WITH clients AS (
  SELECT usename, datname FROM pg_stat_activity
  WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
)
SELECT in_use, allowed FROM (
  SELECT (SELECT count(*) FROM clients) AS in_use,
    current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int AS allowed
  UNION ALL SELECT (SELECT count(*) FROM clients WHERE usename = current_user),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
  UNION ALL SELECT (SELECT count(*) FROM clients WHERE datname = current_database()),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
) AS limits
WHERE allowed IS NOT NULL ORDER BY allowed - in_use LIMIT 1
"""


class ConnectionUsage(NamedTuple):
    """How many connections a server has now, and how many it allows."""

    in_use: int
    allowed: int


class Engines(NamedTuple):
    """One pool of connections with the options of each kind of transaction."""

    write: Engine
    read: Engine  # as `read_only` returns it
    statement: Engine  # as `autocommit` returns it


def make_engines(url: str, limits: ConnectionLimits) -> Engines:
    """Return the engines of one pool. Setting the options per transaction would cost 0.1 ms."""
    engine = make_engine(url, limits)
    return Engines(write=engine, read=read_only(engine), statement=autocommit(engine))


def make_engine(url: str, limits: ConnectionLimits) -> Engine:
    """Return an engine that quotes no values in its errors. Opens no connection."""
    return (
        _make_sqlite_engine(url)
        if url.startswith("sqlite")
        else _make_postgresql_engine(url, limits)
    )


def _make_postgresql_engine(url: str, limits: ConnectionLimits) -> Engine:
    from clever_login.db import postgresql  # imports the driver

    engine = create_engine(url, hide_parameters=True, **_pool_options(limits))
    event.listen(
        engine,
        "do_connect",
        lambda _dialect, _record, cargs, cparams: postgresql.connect(limits, *cargs, **cparams),
    )
    event.listen(
        engine,
        "begin",
        lambda opened: postgresql.limit_transaction(opened.connection.driver_connection),
    )
    event.listen(engine, "handle_error", _invalidate_unavailable)
    if limits.pool:
        IdleConnections(engine, limits.idle)
    return engine


def _pool_options(limits: ConnectionLimits) -> dict[str, Any]:
    if not limits.pool:
        return {"poolclass": NullPool}
    return {
        "pool_use_lifo": True,  # few connections stay in use, so idle ones are closed
        "pool_size": limits.pool,
        "max_overflow": 0,  # overflow connections would be reopened for each use
        "pool_timeout": limits.wait,
    }


def _invalidate_unavailable(context: ExceptionContext) -> None:
    """Drop the connection if its server is unavailable, and the pool if the whole server is.

    Otherwise connections would stay with the former primary after a failover, or keep the
    `default_transaction_read_only` that they were opened with.
    """
    state = sqlstate_of(context.original_exception)
    if state and describe_sqlstate(state):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = is_server_wide(state)


def read_only(engine: Engine) -> Engine:
    """Return the engine with options for reads only. On SQLite, reads never wait for a writer."""
    return engine.execution_options(
        **(READ_ONLY_OPTIONS if engine.dialect.name == "sqlite" else AUTOCOMMIT_OPTIONS)
    )


def autocommit(engine: Engine) -> Engine:
    """Return the engine with options for a single statement that is its own transaction."""
    return (
        engine
        if engine.dialect.name == "sqlite"
        else engine.execution_options(**AUTOCOMMIT_OPTIONS)
    )


def analyze_tables(connection: Connection) -> None:
    """Run ANALYZE on the app's tables after a bulk write (PostgreSQL only). Any role may own them.

    Autovacuum does this too, but later. Until then, pages of a large district take longer than
    their limit.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT clever_update_statistics()")


def erase_deleted(engine: Engine) -> None:
    """Rewrite a SQLite file without the remains of deleted rows, and empty its write-ahead log.

    SQLite overwrites deleted values, but not the copies that it leaves when it moves rows to other
    pages. On PostgreSQL, this does nothing. Raises DatabaseUnavailable if another process reads for
    longer than BUSY_TIMEOUT_SECONDS.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.execution_options(**NO_TRANSACTION_OPTIONS).connect() as connection:
        connection.exec_driver_sql("VACUUM")
        row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if row[0]:
            raise DatabaseUnavailable("another process reads the database file")


def connection_usage(engine: Engine) -> ConnectionUsage | None:
    """Return PostgreSQL's connections, with this one, or None if a pooler shares them."""
    with read_only(engine).connect() as connection:
        if getattr(connection.connection.driver_connection, "pooled", True):
            return None
        return ConnectionUsage(*connection.exec_driver_sql(USAGE_QUERY).one())


def _make_sqlite_engine(url: str) -> Engine:
    path = Path(url.removeprefix("sqlite:///"))
    # Opened for each transaction: cheap for a file, and no connection outlives the app.
    options = {"timeout": BUSY_TIMEOUT_SECONDS, "cached_statements": STATEMENTS}
    engine = create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=options)
    event.listen(engine, "do_connect", lambda *_: _create_file(path))  # None: SQLAlchemy connects
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_transaction)
    return engine


def _create_file(path: Path) -> None:
    """Create the file if it does not exist, with private permissions from the start."""
    try:
        make_folder(path.parent)
        make_file(path)
    except OSError as error:
        reason = f"{error.strerror} ({type(error).__name__})"
        raise DatabaseUnavailable(f"the database file cannot be created: {reason}") from error


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Enforce foreign keys, use WAL so readers don't wait, and leave BEGIN to this module.

    Deleted and former values are overwritten with zeros (secure_delete), because they name people.
    """
    connection.isolation_level = None
    enable_wal(connection, BUSY_TIMEOUT_SECONDS)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")


def _begin_transaction(connection: Connection) -> None:
    """Start a write with BEGIN IMMEDIATE: SQLite refuses a later lock upgrade without waiting."""
    options = connection.get_execution_options()
    if not options.get("without_transaction"):
        connection.exec_driver_sql("BEGIN" if options.get("reading") else "BEGIN IMMEDIATE")
