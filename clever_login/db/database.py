"""The database of accounts and rosters: SQLite under instance/, or what DATABASE_URL names.

Engines are made at first use: workers are forked before. Every piece of work is one
short transaction: `with database().begin() as session:`, or `.read()` for what only looks.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import TypeVar, cast

from flask import Flask, current_app, has_request_context
from sqlalchemy import Connection, Engine, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clever_login.config import Settings
from clever_login.db import connection_limits, migrate
from clever_login.db.connection_limits import ConnectionLimits
from clever_login.db.driver_errors import NO_ANSWER, RetryableError, translate_driver_errors
from clever_login.db.engines import autocommit, make_engine, max_connections, read_only
from clever_login.db.models import SyncLock, utc_now
from clever_login.errors import DatabaseUnavailable
from clever_login.services import services
from clever_login.storage import private_files

_EXTENSION_KEY = "clever_login_database"
T = TypeVar("T")
MAX_ATTEMPTS = 5  # of work that another transaction may come in between of


class Database:
    """One database; nothing is opened before the first transaction.

    Requests and jobs have an engine each: outside a request (in a command) one connection is
    opened for each transaction, and statements may take long.
    """

    def __init__(
        self, url: str, connections: int, jobs: ConnectionLimits = connection_limits.COMMAND_LIMITS
    ) -> None:
        self.url = url
        self._is_a_file = url.startswith("sqlite")
        self._pages, self._jobs = connection_limits.page_limits(connections), jobs
        self._lock, self._looking = RLock(), Lock()
        self._engines: dict[ConnectionLimits, Engine] = {}
        self._ready = False

    @property
    def engine(self) -> Engine:
        """The engine for what is being done, whatever state the tables are in."""
        here = has_request_context() or self._is_a_file  # a file has one engine for both
        return self.pages if here else self._engine(self._jobs)

    @property
    def pages(self) -> Engine:
        """The engine of requests."""
        return self._engine(self._pages)

    def _engine(self, of: ConnectionLimits) -> Engine:
        with self._lock:
            if of not in self._engines:
                self._engines[of] = make_engine(self.url, of)
            return self._engines[of]

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction: kept when the block ends, undone when it raises.

        Raises DatabaseUnavailable when the database does not answer or its tables are old.
        """
        with translate_driver_errors():
            self._make_ready()
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    def work(self, do: Callable[[Session], T]) -> T:
        """Do something in one transaction, again when another one has come in between."""
        for left in reversed(range(MAX_ATTEMPTS)):
            try:
                with self.begin() as session:
                    return do(session)
            except (IntegrityError, RetryableError):
                if not left:
                    raise
        raise AssertionError("unreachable")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only looks; it waits for no writer. Raises the same."""
        with translate_driver_errors():
            self._make_ready()
            with (
                Session(read_only(self.engine), expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @contextmanager
    def one_statement(self) -> Iterator[Connection]:
        """A transaction for no more than one statement, a quarter of the work. Raises the same."""
        with translate_driver_errors():
            self._make_ready()
            with autocommit(self.engine).begin() as connection:
                yield connection

    def probe(self) -> None:
        """Write a row, read it back and delete it; raise DatabaseUnavailable if that fails.

        A read-only or full database still reads, so that a read alone would not show it.
        """
        row = SyncLock(name=f"probe-{secrets.token_hex(8)}", holder="probe", until=utc_now())
        with self.begin() as session:
            session.add(row)
            session.flush()
            gone = delete(SyncLock).where(SyncLock.name == row.name).returning(SyncLock.holder)
            if session.scalar(gone) != "probe":
                raise DatabaseUnavailable("the database does not give back what was written to it")

    def most_connections(self) -> int | None:
        """How many connections PostgreSQL takes from this user; None if a pooler shares them."""
        with translate_driver_errors():
            return max_connections(self.engine)

    def close(self) -> None:
        """Close its connections; the next transaction opens new ones."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines, self._ready = {}, False

    def _make_ready(self) -> None:
        """Look at the tables once a process: a SQLite file is brought up to date by itself."""
        if self._ready:
            return
        # Waiting adds up where the database is silent; a new file has its tables created meanwhile.
        if not self._looking.acquire(timeout=10 if self._is_a_file else 3):
            raise DatabaseUnavailable(NO_ANSWER)
        try:
            self._look_at_the_tables()
        finally:
            self._looking.release()

    def _look_at_the_tables(self) -> None:
        if self._ready:
            return
        if behind := migrate.outdated_reason(self.engine):
            if not self._is_a_file:
                raise DatabaseUnavailable(behind)
            migrate.upgrade(self.engine)
        self._ready = True


def resolve_url(settings: Settings, folder: Path) -> str:
    """The database's URL as SQLAlchemy wants it; Heroku says postgres:// and means psycopg."""
    given = settings.database_url
    if not given:
        return f"sqlite:///{folder / private_files.DATABASE_FILE}"
    _, _, rest = given.partition("://")
    return f"postgresql+psycopg://{rest}"


def database(app: Flask | None = None) -> Database:
    """That of this app, or of the one that answers this request."""
    here = app or current_app
    if _EXTENSION_KEY not in here.extensions:
        url = resolve_url(services(app).settings, Path(here.instance_path))
        new = Database(url, services(app).settings.database_connections)
        here.extensions.setdefault(_EXTENSION_KEY, new)  # of two threads the first one's is kept
    return cast(Database, here.extensions[_EXTENSION_KEY])


def not_ready_reason() -> str | None:
    """Why this app cannot keep accounts now, in a sentence for an operator; None when it can."""
    try:
        database().probe()
    except DatabaseUnavailable as error:
        return str(error)
    return None
