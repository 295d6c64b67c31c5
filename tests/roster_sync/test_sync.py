"""Tests that `flask clever sync` makes the database match what Clever shares."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Engine, func, insert, select, text, update

from clever_login.db import models
from clever_login.roster_sync import job
from clever_login.roster_sync.district_run import DistrictSync
from clever_login.roster_sync.full_sync import read_everything
from clever_login.roster_sync.job import SyncOptions
from clever_login.roster_sync.job import run_sync as run
from clever_login.roster_sync.lock import LockLost
from clever_simulator.config import default_config
from clever_simulator.directory.models import District
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.support import account_app, running_app
from tests.support.browser_client import Visitor
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

VERSIONS_TO_SYNC = ("v2.0", "v2.1", "v3.0", "v3.1")
SyncedSite = Callable[..., Site]


@pytest.fixture
def make(make_site: SiteMaker, database_url: str | None) -> SyncedSite:
    """Make sites with empty tables, on SQLite and on PostgreSQL."""

    def make(**changes: Any) -> Site:
        site = make_site(database_url=database_url, **changes)
        assert site.app
        result = site.app.test_cli_runner().invoke(args=["clever", "db", "upgrade"])
        assert result.exit_code == 0, result.output
        return site

    return make


def main_district(site: Site) -> District:
    return site.clever.people.districts[0]


def expected_rows(site: Site, district: District | None = None) -> ExpectedRows:
    return ExpectedRows(
        site.clever, district or main_district(site), site.settings.clever_api_version
    )


def assert_all_equal(site: Site) -> None:
    for district in site.clever.people.districts:
        assert_rows_equal(expected_rows(site, district), database_engine(site))


def unlisted(engine: Engine) -> set[str]:
    """Return the Clever ids of people who are archived, or missing since a full read."""
    person = models.Person
    with engine.connect() as db:
        ids = db.scalars(select(person.clever_id).where(~models.is_listed()))
        return {clever_id for clever_id in ids if clever_id}


@pytest.mark.parametrize("version", VERSIONS_TO_SYNC)
def test_a_first_sync_reads_everything_and_a_second_one_only_changes(
    make: SyncedSite, version: str
) -> None:
    site = make(clever_api_version=version)
    first = sync_site(site)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.count("full read.") == len(site.clever.people.districts)
    people = [line for line in first.stdout.splitlines() if line.startswith("  people: ")]
    assert all(re.fullmatch(r"  people: \d+ new", line) for line in people), people
    assert_all_equal(site)
    second = sync_site(site).stdout
    assert (second.count(": events."), second.count("\n  nothing changed")) == (3, 3)
    assert sync_site(site, "--full").stdout.count("full read.\n  nothing changed") == 3
    assert_all_equal(site)


def contact_names(site: Site) -> set[str]:
    data = site.clever.app.extensions["clever_simulator"].data
    return {contact.name for contact in data.index(main_district(site)).contacts.values()}


def listed_ids(site: Site) -> set[str | None]:
    with database_engine(site).connect() as db:
        return set(db.scalars(select(models.Person.clever_id).where(models.is_listed())))


@pytest.mark.parametrize("version", VERSIONS_TO_SYNC)
def test_students_contacts_are_not_stored(make: SyncedSite, version: str) -> None:
    site = make(clever_api_version=version)
    contacts = contact_names(site)
    assert contacts
    assert sync_site(site).exit_code == 0
    with database_engine(site).connect() as db:
        stored = set(db.scalars(select(models.Person.last_name)))
    assert not stored & contacts


@POSTGRESQL_IS_LONG
def test_a_teacher_who_is_a_contact_too_is_stored_as_a_teacher(make: SyncedSite) -> None:
    site, person = make(), models.Person
    give_first_sync(site)
    other = site.clever.people.schools_of(main_district(site))[-1].id
    site.clever.override(site.person("teacher").id, roles__contact={"school": other})
    assert "nothing changed" in sync_site(site, "--full").stdout
    with database_engine(site).connect() as db:
        own = person.clever_id == site.person("teacher").id
        assert db.scalar(select(person.roles).where(own)) == ["teacher"]
    assert_all_equal(site)


LONG = "x" * 300


@POSTGRESQL_IS_LONG
def test_texts_are_stored_up_to_the_length_of_their_columns(make: SyncedSite) -> None:
    """A longer one would end the sync on PostgreSQL."""
    site = make()
    section = site.clever.people.sections_of(main_district(site))[0]
    site.clever.override(section.id, subject=LONG, grade=LONG, period=LONG)
    site.clever.override(site.person("student").id, roles__student__grade=LONG)
    answer_as(site, LONG, error=LONG)
    assert sync_site(site, "--district", main_district(site).id).exit_code == 0
    row, person, district = models.Section, models.Person, models.District
    texts = select(row.subject, row.grade, row.period).where(row.id == section.id)
    grade = select(person.grade).where(person.clever_id == site.person("student").id)
    state = select(district.state, district.error).where(district.id == main_district(site).id)
    with database_engine(site).connect() as db:
        lengths = [len(text) for query in (texts, grade, state) for text in db.execute(query).one()]
    assert lengths == [64, 32, 64, 32, 32, 255]


@POSTGRESQL_IS_LONG
def test_a_new_user_without_a_readable_role_is_not_stored(make: SyncedSite) -> None:
    """They may be a student's contact."""
    site = make()
    new, known = site.person("teacher").id, site.person("student").id
    site.clever.override(new, roles={"contact": "Canary"})
    assert sync_site(site).exit_code == 0
    assert new not in listed_ids(site)
    site.clever.override(known, roles=7)
    assert "not understood" in sync_site(site, "--full").stdout
    assert known in listed_ids(site)  # who is known stays, without a role
    site.clever.override(new, roles={"teacher": {}})
    assert sync_site(site, "--full").exit_code == 0
    assert new in listed_ids(site)


