"""`flask clever sync`: the store is what Clever shares, whatever happened in between."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, text, update

from clever_login.school import tables
from clever_login.school.lease import Lost
from clever_login.school.sync import Wish
from clever_login.school.sync import sync as run
from clever_simulator.config import default_config
from clever_simulator.people import District
from tests import school, sites
from tests.conftest import SiteMaker
from tests.entries import by_button
from tests.sites import Site
from tests.truth import Truth, assert_equal, engine_of, held, sync
from tests.visitor import Visitor

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


@pytest.mark.servers
def test_after_a_full_read_postgresql_knows_how_large_its_tables_are(
    make_site: SiteMaker, postgres: str
) -> None:
    site = school.make(make_site, sites.new_database(postgres))
    sync(site)
    with engine_of(site).connect() as db:
        counted = "SELECT reltuples FROM pg_class WHERE relname = :table"
        for table in (tables.Person, tables.Section, tables.Enrolment, tables.PersonSchool):
            there = db.scalar(select(func.count()).select_from(table))
            assert there
            assert db.scalar(text(counted), {"table": table.__tablename__}) == there


@pytest.mark.parametrize("version", PROMISED)
def test_events_bring_the_store_to_what_clever_shares_now(make: SyncedSite, version: str) -> None:
    site = make(clever_api_version=version)
    sync(site)
    a_week_at_school(site)
    result = sync(site)
    assert result.exit_code == 0, result.stderr
    assert "Harrow Creek Unified School District" in result.stdout
    assert "events." in result.stdout
    assert_all_equal(site)
    assert "nothing changed" in sync(site, "--district", main_district(site).id).stdout


def a_week_at_school(site: Site) -> None:
    """A new name, a class left, one joined, somebody unshared, deleted, and back."""
    clever, student = site.clever, site.person("student")
    sections = clever.people.sections_of(main_district(site))
    own = next(each.id for each in sections if student in each.students)
    other = next(each.id for each in sections if student not in each.students)
    clever.change("name", "student", last="Adler")
    clever.change("class", "student", section=own, enrolled=False)
    clever.change("class", "student", section=other, enrolled=True)
    clever.change("unshared", "teacher")
    clever.change("deleted", others(site)[0])
    clever.change("deleted", others(site)[1])
    clever.change("back", others(site)[1])


def others(site: Site) -> list[str]:
    """Students of the main district whom no test names."""
    everyone = site.clever.people.people_of(main_district(site))
    named = {each.id for each in site.clever.people.named_people}
    found = [each.id for each in everyone if each.roles == ("student",) and each.id not in named]
    return sorted(found)


@pytest.mark.parametrize(
    ("what", "words"), [("unshared", ()), ("deleted", ()), ("unshared", ("--full",))]
)
def test_who_is_gone_is_archived_and_logged_out_and_comes_back_with_what_they_had(
    make: SyncedSite, what: str, words: tuple[str, ...]
) -> None:
    site = make()
    sync(site)
    found = site.clever.people.by_id(others(site)[0])
    assert found
    name = found.user_name  # that nobody in another district has
    student, teacher = by_button(site, name), by_button(site, "teacher")
    long_ago = tables.now() - timedelta(minutes=5)  # a full read keeps who has just logged in
    with engine_of(site).begin() as db:
        db.execute(update(tables.Person).values(last_login=long_ago))
    before = row(site, name)
    site.clever.change(what, name)
    result = sync(site, *words)
    assert "people: 1 archived" in result.stdout
    assert archived(engine_of(site)) == {before["clever_id"]}
    assert student.open("/dashboard").path == "/"
    assert teacher.open("/dashboard").path == "/dashboard"
    site.clever.change("back", before["clever_id"])
    assert "people: 1 restored" in sync(site, *words).stdout
    assert archived(engine_of(site)) == set()
    assert row(site, name) == before
    assert_all_equal(site)


@pytest.mark.parametrize("words", [(), ("--full",)])
def test_who_is_shared_again_logs_in_before_the_next_sync_and_stays_in(
    make: SyncedSite, words: tuple[str, ...]
) -> None:
    site = make()
    sync(site)
    before = row(site, "student")
    site.clever.change("unshared", "student")
    sync(site, *words)
    assert archived(engine_of(site)) == {before["clever_id"]}
    site.clever.change("back", "student")
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert archived(engine_of(site)) == set()
    sync(site, *words)
    assert visitor.open("/dashboard").path == "/dashboard"
    assert row(site, "student")["id"] == before["id"]
    assert_all_equal(site)


@pytest.mark.parametrize(("hours", "stays"), [(1, True), (-1, False)])
def test_an_event_archives_only_who_has_not_logged_in_since(
    make: SyncedSite, hours: int, stays: bool
) -> None:
    site, person = make(), tables.Person
    sync(site)
    student = site.person("student")
    site.clever.change("unshared", "student")
    with engine_of(site).begin() as db:  # they logged in when Clever shared them again, or before
        moment = tables.now() + timedelta(hours=hours)
        own = update(person).where(person.clever_id == student.id)
        db.execute(own.values(last_login=moment))
    sync(site)
    assert archived(engine_of(site)) == (set() if stays else {student.id})


def test_who_logs_in_during_a_full_read_is_not_archived_by_it(make: SyncedSite) -> None:
    site = make()
    sync(site)
    site.clever.change("unshared", "student")
    assert site.app
    visitors: list[Visitor] = []

    def come_back(words: str) -> None:
        """Be shared again, and log in, once the lists have been read without the student."""
        if words.endswith(" sections") and not visitors:
            site.clever.change("back", "student")
            visitors.append(by_button(site, "student"))

    with site.app.app_context():
        list(run(Wish(district=main_district(site).id, full=True), come_back))
    (visitor,) = visitors
    assert visitor.open("/dashboard").path == "/dashboard"
    assert archived(engine_of(site)) == set()


def test_a_district_that_connects_again_has_its_people_in_before_the_next_sync(
    make: SyncedSite,
) -> None:
    site = make()
    sync(site)
    own = row(site, "student")["id"]
    site.clever.year("leave", district=main_district(site).id)
    assert "left." in sync(site).stdout
    site.clever.year("rejoin", district=main_district(site).id)
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert row(site, "student")["id"] == own
    assert sync(site).exit_code == 0
    assert visitor.open("/dashboard").path == "/dashboard"
    assert_all_equal(site)


def row(site: Site, user_name: str) -> dict[str, Any]:
    with engine_of(site).connect() as db:
        found = select(tables.Person).where(tables.Person.clever_id == site.person(user_name).id)
        return dict(db.execute(select(found.subquery())).mappings().one())


@pytest.mark.parametrize("words", [(), ("--full",)])
def test_more_than_a_tenth_is_archived_only_when_somebody_says_yes(
    make: SyncedSite, words: tuple[str, ...]
) -> None:
    site = make()
    sync(site)
    everyone = site.clever.people.people_of(main_district(site))
    gone = others(site)[: len(everyone) // 10 + 1]
    for each in gone:
        site.clever.change("unshared", each)
    for _ in range(2):
        result = sync(site, *words)
        assert result.exit_code == 3
        assert f"  held: {len(gone)} of {len(everyone)} people missing." in result.stdout
        assert "--yes" in result.stdout
        assert archived(engine_of(site)) == set()
    assert sync(site, *words, "--yes").exit_code == 0
    assert len(archived(engine_of(site))) == len(everyone) // 10 + 1
    assert_all_equal(site)


def test_events_that_are_gone_are_made_up_for_by_reading_everything(make: SyncedSite) -> None:
    site = make()
    site.clever.change("name", "student", last="Adler")
    sync(site)
    site.clever.advance(31 * 24 * 60 * 60)
    site.clever.change("name", "student", last="Tamm")
    result = sync(site, "--district", main_district(site).id)
    assert "Everything is read anew." in result.stderr
    assert "full read." in result.stdout
    assert "people: 1 changed" in result.stdout
    assert_all_equal(site)


def test_without_events_at_clever_every_sync_reads_everything(make: SyncedSite) -> None:
    site = make()
    site.clever.fault("events", status=404, times=0, headers={"X-RateLimit-Remaining": "9"})
    for _ in range(2):
        result = sync(site)
        assert "Settings > Integrations" in result.stderr
        assert "full read." in result.stdout
    assert_all_equal(site)


@pytest.mark.parametrize("version", ["v1.1", "v1.2", "v2.0"])
def test_older_versions_are_refused_with_a_sentence(make: SyncedSite, version: str) -> None:
    site = make(clever_api_version=version)
    result = sync(site)
    assert result.exit_code == 1
    assert (
        result.stderr.strip() == "Error: Rosters are kept from Clever's API v2.1, v3.0, v3.1 alone."
    )
    assert site.clever.journal() == []


def test_a_second_sync_says_that_one_is_running_until_its_lease_is_over(make: SyncedSite) -> None:
    site = make()
    with engine_of(site).begin() as db:
        until = tables.now() + timedelta(minutes=5)
        db.execute(insert(tables.Lease).values(name="sync", holder="far:1:a", until=until))
    result = sync(site)
    assert result.exit_code == 4
    assert "Another sync is running (far:1)" in result.stderr
    with engine_of(site).begin() as db:  # over by this clock, but maybe not by its holder's
        db.execute(update(tables.Lease).values(until=tables.now() - timedelta(seconds=110)))
    assert sync(site).exit_code == 4
    with engine_of(site).begin() as db:
        db.execute(update(tables.Lease).values(until=tables.now() - timedelta(seconds=121)))
    assert sync(site).exit_code == 0
    assert_all_equal(site)
    with engine_of(site).connect() as db:
        assert db.scalar(select(func.count()).select_from(tables.Lease)) == 0


def test_who_logs_in_during_a_full_read_stays_though_the_clocks_differ(make: SyncedSite) -> None:
    site = make()
    sync(site)
    with engine_of(site).begin() as db:
        for name, minutes in (("logged-in", 1.5), ("gone", 10)):
            login = tables.now() - timedelta(minutes=minutes)
            db.execute(
                insert(tables.Person).values(
                    id=name,
                    clever_id=name,
                    provider=tables.PROVIDER,
                    district_id=main_district(site).id,
                    roles=[],
                    first_name="",
                    last_name="",
                    last_login=login,
                )
            )
    assert sync(site, "--full").exit_code == 0
    assert archived(engine_of(site)) == {"gone"}


STATES = {
    "paused": "At Clever it is paused: its data stays as it was last school year.",
    "pending": "At Clever it is pending: there is an error that the district can fix.",
    "error": "At Clever it has an error that Clever can fix.",
}


@pytest.mark.parametrize("state", STATES)
def test_a_district_is_read_in_every_state_and_what_the_state_means_is_said(
    make: SyncedSite, state: str
) -> None:
    site = make()
    answer_as(site, state)
    result = sync(site, "--district", main_district(site).id)
    assert result.exit_code == 0
    assert f"full read. {STATES[state]}" in result.stdout
    assert_equal(truth(site), engine_of(site))
    with engine_of(site).connect() as db:
        found = db.execute(select(tables.District.state, tables.District.connected)).one()
    assert tuple(found) == (state, True)


@pytest.mark.parametrize("words", [(), ("--full",)])
def test_who_is_unshared_while_their_district_is_paused_is_archived(
    make: SyncedSite, words: tuple[str, ...]
) -> None:
    site = make()
    sync(site)
    site.clever.year("pause", district=main_district(site).id)
    gone = others(site)[0]
    site.clever.change("unshared", gone)
    assert STATES["paused"] in sync(site, *words).stdout
    assert archived(engine_of(site)) == {gone}
    assert_all_equal(site)
    site.clever.change("back", gone)
    assert "people: 1 restored" in sync(site, *words).stdout
    assert_all_equal(site)


def answer_as(site: Site, state: str, **more: str) -> None:
    """What Clever says of the district the next time."""
    record = {"id": main_district(site).id, "name": "Harrow Creek", "state": state} | more
    body = json.dumps({"data": record})
    site.clever.fault("district", body=body)


def test_the_table_of_districts_says_what_clever_says_of_each(make: SyncedSite) -> None:
    site, district = make(), tables.District
    asked = select(district.connected, district.state, district.error, district.launch_date)
    asked = asked.where(district.id == main_district(site).id, district.synced_at.is_not(None))
    sync(site)
    with engine_of(site).connect() as db:
        assert tuple(db.execute(asked).one()) == (True, "success", None, date(2024, 8, 12))
    answer_as(site, "error", error="The SIS does not answer", launch_date="2027-01-04")
    done = sync(site, "--district", main_district(site).id)
    assert "Clever says: The SIS does not answer" in done.stdout
    with engine_of(site).connect() as db:
        found = tuple(db.execute(asked).one())
    assert found == (True, "error", "The SIS does not answer", date(2027, 1, 4))
    assert_all_equal(site)  # what could be read was


def test_a_district_that_has_left_is_archived_with_its_people_and_they_are_logged_out(
    make: SyncedSite,
) -> None:
    site = make()
    usual = default_config(site.url)
    site.clever.configure(replace(usual, students=60))
    district = site.clever.people.districts[-1]
    sync(site)
    visitor, other = by_button(site, "1000001"), by_button(site, "student")
    site.clever.configure(usual)
    assert f"{district.name} ({district.id}): left." in sync(site).stdout
    assert held(engine_of(site), district.id)["people"] == set()
    assert visitor.open("/dashboard").path == "/"
    assert other.open("/dashboard").path == "/dashboard"
    with engine_of(site).connect() as db:
        row = db.execute(select(tables.District).where(tables.District.id == district.id)).one()
    assert row.archived_at
    assert not row.connected
    site.clever.configure(replace(usual, students=60))
    assert sync(site).exit_code == 0
    assert_all_equal(site)


def test_a_district_that_comes_back_while_a_sync_looks_for_it_is_not_archived(
    make: SyncedSite,
) -> None:
    site = make()
    sync(site)
    district = main_district(site).id
    site.clever.year("leave", district=district)
    site.clever.fault("token", headers={"X-Old": "1"})  # the list, in which it is missing
    site.clever.fault("token", body='{"data": [], "links": []}', delay_s=3)  # when asked by name
    with ThreadPoolExecutor(1) as pool:
        asked = len(site.clever.journal())
        whole = pool.submit(sync, site)
        wait_until(lambda: tokens_asked(site, asked) == 2)
        site.clever.year("rejoin", district=district)
        visitor = by_button(site, "student")
        done = whole.result(60)
    assert "skipped. Somebody has just logged in from it" in done.stdout
    assert visitor.open("/dashboard").path == "/dashboard"
    assert archived(engine_of(site)) == set()
    sync(site)
    assert_all_equal(site)


def tokens_asked(site: Site, since: int) -> int:
    asked = site.clever.journal()[since:]
    return sum(each["path"] == "/oauth/tokens" for each in asked)


def wait_until(come: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_district_without_secure_sync_is_said_to_have_none_and_the_exit_code_is_1(
    make: SyncedSite,
) -> None:
    result = sync(make(clever_client_id="simulator-sso"))
    assert result.exit_code == 1
    assert result.stdout.count("failed.") == 3
    assert "has no Secure Sync there" in result.stdout


def test_events_that_cannot_be_read_come_again_the_next_time(make: SyncedSite) -> None:
    site = make()
    sync(site)
    site.clever.change("name", "student", last="Adler")
    site.clever.fault("events", body=json.dumps({"data": {}, "links": []}))
    words = ("--district", main_district(site).id)
    assert "failed." in sync(site, *words).stdout
    assert "people: 1 changed" in sync(site, *words).stdout
    assert_all_equal(site)


def test_events_that_the_database_does_not_take_come_again_the_next_time(make: SyncedSite) -> None:
    site = make()
    sync(site)
    site.clever.change("name", "student", last="Adler")
    words = ("--district", main_district(site).id)
    with no_person_can_be_changed(engine_of(site)):
        assert sync(site, *words).exit_code == 1
    assert "events.\n  people: 1 changed" in sync(site, *words).stdout
    assert_all_equal(site)


@contextmanager
def no_person_can_be_changed(engine: Engine) -> Iterator[None]:
    """A database that is in the way."""
    trigger = "CREATE TRIGGER stop BEFORE UPDATE ON people"
    if engine.dialect.name == "sqlite":
        start = [f"{trigger} BEGIN SELECT RAISE(ABORT, 'Not now'); END"]
    else:
        body = "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''Not now''; END'"
        start = [f"CREATE FUNCTION stop() {body}", f"{trigger} EXECUTE FUNCTION stop()"]
    on = "" if engine.dialect.name == "sqlite" else " ON people"
    with engine.begin() as db:
        for each in start:
            db.exec_driver_sql(each)
    yield
    with engine.begin() as db:
        db.exec_driver_sql(f"DROP TRIGGER stop{on}")


def test_a_sync_whose_lease_somebody_took_writes_nothing_more(make: SyncedSite) -> None:
    site = make()
    assert site.app

    def take_it(_words: str) -> None:
        """As another sync does that comes when the lease has run out."""
        with engine_of(site).begin() as db:
            db.execute(update(tables.Lease).values(holder="far:1:a"))

    with site.app.app_context(), pytest.raises(Lost, match="Another sync has taken over"):
        list(run(Wish(), take_it))
    with engine_of(site).connect() as db:
        assert db.scalar(select(func.count()).select_from(tables.Person)) == 0
        assert db.scalar(select(tables.Lease.holder)) == "far:1:a"
