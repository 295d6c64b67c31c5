"""How SQLite and PostgreSQL are spoken to, each so that two at once never lose anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, NullPool, create_engine, event

from clever_login.db.connection_limits import ConnectionLimits
from clever_login.db.driver_errors import describe_sqlstate, is_server_wide, sqlstate_of
from clever_login.db.idle_connections import IdleConnections
from clever_login.db.models import Base
from clever_login.errors import DatabaseUnavailable
from clever_login.storage.private_files import make_file, make_folder
from clever_login.storage.sqlite_files import enable_wal

BUSY_TIMEOUT_SECONDS = 10  # for another's transaction, in SQLite
# A connection to SQLite keeps its last statements, 128 unless told otherwise. One with 5,000 ids
# weighs almost a megabyte, and each number of ids is another statement.
STATEMENTS = 16
READ_ONLY_OPTIONS: dict[str, Any] = {"reading": True}
# PostgreSQL is asked without BEGIN and COMMIT, each of which is a round trip: between two
# statements of a transaction others' changes are seen there, too (READ COMMITTED).
AUTOCOMMIT_OPTIONS: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
MAX_CONNECTIONS_QUERY = """
SELECT least(
  current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int,
  (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
  (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
)
"""


def make_engine(url: str, limits: ConnectionLimits) -> Engine:
    """An engine that quotes no values in its errors; nothing is opened yet."""
    return _make_sqlite_engine(url) if url.startswith("sqlite") else _postgresql(url, limits)


def _postgresql(url: str, limits: ConnectionLimits) -> Engine:
    from clever_login.db import postgresql  # loads the driver

    engine = create_engine(url, hide_parameters=True, **_pool(limits))
    event.listen(
        engine,
        "do_connect",
        lambda _dialect, _record, cargs, cparams: postgresql.connect(limits, *cargs, **cparams),
    )
    event.listen(engine, "handle_error", _discard)
    if limits.pool:
        IdleConnections(engine, limits.idle)
    return engine


def _pool(limits: ConnectionLimits) -> dict[str, Any]:
    if not limits.pool:
        return {"poolclass": NullPool}
    return {
        "pool_use_lifo": True,  # so that those in use stay few, and the others are closed
        "pool_size": limits.pool,
        "max_overflow": 0,  # what is above the size would be opened anew for each use
        "pool_timeout": limits.wait,
    }


def _discard(context: ExceptionContext) -> None:
    """Close a connection whose server cannot serve now, and others that led to the same server.

    Otherwise they would stay with the former primary after a failover, or keep the
    `default_transaction_read_only` that they were opened with.
    """
    state = sqlstate_of(context.original_exception)
    if state and describe_sqlstate(state):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = is_server_wide(state)


def read_only(engine: Engine) -> Engine:
    """The same engine for what only looks: SQLite waits for no writer then."""
    return engine.execution_options(
        **(READ_ONLY_OPTIONS if engine.dialect.name == "sqlite" else AUTOCOMMIT_OPTIONS)
    )


def autocommit(engine: Engine) -> Engine:
    """The same engine for one statement that is a transaction by itself."""
    return (
        engine
        if engine.dialect.name == "sqlite"
        else engine.execution_options(**AUTOCOMMIT_OPTIONS)
    )


def analyze_tables(connection: Connection) -> None:
    """Let PostgreSQL count what is in our tables, after they were filled.

    It does so by itself, but not at once, and until then pages take seconds: it takes full tables
    for empty ones.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(Base.metadata.tables)}")


def max_connections(engine: Engine) -> int | None:
    """How many connections PostgreSQL takes from this user; None if a pooler shares them."""
    with read_only(engine).connect() as connection:
        if getattr(connection.connection.driver_connection, "pooled", True):
            return None
        found: int = connection.exec_driver_sql(MAX_CONNECTIONS_QUERY).scalar_one()
        return found


def _make_sqlite_engine(url: str) -> Engine:
    path = Path(url.removeprefix("sqlite:///"))
    # Opened for each transaction: cheap for a file, and none is left open behind an app.
    options = {"timeout": BUSY_TIMEOUT_SECONDS, "cached_statements": STATEMENTS}
    engine = create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=options)
    event.listen(engine, "do_connect", lambda *_: _create(path))  # returns None: go on
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_transaction)
    return engine


def _create(path: Path) -> None:
    """Create the file, private from the start, unless it exists."""
    try:
        make_folder(path.parent)
        make_file(path)
    except OSError as error:
        why = f"{error.strerror} ({type(error).__name__})"
        raise DatabaseUnavailable(f"the database file cannot be created: {why}") from error


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Foreign keys hold, readers do not wait for a writer, and a transaction is ours to begin."""
    connection.isolation_level = None
    enable_wal(connection, BUSY_TIMEOUT_SECONDS)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_transaction(connection: Connection) -> None:
    """Take the right to write at once: asked for later, it is refused without waiting."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