@pytest.mark.servers
def test_a_full_sync_refreshes_postgresql_statistics(make_site: SiteMaker, postgres: str) -> None:
    site = account_app.make_account_app(make_site, running_app.new_database(postgres))
    give_first_sync(site)
    with database_engine(site).connect() as db:
        statistics = "SELECT reltuples FROM pg_class WHERE relname = :table"
        for table in (models.Person, models.Section, models.Enrollment, models.RoleAssignment):
            actual = db.scalar(select(func.count()).select_from(table))
            assert actual
            assert db.scalar(text(statistics), {"table": table.__tablename__}) == actual


@pytest.mark.parametrize("version", VERSIONS_TO_SYNC)
def test_an_event_sync_brings_the_database_to_what_clever_shares_now(
    make: SyncedSite, version: str
) -> None:
    site = make(clever_api_version=version)
    give_first_sync(site)
    a_week_at_school(site)
    result = sync_site(site)
    assert result.exit_code == 0, result.stderr
    assert "Harrow Creek Unified School District" in result.stdout
    assert "events." in result.stdout
    assert_all_equal(site)
    assert "nothing changed" in sync_site(site, "--district", main_district(site).id).stdout


def a_week_at_school(site: Site) -> None:
    """Change a name, leave and join a section, unshare a user, delete two, and bring one back."""
    clever, student = site.clever, site.person("student")
    gone, back, *_ = other_students(site)
    sections = clever.people.sections_of(main_district(site))
    own = next(section.id for section in sections if student in section.students)
    other = next(section.id for section in sections if student not in section.students)
    clever.change_roster("name", "student", last="Adler")
    clever.change_roster("class", "student", section=own, enrolled=False)
    clever.change_roster("class", "student", section=other, enrolled=True)
    clever.change_roster("unshared", "teacher")
    clever.change_roster("deleted", gone)
    clever.change_roster("deleted", back)
    clever.change_roster("back", back)


def other_students(site: Site) -> list[str]:
    """Return the user ids of students in the main district who have no other part in a test."""
    people = site.clever.people.people_of(main_district(site))
    named_ids = {person.id for person in site.clever.people.named_people}
    ids = [
        person.id
        for person in people
        if person.roles == ("student",) and person.id not in named_ids
    ]
    return sorted(ids)


