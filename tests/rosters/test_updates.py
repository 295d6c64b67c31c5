"""Tests the button "Update now" of district administrators, its limits, and the history of syncs.

The process that the button starts is replaced by a program that only notes how it was started.
Tests run its command themselves. tests/deployed/test_updates.py tests the process.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import Connection, delete, func, select, text, update

from clever_login import CleverLogin, Settings, parts, signals
from clever_login.clever.models import Role
from clever_login.db.models import District, Person, SyncLock, SyncRun, new_id, utc_now
from clever_login.roster_sync.results import SyncResult
from clever_login.roster_sync.runs import history
from clever_login.roster_sync.runs.history import result_values
from clever_login.roster_sync.writer import Counts
from clever_login.rosters.updates.requests import request_sync
from clever_login.rosters.viewers import Viewer
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.support import reference_app
from tests.support.account_app import flask_app, make_account_app, run_flask_clever
from tests.support.browser_client import Visitor
from tests.support.expected_rows import give_first_sync, sync_site
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import database_session
from tests.support.running_app import Site

FINISHED, RUNNING = "The update is finished", "The lists are being updated"
INTERRUPTED, FAILED = "The update was interrupted", "The update failed"


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a line for each process that was started. The processes do nothing but wait."""
    programs, log = tmp_path / "programs", tmp_path / "started"
    programs.mkdir()
    wait = f"until [ -e {tmp_path / 'end'} ]; do sleep 0.05; done"
    (programs / "nice").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\n{wait}\n')
    (programs / "nice").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    log.touch()
    yield log
    end_processes(log)


def end_processes(log: Path) -> None:
    """Let the processes end, and the threads notice it."""
    log.with_name("end").touch()
    for thread in threads_that_wait():
        thread.join(30)


