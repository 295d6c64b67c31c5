"""Tests which districts a sync reads, and that the next sync ends sessions after a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import requests
from sqlalchemy import select

from clever_login.db.models import Base, District, Person, School
from clever_login.roster_sync import job
from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.roster_sync.test_removals import a_tenth_and_one, let_logins_be_old, unshare
from tests.support import session_file, stores
from tests.support.account_app import database_of, make_account_app, run_flask_clever
from tests.support.expected_rows import (
    ExpectedRows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site

SECRET = "the same with and without the allow-list: 0123"  # test value
OUTSIDE = "The district is not in CLEVER_DISTRICT_IDS."


def district_ids(site: Site, table: type[Base]) -> set[str]:
    with database_of(site).read_session() as session:
        return set(session.scalars(select(table.__table__.c.district_id)))


def test_a_district_outside_the_allow_list_is_neither_read_nor_stored(
    make_site: SiteMaker, database_url: str | None
) -> None:
    ids = [district.id for district in make_site().clever.people.districts]
    site = make_account_app(make_site, database_url, clever_district_ids=(ids[0],))
    result = sync_site(site)
    assert result.exit_code == 0
    assert result.stdout.count(f"skipped. {OUTSIDE}") == len(ids) - 1
    assert district_ids(site, Person) == district_ids(site, School) == {ids[0]}
    with database_of(site).read_session() as session:
        assert session.scalars(select(District.id)).all() == [ids[0]]
    assert_rows_equal(
        ExpectedRows(site.clever, site.clever.people.districts[0]), database_engine(site)
    )
    requested_urls = " ".join(
        f"{request['path']}?{request['query']}" for request in site.clever.received_requests()
    )
    assert not [record_id for record_id in ids[1:] if f"/districts/{record_id}" in requested_urls]
    assert (
        sync_site(site, "--district", ids[1]).stdout == f"District ({ids[1]}): skipped. {OUTSIDE}\n"
    )


def test_a_district_removed_from_the_allow_list_is_archived_after_confirmation(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, secret_key=SECRET)
    give_first_sync(site)
    first, second, *others = site.clever.people.districts
    visitor, other = by_button(site, "student"), by_button(site, "student2")
    before = actual_rows(database_engine(site), second.id)
    restricted_site = make_site(
        database_url=database_url, secret_key=SECRET, clever_district_ids=(first.id,)
    )
    refused = sync_site(restricted_site)
    assert refused.exit_code == 3
    assert (
        f"{second.name} ({second.id}): refused. {OUTSIDE} Its stored data is unchanged"
        in refused.stdout
    )
    assert actual_rows(database_engine(site), second.id) == before
    assert (
        f"{second.name} ({second.id}): left. {OUTSIDE}"
        in sync_site(restricted_site, "--district", second.id, "--yes").stdout
    )
    assert actual_rows(database_engine(site), second.id)["people"] == set()
    assert second.id not in run_flask_clever(site, "status")  # lists the connected districts
    assert other.open("/dashboard").path == "/"
    assert visitor.open("/dashboard").path == "/dashboard"
    for district in others:
        sync_site(restricted_site, "--district", district.id, "--yes")
    assert sync_site(restricted_site).exit_code == 0
    assert sync_site(site).exit_code == 0
    assert actual_rows(database_engine(site), second.id) == before


REFUSE_IN_SQLITE = (
    "CREATE TRIGGER refuse BEFORE DELETE ON entries WHEN old.key GLOB 'session-*'"
    " BEGIN SELECT RAISE(ABORT, 'refused'); END"
)
REFUSE_IN_POSTGRESQL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON clever_store FOR EACH ROW
  WHEN (old.key LIKE 'session-%') EXECUTE FUNCTION refuse()
"""


@contextmanager
def a_session_that_cannot_be_removed(site: Site) -> Iterator[None]:
    """Make the store fail: its file or table refuses to delete sessions."""
    if url := site.settings.database_url:
        stores.run(url, REFUSE_IN_POSTGRESQL)
        yield
        stores.run(url, "DROP TRIGGER refuse ON clever_store")
    else:
        session_file.run(site, REFUSE_IN_SQLITE)
        yield
        session_file.run(site, "DROP TRIGGER refuse")