@pytest.mark.parametrize("change", ["unshared", "deleted"])
def test_a_removed_person_is_archived_and_logged_out_and_restored_on_return(
    make: SyncedSite, change: str
) -> None:
    site = make()
    give_first_sync(site)
    person = site.clever.people.by_id(other_students(site)[0])
    assert person
    name = person.user_name  # unique across districts
    student, teacher = by_button(site, name), by_button(site, "teacher")
    before = row(site, name)
    site.clever.change_roster(change, name)
    result = sync_site(site)
    assert "people: 1 archived" in result.stdout
    assert unlisted(database_engine(site)) == {before["clever_id"]}
    assert student.open("/dashboard").path == "/"
    assert teacher.open("/dashboard").path == "/dashboard"
    ada = by_button(site, "student")
    site.clever.change_roster("name", "student", last="Adler")  # such a change ends no session
    assert "people: 1 changed" in sync_site(site).stdout
    assert ada.open("/dashboard").path == "/dashboard"
    site.clever.change_roster("back", before["clever_id"])
    assert "people: 1 restored" in sync_site(site).stdout
    assert unlisted(database_engine(site)) == set()
    assert row(site, name) == before
    assert_all_equal(site)


def test_an_event_about_an_archived_person_archives_nobody_again(make: SyncedSite) -> None:
    """Otherwise their retention would begin again."""
    site, person = make(), models.Person
    give_first_sync(site)
    own, month_ago = other_students(site)[0], models.utc_now() - timedelta(days=30)
    site.clever.change_roster("unshared", own)
    with database_engine(site).begin() as db:
        is_own = person.clever_id == own
        db.execute(update(person).where(is_own).values(archived_at=month_ago))
    assert "people" not in sync_site(site).stdout
    with database_engine(site).connect() as db:
        assert db.scalar(select(person.archived_at).where(is_own)) == month_ago


def test_who_comes_back_and_leaves_between_two_syncs_stays_archived_since_then(
    make: SyncedSite,
) -> None:
    site, person = make(), models.Person
    give_first_sync(site)
    own, month_ago = other_students(site)[0], models.utc_now() - timedelta(days=30)
    site.clever.change_roster("unshared", own)
    sync_site(site)
    with database_engine(site).begin() as db:
        is_own = person.clever_id == own
        db.execute(update(person).where(is_own).values(archived_at=month_ago))
    site.clever.change_roster("back", own)
    site.clever.change_roster("unshared", own)
    assert "people" not in sync_site(site).stdout
    with database_engine(site).connect() as db:
        assert db.scalar(select(person.archived_at).where(is_own)) == month_ago


def test_a_district_that_is_known_from_logins_only_is_not_archived(make: SyncedSite) -> None:
    site, district = make(), models.District
    with database_engine(site).begin() as db:
        db.execute(insert(district).values(id="logins-only", name="", connected=False))
    assert "logins-only" not in sync_site(site).stdout
    with database_engine(site).connect() as db:
        assert db.scalar(select(district.archived_at).where(district.id == "logins-only")) is None


@pytest.mark.parametrize("words", [(), ("--full",)])
def test_a_user_who_is_shared_again_can_log_in_before_the_next_sync(
    make: SyncedSite, words: tuple[str, ...]
) -> None:
    site = make()
    give_first_sync(site)
    before = row(site, "student")
    site.clever.change_roster("unshared", "student")
    sync_site(site, *words)
    assert unlisted(database_engine(site)) == {before["clever_id"]}
    site.clever.change_roster("back", "student")
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert unlisted(database_engine(site)) == set()
    sync_site(site, *words)
    assert visitor.open("/dashboard").path == "/dashboard"
    assert row(site, "student")["id"] == before["id"]
    assert_all_equal(site)