def threads_that_wait() -> list[Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sync ended"]


@pytest.fixture
def site(make_site: SiteMaker, database_url: str | None, started: Path) -> Site:
    """A site whose districts were synced once, and are read by their events."""
    assert started.exists()
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    return site


def district_of(site: Site, user_name: str = "district_admin") -> str:
    return site.person(user_name).district.id


def add_run(site: Site, minutes_ago: float = 0, **values: Any) -> str:
    """Add a run of the administrator's district that has finished. Returns its id."""
    at = utc_now() - timedelta(minutes=minutes_ago)
    row = {"district_id": district_of(site), "trigger": "administrator", "finished_at": at}
    run = SyncRun(id=new_id(), started_at=at, **{**row, "mode": "events", **values})
    with database_session(site) as session:
        session.add(run)
    return run.id


def add_unfinished_run(site: Site, **values: Any) -> str:
    return add_run(site, **{"finished_at": None, "mode": None, **values})


def hold_lock(site: Site, seconds: float = 600, holder: str = "far:1:a") -> None:
    with database_session(site) as session:
        until = utc_now() + timedelta(seconds=seconds)
        session.add(SyncLock(name="sync", holder=holder, until=until))


def release_lock(site: Site) -> None:
    with database_session(site) as session:
        session.execute(delete(SyncLock).where(SyncLock.name == "sync"))


def runs(site: Site) -> list[SyncRun]:
    with database_session(site) as session:
        return list(session.scalars(select(SyncRun).order_by(SyncRun.started_at)))


def administrators_runs(site: Site) -> list[str]:
    return [run.id for run in runs(site) if run.trigger == "administrator"]


def wait_for(log: Path, number: int) -> list[str]:
    """Return the lines of the programs that were started, which take a moment."""
    for _ in range(500):
        lines = log.read_text().splitlines()
        if len(lines) >= number:
            break
        time.sleep(0.01)
    return lines


def post_click(visitor: Visitor) -> requests.Response:
    """Send what the button sends, from a page that need not have the button."""
    token = visitor.page.select_one("[name=csrf_token]")
    assert token
    return visitor.http.post(
        f"{visitor.app_url}/district/updates",
        data={"csrf_token": str(token["value"])},
        headers={"Origin": visitor.app_url},
        allow_redirects=False,
        timeout=60,
    )


def run_id_of(visitor: Visitor) -> str:
    return visitor.path.rpartition("/")[2]


def test_the_button_starts_a_process_and_the_page_shows_what_has_changed(
    site: Site, started: Path
) -> None:
    site.clever.change_roster("name", "student", last="Adler")
    admin = by_button(site, "district_admin").press("Update now")
    run_id = run_id_of(admin)
    assert (admin.heading, "starts soon" in admin.text) == (RUNNING, True)
    [line] = wait_for(started, 1)
    words = f"-m flask --app {reference_app.MODULE} clever run-sync {run_id}"
    assert line.startswith("-n 19 ")
    assert line.endswith(words)
    log = run_flask_clever(site, "run-sync", run_id)
    assert re.search(r'"sync_on_demand", .*"mode": "events"', log)
    assert admin.open(admin.path).heading == FINISHED
    assert "People 1 changed" in admin.text
    admin.click("History of updates")
    assert "People: 1 changed Started by: An administrator of your district" in admin.text
    end_processes(started)
    assert admin.open(f"/district/updates/{run_id}").heading == FINISHED
    assert "Last update" in admin.open("/dashboard").text
    assert "You can update again in 10 minutes." in admin.text


def test_an_update_reads_a_district_without_events_that_the_schedule_would_not_read(
    make_site: SiteMaker, started: Path
) -> None:
    assert started.exists()
    site = make_account_app(make_site, None, clever_client_id="simulator")
    give_first_sync(site)
    with database_session(site) as session:
        session.execute(update(District).values(event_seen_at=None, cursor=None))
    site.clever.change_roster("name", "student", last="Adler")
    assert "nothing changed" in sync_site(site, "--district", district_of(site)).stdout
    admin = by_button(site, "district_admin").press("Update now")
    run_flask_clever(site, "run-sync", run_id_of(admin))
    assert "People 1 changed" in admin.open(admin.path).text
    assert runs(site)[-1].mode == "full read"


def test_a_second_click_shows_the_same_update(site: Site, started: Path) -> None:
    visitors = [by_button(site, "district_admin") for _ in range(2)]
    first, second = (visitor.press("Update now") for visitor in visitors)
    assert first.path == second.path
    run_flask_clever(site, "run-sync", run_id_of(first))
    assert "Update now" not in first.open("/dashboard").text
    assert len(wait_for(started, 1)) == 1


def test_clicks_at_the_same_moment_start_one_update(site: Site, started: Path) -> None:
    admin = by_button(site, "district_admin")

    def click(_number: int) -> tuple[int, str]:
        response = post_click(admin)
        return response.status_code, response.headers["Location"]

    with ThreadPoolExecutor(6) as threads:
        answers = set(threads.map(click, range(6)))
    [run_id] = administrators_runs(site)
    assert answers == {(303, f"/district/updates/{run_id}")}
    assert len(wait_for(started, 1)) == 1


def add_districts(site: Site, number: int) -> list[Viewer]:
    """Add districts with one administrator each. Returns the administrators."""
    with database_session(site) as session:
        for place in range(number):
            session.add(District(id=f"more{place}", name=f"More {place}"))
        session.flush()
        for place in range(number):
            person = Person(id=f"admin{place}", clever_id=f"a{place}", district_id=f"more{place}")
            person.roles = [Role.DISTRICT_ADMIN.value]
            session.add(person)
    return [Viewer(viewer_id=f"admin{place}", role=Role.DISTRICT_ADMIN) for place in range(number)]


def test_one_update_runs_at_a_time_in_the_whole_app(site: Site) -> None:
    viewers = add_districts(site, 6)

    def ask(viewer: Viewer) -> bool:
        with flask_app(site).app_context():
            return request_sync(viewer).is_new

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(ask, viewers)) == [False] * 5 + [True]
    admin = by_button(site, "district_admin").press("Update now")
    assert (admin.response.status_code, admin.heading) == (429, "Please update later")
    assert "Try again in 1 minute." in admin.text
    assert len(administrators_runs(site)) == 1


