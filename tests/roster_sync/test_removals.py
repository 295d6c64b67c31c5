"""Tests what a sync does with what Clever no longer shares: hide, archive, or hold for a review."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from threading import Thread

import psycopg
import pytest
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session

from clever_login.accounts.merge import merge_people
from clever_login.db import models
from clever_login.db.database import database
from clever_login.db.models import HeldRemoval, Person, RoleAssignment, new_id
from clever_login.roster_sync import event_sync
from clever_login.rosters.removal_review import MAX_NAMES
from clever_simulator.history.event_log import EventLog
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.roster_sync.test_loss_limits import (
    BOTH_SYNCS,
    assert_as_at_clever,
    district_of,
    replace_sections,
    run,
    site,
)
from tests.support import running_app
from tests.support.account_app import make_account_app, run_flask_clever
from tests.support.browser_client import Visitor
from tests.support.expected_rows import (
    actual_rows,
    database_engine,
    give_first_sync,
    let_time_pass,
    switch_off_events,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site

FULL, EVENTS = ("--full",), ()
__all__ = ["site"]


def state_of(site: Site, clever_id: str) -> str:
    """Return "listed", "hidden", or "archived"."""
    person = models.Person
    with database_engine(site).connect() as db:
        query = select(person.archived_at, person.missing_since).where(
            person.clever_id == clever_id
        )
        archived_at, missing_since = db.execute(query).one()
    return "archived" if archived_at else "hidden" if missing_since else "listed"


def held_number(site: Site, kind: str) -> int:
    with database_engine(site).connect() as db:
        query = select(func.count()).select_from(HeldRemoval)
        return db.scalar(query.where(HeldRemoval.kind == kind)) or 0


def let_logins_be_old(site: Site) -> None:
    """A full read keeps people who have just logged in."""
    with database_engine(site).begin() as db:
        old = models.utc_now() - timedelta(minutes=5)
        db.execute(update(models.Person).values(last_login=old))


def a_tenth_and_one(site: Site) -> list[str]:
    """Return the ids of students, one more than a sync may remove without a review."""
    people = site.clever.people.people_of(district_of(site))
    named = {person.id for person in site.clever.people.named_people}
    students = sorted(p.id for p in people if p.roles == ("student",) and p.id not in named)
    return students[: len(people) // 10 + 1]


def unshare(site: Site, ids: list[str]) -> None:
    for person_id in ids:
        site.clever.change_roster("unshared", person_id)


# People who are missing in a full read


def test_a_missing_person_is_hidden_and_logged_out_at_once_and_archived_a_day_later(
    site: Site,
) -> None:
    student, admin = by_button(site, "student"), by_button(site, "district_admin")
    let_logins_be_old(site)
    number = admin.open("/district").page.select_one(".figures dd")
    site.clever.change_roster("unshared", "student")
    assert "people: 1 hidden" in run(site, *FULL)
    own = site.person("student").id
    assert state_of(site, own) == "hidden"
    assert student.open("/dashboard").path == "/"
    now = admin.open("/district").page.select_one(".figures dd")
    assert number
    assert now
    assert int(now.get_text()) == int(number.get_text()) - 1
    let_time_pass(site, hours=23)
    assert "nothing changed" in run(site, *FULL)
    assert state_of(site, own) == "hidden"
    let_time_pass(site, hours=1.1)
    assert "people: 1 archived" in run(site, *FULL)
    assert state_of(site, own) == "archived"
    assert_as_at_clever(site)
    assert "nothing changed" in run(site, *FULL, "--yes")  # who is archived, is so since then


def test_a_full_read_hides_nobody_whom_clever_has_not_sent(site: Site) -> None:
    with Session(database_engine(site)) as session, session.begin():
        session.add(Person(district_id=district_of(site).id))
        session.add(Person(district_id=district_of(site).id, provider="other", clever_id="1"))
    assert "nothing changed" in run(site, *FULL)


def test_who_leaves_together_with_a_section_is_logged_out(site: Site) -> None:
    student = by_button(site, "student")
    site.clever.change_roster("unshared", "student")
    replace_sections(site, lambda sections: list(sections[1:]))
    output = run(site)
    assert "people: 1 archived" in output
    assert "sections: 1 archived" in output
    assert student.open("/dashboard").path == "/"


def test_who_has_had_the_same_id_since_before_v3_stays_logged_in(site: Site) -> None:
    student, own = by_button(site, "student"), site.person("student").id
    site.clever.override(own, roles__student__legacy_id=own)
    run(site, *FULL)
    assert student.open("/dashboard").path == "/dashboard"


def test_a_sync_by_events_reads_the_whole_roster_when_a_missing_person_has_to_be_confirmed(
    site: Site,
) -> None:
    site.clever.change_roster("name", "teacher", last="Adler")
    run(site)
    switch_off_events(site)
    site.clever.change_roster("unshared", "student")
    run(site, *FULL)
    assert "events." in run(site)
    assert state_of(site, site.person("student").id) == "hidden"
    let_time_pass(site, hours=24.1)
    output = run(site)
    assert "full read." in output
    assert "people: 1 archived" in output
    assert_as_at_clever(site)
    let_time_pass(site, hours=25)
    assert "events." in run(site)  # nobody is left to be confirmed


@BOTH_SYNCS
def test_a_hidden_person_who_is_shared_again_is_listed_again(
    site: Site, words: tuple[str, ...]
) -> None:
    site.clever.change_roster("unshared", "student")
    run(site, *FULL)
    site.clever.change_roster("back", "student")
    assert "people: 1 changed" in run(site, *words)
    assert state_of(site, site.person("student").id) == "listed"
    assert_as_at_clever(site)


def test_a_hidden_person_who_logs_in_is_listed_again(site: Site) -> None:
    site.clever.change_roster("unshared", "student")
    run(site, *FULL)
    assert state_of(site, site.person("student").id) == "hidden"
    site.clever.change_roster("back", "student")
    assert by_button(site, "student").path == "/dashboard"
    assert state_of(site, site.person("student").id) == "listed"


def test_an_empty_list_does_not_confirm_that_a_hidden_person_is_gone(site: Site) -> None:
    site.clever.change_roster("unshared", "student")
    run(site, *FULL)
    let_time_pass(site, hours=25)
    site.clever.add_fault("data", path="/users", rows=0, times=0)
    assert "on hold" in run(site, *FULL, code=3)
    assert state_of(site, site.person("student").id) == "hidden"
    site.clever.clear_faults()
    assert "people: 1 archived" in run(site, *FULL)
    assert_as_at_clever(site)


@pytest.mark.servers
def test_a_login_during_the_end_of_a_full_read_stays(make_site: SiteMaker, postgres: str) -> None:
    site = make_account_app(make_site, running_app.new_database_with_tables(postgres))
    give_first_sync(site)
    site.clever.change_roster("unshared", "student")
    students: list[Visitor] = []

    def log_in(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE clever_people SET missing_since") and not students:
            site.clever.change_roster("back", "student")
            students.append(by_button(site, "student"))

    event.listen(database_engine(site), "before_cursor_execute", log_in)
    assert "hidden" not in run(site, *FULL)
    assert [student.open("/dashboard").path for student in students] == ["/dashboard"]
    assert state_of(site, site.person("student").id) == "listed"


def test_a_hidden_person_whose_other_row_is_listed_is_listed_after_the_merge(site: Site) -> None:
    own = site.person("student").id
    assert site.app
    with site.app.app_context(), database(site.app).begin() as session:
        person = session.scalars(select(Person).where(Person.clever_id == own)).one()
        person.missing_since = models.utc_now()
        former = Person(clever_id="former", district_id=person.district_id)
        session.add(former)
        session.flush()
        merge_people(session, person, former)
    assert state_of(site, own) == "listed"


# More than a tenth


@BOTH_SYNCS
def test_while_removals_are_on_hold_the_next_changes_arrive_as_events(
    site: Site, words: tuple[str, ...]
) -> None:
    unshare(site, a_tenth_and_one(site))
    assert "on hold" in run(site, *words, code=3)
    site.clever.change_roster("name", "teacher", last="Adler")
    site.clever.change_roster("unshared", "student2")
    output = run(site, code=3)
    assert "events." in output
    assert "on hold" in output
    with database_engine(site).connect() as db:
        query = select(models.Person.last_name)
        query = query.where(models.Person.clever_id == site.person("teacher").id)
        assert db.scalar(query) == "Adler"


@BOTH_SYNCS
@pytest.mark.parametrize("way_back", [EVENTS, FULL], ids=["by_events", "by_full"])
@POSTGRESQL_IS_LONG
def test_a_hold_ends_for_each_person_who_is_shared_again(
    site: Site, words: tuple[str, ...], way_back: tuple[str, ...]
) -> None:
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, *words, code=3)
    for person_id in ids[:2]:
        site.clever.change_roster("back", person_id)
    if way_back == EVENTS:
        assert f"on hold: {len(ids) - 2} of " in run(site, code=3)
        for person_id in ids[2:]:
            site.clever.change_roster("back", person_id)
    # Now few enough are missing, so that a full read hides them.
    assert "on hold" not in run(site, *way_back)
    assert_as_at_clever(site)


def test_a_person_on_hold_who_logs_in_is_not_removed(site: Site) -> None:
    ids = a_tenth_and_one(site)
    unshare(site, [*ids, "student"])
    run(site, code=3)
    admin = by_button(site, "district_admin").open("/district/removals")
    switch_off_events(site)
    site.clever.change_roster("back", "student")
    student = by_button(site, "student")
    admin.press("Remove all of these")
    assert f"people: {len(ids)} archived" in run(site)
    assert state_of(site, site.person("student").id) == "listed"
    assert student.open("/dashboard").path == "/dashboard"
    assert held_number(site, "people") == 0


def test_while_people_are_on_hold_a_missing_person_does_not_cause_a_full_read_every_time(
    site: Site,
) -> None:
    site.clever.change_roster("name", "teacher", last="Adler")
    run(site)
    switch_off_events(site)
    site.clever.change_roster("unshared", "student")
    run(site, *FULL)
    let_time_pass(site, hours=25)
    site.clever.add_fault("data", path="/users", rows=0, times=0)
    assert "full read." in run(site, code=3)
    assert "events." in run(site, code=3)
    let_time_pass(site, hours=25)
    assert "full read." in run(site, code=3)


def test_a_full_read_after_events_were_lost_decides_on_its_own_what_to_hold(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_sync, "EVENTS_PER_PAGE", 5)  # more than one page is read twice
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    with pytest.MonkeyPatch.context() as without_events:
        without_events.setattr(EventLog, "log_differences", lambda *_args, **_kwargs: [])
        for person_id in ids:
            site.clever.change_roster("back", person_id)
        site.clever.change_roster("unshared", "student")
    site.clever.add_fault("events", delay_s=0.001)
    site.clever.add_fault("events", status=404)
    output = run(site)
    assert "full read." in output
    assert "people: 1 hidden" in output


def test_schools_of_district_administrators_can_be_on_hold(site: Site) -> None:
    schools = [school.id for school in site.clever.people.schools_of(district_of(site))]
    admin = site.person("district_admin").id
    site.clever.override(admin, roles={"district_admin": {"schools": schools}})
    run(site, *FULL)
    site.clever.override(admin, roles={"district_admin": {}})
    unshare(site, a_tenth_and_one(site))
    assert "on hold" in run(site, *FULL, code=3)
    assert held_number(site, "role_assignments") == len(schools)


def test_a_district_may_have_its_own_limit(make_site: SiteMaker, database_url: str | None) -> None:
    site = make_account_app(
        make_site,
        database_url,
        clever_removal_limits=("648a092dd2cc773a66ed4942=50",),
    )
    give_first_sync(site)
    unshare(site, a_tenth_and_one(site))
    assert "on hold" in run(site, code=3)
    own = district_of(site).id
    site = make_account_app(make_site, database_url, clever_removal_limits=("1", f"{own}=100"))
    give_first_sync(site)
    unshare(site, a_tenth_and_one(site))
    assert f"{len(a_tenth_and_one(site))} archived" in run(site)


def test_yes_is_refused_without_a_district(site: Site) -> None:
    result = sync_site(site, "--yes")
    assert result.exit_code == 2
    assert "Name it with --district ID" in result.stderr


def test_places_in_classes_stay_on_hold_until_clever_sends_them_again(site: Site) -> None:
    sections = site.clever.people.sections_of(district_of(site))
    fields: dict[str, list[str]] = {"students": []}
    site.clever.override_many([{"id": section.id, "fields": fields} for section in sections])
    before = actual_rows(database_engine(site), district_of(site).id)
    run(site, code=3)
    number = held_number(site, "enrollments")
    assert number == sum(len(section.students) for section in sections)
    site.clever.override(sections[0].id, name="Empty, and renamed", students=[])
    run(site, code=3)
    assert held_number(site, "enrollments") == number
    assert (
        actual_rows(database_engine(site), district_of(site).id)["enrollments"]
        == (before["enrollments"])
    )
    site.clever.reset()
    run(site, *FULL)
    assert held_number(site, "enrollments") == 0
    assert_as_at_clever(site)


def test_teachers_on_hold_keep_their_sections(site: Site) -> None:
    people = site.clever.people.people_of(district_of(site))
    ids = [person.id for person in people if person.roles == ("teacher",)][:6]
    places = actual_rows(database_engine(site), district_of(site).id)["enrollments"]
    unshare(site, ids)
    assert "6 of " in run(site, *FULL, code=3)
    assert held_number(site, "people") == 6
    assert actual_rows(database_engine(site), district_of(site).id)["enrollments"] == places


def test_a_hidden_person_is_not_put_on_hold(site: Site) -> None:
    site.clever.change_roster("unshared", "student")
    run(site, *FULL)
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, *FULL, code=3)
    assert held_number(site, "people") == len(ids)


def test_a_place_that_is_removed_in_another_way_is_on_hold_no_longer(site: Site) -> None:
    sections = site.clever.people.sections_of(district_of(site))
    site.clever.override_many([{"id": row.id, "fields": {"students": []}} for row in sections])
    run(site, code=3)
    number = held_number(site, "enrollments")
    with database_engine(site).begin() as db:  # as a merge does
        one = models.Enrollment.section_id == sections[0].id, models.Enrollment.role == "student"
        gone = db.execute(delete(models.Enrollment).where(*one)).rowcount
    assert gone
    run(site, code=3)
    assert held_number(site, "enrollments") == number - gone


def test_holds_end_when_a_person_is_deleted_or_the_district_leaves(site: Site) -> None:
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, code=3)
    run_flask_clever(site, "forget", "--user", ids[0])
    assert held_number(site, "people") == len(ids) - 1
    site.clever.make_step("leave", district=district_of(site).id)
    assert "left." in sync_site(site).stdout
    assert held_number(site, "people") == 0


def test_a_forgotten_person_has_no_place_on_hold(site: Site) -> None:
    sections = site.clever.people.sections_of(district_of(site))
    site.clever.override_many([{"id": row.id, "fields": {"students": []}} for row in sections])
    run(site, code=3)
    own = site.person("student").id
    with database_engine(site).connect() as db:
        person_id = db.scalar(select(Person.id).where(Person.clever_id == own))
    assert places_on_hold(site, person_id)
    run_flask_clever(site, "forget", "--user", own)
    assert not places_on_hold(site, person_id)


def places_on_hold(site: Site, person_id: str | None) -> int:
    with database_engine(site).connect() as db:
        query = select(func.count()).select_from(HeldRemoval)
        return db.scalar(query.where(HeldRemoval.linked_id == person_id)) or 0


def test_what_is_approved_is_removed_although_a_full_read_holds_nothing_any_more(
    site: Site,
) -> None:
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, code=3)
    by_button(site, "district_admin").open("/district/removals").press("Remove all of these")
    for person_id in ids[2:]:
        site.clever.change_roster("back", person_id)
    assert "people: 2 hidden, 2 archived" in run(site, *FULL)
    assert {state_of(site, person_id) for person_id in ids[:2]} == {"archived"}
    assert {state_of(site, person_id) for person_id in ids[2:]} == {"listed"}
    assert_as_at_clever(site)


# The review


def test_an_operator_sees_by_school_and_without_names_what_is_on_hold(site: Site) -> None:
    assert run(site, "--review") == "Nothing is on hold.\n"
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, code=3)
    assert re.search(r"on hold: \d+ of \d+ students missing\.", run(site, code=3))
    output = run(site, "--review")
    other = site.clever.people.districts[1].id
    assert sync_site(site, "--review", "--district", other).stdout == "Nothing is on hold.\n"
    directory = site.clever.people
    people = [person for person in directory.people if person.id in ids]
    for school in directory.schools_of(district_of(site)):
        number = sum(school in person.role_assignments[0].schools for person in people)
        noun = "student" if number == 1 else "students"
        assert (f"  {school.name} ({school.id}): {number} {noun}," in output) == bool(number)
    assert f"flask clever sync --district {district_of(site).id} --yes" in output
    assert not [person for person in people if person.name.last in output]
    assert "archived" in run(site, "--yes")
    assert run(site, "--review") == "Nothing is on hold.\n"


@BOTH_SYNCS
@POSTGRESQL_IS_LONG
def test_a_district_administrator_approves_what_the_page_lists_and_the_next_sync_removes_it(
    site: Site, words: tuple[str, ...]
) -> None:
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, *words, code=3)
    admin = by_button(site, "district_admin")
    admin.open("/district/removals")
    person = site.clever.people.by_id(ids[0])
    assert person
    assert f"{person.name.first} {person.name.last}" in admin.text
    assert {state_of(site, person_id) for person_id in ids} == {"listed"}
    admin.press("Remove all of these")
    assert "The next sync removes these" in admin.text
    assert f"people: {len(ids)} archived" in run(site)
    assert {state_of(site, person_id) for person_id in ids} == {"archived"}
    assert admin.open("/district/removals").response.status_code == 404
    assert not by_button(site, "district_admin").page.select(".notice.bad")
    assert_as_at_clever(site)


def test_a_sync_of_one_district_keeps_the_approvals_of_another(site: Site) -> None:
    first, second, *_ = site.clever.people.districts
    for district in (first, second):
        person = site.clever.people.people_of(district)[-1]
        with Session(database_engine(site)) as session, session.begin():
            row_id = session.scalars(select(Person.id).where(Person.clever_id == person.id)).one()
            held = HeldRemoval(district_id=district.id, kind="people", record_id=row_id)
            held.approved_at = models.utc_now()
            session.add(held)
    for district in (first, second):
        assert "people: 1 archived" in sync_site(site, "--district", district.id).stdout


def test_an_administrator_approves_only_what_the_page_has_shown(site: Site) -> None:
    unshare(site, a_tenth_and_one(site))
    run(site, code=3)
    admin = by_button(site, "district_admin")
    admin.open("/district/removals")
    with database_engine(site).begin() as db:
        later = datetime.now(UTC) + timedelta(minutes=1)
        of_people = select(HeldRemoval.record_id).where(HeldRemoval.kind == "people")
        one = of_people.limit(1).scalar_subquery()
        db.execute(update(HeldRemoval).where(HeldRemoval.record_id == one).values(held_at=later))
    admin.press("Remove all of these")
    assert "on hold: 1 of " in run(site, code=3)


@pytest.mark.parametrize("who", ["student", "teacher", "school_admin"])
def test_others_than_district_administrators_find_no_page_about_removals(
    site: Site, who: str
) -> None:
    unshare(site, a_tenth_and_one(site))
    run(site, code=3)
    assert by_button(site, who).open("/district/removals").response.status_code == 404


def test_a_second_click_on_the_approval_shows_the_page_again(site: Site) -> None:
    unshare(site, a_tenth_and_one(site))
    run(site, code=3)
    tabs = [by_button(site, "district_admin").open("/district/removals") for _ in range(2)]
    times: list[list[datetime | None]] = []
    for tab in tabs:
        tab.press("Remove all of these")
        assert "The next sync removes these" in tab.text
        times.append(approval_times(site))
    assert times[0] == times[1]  # the first click counts


def approval_times(site: Site) -> list[datetime | None]:
    with database_engine(site).connect() as db:
        return list(db.scalars(select(HeldRemoval.approved_at).order_by(HeldRemoval.record_id)))


@pytest.mark.servers
def test_an_approval_and_a_sync_that_block_each_other_both_succeed(
    make_site: SiteMaker, postgres: str
) -> None:
    url = running_app.new_database_with_tables(postgres)
    site = make_account_app(make_site, url)
    give_first_sync(site)
    unshare(site, a_tenth_and_one(site))
    run(site, code=3)
    admin = by_button(site, "district_admin").open("/district/removals")
    lock = "SELECT FROM clever_held_removals WHERE ctid = "
    lock += "(SELECT {}(ctid) FROM clever_held_removals) FOR UPDATE"
    with psycopg.connect(url) as sync:
        sync.execute(lock.format("max"))
        click = Thread(target=admin.press, args=["Remove all of these"])
        click.start()
        wait_until_blocked(url, click)
        assert click.is_alive()
        sync.execute(lock.format("min"))
        sync.rollback()
        click.join(60)
    assert "The next sync removes these" in admin.text


@pytest.mark.servers
def test_an_approval_during_a_removal_is_made_by_the_next_sync(
    make_site: SiteMaker, postgres: str
) -> None:
    url = running_app.new_database_with_tables(postgres)
    site = make_account_app(make_site, url)
    give_first_sync(site)
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, code=3)
    admin = by_button(site, "district_admin").open("/district/removals")
    with database_engine(site).begin() as db:
        last = select(models.Person.id).where(models.Person.clever_id == ids[-1])
        others = HeldRemoval.record_id != last.scalar_subquery()
        db.execute(update(HeldRemoval).where(others).values(approved_at=models.utc_now()))
    clicks: list[Thread] = []

    def approve(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM clever_role_assignments") and not clicks:
            clicks.append(Thread(target=admin.press, args=["Remove all of these"]))
            clicks[0].start()
            wait_until_blocked(url, clicks[0])

    event.listen(database_engine(site), "before_cursor_execute", approve)
    assert "on hold: 1 of " in run(site, code=3)
    clicks[0].join(60)
    assert "The next sync removes these" in admin.text
    assert "people: 1 archived" in run(site)
    assert state_of(site, ids[-1]) == "archived"


def wait_until_blocked(url: str, thread: Thread) -> None:
    """Wait until a transaction waits for another one, or the thread has ended."""
    blocked = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    with psycopg.connect(url, autocommit=True) as observer:
        while not observer.execute(blocked, [url.rpartition("/")[2]]).fetchall():
            if not thread.is_alive():
                return


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
@POSTGRESQL_IS_LONG
def test_a_time_outside_of_the_calendar_approves_nothing(site: Site, until: str) -> None:
    unshare(site, a_tenth_and_one(site))
    run(site, code=3)
    admin = by_button(site, "district_admin").open("/district/removals")
    assert admin.press("Remove all of these", until=until).response.status_code == 400
    assert "on hold" in run(site, code=3)


def test_a_review_names_people_of_every_school(site: Site) -> None:
    district = district_of(site)
    schools = sorted(school.id for school in site.clever.people.schools_of(district))
    add_people_on_hold(site, {schools[0]: 2001, schools[-1]: 1})
    admin = by_button(site, "district_admin").open("/district/removals")
    assert f"Nobody 0 of {schools[-1]}" in admin.text
    assert admin.text.count(f"of {schools[0]}") == MAX_NAMES
    add_people_on_hold(site, {"": 2})
    lines = [
        line for line in run(site, "--review").splitlines() if " student" in line or ": 2" in line
    ]
    assert lines[-1] == "  Without a school: 2 people"


def test_a_review_counts_a_person_without_a_name_and_names_the_others(site: Site) -> None:
    school = site.clever.people.schools_of(district_of(site))[0].id
    add_people_on_hold(site, {school: 3})
    with database_engine(site).begin() as db:
        nameless = Person.clever_id == f"1-{school}"
        db.execute(update(Person).where(nameless).values(first_name="", last_name=""))
    admin = by_button(site, "district_admin").open("/district/removals")
    names = [item.get_text() for item in admin.page.select("main details bdi")]
    assert names == [f"Nobody 0 of {school}", f"Nobody 2 of {school}"]


def test_a_review_names_nobody_who_has_moved_to_another_district(site: Site) -> None:
    ids = a_tenth_and_one(site)
    unshare(site, ids)
    run(site, code=3)
    with database_engine(site).begin() as db:  # as a login there does
        moved = update(models.Person).where(models.Person.clever_id == ids[0])
        other = site.clever.people.districts[1].id
        db.execute(moved.values(district_id=other, last_name="Elsewhere"))
    admin = by_button(site, "district_admin").open("/district/removals")
    assert "Remove all of these" in admin.text
    assert "Elsewhere" not in admin.text
    assert f"on hold: {len(ids) - 1} of " in run(site, code=3)


def add_people_on_hold(site: Site, numbers: dict[str, int]) -> None:
    """Add students who are on hold, by school: "Nobody 0 of ID", "Nobody 1 of ID"."""
    district = district_of(site).id
    with Session(database_engine(site)) as session, session.begin():
        for school, number in numbers.items():
            names = {f"{place}-{school}": f"{place} of {school}" for place in range(number)}
            people = [
                Person(id=new_id(), clever_id=key, district_id=district, roles=["student"])
                for key in names
            ]
            for person in people:
                person.first_name, person.last_name = "Nobody", names[str(person.clever_id)]
            session.add_all(people)
            session.flush()
            for person in people:
                role = RoleAssignment(person_id=person.id, school_id=school, role="student")
                held = HeldRemoval(district_id=district, kind="people", record_id=person.id)
                session.add_all((role, held) if school else (held,))