@pytest.mark.parametrize(("minutes", "stays_active"), [(3, True), (1, False), (-60, False)])
def test_a_deleted_event_does_not_archive_users_who_logged_in_since(
    make: SyncedSite, minutes: int, stays_active: bool
) -> None:
    """Clever's clock and ours may differ by two minutes."""
    site, person = make(), models.Person
    give_first_sync(site)
    student = site.person("student")
    site.clever.change_roster("unshared", "student")
    with database_engine(
        site
    ).begin() as db:  # they logged in after Clever shared them again, or before
        moment = models.utc_now() + timedelta(minutes=minutes)
        own = update(person).where(person.clever_id == student.id)
        db.execute(own.values(last_login=moment))
    sync_site(site)
    assert unlisted(database_engine(site)) == (set() if stays_active else {student.id})


def test_a_user_who_logs_in_during_a_full_sync_is_not_archived(make: SyncedSite) -> None:
    site = make()
    give_first_sync(site)
    site.clever.change_roster("unshared", "student")
    assert site.app
    visitors: list[Visitor] = []

    def come_back(words: str) -> None:
        """Share the student again, and log in, after the lists were read without the student."""
        if words.endswith(" sections") and not visitors:
            site.clever.change_roster("back", "student")
            visitors.append(by_button(site, "student"))

    with site.app.app_context():
        list(run(SyncOptions(district=main_district(site).id, full=True), come_back))
    (visitor,) = visitors
    assert visitor.open("/dashboard").path == "/dashboard"
    assert unlisted(database_engine(site)) == set()


def test_users_of_a_reconnected_district_can_log_in_before_the_next_sync(
    make: SyncedSite,
) -> None:
    site = make()
    give_first_sync(site)
    own = row(site, "student")["id"]
    site.clever.make_step("leave", district=main_district(site).id)
    assert "left." in sync_site(site).stdout
    site.clever.make_step("rejoin", district=main_district(site).id)
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert row(site, "student")["id"] == own
    assert sync_site(site).exit_code == 0
    assert visitor.open("/dashboard").path == "/dashboard"
    assert_all_equal(site)


def row(site: Site, user_name: str) -> dict[str, Any]:
    with database_engine(site).connect() as db:
        query = select(models.Person).where(models.Person.clever_id == site.person(user_name).id)
        return dict(db.execute(select(query.subquery())).mappings().one())


@pytest.mark.parametrize("words", [(), ("--full",)])
@POSTGRESQL_IS_LONG
def test_more_than_a_tenth_of_the_people_is_archived_only_after_confirmation(
    make: SyncedSite, words: tuple[str, ...]
) -> None:
    site = make()
    give_first_sync(site)
    people = site.clever.people.people_of(main_district(site))
    students = sum("student" in person.roles for person in people)
    removed = other_students(site)[: len(people) // 10 + 1]
    for person_id in removed:
        site.clever.change_roster("unshared", person_id)
    words = ("--district", main_district(site).id, *words)
    for _ in range(2):
        result = sync_site(site, *words)
        assert result.exit_code == 3
        assert f"  on hold: {len(removed)} of {students} students missing." in result.stdout
        assert f"--district {main_district(site).id} --yes" in result.stdout
        assert unlisted(database_engine(site)) == set()
    assert sync_site(site, *words, "--yes").exit_code == 0
    assert len(unlisted(database_engine(site))) == len(people) // 10 + 1
    assert_all_equal(site)


def test_expired_events_cause_a_full_sync(make: SyncedSite) -> None:
    site = make()
    site.clever.change_roster("name", "student", last="Adler")
    sync_site(site)
    site.clever.advance(31 * 24 * 60 * 60)
    site.clever.change_roster("name", "student", last="Tamm")
    result = sync_site(site, "--district", main_district(site).id)
    assert "Reading the whole roster instead." in result.stderr
    assert "full read." in result.stdout
    assert "people: 1 changed" in result.stdout
    assert_all_equal(site)


@pytest.mark.parametrize("version", ["v1.1", "v1.2"])
@POSTGRESQL_IS_LONG
def test_a_sync_with_a_version_that_clever_switched_off_is_refused_with_a_reason(
    make: SyncedSite, version: str
) -> None:
    site = make(clever_api_version=version)
    result = sync_site(site)
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        f"Error: The sync cannot read rosters from Clever's API {version}, because Clever switched "
        "v1.1 and v1.2 off in December 2022. Set CLEVER_API_VERSION to v3.0, or to the version "
        "that Clever gave your app: v2.0, v2.1, or v3.1."
    )
    assert site.clever.received_requests() == []