@POSTGRESQL_IS_LONG
def test_an_app_starts_six_updates_an_hour(site: Site) -> None:
    add_districts(site, 6)
    ids = [add_run(site, 59 - place, district_id=f"more{place}") for place in range(6)]
    admin = by_button(site, "district_admin").press("Update now")
    assert admin.response.status_code == 429
    assert admin.response.headers["Retry-After"] == "60"
    with database_session(site) as session:
        hour_ago = utc_now() - timedelta(hours=1)
        session.execute(update(SyncRun).where(SyncRun.id == ids[0]).values(started_at=hour_ago))
    assert admin.open("/dashboard").press("Update now").heading == RUNNING


@POSTGRESQL_IS_LONG
def test_a_district_is_updated_once_in_ten_minutes(site: Site) -> None:
    run_id = add_run(site, 9.9)
    admin = by_button(site, "district_admin")
    assert "You can update again in 1 minute." in admin.text
    with database_session(site) as session:
        earlier = utc_now() - timedelta(minutes=10)
        session.execute(update(SyncRun).where(SyncRun.id == run_id).values(started_at=earlier))
    assert admin.open("/dashboard").press("Update now").heading == RUNNING
    assert run_id_of(admin) != run_id


@POSTGRESQL_IS_LONG
def test_a_district_is_updated_twice_an_hour(site: Site) -> None:
    first, _second = add_run(site, 59.5), add_run(site, 11)
    add_run(site, 1, trigger="schedule")  # syncs that nobody asked for do not count
    admin = by_button(site, "district_admin")
    assert "You can update again in 1 minute." in admin.text
    response = post_click(admin.open("/reading"))  # from a page that was open for a while
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert "Your district has been updated twice in the last hour." in response.text
    with database_session(site) as session:
        hour_ago = utc_now() - timedelta(hours=1)
        session.execute(update(SyncRun).where(SyncRun.id == first).values(started_at=hour_ago))
    assert admin.open("/dashboard").press("Update now").heading == RUNNING


@POSTGRESQL_IS_LONG
def test_a_sync_of_the_schedule_that_is_reading_the_district_is_shown_instead(
    site: Site, started: Path
) -> None:
    admin = by_button(site, "district_admin")
    run_id = add_unfinished_run(site, trigger="schedule", progress="1200 people")
    hold_lock(site)
    admin.press("Update now")
    assert run_id_of(admin) == run_id
    assert "1,200 people read so far." in admin.text
    assert started.read_text() == ""


def test_a_sync_of_the_schedule_of_another_district_does_not_keep_an_update_from_waiting(
    site: Site,
) -> None:
    add_districts(site, 1)
    add_unfinished_run(site, trigger="schedule", progress="12 people", district_id="more0")
    hold_lock(site)
    admin = by_button(site, "district_admin").press("Update now")
    assert admin.heading == RUNNING
    assert "starts after that one" in admin.text


@pytest.mark.usefixtures("short_waits")
def test_an_update_waits_until_the_other_sync_has_ended(site: Site) -> None:
    hold_lock(site)
    admin = by_button(site, "district_admin").press("Update now")
    before = runs(site)[-1].waits_until
    process = Thread(target=run_flask_clever, args=(site, "run-sync", run_id_of(admin)))
    process.start()
    while runs(site)[-1].waits_until == before:
        assert process.is_alive()
    assert "starts after that one" in admin.open(admin.path).text
    release_lock(site)
    process.join(60)
    assert admin.open(admin.path).heading == FINISHED


@POSTGRESQL_IS_LONG
def test_a_process_that_ends_without_a_result_is_seen_at_once(site: Site, started: Path) -> None:
    admin = by_button(site, "district_admin").press("Update now")
    end_processes(started)
    assert admin.open(admin.path).heading == INTERRUPTED
    run_flask_clever(site, "run-sync", run_id_of(admin))  # nobody waits for it any more
    assert administrators_runs(site) == [runs(site)[-1].id]
    assert runs(site)[-1].mode == "interrupted"


