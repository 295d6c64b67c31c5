"""The database of accounts and rosters: SQLite under instance/, or what DATABASE_URL names.

One engine a process, made at first use: workers are forked before. Every piece of work is one
short transaction: `with database().begin() as session:`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, cast

from flask import Flask, current_app
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from clever_login.settings import Settings

_KEY = "clever_login_database"
FILE = "school.sqlite3"


class Database:
    """One database; nothing is opened before the first transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = Lock()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine of this process."""
        with self._lock:
            if self._engine is None:
                self._engine = _engine(self.url)
        return self._engine

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction: kept when the block ends, undone when it raises."""
        with sessionmaker(self.engine, expire_on_commit=False).begin() as session:
            yield session


def url_of(settings: Settings, folder: Path) -> str:
    """The database's URL as SQLAlchemy wants it; Heroku says postgres:// and means psycopg."""
    given = settings.database_url
    if not given:
        return f"sqlite:///{folder / FILE}"
    _, _, rest = given.partition("://")
    return f"postgresql+psycopg://{rest}"


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=20)
    Path(url.removeprefix("sqlite:///")).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 10})
    event.listen(engine, "connect", _careful_sqlite)
    return engine


def _careful_sqlite(connection: Any, _record: object) -> None:
    """Foreign keys hold, and readers do not wait for a writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def database(app: Flask | None = None) -> Database:
    """That of this app, or of the one that answers this request."""
    return cast(Database, (app or current_app).extensions[_KEY])


def init_app(app: Flask, settings: Settings) -> None:
    """Remember where it is."""
    app.extensions[_KEY] = Database(url_of(settings, Path(app.instance_path)))