def test_a_second_sync_reports_a_running_one_until_the_lock_expires(make: SyncedSite) -> None:
    site = make()
    with database_engine(site).begin() as db:
        until = models.utc_now() + timedelta(minutes=5)
        db.execute(insert(models.SyncLock).values(name="sync", holder="far:1:a", until=until))
    result = sync_site(site)
    assert result.exit_code == 4
    assert "Another sync is running (far:1)" in result.stderr
    with database_engine(site).begin() as db:  # expired, unless the holder's clock is slow
        db.execute(update(models.SyncLock).values(until=models.utc_now() - timedelta(seconds=110)))
    assert sync_site(site).exit_code == 4
    with database_engine(site).begin() as db:
        db.execute(update(models.SyncLock).values(until=models.utc_now() - timedelta(seconds=121)))
    assert sync_site(site).exit_code == 0
    assert_all_equal(site)
    with database_engine(site).connect() as db:
        assert db.scalar(select(func.count()).select_from(models.SyncLock)) == 0


def test_a_login_during_a_full_sync_counts_although_the_clocks_differ(make: SyncedSite) -> None:
    site = make()
    give_first_sync(site)
    with database_engine(site).begin() as db:
        for name, minutes in (("logged-in", 1.5), ("gone", 10)):
            login = models.utc_now() - timedelta(minutes=minutes)
            db.execute(
                insert(models.Person).values(
                    id=name,
                    clever_id=name,
                    provider=models.PROVIDER,
                    district_id=main_district(site).id,
                    roles=[],
                    first_name="",
                    last_name="",
                    last_login=login,
                )
            )
    assert sync_site(site, "--full").exit_code == 0
    assert unlisted(database_engine(site)) == {"gone"}


STATES = {
    "paused": "The district is paused in Clever: its data stays as it was last school year.",
    "pending": "The district is pending in Clever: it must fix an error in its data.",
    "error": "The district has an error in Clever that Clever can fix.",
}


@pytest.mark.parametrize("state", STATES)
@POSTGRESQL_IS_LONG
def test_a_district_is_read_in_every_state_and_the_state_is_explained(
    make: SyncedSite, state: str
) -> None:
    site = make()
    answer_as(site, state)
    result = sync_site(site, "--district", main_district(site).id)
    assert result.exit_code == 0
    assert f"full read. {STATES[state]}" in result.stdout
    assert_rows_equal(expected_rows(site), database_engine(site))
    with database_engine(site).connect() as db:
        row = db.execute(select(models.District.state, models.District.connected)).one()
    assert tuple(row) == (state, True)


@pytest.mark.parametrize("words", [(), ("--full",)])
@POSTGRESQL_IS_LONG
def test_a_user_unshared_during_a_pause_disappears(
    make: SyncedSite, words: tuple[str, ...]
) -> None:
    site = make()
    give_first_sync(site)
    site.clever.make_step("pause", district=main_district(site).id)
    student_id = other_students(site)[0]
    site.clever.change_roster("unshared", student_id)
    assert STATES["paused"] in sync_site(site, *words).stdout
    assert unlisted(database_engine(site)) == {student_id}
    assert_all_equal(site)
    site.clever.change_roster("back", student_id)
    restored = "changed" if words else "restored"
    assert f"people: 1 {restored}" in sync_site(site, *words).stdout
    assert_all_equal(site)


def answer_as(site: Site, state: str, **fields: str) -> None:
    """Set the district record that Clever returns next."""
    record = {"id": main_district(site).id, "name": "Harrow Creek", "state": state} | fields
    body = json.dumps({"data": record})
    site.clever.add_fault("district", body=body)


