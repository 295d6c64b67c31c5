"""The database of accounts and rosters: DATABASE_URL, or a SQLite file under instance/.

Engines are created at first use, after the server has forked its workers. All work is done in
short transactions: `with database().begin() as session:`, or `.read()` and
`.read_session()` for read-only work.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock, RLock
from typing import TypeVar, cast

from flask import Flask, current_app, has_request_context
from sqlalchemy import Connection, Engine, MetaData, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clever_login.config import Settings
from clever_login.db import connection_limits, migrate
from clever_login.db.connection_limits import ConnectionLimits
from clever_login.db.driver_errors import (
    NO_ANSWER,
    DiskFull,
    RetryableError,
    translate_driver_errors,
)
from clever_login.db.engines import (
    ConnectionUsage,
    Engines,
    connection_usage,
    erase_deleted,
    make_engines,
)
from clever_login.db.models import SyncLock, utc_now
from clever_login.db.product_tables import created_at_first_use
from clever_login.db.roles import privileges
from clever_login.errors import DatabaseUnavailable
from clever_login.services import services
from clever_login.storage import private_files

_EXTENSION_KEY = "clever_login_database"
T = TypeVar("T")
FULL_SECONDS = 5  # for which `probe` fails after a write has failed because the disk is full
MAX_ATTEMPTS = 5  # for work that may conflict with another transaction
_release_database: ContextVar[Database | None] = ContextVar("release_database", default=None)


class Database:
    """One database. It opens no connection before the first transaction.

    `product_tables` are tables of the product, with the folder of their migrations if they have
    any. In a SQLite file, those that are missing are created.

    Requests and jobs use separate engines on PostgreSQL. Outside a request (in a command) each
    transaction opens its own connection, and statements may take long.
    """

    def __init__(
        self,
        url: str,
        connections: int,
        jobs: ConnectionLimits = connection_limits.COMMAND_LIMITS,
        product_tables: Sequence[tuple[MetaData, Path | None]] = (),
    ) -> None:
        self.url = url
        self._product_tables = product_tables
        self._is_sqlite = url.startswith("sqlite")
        self._page_limits, self._job_limits = connection_limits.page_limits(connections), jobs
        self._lock, self._setup_lock = RLock(), Lock()
        self._engines: dict[ConnectionLimits, Engines] = {}
        self._tables_ready = False
        self._full_until, self._full_reason = float("-inf"), ""  # monotonic seconds

    @property
    def engine(self) -> Engine:
        """The engine for the current context. Does not check or migrate the tables."""
        return self._current_engines().write

    @property
    def pages(self) -> Engine:
        """The engine for requests."""
        return self._engines_with(self._page_limits).write

    def _current_engines(self) -> Engines:
        in_request = has_request_context() or self._is_sqlite  # SQLite uses the same for both
        return self._engines_with(self._page_limits if in_request else self._job_limits)

    def _engines_with(self, limits: ConnectionLimits) -> Engines:
        with self._lock:
            if limits not in self._engines:
                self._engines[limits] = make_engines(self.url, limits)
            return self._engines[limits]

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Run the block in one transaction: commit at its end, roll back if it raises.

        Raises DatabaseUnavailable when the database does not respond or its tables are outdated.
        """
        with self._writing():
            self._ensure_tables()
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    def retry_transaction(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction and return its result; retry when another one conflicts.

        Makes up to MAX_ATTEMPTS attempts. Raises IntegrityError or RetryableError if the last
        attempt conflicts too, and DatabaseUnavailable like `begin`.
        """
        for attempts_left in reversed(range(MAX_ATTEMPTS)):
            try:
                with self.begin() as session:
                    return work(session)
            except (IntegrityError, RetryableError):
                if not attempts_left:
                    raise
        raise AssertionError("unreachable")

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """Run the block in a read-only transaction, which never waits for a writer.

        Raises DatabaseUnavailable like `begin`.
        """
        with translate_driver_errors():
            self._ensure_tables()
            with (
                Session(self._current_engines().read, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Like `read_session`, for queries of columns, which are cheaper without a session.

        Raises DatabaseUnavailable like `begin`.
        """
        with translate_driver_errors():
            self._ensure_tables()
            with self._current_engines().read.begin() as connection:
                yield connection

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Run at most one statement in its own transaction, at a quarter of the cost of `begin`.

        Raises DatabaseUnavailable like `begin`.
        """
        with self._writing():
            self._ensure_tables()
            with self._current_engines().statement.begin() as connection:
                yield connection

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Translate driver errors, and remember for `probe` that the disk was full."""
        try:
            with translate_driver_errors():
                yield
        except DiskFull as error:
            self._full_reason = str(error)
            self._full_until = time.monotonic() + FULL_SECONDS
            raise

    def probe(self) -> None:
        """Write a row, read it back and delete it; raise DatabaseUnavailable if that fails.

        A read-only or full database still answers reads, so a read alone would not detect it. On
        PostgreSQL, also raises it if the role lacks a privilege on any of the library's tables.
        On a full disk of PostgreSQL, this row may fit into a page of its table while others do not:
        the probe also fails for FULL_SECONDS after any write has failed for that reason.
        """
        if time.monotonic() < self._full_until:
            raise DatabaseUnavailable(self._full_reason)
        if not self._is_sqlite:
            with self.read() as connection:
                if reason := privileges.missing_reason(connection):
                    raise DatabaseUnavailable(reason)
        row = SyncLock(name=f"probe-{secrets.token_hex(8)}", holder="probe", until=utc_now())
        with self.begin() as session:
            session.add(row)
            session.flush()
            delete_row = (
                delete(SyncLock).where(SyncLock.name == row.name).returning(SyncLock.holder)
            )
            if session.scalar(delete_row) != "probe":
                raise DatabaseUnavailable(
                    "a value that was written to the database could not be read back"
                )

    def erase_deleted(self) -> None:
        """Erase what deleted rows have left in a SQLite file. On PostgreSQL, do nothing.

        This takes as long as copying the file, in which other transactions wait. Raises
        DatabaseUnavailable, with the rows deleted.
        """
        with translate_driver_errors():
            erase_deleted(self.engine)

    def connection_usage(self) -> ConnectionUsage | None:
        """Return how many connections are in use, and of how many; None if a pooler shares them.

        Raises DatabaseUnavailable.
        """
        with translate_driver_errors():
            return connection_usage(self.engine)

    def close(self) -> None:
        """Close all connections. The next transaction opens new ones."""
        with self._lock:
            for engines in self._engines.values():
                engines.write.dispose()  # closes the pool that all of them use
            self._engines, self._tables_ready = {}, False

    def _ensure_tables(self) -> None:
        """Check the tables once per process. A SQLite file is migrated if it is outdated."""
        if self._tables_ready:
            return
        # On a silent database, threads would wait one after another. SQLite gets longer: a thread
        # may be creating the tables of a new file.
        if not self._setup_lock.acquire(timeout=10 if self._is_sqlite else 3):
            raise DatabaseUnavailable(NO_ANSWER)
        try:
            self._upgrade_if_outdated()
        finally:
            self._setup_lock.release()

    def _upgrade_if_outdated(self) -> None:
        if self._tables_ready:
            return
        if reason := migrate.outdated_reason(self.engine):
            if not self._is_sqlite:
                raise DatabaseUnavailable(reason)
            migrate.upgrade(self.engine)
        for metadata, folder in self._product_tables if self._is_sqlite else ():
            self._create_missing(metadata, folder)
        self._tables_ready = True

    def _create_missing(self, metadata: MetaData, folder: Path | None) -> None:
        if folder is None:
            migrate.create_missing_tables(self.engine, metadata)
        elif migrate.is_table_missing(self.engine, metadata):
            from clever_login.db import product_migrations  # loads Alembic's commands

            product_migrations.upgrade_feature(self.engine, folder)


def resolve_url(settings: Settings, folder: Path) -> str:
    """Return the SQLAlchemy URL. Heroku's postgres:// becomes postgresql+psycopg://.

    `folder` is the instance folder, for SQLite.
    """
    database_url = settings.database_url
    if file := private_files.database_file(database_url, folder):
        return f"{private_files.SQLITE_SCHEME}{file}"
    return _with_driver(str(database_url))


def _with_driver(url: str) -> str:
    return f"postgresql+psycopg://{url.partition('://')[2]}"


@contextmanager
def release_role(settings: Settings) -> Iterator[None]:
    """Let `database()` return that of RELEASE_DATABASE_URL in this block, if it is set.

    Its role may change tables, so only migrations use it.
    """
    if not settings.release_database_url:
        yield
        return
    release = Database(_with_driver(settings.release_database_url), connections=1)
    token = _release_database.set(release)
    try:
        yield
    finally:
        _release_database.reset(token)
        release.close()


def url_variable() -> str:
    """Return the name of the variable with the URL of `database()`."""
    return "RELEASE_DATABASE_URL" if _release_database.get() else "DATABASE_URL"


def database(app: Flask | None = None) -> Database:
    """Return the database of this app, by default the current app's."""
    if release := _release_database.get():
        return release
    flask_app = app or current_app
    if _EXTENSION_KEY not in flask_app.extensions:
        url = resolve_url(services(app).settings, Path(flask_app.instance_path))
        created = Database(
            url,
            services(app).settings.worker_database_connections,
            product_tables=created_at_first_use(flask_app),
        )
        flask_app.extensions.setdefault(_EXTENSION_KEY, created)  # the first of two threads wins
    return cast(Database, flask_app.extensions[_EXTENSION_KEY])


def not_ready_reason() -> str | None:
    """Return why the app cannot store accounts now, as a sentence for operators, else None."""
    try:
        database().probe()
    except DatabaseUnavailable as error:
        return str(error)
    return None
