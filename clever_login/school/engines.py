"""How SQLite and PostgreSQL are spoken to, each so that two at once never lose anything."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from clever_login.private_files import make_file, make_folder
from clever_login.school.tables import Base

WAIT_SECONDS = 10  # for another's transaction, or for a connection
LOOKING: dict[str, Any] = {"reading": True}
# PostgreSQL is asked without BEGIN and COMMIT, each of which is a round trip: between two
# statements of a transaction others' changes are seen there, too (READ COMMITTED).
ALONE: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
TRUSTED_SECONDS = 1  # a connection that was used so lately is not tried first


def make_engine(url: str) -> Engine:
    """An engine that quotes no values in its errors; nothing is opened yet."""
    if url.startswith("sqlite"):
        return _sqlite(url)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_use_lifo=True,  # so that those in use stay few, and the others rest
        pool_size=8,  # a worker; small plans allow twenty in all
        max_overflow=0,  # what is above the size would be opened anew for each use
        pool_timeout=WAIT_SECONDS,
        connect_args={"connect_timeout": 5},
    )
    event.listen(engine, "checkin", _put_back)
    event.listen(engine, "checkout", partial(_still_there, engine))
    return engine


def _put_back(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["put_back"] = time.monotonic()


def _still_there(
    engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Try a connection that has lain idle, which may have been closed meanwhile.

    Not one that was in use just now: that would cost each page a round trip.
    """
    put_back = record.info.get("put_back")
    if put_back is None or time.monotonic() - put_back < TRUSTED_SECONDS:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error  # the pool opens another one


def looking(engine: Engine) -> Engine:
    """The same engine for what only looks: SQLite waits for no writer then."""
    return engine.execution_options(**(LOOKING if engine.dialect.name == "sqlite" else ALONE))


def alone(engine: Engine) -> Engine:
    """The same engine for one statement that is a transaction by itself."""
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(**ALONE)


def count_rows(connection: Connection) -> None:
    """Let PostgreSQL count what is in our tables, after they were filled.

    It does so by itself, but not at once, and until then pages take seconds: it takes full tables
    for empty ones.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(Base.metadata.tables)}")


def _sqlite(url: str) -> Engine:
    path = Path(url.removeprefix("sqlite:///"))
    make_folder(path.parent)
    # Opened for each transaction: cheap for a file, and none is left open behind an app.
    engine = create_engine(
        url, hide_parameters=True, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS}
    )
    event.listen(engine, "do_connect", lambda *_: make_file(path))  # returns None: go on
    event.listen(engine, "connect", _careful)
    event.listen(engine, "begin", _begin)
    return engine


def _careful(connection: Any, _record: object) -> None:
    """Foreign keys hold, readers do not wait for a writer, and a transaction is ours to begin."""
    connection.isolation_level = None
    _write_ahead(connection)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _write_ahead(connection: Any) -> None:
    """SQLite does not wait for others here, so that several first starts at once would fail."""
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except Exception:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def _begin(connection: Connection) -> None:
    """Take the right to write at once: asked for later, it is refused without waiting."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
