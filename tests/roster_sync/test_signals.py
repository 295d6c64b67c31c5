"""Tests the signals of a sync: what is sent, in which order, and in which transaction."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from clever_login import signals
from clever_login.accounts.merge import merge_people
from clever_login.db import models
from clever_login.db.database import database
from clever_login.signals import EnrollmentRow, SchoolRole
from clever_simulator.config import default_config
from clever_simulator.directory.models import District
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.roster_sync.test_loss_limits import replace_sections, with_new_ids
from tests.support.account_app import (
    flask_app,
    make_account_app,
    record_statements,
    run_flask_clever,
)
from tests.support.expected_rows import (
    ExpectedRows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    let_time_pass,
    sync_site,
)
from tests.support.running_app import ROOT, Site
from tests.support.signal_recorder import (
    FAILING_RECEIVER,
    ROSTER_SIGNALS,
    Recorder,
    failing_receiver,
    recording,
)

BOTH_SYNCS = pytest.mark.parametrize("words", [(), ("--full",)], ids=["events", "full"])


@pytest.fixture
def site(make_site: SiteMaker, database_url: str | None) -> Site:
    """An app with empty tables."""
    return make_account_app(make_site, database_url)


@pytest.fixture
def recorder(site: Site) -> Iterator[Recorder]:
    """A product that listens to every signal of an app that has been synced once."""
    give_first_sync(site)
    with recording(flask_app(site)) as recorder:
        yield recorder


def district_of(site: Site) -> District:
    return site.clever.people.districts[0]


def run(site: Site, *words: str, code: int = 0) -> str:
    result = sync_site(site, "--district", district_of(site).id, *words)
    assert result.exit_code == code, result.stdout + result.stderr
    return result.stdout


def assert_as_at_clever(site: Site) -> None:
    assert_rows_equal(ExpectedRows(site.clever, district_of(site)), database_engine(site))


def person_columns(site: Site, user_name: str) -> Any:
    """Return the columns of a person's row."""
    with database_engine(site).connect() as db:
        query = select(models.Person).where(models.Person.clever_id == site.person(user_name).id)
        return db.execute(query).one()


def assert_in_order(recorder: Recorder) -> None:
    """Assert that each transaction sent its signals in the documented order."""
    for number in range(len(recorder.transactions)):
        order = [
            ROSTER_SIGNALS.index(call.name) for call in recorder.calls if call.transaction == number
        ]
        assert order == sorted(order)


def test_a_first_full_read_sends_every_person_section_and_enrollment_once(site: Site) -> None:
    with Session(database_engine(site)) as session, session.begin():
        # so far known from the Clever Library only, without a district
        session.add(models.Person(clever_id=site.person("student").id))
    with recording(flask_app(site)) as recorder:
        assert sync_site(site).exit_code == 0
        for district in site.clever.people.districts:
            rows = actual_rows(database_engine(site), district.id)
            created = recorder.rows("people_created", district.id)
            assert sorted(row.clever_id for row in created) == sorted(
                clever_id for clever_id, *_ in rows["people"]
            )
            schools = {
                (row.clever_id, post.school_id, post.role)
                for row in created
                for post in row.schools
            }
            assert schools == rows["role_assignments"]
            changes = recorder.rows("sections_changed", district.id)
            assert all(change.before is None for change in changes)
            assert sorted(
                (c.after.section_id, c.after.school_id, c.after.term_id, c.after.course_id)
                for c in changes
            ) == sorted(rows["sections"])
            clever_ids = {row.person_id: row.clever_id for row in created}
            assert sorted(
                (row.section_id, clever_ids[row.person_id], row.role)
                for row in recorder.rows("enrollments_added", district.id)
            ) == sorted(rows["enrollments"])
        assert set(recorder.names()) == {"people_created", "sections_changed", "enrollments_added"}
        assert recorder.notes() == len(recorder.calls)
        assert_in_order(recorder)