@POSTGRESQL_IS_LONG
def test_the_districts_table_has_clevers_state_of_each_district(make: SyncedSite) -> None:
    site, district = make(), models.District
    query = select(district.connected, district.state, district.error, district.launch_date)
    query = query.where(district.id == main_district(site).id, district.synced_at.is_not(None))
    sync_site(site)
    with database_engine(site).connect() as db:
        assert tuple(db.execute(query).one()) == (True, "success", None, date(2024, 8, 12))
    answer_as(site, "error", error="The SIS does not answer", launch_date="2027-01-04")
    result = sync_site(site, "--district", main_district(site).id)
    assert "Clever says: The SIS does not answer" in result.stdout
    with database_engine(site).connect() as db:
        row = tuple(db.execute(query).one())
    assert row == (True, "error", "The SIS does not answer", date(2027, 1, 4))
    assert_all_equal(site)  # everything that could be read was stored


def person_in(site: Site, district: District) -> ColumnElement[bool]:
    """Return the condition for one person of a district, who has not logged in."""
    person = models.Person
    query = select(person.id).where(person.district_id == district.id, person.last_login.is_(None))
    with database_engine(site).connect() as db:
        return person.id == db.scalars(query).first()


def test_a_disconnected_district_is_archived_and_its_people_are_logged_out(
    make: SyncedSite,
) -> None:
    site = make()
    usual = default_config(site.url)
    site.clever.configure(replace(usual, students=60))
    district = site.clever.people.districts[-1]
    sync_site(site)
    visitor, other = by_button(site, "1000001"), by_button(site, "student")
    month_ago, one = models.utc_now() - timedelta(days=30), person_in(site, district)
    with database_engine(site).begin() as db:
        db.execute(update(models.Person).where(one).values(archived_at=month_ago))
    site.clever.configure(usual)
    assert f"{district.name} ({district.id}): left." in sync_site(site).stdout
    assert district.id not in sync_site(site).stdout  # it has left once
    assert actual_rows(database_engine(site), district.id)["people"] == set()
    assert visitor.open("/dashboard").path == "/"
    assert other.open("/dashboard").path == "/dashboard"
    with database_engine(site).connect() as db:
        row = db.execute(select(models.District).where(models.District.id == district.id)).one()
        archived_at = db.scalar(select(models.Person.archived_at).where(one))
    assert archived_at == month_ago  # so its retention does not begin again
    assert row.archived_at
    assert not row.connected
    site.clever.configure(replace(usual, students=60))
    assert sync_site(site).exit_code == 0
    assert_all_equal(site)


def test_a_login_in_another_district_does_not_keep_a_district_that_left(make: SyncedSite) -> None:
    site = make()
    give_first_sync(site)
    gone, *_, other = site.clever.people.districts
    soon, in_other = models.utc_now() + timedelta(minutes=1), person_in(site, other)
    with database_engine(site).begin() as db:  # as a login during the sync does
        db.execute(update(models.Person).where(in_other).values(last_login=soon))
    site.clever.make_step("leave", district=gone.id)
    assert f"{gone.name} ({gone.id}): left." in sync_site(site).stdout


def test_a_district_that_returns_during_a_sync_is_not_archived(
    make: SyncedSite,
) -> None:
    site = make()
    give_first_sync(site)
    district = main_district(site).id
    site.clever.make_step("leave", district=district)
    site.clever.add_fault("token", headers={"X-Old": "1"})  # the list, without the district
    site.clever.add_fault("token", body='{"data": [], "links": []}', delay_s=3)  # the request by id
    with ThreadPoolExecutor(1) as pool:
        request_count = len(site.clever.received_requests())
        sync = pool.submit(sync_site, site)
        wait_until(lambda: tokens_asked(site, request_count) == 2)
        site.clever.make_step("rejoin", district=district)
        visitor = by_button(site, "student")
        result = sync.result(60)
    assert "skipped. A user of this district has just logged in" in result.stdout
    assert visitor.open("/dashboard").path == "/dashboard"
    assert unlisted(database_engine(site)) == set()
    sync_site(site)
    assert_all_equal(site)