@POSTGRESQL_IS_LONG
def test_a_run_without_a_process_is_shown_as_interrupted(site: Site) -> None:
    admin = by_button(site, "district_admin")
    past, future = (utc_now() + timedelta(minutes=minutes) for minutes in (-1, 1))
    reading = add_unfinished_run(site, progress="12 schools")
    waiting = add_unfinished_run(site, waits_until=future)
    lost = add_unfinished_run(site, waits_until=past)

    def headings() -> list[str]:
        return [
            str(admin.open(f"/district/updates/{run_id}").heading)
            for run_id in (reading, waiting, lost)
        ]

    for seconds in (600, -110):  # two minutes are left for clocks that differ
        hold_lock(site, seconds)
        assert headings() == [RUNNING, RUNNING, INTERRUPTED]
        release_lock(site)
    assert headings() == [INTERRUPTED, RUNNING, INTERRUPTED]
    hold_lock(site, seconds=-121)  # longer ago than clocks may differ
    assert headings() == [INTERRUPTED, RUNNING, INTERRUPTED]
    assert run_flask_clever(site, "runs").count("\tinterrupted\t") == 2
    run_flask_clever(site, "sync")
    by_id = {run.id: run for run in runs(site)}
    assert [by_id[run_id].mode for run_id in (reading, waiting, lost)] == [
        "interrupted",
        None,
        "interrupted",
    ]


@POSTGRESQL_IS_LONG
def test_an_update_whose_process_on_this_machine_is_gone_is_interrupted_at_once(
    site: Site,
) -> None:
    """Also if the worker that would have noticed is gone, and the lock has not expired."""
    admin = by_button(site, "district_admin")
    run_id = add_unfinished_run(site, minutes_ago=11, progress="12 schools")
    process = subprocess.Popen(["true"])
    host = socket.gethostname()[:40]
    hold_lock(site, holder=f"{host}:{process.pid}:a")
    assert admin.open(f"/district/updates/{run_id}").heading == RUNNING  # not waited for yet
    process.wait()
    release_lock(site)
    hold_lock(site, holder=f"far:{process.pid}:a")  # a process of another machine
    assert admin.open(f"/district/updates/{run_id}").heading == RUNNING
    assert "Another sync is running (far:" in sync_site(site).stderr
    release_lock(site)
    hold_lock(site, holder=f"{host}:{process.pid}:a")
    assert admin.open(f"/district/updates/{run_id}").heading == INTERRUPTED
    assert "\tinterrupted\t" in run_flask_clever(site, "runs")
    assert admin.open("/dashboard").press("Update now").heading == RUNNING
    assert run_id_of(admin) != run_id


DAMAGED_COUNTS = ("[]", '"twelve"', '{"people": 7}', '{"people": {"new": "many", "changed": [2]}}')


@POSTGRESQL_IS_LONG
def test_a_run_whose_numbers_were_damaged_is_shown_without_them(
    site: Site, database_url: str | None
) -> None:
    run_id = add_run(site, 11, counts={"people": {"new": 12}})
    admin = by_button(site, "district_admin")
    for damaged in (*DAMAGED_COUNTS, *(() if database_url else ("", "{"))):
        with database_session(site) as session:
            session.execute(text("UPDATE clever_sync_runs SET counts = :it"), {"it": damaged})
        assert "No changes" in admin.open("/district/updates").text
        assert admin.open(f"/district/updates/{run_id}").heading == FINISHED
        assert run_flask_clever(site, "runs").count("\tadministrator\tevents\t-\t-") == 1


def test_a_failed_update_tells_the_administrator_little_and_the_operator_why(site: Site) -> None:
    admin = by_button(site, "district_admin").press("Update now")
    site.clever.add_fault("events", status=401, times=0)
    run_flask_clever(site, "run-sync", run_id_of(admin), fails=True)
    assert admin.open(admin.path).heading == FAILED
    assert "Clever no longer lets this app read your lists" in admin.text
    [row] = [json.loads(line) for line in run_flask_clever(site, "runs", "--json").splitlines()][:1]
    assert (row["trigger"], row["mode"]) == ("administrator", "failed")
    assert "Clever" in row["problem"]


