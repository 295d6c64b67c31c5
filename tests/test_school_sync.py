"""`flask clever sync`: the store is what Clever shares, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from clever_login.school import cli_sync, database, tables
from clever_simulator.people import District
from tests.conftest import SiteMaker
from tests.databases import postgres_server
from tests.school import Truth, assert_equal, engine_of, sync
from tests.sites import Site

PROMISED = ("v2.1", "v3.0", "v3.1")
SyncedSite = Callable[..., Site]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def make(request: pytest.FixtureRequest, make_site: SiteMaker) -> Iterator[SyncedSite]:
    """A site with empty tables."""
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else None

    def extend(app: Flask) -> None:
        settings = app.extensions["clever_login"].settings
        database.init_app(app, settings)
        cli_sync.init_app(app, settings)
        tables.Base.metadata.drop_all(database.database(app).engine)
        tables.Base.metadata.create_all(database.database(app).engine)

    yield lambda **changes: make_site(extend=extend, database_url=url, **changes)


def main_district(site: Site) -> District:
    return site.clever.people.districts[0]


def truth(site: Site, district: District | None = None) -> Truth:
    return Truth(site.clever, district or main_district(site), site.settings.clever_api_version)


def assert_all_equal(site: Site) -> None:
    for district in site.clever.people.districts:
        assert_equal(truth(site, district), engine_of(site))


def archived(engine: Engine) -> set[str]:
    person = tables.Person
    with engine.connect() as db:
        found = db.scalars(select(person.clever_id).where(person.archived_at.is_not(None)))
        return {each for each in found if each}


def test_a_first_sync_reads_everything_and_a_second_one_nothing_that_is_there(
    make: SyncedSite,
) -> None:
    for version in PROMISED:
        site = make(clever_api_version=version)
        first = sync(site)
        assert first.exit_code == 0, first.stderr
        assert first.stdout.count("full read.") == len(site.clever.people.districts)
        assert_all_equal(site)
        second = sync(site)
        assert second.stdout.count("events.\n  nothing changed") == 3
        again = sync(site, "--full")
        assert again.stdout.count("full read.\n  nothing changed") == 3
        assert_all_equal(site)
