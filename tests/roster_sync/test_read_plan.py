"""Tests how often a district is read as a whole, with events and without them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from clever_login.db import models
from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.doctor.test_doctor import PRODUCTION, Report, run_doctor
from tests.support.account_app import make_account_app, run_flask_clever
from tests.support.expected_rows import (
    ExpectedRows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    let_time_pass,
    switch_off_events,
    sync_site,
)
from tests.support.running_app import Site

DAILY = "Clever sends no events for this district, so the sync reads it as a whole once a day"


@pytest.fixture
def site(make_site: SiteMaker, database_url: str | None) -> Site:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    return site


def run(site: Site, *words: str) -> str:
    result = sync_site(site, "--district", site.clever.people.districts[0].id, *words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def rename(site: Site) -> None:
    site.clever.change_roster("name", "student", last="Adler")


def assert_as_at_clever(site: Site) -> None:
    version = site.settings.clever_api_version
    expected = ExpectedRows(site.clever, site.clever.people.districts[0], version)
    assert_rows_equal(expected, database_engine(site))


def test_without_events_a_change_arrives_with_the_full_read_of_the_next_day(site: Site) -> None:
    switch_off_events(site)
    rename(site)
    output = run(site)
    assert "nothing changed" in output
    assert f"{DAILY}, the next time in 24 hours." in output
    let_time_pass(site, hours=23.5)
    assert f"{DAILY}, the next time in one hour." in run(site)
    let_time_pass(site, hours=1)
    output = run(site)
    assert "full read." in output
    assert "people: 1 changed" in output
    assert_as_at_clever(site)


def test_without_events_a_change_arrives_at_once_with_full(site: Site) -> None:
    switch_off_events(site)
    rename(site)
    assert "people: 1 changed" in run(site, "--full")
    assert_as_at_clever(site)


@pytest.mark.parametrize("status", [403, 404])
def test_without_an_events_endpoint_a_district_is_read_as_a_whole_once_a_day(
    site: Site, status: int
) -> None:
    refusal: dict[str, Any] = {"status": status, "headers": {"X-RateLimit-Remaining": "9"}}
    site.clever.add_fault("events", times=0, **refusal)
    assert "full read." in run(site)
    rename(site)
    assert DAILY in run(site)
    let_time_pass(site, hours=25)
    assert "people: 1 changed" in run(site)
    assert DAILY in run(site)


def test_a_district_that_has_had_an_event_is_not_read_as_a_whole_every_day(site: Site) -> None:
    rename(site)
    assert "people: 1 changed" in run(site)
    let_time_pass(site, days=6)
    output = run(site)
    assert "events." in output
    assert DAILY not in output


def test_who_is_missing_in_another_district_causes_no_full_read(site: Site) -> None:
    rename(site)
    run(site)
    with database_engine(site).begin() as db:
        long_ago, other = models.utc_now() - timedelta(days=3), site.person("student2")
        is_other = models.Person.clever_id == other.id
        db.execute(update(models.Person).where(is_other).values(missing_since=long_ago))
    assert other.district.id != site.person("student").district.id
    let_time_pass(site, days=2)
    assert "events." in run(site)


def test_every_district_is_read_as_a_whole_once_a_week(site: Site) -> None:
    rename(site)
    run(site)
    switch_off_events(site)  # from now on, all changes are lost
    site.clever.change_roster("name", "student", last="Tamm")
    assert "nothing changed" in run(site)
    let_time_pass(site, days=8)
    output = run(site)
    assert "full read." in output
    assert "people: 1 changed" in output
    assert_as_at_clever(site)


def test_a_setting_says_how_often_every_district_is_read_as_a_whole(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, clever_full_read_days=2)
    give_first_sync(site)
    rename(site)
    run(site)
    let_time_pass(site, days=1.5)
    assert "events." in run(site)
    let_time_pass(site, days=1)
    assert "full read." in run(site)


@pytest.fixture
def site_with_field(site: Site) -> Site:
    """An app without events that has just read a district with the field last_clever_sync."""
    switch_off_events(site, last_clever_sync=True)
    run(site, "--full")
    return site


def test_without_events_a_district_is_read_when_clever_has_read_it(site_with_field: Site) -> None:
    site = site_with_field
    let_time_pass(site, days=3)
    assert "has not read the district's data again" in run(site)
    rename(site)
    output = run(site)
    assert "full read." in output
    assert "people: 1 changed" in output
    assert_as_at_clever(site)
    assert "has not read the district's data again" in run(site)


def test_a_change_of_sharing_arrives_with_the_full_read_of_the_week(site_with_field: Site) -> None:
    site = site_with_field
    site.clever.change_roster("unshared", "student")
    output = run(site)
    assert "nothing changed" in output
    assert "at the latest 7 days after the last one" in output
    let_time_pass(site, days=8)
    assert "people: 1 hidden" in run(site)
    assert_as_at_clever(site)


def test_with_events_a_sync_by_clever_does_not_cause_a_full_read(site_with_field: Site) -> None:
    site = site_with_field
    config = default_config(site.url, site.settings.clever_api_version)
    apps = tuple(replace(app, last_clever_sync=True) for app in config.apps)
    site.clever.configure(replace(config, apps=apps))
    rename(site)
    output = run(site)
    assert "events." in output
    assert "people: 1 changed" in output


@pytest.mark.parametrize("value", [5, "soon", ["2026-01-20"], {}])
def test_an_odd_time_of_clevers_sync_is_counted_and_the_district_is_read_daily(
    site_with_field: Site, value: object
) -> None:
    site = site_with_field
    site.clever.override(site.clever.people.districts[0].id, last_clever_sync=value)
    output = run(site)
    assert DAILY in output
    assert "1 value was not understood: district.last_clever_sync (1)." in output
    let_time_pass(site, hours=25)
    assert "full read." in run(site)


def test_when_the_field_appears_the_next_daily_read_remembers_it(site: Site) -> None:
    switch_off_events(site)
    run(site)
    switch_off_events(site, last_clever_sync=True)
    assert DAILY in run(site)
    let_time_pass(site, hours=25)
    assert "full read." in run(site)
    let_time_pass(site, hours=25)
    assert "has not read the district's data again" in run(site)


def test_the_status_shows_when_a_district_was_read_as_a_whole_and_had_an_event(
    site: Site,
) -> None:
    rename(site)
    run(site)
    rows = [json.loads(line) for line in run_flask_clever(site, "status", "--json").splitlines()]
    by_id = {row["id"]: row for row in rows}
    changed, unchanged = (by_id[district.id] for district in site.clever.people.districts[:2])
    assert all(row["full_read_at"] for row in rows)
    assert (bool(changed["event_seen_at"]), unchanged["event_seen_at"]) == (True, None)


def test_the_doctor_says_how_many_districts_have_no_events(site: Site) -> None:
    rename(site)
    run(site)
    sentence = "Clever has sent no events for 2 of 3 districts"
    offline_doctor(site).assert_finding("database", "ok", sentence)
    with database_engine(site).begin() as db:
        db.execute(update(models.District).values(event_seen_at=models.utc_now()))
    assert "no events" not in offline_doctor(site).output


def offline_doctor(site: Site) -> Report:
    """Run the doctor on the site's database."""
    url = site.settings.database_url or f"sqlite:///{database_engine(site).url.database}"
    return run_doctor(PRODUCTION | {"DATABASE_URL": url}, "--offline")