def tokens_asked(site: Site, since: int) -> int:
    requests = site.clever.received_requests()[since:]
    return sum(request["path"] == "/oauth/tokens" for request in requests)


def wait_until(come: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@POSTGRESQL_IS_LONG
def test_a_district_without_secure_sync_is_reported_and_the_exit_code_is_1(
    make: SyncedSite,
) -> None:
    result = sync_site(make(clever_client_id="simulator-sso"))
    assert result.exit_code == 1
    assert result.stdout.count("failed.") == 3
    assert "does not have Secure Sync in this district" in result.stdout


def test_events_that_cannot_be_read_are_read_again_by_the_next_sync(make: SyncedSite) -> None:
    site = make()
    give_first_sync(site)
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.add_fault("events", body=json.dumps({"data": {}, "links": []}))
    words = ("--district", main_district(site).id)
    assert "failed." in sync_site(site, *words).stdout
    assert "people: 1 changed" in sync_site(site, *words).stdout
    assert_all_equal(site)


@pytest.mark.usefixtures("short_waits")
def test_events_that_cannot_be_written_are_read_again_by_the_next_sync(make: SyncedSite) -> None:
    site = make()
    give_first_sync(site)
    site.clever.change_roster("name", "student", last="Adler")
    words = ("--district", main_district(site).id)
    with no_person_can_be_changed(database_engine(site)):
        assert sync_site(site, *words).exit_code == 1
    assert "events.\n  people: 1 changed" in sync_site(site, *words).stdout
    assert_all_equal(site)


@contextmanager
def no_person_can_be_changed(engine: Engine) -> Iterator[None]:
    """Make the database refuse to update people."""
    trigger = "CREATE TRIGGER stop BEFORE UPDATE ON clever_people"
    if engine.dialect.name == "sqlite":
        start = [f"{trigger} BEGIN SELECT RAISE(ABORT, 'Not now'); END"]
    else:
        body = "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''Not now''; END'"
        start = [f"CREATE FUNCTION stop() {body}", f"{trigger} EXECUTE FUNCTION stop()"]
    on = "" if engine.dialect.name == "sqlite" else " ON clever_people"
    with engine.begin() as db:
        for statement in start:
            db.exec_driver_sql(statement)
    yield
    with engine.begin() as db:
        db.exec_driver_sql(f"DROP TRIGGER stop{on}")


def test_a_sync_that_lost_its_lock_writes_nothing_more(make: SyncedSite) -> None:
    site = make()
    assert site.app

    def take_it(_words: str) -> None:
        """Take the lock, as another sync does after it expired."""
        with database_engine(site).begin() as db:
            db.execute(update(models.SyncLock).values(holder="far:1:a"))

    with site.app.app_context(), pytest.raises(LockLost, match="Another sync has taken over"):
        list(run(SyncOptions(), take_it))
    with database_engine(site).connect() as db:
        assert db.scalar(select(func.count()).select_from(models.Person)) == 0
        assert db.scalar(select(models.SyncLock.holder)) == "far:1:a"


def test_an_error_in_the_app_ends_the_sync_of_one_district_only(
    make: SyncedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make()
    first, childs_name = main_district(site), "Lovelace"

    def fail_for_the_first(sync: DistrictSync) -> None:
        if sync.district_id == first.id:
            raise KeyError(childs_name)
        read_everything(sync)

    monkeypatch.setattr(job, "read_everything", fail_for_the_first)
    result = sync_site(site)
    assert result.exit_code == 1
    assert f"({first.id}): failed. An error in the app ended the sync" in result.stdout
    for district in site.clever.people.districts[1:]:
        assert_rows_equal(expected_rows(site, district), database_engine(site))
    (line,) = [line for line in result.stderr.splitlines() if "sync_crashed" in line]
    assert "fail_for_the_first" in line
    assert childs_name not in result.output
    monkeypatch.undo()
    assert sync_site(site).exit_code == 0
    assert_all_equal(site)
