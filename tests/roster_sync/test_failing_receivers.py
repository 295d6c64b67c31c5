"""Tests receivers that fail: the district's run ends, removes nothing, and is repeated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, column, select, table
from sqlalchemy.exc import OperationalError

from clever_login import signals
from clever_login.db import models
from clever_login.db.database import database
from clever_login.storage.private_files import DATABASE_FILE
from clever_simulator.config import default_config
from clever_simulator.directory.models import District
from tests.conftest import POSTGRESQL_IS_LONG
from tests.doctor.test_doctor import PRODUCTION, run_doctor
from tests.roster_sync.test_signals import (
    BOTH_SYNCS,
    assert_as_at_clever,
    district_of,
    person_columns,
    recorder,
    run,
    site,
)
from tests.support import fresh_checkout
from tests.support.account_app import flask_app
from tests.support.expected_rows import actual_rows, database_engine, let_time_pass, sync_site
from tests.support.running_app import Site
from tests.support.signal_recorder import CHILDS_NAME, FAILING_RECEIVER, Recorder, failing_receiver

__all__ = ["recorder", "site"]

PEOPLE_IN_THREE_BATCHES = 940


def cursor_and_people(site: Site, district: District) -> tuple[str | None, object]:
    query = select(models.District.cursor).where(models.District.id == district.id)
    with database_engine(site).connect() as db:
        cursor = db.scalar(query)
    return cursor, actual_rows(database_engine(site), district.id)["people"]


@BOTH_SYNCS
def test_a_receiver_that_raises_ends_the_districts_run_and_nobody_is_archived(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    first, second, *_ = site.clever.people.districts
    before = cursor_and_people(site, first)
    leaver = next(
        person
        for person in site.clever.people.people_of(first)
        if person.roles == ("student",) and person.id != site.person("student").id
    )
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.change_roster("unshared", leaver.id)
    site.clever.change_roster("name", "student2", last="Tamm")  # in the second district
    assert site.person("student2").district == second
    with failing_receiver(flask_app(site), "people_changed"):
        failed = sync_site(site, *words)
    assert failed.exit_code == 1
    assert f"{first.name} ({first.id}): failed. {FAILING_RECEIVER}." in failed.stdout
    assert cursor_and_people(site, first) == before
    assert recorder.notes() == 0
    status = flask_app(site).test_cli_runner().invoke(args=["clever", "status"])
    assert f"{first.id}\t{first.name}" in status.stdout
    assert status.stdout.count(FAILING_RECEIVER) == 2  # the second district has the same receiver
    for output in (failed.output, status.output):
        assert CHILDS_NAME not in output
        assert "Adler" not in output
    recorder.clear()
    assert sync_site(site, *words).exit_code == 0
    assert {change.after.last_name for change in recorder.rows("people_changed")} == {
        "Adler",
        "Tamm",
    }
    if not words:  # after a full read, a second one has to agree
        assert [row.clever_id for row in recorder.rows("people_archived")] == [leaver.id]
    assert recorder.notes() == len(recorder.calls)
    assert_as_at_clever(site)
    status = flask_app(site).test_cli_runner().invoke(args=["clever", "status"])
    assert FAILING_RECEIVER not in status.stdout


@POSTGRESQL_IS_LONG
def test_status_shows_a_first_sync_that_a_receiver_ended_and_the_next_sync_repeats_it(
    site: Site,
) -> None:
    first = district_of(site)
    with failing_receiver(flask_app(site), "people_created", first.id):
        failed = run(site, code=1)
    assert FAILING_RECEIVER in failed
    assert cursor_and_people(site, first) == (None, set())
    status = flask_app(site).test_cli_runner().invoke(args=["clever", "status", "--json"])
    assert json.loads(status.stdout) == {
        "id": first.id,
        "name": first.name,
        "state": "success",
        "synced_at": None,
        "full_read_at": None,
        "event_seen_at": None,
        "problem": FAILING_RECEIVER,
    }
    assert "full read." in run(site)
    assert_as_at_clever(site)
    status = flask_app(site).test_cli_runner().invoke(args=["clever", "status", "--json"])
    assert json.loads(status.stdout)["problem"] is None


def test_other_districts_are_written_when_a_receiver_fails_for_one(site: Site) -> None:
    sync_site(site)
    first, *other_districts = site.clever.people.districts
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.change_roster("name", "student2", last="Tamm")
    with failing_receiver(flask_app(site), "people_changed", first.id):
        failed = sync_site(site)
    assert failed.stdout.count("failed.") == 1
    assert failed.stdout.count("events.") == len(other_districts)
    assert person_columns(site, "student2").last_name == "Tamm"
    assert person_columns(site, "student").last_name != "Adler"


def test_people_of_a_batch_that_a_receiver_rolled_back_are_not_archived_as_unseen(
    site: Site,
) -> None:
    """The batch is too small for the limit on removals to notice that it is missing."""
    site.clever.configure(replace(default_config(site.url), students=PEOPLE_IN_THREE_BATCHES))
    large = site.clever.people.districts[-1]
    sync_site(site, "--district", large.id)
    people = sorted(person.id for person in site.clever.people.people_of(large))
    assert 0 < len(people) % 500 < len(people) / 10
    before = cursor_and_people(site, large)
    site.clever.change_roster("name", people[-1], last="Adler")
    with failing_receiver(flask_app(site), "people_changed"):
        failed = sync_site(site, "--full", "--district", large.id)
    assert cursor_and_people(site, large) == before
    assert f"failed. {FAILING_RECEIVER}" in failed.stdout
    assert "1000 people" in failed.stderr  # it failed in the last batch
    assert "people: 1 changed" in sync_site(site, "--district", large.id).stdout


@BOTH_SYNCS
def test_a_receiver_that_fails_at_the_removals_undoes_all_of_them(
    site: Site, recorder: Recorder, words: tuple[str, ...]
) -> None:
    student = site.person("student")
    site.clever.change_roster("unshared", "student")
    if words:
        run(site, *words)
        let_time_pass(site, hours=25)
    before, notes = cursor_and_people(site, district_of(site)), recorder.notes()
    section = site.clever.people.sections_of(district_of(site))[0]
    for name in ("New", section.name):  # events that change nothing: a cursor would move
        site.clever.override(section.id, name=name)
    with failing_receiver(flask_app(site), "people_archived"):
        assert f"failed. {FAILING_RECEIVER}" in run(site, *words, code=1)
    assert recorder.notes() == notes
    assert cursor_and_people(site, district_of(site)) == before
    people = actual_rows(database_engine(site), district_of(site).id)["people"]
    assert (student.id in {clever_id for clever_id, *_ in people}) == (not words)
    assert "people: 1 archived" in run(site, *words)
    assert recorder.notes() > notes


def test_a_conflict_in_a_receiver_is_tried_again(site: Site, recorder: Recorder) -> None:
    failures = [OperationalError("INSERT", {}, DeadlockDetected())]

    def receive(_app: object, **_: object) -> None:
        if failures:
            raise failures.pop()

    signals.people_changed.connect(receive, sender=flask_app(site))
    site.clever.change_roster("name", "student", last="Adler")
    assert "people: 1 changed" in run(site)
    assert recorder.notes() == 1


@POSTGRESQL_IS_LONG
def test_an_asynchronous_receiver_is_an_error(site: Site, recorder: Recorder) -> None:
    async def receive(_app: object, **_: object) -> None: ...

    signals.people_changed.connect(receive, sender=flask_app(site))
    site.clever.change_roster("name", "student", last="Adler")
    assert "receive: TypeError" in run(site, code=1)
    assert recorder.notes() == 0


@POSTGRESQL_IS_LONG
def test_the_log_says_where_a_receiver_failed_and_nothing_about_people(
    site: Site, recorder: Recorder
) -> None:
    site.clever.change_roster("name", "student", last="Adler")
    with failing_receiver(flask_app(site), "people_changed"):
        failed = sync_site(site)
    (line,) = [line for line in failed.stderr.splitlines() if "receiver_failed" in line]
    assert FAILING_RECEIVER in line
    assert "signal_recorder.py" in line
    assert district_of(site).id not in line
    assert CHILDS_NAME not in line
    assert recorder.notes() == 0


@POSTGRESQL_IS_LONG
def test_the_doctor_names_the_receiver_that_ended_a_sync(
    site: Site, database_url: str | None, tmp_path: Path
) -> None:
    sync_site(site)
    site.clever.change_roster("name", "student", last="Adler")
    with failing_receiver(flask_app(site), "people_changed"):
        run(site, code=1)
    message = f"The last sync of one district ended early, at {FAILING_RECEIVER}."
    if database_url:
        environ = PRODUCTION | {"DATABASE_URL": database_url}
        run_doctor(environ, "--offline").assert_finding("database", "warning", message)
        return
    database(flask_app(site)).close()  # so that the file is complete
    folder = fresh_checkout.copy_app(tmp_path)
    (folder / "instance").mkdir(mode=0o700)
    shutil.copy(Path(flask_app(site).instance_path) / DATABASE_FILE, folder / "instance")
    _, output = fresh_checkout.run_module(
        folder, tmp_path / "log", "clever_login.doctor", "--offline"
    )
    assert message in " ".join(output.split())


def test_a_receiver_of_a_missing_table_fails_at_once(site: Site, recorder: Recorder) -> None:
    """Such an error is no conflict, which a repetition could solve."""
    calls = []

    def receive(_app: object, *, connection: Connection, **_: object) -> None:
        calls.append(connection)
        connection.execute(select(column("book")).select_from(table("missing")))

    signals.people_changed.connect(receive, sender=flask_app(site))
    site.clever.change_roster("name", "student", last="Adler")
    assert "receive: " in run(site, code=1)
    assert len(calls) == 1
    assert recorder.notes() == 0


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_receiver_that_ends_the_transaction_is_named(
    site: Site, recorder: Recorder, end: str
) -> None:
    def receive(_app: object, *, connection: Connection, **_: object) -> None:
        getattr(connection, end)()

    recorder.disconnect()
    signals.people_changed.connect(receive, sender=flask_app(site))
    site.clever.change_roster("name", "student", last="Adler")
    failed = sync_site(site)
    assert "receive: TransactionEnded." in failed.stdout
    assert failed.stdout.count("events.") == len(site.clever.people.districts) - 1