@BOTH_SYNCS
@POSTGRESQL_IS_LONG
def test_a_sync_without_changes_sends_nothing(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    run(site, *words)
    assert recorder.calls == []


@BOTH_SYNCS
@POSTGRESQL_IS_LONG
def test_a_renamed_person_is_sent_with_the_old_name(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    before = person_columns(site, "student")
    site.clever.change_roster("name", "student", last="Adler")
    run(site, *words)
    (change,) = recorder.rows("people_changed")
    assert recorder.names() == ["people_changed"]
    assert change.before.person_id == change.after.person_id == before.id
    assert (change.before.last_name, change.after.last_name) == (before.last_name, "Adler")
    assert change.before == replace(change.after, last_name=before.last_name)
    assert change.after.roles == ("student",)
    assert "Adler" not in repr(change)


@BOTH_SYNCS
@POSTGRESQL_IS_LONG
def test_a_late_joiner_is_added_to_a_section_and_a_leaver_removed(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    student, person_id = site.person("student"), person_columns(site, "student").id
    sections = site.clever.people.sections_of(district_of(site))
    left_section = next(section.id for section in sections if student in section.students)
    joined_section = next(section.id for section in sections if student not in section.students)
    site.clever.change_roster("class", "student", section=left_section, enrolled=False)
    site.clever.change_roster("class", "student", section=joined_section, enrolled=True)
    assert "enrollments: 1 new, 1 removed" in run(site, *words)
    assert recorder.names() == ["enrollments_added", "enrollments_removed"]
    assert recorder.rows("enrollments_added") == [
        EnrollmentRow(section_id=joined_section, person_id=person_id, role="student")
    ]
    assert recorder.rows("enrollments_removed") == [
        EnrollmentRow(section_id=left_section, person_id=person_id, role="student")
    ]


@BOTH_SYNCS
def test_a_child_is_archived_on_leaving_and_restored_on_return(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    person = person_columns(site, "student")
    site.clever.change_roster("unshared", "student")
    run(site, *words)
    if words:  # a second full read, a day later, has to agree
        assert "people_archived" not in recorder.names()
        let_time_pass(site, hours=25)
        run(site, *words)
    (row,) = recorder.rows("people_archived")
    assert (row.person_id, row.clever_id) == (person.id, person.clever_id)
    assert set(recorder.names()) == {"enrollments_removed", "people_archived"}
    assert_in_order(recorder)
    recorder.clear()
    site.clever.change_roster("back", "student")
    run(site, *words)
    assert [row.person_id for row in recorder.rows("people_restored")] == [person.id]
    assert recorder.names() == ["people_restored", "enrollments_added"]
    assert_as_at_clever(site)


@BOTH_SYNCS
@POSTGRESQL_IS_LONG
def test_a_child_who_changes_schools_is_sent_with_both_schools(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    person = person_columns(site, "student")
    schools = [school.id for school in site.clever.people.schools_of(district_of(site))]
    with database_engine(site).connect() as db:
        assignment = models.RoleAssignment
        query = select(assignment.school_id).where(assignment.person_id == person.id)
        old = db.scalars(query).one()
    new = next(school for school in schools if school != old)
    fields = {"roles.student.schools": [new], "roles.student.school": new}
    site.clever.override_many([{"id": str(person.clever_id), "fields": fields}])
    run(site, *words)
    changes = recorder.rows("people_changed")
    assert changes[0].before.schools == (SchoolRole(school_id=old, role="student"),)
    assert changes[-1].after.schools == (SchoolRole(school_id=new, role="student"),)
    assert [change.before for change in changes[1:]] == [change.after for change in changes[:-1]]
    assert set(recorder.names()) == {"people_changed"}


@BOTH_SYNCS
def test_a_semester_that_replaces_every_section_sends_new_and_archived_sections(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    old = {section.id for section in site.clever.people.sections_of(district_of(site))}
    replace_sections(site, with_new_ids)
    run(site, *words)
    changes = recorder.rows("sections_changed")
    assert {c.after.section_id for c in changes if c.before is None} == {i[::-1] for i in old}
    assert {c.before.section_id for c in changes if c.after is None} == old
    assert len(changes) == 2 * len(old)
    enrollments = actual_rows(database_engine(site), district_of(site).id)
    assert len(recorder.rows("enrollments_added")) == len(enrollments["enrollments"])
    assert "enrollments_removed" not in recorder.names()
    assert_in_order(recorder)


@BOTH_SYNCS
@POSTGRESQL_IS_LONG
def test_a_renamed_section_is_sent_with_its_old_name(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    section = site.clever.people.sections_of(district_of(site))[0]
    site.clever.override(section.id, name="New")
    run(site, *words)
    (change,) = recorder.rows("sections_changed")
    assert change.before == replace(change.after, name=change.before.name)
    assert change.after.name == "New" != change.before.name
    assert recorder.names() == ["sections_changed"]


def test_the_first_sync_of_v3_sends_merges_before_everything_else(
    make_site: SiteMaker, database_url: str | None
) -> None:
    old = make_account_app(make_site, database_url, clever_api_version="v2.1")
    sync_site(old)
    posts = {post.legacy_id for post in old.person("teacher_admin").role_assignments}
    with database_engine(old).connect() as db:
        query = select(models.Person.id).where(models.Person.clever_id.in_(posts))
        ids = set(db.scalars(query))
    new = make_account_app(make_site, database_url)
    with recording(flask_app(new)) as recorder:
        run(new)
        merges = recorder.rows("people_merged", district_of(new).id)
        survivor = person_columns(new, "teacher_admin").id
        assert {merge.duplicate_id for merge in merges if merge.survivor_id == survivor} == (
            ids - {survivor}
        )
        assert_in_order(recorder)
        assert {"people_created", "people_archived"}.isdisjoint(recorder.names())
        changed = {change.after.person_id for change in recorder.rows("people_changed")}
        assert survivor in changed


def test_a_district_that_leaves_sends_everybody_as_archived(site: Site) -> None:
    sync_site(site)
    people = actual_rows(database_engine(site), district_of(site).id)["people"]
    with recording(flask_app(site)) as recorder:
        site.clever.make_step("leave", district=district_of(site).id)
        with failing_receiver(flask_app(site), "people_archived"):
            failed = sync_site(site)
        assert failed.exit_code == 1
        assert FAILING_RECEIVER in failed.stdout
        assert actual_rows(database_engine(site), district_of(site).id)["people"] == people
        recorder.clear()
        assert "left." in sync_site(site).stdout
        archived = recorder.rows("people_archived", district_of(site).id)
        assert {row.clever_id for row in archived} == {clever_id for clever_id, *_ in people}
        assert all(change.after is None for change in recorder.rows("sections_changed"))
        assert_in_order(recorder)


def test_districts_that_leave_at_the_same_moment_send_their_own_sections(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_site(site)
    now, (first, second, *_) = models.utc_now(), site.clever.people.districts
    expected = {
        district.id: {section.id for section in site.clever.people.sections_of(district)}
        for district in (first, second)
    }
    for district in (first, second):
        site.clever.make_step("leave", district=district.id)
    with recording(flask_app(site)) as recorder, monkeypatch.context() as patched:
        patched.setattr(models, "utc_now", lambda: now)
        assert sync_site(site).stdout.count("left.") == 2
        for district_id, sections in expected.items():
            rows = recorder.rows("sections_changed", district_id)
            assert {change.before.section_id for change in rows} == sections


def test_a_merge_in_the_batch_of_a_section_moves_nobody_in_or_out_of_it(
    site: Site, recorder: Recorder
) -> None:
    person = site.person("teacher_admin")
    former = next(post.legacy_id for post in person.role_assignments if post.legacy_id != person.id)
    [section, *_] = [row for row in site.clever.people.sections if row.teacher == person]
    with Session(database_engine(site)) as session, session.begin():
        duplicate = models.Person(clever_id=former, district_id=district_of(site).id)
        session.add(duplicate)
        session.flush()
        session.add(
            models.Enrollment(section_id=section.id, person_id=duplicate.id, role="teacher")
        )
    site.clever.change_roster("name", "teacher_admin", last="Adler")
    site.clever.override(section.id, name="New")
    run(site)
    assert "people_merged" in recorder.names()
    assert {"enrollments_added", "enrollments_removed"}.isdisjoint(recorder.names())


def test_more_than_500_rows_come_in_several_calls(site: Site) -> None:
    usual = default_config(site.url)
    site.clever.configure(replace(usual, students=1200))
    large = site.clever.people.districts[-1]
    sync_site(site)
    with recording(flask_app(site)) as recorder:  # asserts the size of each call
        site.clever.configure(usual)
        assert f"{large.name} ({large.id}): left." in sync_site(site).stdout
        archived = recorder.rows("people_archived", large.id)
        assert len({row.person_id for row in archived}) == len(archived) > 1200
        assert recorder.names().count("people_archived") > 2


SIGNALS_OF_ONE_BATCH = [
    "people_restored",
    "people_changed",
    "sections_changed",
    "enrollments_added",
    "enrollments_removed",
    "people_archived",
]


def classmates(site: Site) -> list[str]:
    return sorted(
        person.id
        for person in site.clever.people.people_of(district_of(site))
        if person.roles == ("student",) and person.id != site.person("student").id
    )


def change_one_of_each(site: Site, number: int, *, back: str, gone: str) -> None:
    """Rename a student and a section, and share one student again, and another one no longer."""
    section = site.clever.people.sections_of(district_of(site))[0]
    site.clever.change_roster("unshared", gone)
    site.clever.change_roster("name", "student", last=f"Adler {number}")
    site.clever.override(section.id, name=f"New {number}")
    site.clever.change_roster("back", back)


def test_events_of_one_batch_are_sent_in_order(site: Site, recorder: Recorder) -> None:
    back, gone, *_ = classmates(site)
    site.clever.change_roster("unshared", back)
    run(site)
    recorder.clear()
    change_one_of_each(site, 1, back=back, gone=gone)
    run(site)
    assert recorder.names() == SIGNALS_OF_ONE_BATCH


@POSTGRESQL_IS_LONG
def test_a_product_may_listen_to_a_single_signal(site: Site) -> None:
    give_first_sync(site)
    others = classmates(site)
    for number, name in enumerate(SIGNALS_OF_ONE_BATCH):
        back, gone = others.pop(), others.pop()
        site.clever.change_roster("unshared", back)
        run(site)
        with recording(flask_app(site), name) as single:
            change_one_of_each(site, number, back=back, gone=gone)
            run(site)
            assert single.names() == [name]


@POSTGRESQL_IS_LONG
def test_without_receivers_a_sync_sends_no_further_statements(site: Site) -> None:
    """Nobody is archived, so no receiver is called."""
    sync_site(site)
    numbers = []
    for number, name in enumerate(("logged_in", "people_forgotten", "people_archived")):
        site.clever.change_roster("name", "student", last=f"Adler {number}")
        with (
            recording(flask_app(site), name) as recorder,
            record_statements(site, database_engine(site)) as statements,
        ):
            run(site)
            assert recorder.calls == []
        numbers.append(len(statements))
    assert numbers[0] == numbers[1] < numbers[2]


@pytest.fixture
def books(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The module of the example in the docs."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.S)
    [example] = [block for block in blocks if "signals.enrollments_added" in block]
    (tmp_path / "books.py").write_text(example)
    module = runpy.run_path(str(tmp_path / "books.py"))
    yield module
    signals.enrollments_added.disconnect(module["joined"])
    signals.people_merged.disconnect(module["merged"])
    signals.people_forgotten.disconnect(module["forgotten"])


def test_the_example_in_the_docs_behaves_as_described(site: Site, books: dict[str, Any]) -> None:
    engine, reading = database_engine(site), books["reading"]
    books["metadata"].create_all(engine)
    assert sync_site(site).exit_code == 0
    student = site.person("student")
    sections = site.clever.people.sections_of(district_of(site))
    joined_section = next(section.id for section in sections if student not in section.students)
    person_id = person_columns(site, "student").id
    with engine.begin() as db:
        rows = [{"section_id": joined_section, "book": name} for name in ("Emil", "Momo")]
        db.execute(insert(books["assigned"]), rows)
        db.execute(insert(reading), [{"person_id": person_id, "book": "Momo"}])

    def read() -> list[Any]:
        with engine.connect() as db:
            return sorted(db.execute(select(reading.c.person_id, reading.c.book)).all())

    site.clever.change_roster("class", "student", section=joined_section, enrolled=True)
    run(site)
    assert read() == [(person_id, "Emil"), (person_id, "Momo")]
    with database(flask_app(site)).begin() as session:
        session.add(models.Person(id="earlier", clever_id="earlier"))
        session.execute(insert(reading), [{"person_id": "earlier", "book": "Momo"}])
        session.execute(insert(reading), [{"person_id": "earlier", "book": "Krabat"}])
    with flask_app(site).app_context(), database(flask_app(site)).begin() as session:
        people = (session.get_one(models.Person, key) for key in (person_id, "earlier"))
        merge_people(session, *people)
    assert [book for _, book in read()] == ["Emil", "Krabat", "Momo"]
    assert {owner for owner, _ in read()} == {person_id}
    run_flask_clever(site, "forget", "--user", person_id)
    assert read() == []