def test_sessions_that_could_not_be_ended_at_archiving_are_ended_by_the_next_sync(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    visitor = by_button(site, "student")
    site.clever.change_roster("unshared", "student")
    with a_session_that_cannot_be_removed(site):
        failed = sync_site(site)
        assert failed.exit_code == 1
        assert "still logged in. The next sync ends their sessions" in failed.stderr
    assert visitor.open("/dashboard").path == "/dashboard"
    teacher = by_button(site, "teacher")
    assert "nothing changed" in sync_site(site).stdout  # the event was applied before
    assert visitor.open("/dashboard").path == "/"
    assert teacher.open("/dashboard").path == "/dashboard"


def test_sessions_that_could_not_be_ended_at_hiding_are_ended_by_the_next_sync(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    visitor, teacher = by_button(site, "student"), by_button(site, "teacher")
    let_logins_be_old(site)
    site.clever.change_roster("unshared", "student")
    with a_session_that_cannot_be_removed(site):
        assert sync_site(site, "--full").exit_code == 1
    assert visitor.open("/dashboard").path == "/dashboard"
    assert "nothing changed" in sync_site(site).stdout
    assert visitor.open("/dashboard").path == "/"
    assert teacher.open("/dashboard").path == "/dashboard"


def test_a_district_that_left_is_archived_by_its_id(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    gone = site.clever.people.districts[0]
    site.clever.make_step("leave", district=gone.id)
    result = sync_site(site, "--district", gone.id)
    assert (result.exit_code, "left." in result.stdout) == (0, True)
    assert actual_rows(database_engine(site), gone.id)["people"] == set()
    assert sync_site(site, "--district", gone.id).exit_code == 1  # no district any more


def test_a_sync_exits_with_3_if_removals_of_any_district_are_on_hold(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    unshare(site, a_tenth_and_one(site))
    result = sync_site(site)
    last = result.stdout.index(f"({site.clever.people.districts[-1].id})")
    assert result.stdout.index("on hold") < last
    assert result.exit_code == 3


def test_an_unusable_token_entry_neither_stops_other_districts_nor_archives_its_own(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    first, second, *_ = site.clever.people.districts
    before = actual_rows(database_engine(site), first.id)
    granted = requests.get(
        f"{site.clever.url}/oauth/tokens?owner_type=district",
        auth=("simulator", "simulator-secret"),
        timeout=30,
    ).json()
    entries = granted["data"]
    broken = next(entry for entry in entries if entry["owner"]["id"] == first.id)
    broken["access_token"] = None
    site.clever.add_fault("token", body=json.dumps(granted))
    result = sync_site(site)
    assert result.exit_code == 0
    assert f"{second.name} ({second.id}): events." in result.stdout
    assert "left." not in result.stdout
    assert actual_rows(database_engine(site), first.id) == before
    assert f"{first.name} ({first.id}): events." in sync_site(site).stdout


@pytest.fixture
def four_districts(make_site: SiteMaker, database_url: str | None) -> Site:
    """An app with four districts."""
    site = make_account_app(make_site, database_url)
    site.clever.configure(replace(default_config(site.url), students=20))
    return site


@pytest.mark.usefixtures("short_waits")
def test_a_sync_stops_when_clever_fails_for_three_districts_in_a_row(
    four_districts: Site,
) -> None:
    site = four_districts
    site.clever.add_fault("district", status=400, times=0)
    assert sync_site(site).stdout.count("failed.") == 4  # not Clever's fault
    site.clever.clear_faults()
    site.clever.add_fault("district", drop="before", times=0)
    stopped = sync_site(site)
    assert stopped.exit_code == 1
    assert stopped.stdout.count("failed.") == 3
    assert (
        "Clever failed for 3 districts in a row, so the sync stopped. One district was not read. "
        "The next sync begins with it." in stopped.stderr
    )
    site.clever.clear_faults()
    skipped = {d.id for d in site.clever.people.districts if d.id not in stopped.stdout}
    first = sync_site(site).stdout.splitlines()[0]
    assert any(f"({district_id})" in first for district_id in skipped)


def test_a_district_that_no_sync_has_read_yet_comes_first(four_districts: Site) -> None:
    *others, new = four_districts.clever.people.districts
    for district in others:
        sync_site(four_districts, "--district", district.id)
    assert f"({new.id})" in sync_site(four_districts).stdout.splitlines()[0]


@pytest.mark.usefixtures("short_waits")
def test_a_district_that_is_read_ends_the_row_of_failures(
    four_districts: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "MAX_FAILURES_IN_A_ROW", 2)
    first, _, third, _ = four_districts.clever.people.districts
    for district in (first, third):
        four_districts.clever.add_fault("district", path=f"/{district.id}", drop="before", times=0)
    assert sync_site(four_districts).stdout.count("full read.") == 2


@pytest.mark.usefixtures("short_waits")
def test_a_sync_goes_on_when_clever_fails_for_some_districts(
    four_districts: Site,
) -> None:
    site = four_districts
    first, second, third, fourth = site.clever.people.districts
    for district in (first, second, fourth):
        site.clever.add_fault("district", path=f"/{district.id}", drop="before", times=0)
    result = sync_site(site)
    assert result.stdout.count("failed.") == 3
    assert f"({third.id}): full read." in result.stdout
