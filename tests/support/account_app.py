"""An app with accounts: runs its commands, reads its rows, and shows which account is logged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, select

from clever_login.db.database import Database, database
from clever_login.db.models import Person
from clever_login.sessions.user_session import current_user
from tests.conftest import SiteMaker
from tests.support.browser_client import Visitor
from tests.support.running_app import Site


def make_account_app(make_site: SiteMaker, database_url: str | None, **changes: Any) -> Site:
    """Start an app with empty tables and a `/who` view."""
    site = make_site(database_url=database_url, extend=add_account_view, **changes)
    run_flask_clever(site, "db", "upgrade")
    return site


@pytest.fixture
def school(make_site: SiteMaker, database_url: str | None) -> Site:
    """An app with an empty database, on each database engine."""
    return make_account_app(make_site, database_url)


def add_account_view(app: Flask) -> None:
    """Mount /who, which returns the account id of the logged-in user, or an empty body."""

    def show_account_id() -> tuple[str, dict[str, str]]:
        user = current_user()
        return user.account_id if user else "", {"Content-Type": "text/plain"}

    app.add_url_rule("/who", view_func=show_account_id)


def account_id(visitor: Visitor) -> str:
    """Return the id of the account that this visitor is logged in to."""
    return visitor.open("/who").response.text


def flask_app(site: Site) -> Flask:
    """Return the site's Flask app, which runs in this process."""
    assert site.app
    return site.app


def database_of(site: Site) -> Database:
    """Return the site's database."""
    return database(flask_app(site))


def people_rows(site: Site) -> list[Person]:
    """Return all rows of people, ordered by first login."""
    with database_of(site).read_session() as session:
        return list(session.scalars(select(Person).order_by(Person.first_login)))


def person_row(site: Site, person_id: str) -> Person:
    """Return one row of people by its account id."""
    with database_of(site).read_session() as session:
        return session.get_one(Person, person_id)


def run_flask_clever(site: Site | Flask, *words: str, fails: bool = False) -> str:
    """Run `flask clever ...` and return its output.

    Asserts that the command fails if `fails` is true, and succeeds otherwise.
    """
    app = site if isinstance(site, Flask) else flask_app(site)
    result = app.test_cli_runner().invoke(args=["clever", *words])
    assert (result.exit_code != 0) == fails, result.output
    return result.output


@contextmanager
def record_statements(
    site: Site, engine: Engine | None = None, *, of_store: bool = False
) -> Iterator[list[str]]:
    """Record the SQL statements of requests, or of another engine, except transaction begins.

    Those of the session store are recorded with `of_store` only: with SQLite there are none.
    """
    statements: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("BEGIN"):  # SQLAlchemy sends BEGIN to PostgreSQL itself
            return
        if of_store or "clever_store" not in statement:
            statements.append(statement)

    engine = engine or database_of(site).pages
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
