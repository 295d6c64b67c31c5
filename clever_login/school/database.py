"""The database of accounts and rosters: SQLite under instance/, or what DATABASE_URL names.

One engine a process, made at first use: workers are forked before. Every piece of work is one
short transaction: `with database().begin() as session:`, or `.read()` for what only looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TypeVar, cast

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session

from clever_login import private_files
from clever_login.errors import DatabaseUnavailable
from clever_login.school import migrate
from clever_login.school.engines import alone, looking, make_engine
from clever_login.services import services
from clever_login.settings import Settings

_KEY = "clever_login_database"
T = TypeVar("T")
DEADLOCKS = {"40P01", "40001"}  # PostgreSQL has undone one of two transactions
TRIES = 5  # of work that another transaction may come in between of


class _Again(DatabaseUnavailable):
    """It would work the next time."""


class Database:
    """One database; nothing is opened before the first transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = RLock()
        self._engine: Engine | None = None
        self._ready = False

    @property
    def engine(self) -> Engine:
        """The engine of this process, whatever state the tables are in."""
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self.url)
        return self._engine

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction: kept when the block ends, undone when it raises.

        Raises DatabaseUnavailable when the database does not answer or its tables are old.
        """
        with _calmly():
            self._make_ready()
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session

    def work(self, do: Callable[[Session], T]) -> T:
        """Do something in one transaction, again when another one has come in between."""
        for left in reversed(range(TRIES)):
            try:
                with self.begin() as session:
                    return do(session)
            except (IntegrityError, _Again):
                if not left:
                    raise
        raise AssertionError("unreachable")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only looks; it waits for no writer. Raises the same."""
        with _calmly():
            self._make_ready()
            with Session(looking(self.engine), expire_on_commit=False) as session, session.begin():
                yield session

    @contextmanager
    def one_statement(self) -> Iterator[Connection]:
        """A transaction for no more than one statement, a quarter of the work. Raises the same."""
        with _calmly():
            self._make_ready()
            with alone(self.engine).begin() as connection:
                yield connection

    def close(self) -> None:
        """Close its connections; the next transaction opens new ones."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine, self._ready = None, False

    def _make_ready(self) -> None:
        """Look at the tables once a process: a SQLite file is brought up to date by itself."""
        if self._ready:
            return
        with self._lock:
            if behind := migrate.behind(self.engine):
                if not self.url.startswith("sqlite"):
                    raise DatabaseUnavailable(behind)
                migrate.upgrade(self.engine)
            self._ready = True


@contextmanager
def _calmly() -> Iterator[None]:
    """What the driver says is kept from logs and pages: it may quote a person's row."""
    try:
        yield
    except NoConnectionFree as error:
        raise DatabaseUnavailable("the database has too much to do") from error
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) in DEADLOCKS:
            raise _Again("two transactions waited for each other") from error
        raise DatabaseUnavailable("the database does not answer") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable("the database has hung up") from error
        raise


def url_of(settings: Settings, folder: Path) -> str:
    """The database's URL as SQLAlchemy wants it; Heroku says postgres:// and means psycopg."""
    given = settings.database_url
    if not given:
        return f"sqlite:///{folder / private_files.DATABASE}"
    _, _, rest = given.partition("://")
    return f"postgresql+psycopg://{rest}"


def database(app: Flask | None = None) -> Database:
    """That of this app, or of the one that answers this request."""
    here = app or current_app
    if _KEY not in here.extensions:
        url = url_of(services(app).settings, Path(here.instance_path))
        here.extensions.setdefault(_KEY, Database(url))  # of two threads the first one's is kept
    return cast(Database, here.extensions[_KEY])


def not_ready() -> str | None:
    """Why this app cannot keep accounts now, in a sentence for an operator; None when it can."""
    try:
        with database().read() as session:
            session.execute(select(1))
            return None
    except DatabaseUnavailable as error:
        return str(error)
