"""`flask clever sync`: the store is what Clever shares, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from clever_login.school import tables
from clever_simulator.people import District
from tests.conftest import SiteMaker
from tests.sites import Site
from tests.truth import Truth, assert_equal, engine_of, sync

PROMISED = ("v2.1", "v3.0", "v3.1")
SyncedSite = Callable[..., Site]


@pytest.fixture
def make(make_site: SiteMaker, database_url: str | None) -> SyncedSite:
    """A site with empty tables, on SQLite and on PostgreSQL."""

    def make(**changes: Any) -> Site:
        site = make_site(database_url=database_url, **changes)
        assert site.app
        result = site.app.test_cli_runner().invoke(args=["clever", "db", "upgrade"])
        assert result.exit_code == 0, result.output
        return site

    return make


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


@pytest.mark.parametrize("version", PROMISED)
def test_a_first_sync_reads_everything_and_a_second_one_nothing_that_is_there(
    make: SyncedSite, version: str
) -> None:
    site = make(clever_api_version=version)
    first = sync(site)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.count("full read.") == len(site.clever.people.districts)
    assert_all_equal(site)
    assert sync(site).stdout.count("events.\n  nothing changed") == 3
    assert sync(site, "--full").stdout.count("full read.\n  nothing changed") == 3
    assert_all_equal(site)
