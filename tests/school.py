"""An app whose accounts are looked at: its commands, its rows, and who is logged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from clever_login.school.database import Database, database
from clever_login.school.tables import Person
from clever_login.session import current_user
from tests.conftest import SiteMaker
from tests.sites import Site
from tests.visitor import Visitor


def make(make_site: SiteMaker, database_url: str | None, **changes: Any) -> Site:
    """An app with tables that nobody is in yet."""
    site = make_site(database_url=database_url, extend=_say_who, **changes)
    flask_clever(site, "db", "upgrade")
    return site


@pytest.fixture
def school(make_site: SiteMaker, database_url: str | None) -> Site:
    """An app with an empty database of its own, on each engine."""
    return make(make_site, database_url)


def _say_who(app: Flask) -> None:
    """Mount /who: the id of the account of whoever is logged in."""

    def who() -> tuple[str, dict[str, str]]:
        user = current_user()
        return user.account_id if user else "", {"Content-Type": "text/plain"}

    app.add_url_rule("/who", view_func=who)


def account(visitor: Visitor) -> str:
    """The account that this visitor is in."""
    return visitor.open("/who").response.text


def app_of(site: Site) -> Flask:
    """The app, which runs in this process."""
    assert site.app
    return site.app


def kept(site: Site) -> Database:
    """Its database."""
    return database(app_of(site))


def people(site: Site) -> list[Person]:
    """All rows of people, in the order in which they first logged in."""
    with kept(site).read() as session:
        return list(session.scalars(select(Person).order_by(Person.first_login)))


def row(site: Site, person_id: str) -> Person:
    """One of them."""
    with kept(site).read() as session:
        return session.get_one(Person, person_id)


def flask_clever(site: Site | Flask, *words: str, fails: bool = False) -> str:
    """What `flask clever ...` prints, and whether it goes well is as expected."""
    app = site if isinstance(site, Flask) else app_of(site)
    done = app.test_cli_runner().invoke(args=["clever", *words])
    assert (done.exit_code != 0) == fails, done.output
    return done.output


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """What is said to its database meanwhile, but for where transactions begin and end."""
    said: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):  # SQLAlchemy says it itself to PostgreSQL
            said.append(statement)

    engine = kept(site).pages
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)