def test_an_update_whose_process_started_late_is_shown_while_it_reads(site: Site) -> None:
    site.clever.change_roster("name", "student", last="Adler")
    admin = by_button(site, "district_admin").press("Update now")
    seen: list[Any] = []

    def look(_app: Flask, *, connection: Connection, **_: object) -> None:
        query = select(SyncRun.finished_at, SyncRun.progress)
        seen.append(connection.execute(query.where(SyncRun.id == run_id_of(admin))).one())

    with database_session(site) as session:
        late = utc_now() - timedelta(minutes=1)
        session.execute(update(SyncRun).values(waits_until=late))
    with signals.people_changed.connected_to(look, sender=flask_app(site)):
        run_flask_clever(site, "run-sync", run_id_of(admin))
    assert seen == [(None, "")]


def test_an_update_that_reads_the_district_is_not_started_a_second_time(site: Site) -> None:
    run_id = add_unfinished_run(site, progress="500 people")
    assert run_flask_clever(site, "run-sync", run_id) == ""
    assert [(run.mode, run.progress) for run in runs(site)][-1:] == [(None, "500 people")]


def test_an_update_that_fails_on_its_way_says_what_it_has_changed(site: Site) -> None:
    with database_session(site) as session:
        session.execute(update(District).values(cursor=None))
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.add_fault("data", path="/sections", status=403, times=0)
    admin = by_button(site, "district_admin").press("Update now")
    run_flask_clever(site, "run-sync", run_id_of(admin), fails=True)
    [row] = [json.loads(line) for line in run_flask_clever(site, "runs", "--json").splitlines()][:1]
    assert (row["mode"], row["changes"]) == ("failed", "people: 1 changed")


