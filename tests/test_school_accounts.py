"""Accounts that are kept: who is who, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from clever_login.school.database import Database, database
from clever_login.school.tables import District, Person
from tests.conftest import SiteMaker
from tests.entries import by_button
from tests.sites import Site


@pytest.fixture
def school(make_site: SiteMaker, database_url: str | None) -> Iterator[Site]:
    """An app with an empty database of its own."""
    site = make_site(database_url=database_url)
    flask_clever(app_of(site), "db", "upgrade")
    yield site
    kept(site).close()


def app_of(site: Site) -> Flask:
    assert site.app
    return site.app


def kept(site: Site) -> Database:
    return database(app_of(site))


def flask_clever(app: Flask, *words: str) -> str:
    """What `flask clever ...` prints; it must go well."""
    done = app.test_cli_runner().invoke(args=["clever", *words])
    assert done.exit_code == 0, done.output
    return done.output


def people(site: Site) -> list[Person]:
    with kept(site).read() as session:
        return list(session.scalars(select(Person).order_by(Person.first_login)))


def test_a_login_makes_one_row_and_the_next_one_finds_it(school: Site) -> None:
    for _ in range(2):
        assert by_button(school, "teacher").path == "/dashboard"
    (row,) = people(school)
    person = school.person("teacher")
    assert (row.provider, row.clever_id) == ("clever", person.id)
    assert (row.first_name, row.last_name) == (person.name.first, person.name.last)
    assert (row.email, row.roles) == (person.email, ["teacher"])
    assert row.district_id == person.district.id
    assert row.first_login
    assert row.last_login
    assert row.first_login < row.last_login
    with kept(school).read() as session:
        (district,) = session.scalars(select(District))
    assert (district.id, district.connected) == (person.district.id, False)