def test_only_the_number_of_records_is_stored_as_progress(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PROGRESS_INTERVAL_SECONDS", -1)
    site.clever.add_fault("events", status=403, times=0)
    site.clever.add_fault("data", path="/schools", body='{"data": 7}', times=0)
    result = sync_site(site, "--full", "--district", district_of(site))
    assert "Clever shares no events with this app." in result.stderr
    assert (runs(site)[-1].mode, runs(site)[-1].progress) == ("failed", "")


def test_a_problem_is_stored_up_to_the_length_of_its_column() -> None:
    """A longer one would end the sync on PostgreSQL."""
    for length in (1, 500, 501):
        result = SyncResult(district_id="a", name="", mode="failed", reason="x" * length)
        assert result_values(result, Counts())["problem"] == "x" * min(length, 500)


def test_an_update_that_fails_before_it_reads_the_district_has_a_result(site: Site) -> None:
    admin = by_button(site, "district_admin").press("Update now")
    site.clever.add_fault("token", status=401, times=0)
    run_flask_clever(site, "run-sync", run_id_of(admin), fails=True)
    assert admin.open(admin.path).heading == FAILED
    assert "CLEVER_CLIENT_SECRET" in run_flask_clever(site, "runs")
    assert "CLEVER_CLIENT_SECRET" not in admin.text


@pytest.mark.parametrize("user_name", ["student", "teacher", "school_admin"])
def test_other_users_can_neither_start_nor_see_an_update(
    site: Site, started: Path, user_name: str
) -> None:
    run_id = add_run(site, 11)
    visitor = by_button(site, user_name)
    assert post_click(visitor).status_code == 404
    assert visitor.open("/district/updates").response.status_code == 404
    assert visitor.open(f"/district/updates/{run_id}").response.status_code == 404
    assert administrators_runs(site) == [run_id]
    assert started.read_text() == ""


@POSTGRESQL_IS_LONG
def test_the_database_decides_who_is_a_district_administrator(site: Site) -> None:
    admin = by_button(site, "district_admin")
    with database_session(site) as session:
        person = Person.clever_id == site.person("district_admin").id
        session.execute(update(Person).where(person).values(roles=["teacher"]))
    assert admin.press("Update now").response.status_code == 404
    assert administrators_runs(site) == []


@POSTGRESQL_IS_LONG
def test_an_administrator_sees_no_update_of_another_district(site: Site) -> None:
    add_districts(site, 1)
    run_id = add_run(site, district_id="more0")
    admin = by_button(site, "district_admin")
    assert admin.open(f"/district/updates/{run_id}").response.status_code == 404
    assert run_id not in admin.open("/district/updates").response.text


def test_a_click_without_a_token_starts_nothing(site: Site, started: Path) -> None:
    admin = by_button(site, "district_admin")
    address = f"{site.url}/district/updates"
    assert admin.http.post(address, headers={"Origin": site.url}, timeout=60).status_code == 400
    assert administrators_runs(site) == []
    assert started.read_text() == ""


def test_operators_can_switch_the_button_off(make_site: SiteMaker, started: Path) -> None:
    site = make_account_app(make_site, None, sync_button=False)
    give_first_sync(site)
    assert_without_button(site, started)


def test_an_app_that_flask_cannot_find_has_no_button(
    make_site: SiteMaker, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLASK_APP", raising=False)
    site = make_site(make_app=reference_app_without_name)
    give_first_sync(site)
    assert_without_button(site, started)
    monkeypatch.setenv("FLASK_APP", "lending.web:make_app('production')")
    by_button(site, "district_admin").press("Update now")
    assert " --app lending.web:make_app('production') clever" in wait_for(started, 1)[0]


def assert_without_button(site: Site, started: Path) -> None:
    admin = by_button(site, "district_admin")
    assert "Update now" not in admin.text
    assert post_click(admin).status_code == 404
    assert admin.click("History of updates").heading == "History of updates"
    assert started.read_text() == ""


def reference_app_without_name(settings: Settings) -> Flask:
    """Return the reference app, for which `parts.Rosters` has no `flask_app`."""
    from tests.support.reference_app import app as module

    app = Flask("app", root_path=str(reference_app.FOLDER), instance_path=settings.instance_path)
    chosen = [parts.Rosters() if isinstance(part, parts.Rosters) else part for part in module.PARTS]
    CleverLogin(
        app, settings, product="Reading Room", url_prefix="", after_login="/dashboard", parts=chosen
    )
    module.add_pages(app)
    return app


@POSTGRESQL_IS_LONG
def test_each_sync_of_a_district_is_in_the_history(site: Site) -> None:
    own = district_of(site)
    before = len(runs(site))
    assert sync_site(site).exit_code == 0
    districts = [district.id for district in site.clever.people.districts]
    assert sorted(run.district_id for run in runs(site)[before:]) == sorted(districts)
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.add_fault("events", status=401, times=0)
    sync_site(site, "--district", own)
    site.clever.clear_faults()
    rows = [json.loads(line) for line in run_flask_clever(site, "runs", "--json").splitlines()]
    assert [rows[0][name] for name in ("district", "trigger", "mode")] == [
        own,
        "schedule",
        "failed",
    ]
    sync_site(site, "--district", own)
    text = run_flask_clever(site, "runs", "--district", own)
    assert "\tschedule\tevents\tpeople: 1 changed\t-" in text
    assert {line.partition("\t")[0] for line in text.splitlines()[1:]} == {own}
    assert text.count(f"\n{own}\t") == len([run for run in runs(site) if run.district_id == own])
    assert "Adler" not in text


@POSTGRESQL_IS_LONG
def test_a_sync_keeps_the_last_fifty_runs_of_ninety_days(site: Site) -> None:
    own = district_of(site)
    with database_session(site) as session:
        session.execute(delete(SyncRun))
    at_limit, too_old = (add_run(site, days * 1440 + 1, trigger="schedule") for days in (89, 90))
    sync_site(site, "--district", own)
    assert {at_limit} <= {run.id for run in runs(site)}
    assert too_old not in {run.id for run in runs(site)}
    limited, no_longer = (add_run(site, minutes) for minutes in (59, 61))
    newest = [
        add_run(site, place / 2, trigger="schedule") for place in range(1, 49)
    ]  # and two syncs
    sync_site(site, "--district", own)
    kept = {run.id for run in runs(site)}
    assert set(newest) <= kept
    assert limited in kept  # it counts for the limit of an hour
    assert no_longer not in kept
    assert len(kept) == 51


@POSTGRESQL_IS_LONG
def test_a_forgotten_district_leaves_no_run(site: Site) -> None:
    sync_site(site)
    own = district_of(site)
    others = len([run for run in runs(site) if run.district_id != own])
    assert others > 0
    run_flask_clever(site, "forget", "--district", own, "--yes")
    with database_session(site) as session:
        assert session.scalar(select(func.count()).select_from(SyncRun)) == others
