"""Tests syncs that are killed, run concurrently, or run during logins, as processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, literal, select

from clever_login.db import models
from clever_login.db.connection_limits import COMMAND_LIMITS
from clever_login.db.database import database
from clever_login.db.engines import make_engine
from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.support import reference_app, running_app
from tests.support.expected_rows import ExpectedRows, assert_rows_equal
from tests.support.kill_loop import SyncedSchool, kill_at_random_moments, start_school
from tests.support.login_flows import by_button
from tests.support.running_app import Site

pytestmark = pytest.mark.servers

STUDENTS = 1000  # `python -m tests.support.kill_loop` tests 100 kills with 20,000 students


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[SyncedSchool]:
    with ExitStack() as stack:
        yield start_school(stack, tmp_path, STUDENTS, database_url)


# Each test starts several processes.
SQLITE_IS_LONG = pytest.mark.parametrize(
    "database_url", [pytest.param("sqlite", marks=pytest.mark.long), "postgresql"], indirect=True
)


# One kill of each kind of sync, or several.
@pytest.mark.parametrize("moments", [3, pytest.param(12, marks=pytest.mark.long)])
@SQLITE_IS_LONG
def test_a_sync_killed_at_any_moment_loses_and_duplicates_nothing(
    school: SyncedSchool, moments: int
) -> None:
    kill_at_random_moments(school, moments, seed=int(time.time()))


# With Clever's page size, the memory for a page grows with the district until it fills a page of
# 10,000 people and one of 5,000 sections. With small pages, each of these districts fills many
# pages. In the smaller ones, SQLite's caches are still filling, with 1,300 bytes a person. A person
# kept in memory takes 3,000 bytes more.
@pytest.mark.parametrize(
    ("number", "bytes_a_person"),
    [(2_000, 2_500), pytest.param(10_000, 250, marks=pytest.mark.long)],
)
def test_a_sync_of_four_times_as_many_people_needs_no_more_memory(
    tmp_path: Path, number: int, bytes_a_person: int
) -> None:
    few, many = (most_memory(tmp_path / str(count), count) for count in (number, 4 * number))
    assert (many - few) * 1024 < bytes_a_person * 3 * number


def most_memory(folder: Path, students: int) -> int:
    """Return the peak memory in kilobytes of a full sync to an empty database with small pages."""
    with ExitStack() as stack:
        folder.mkdir()
        school = start_school(stack, folder, students, None)
        wsgi_app = school.clever.app.wsgi_app

        def with_small_pages(environ: dict[str, Any], start_response: Any) -> Any:
            environ["QUERY_STRING"] = re.sub(r"limit=\d{4,}", "limit=500", environ["QUERY_STRING"])
            return wsgi_app(environ, start_response)

        school.clever.app.wsgi_app = with_small_pages  # type: ignore[method-assign] # as Flask says
        peak = int(school.run().split()[-1])
        lists = [
            request
            for request in school.clever.received_requests()
            if request["path"].endswith("/users")
        ]
        assert len(lists) > students / 500
        return peak


def test_sqlite_keeps_few_of_the_long_statements_of_a_sync(tmp_path: Path) -> None:
    """Each chunk of a sync selects another number of ids, which makes another SQL statement."""
    engine = make_engine(f"sqlite:///{tmp_path}/school.sqlite3", COMMAND_LIMITS)
    with engine.connect() as connection:

        def run_statements(numbers: range) -> None:
            for number in numbers:
                ids = literal("0").in_([str(value) for value in range(number)])
                connection.execute(select(literal(1)).where(ids)).all()

        run_statements(range(4_980, 5_000))
        before = anonymous_memory()
        run_statements(range(4_900, 4_960))
        assert anonymous_memory() - before < 20_000


def anonymous_memory() -> int:
    """Return the memory in kilobytes that this process has allocated (Linux)."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))


@SQLITE_IS_LONG
def test_a_second_concurrent_sync_does_nothing_and_says_so(school: SyncedSchool) -> None:
    school.clever.add_fault("data", delay_s=5)
    with school.start() as first:
        wait_for_a_lease(school)
        with school.start() as second:
            output = second.communicate(timeout=300)[0]
        assert second.returncode == 4
        assert "Another sync is running" in output
        assert "full read" not in output
        first.communicate(timeout=300)
    assert first.returncode == 0
    school.check()


def wait_for_a_lease(school: SyncedSchool) -> None:
    deadline = time.monotonic() + 120
    leases = select(func.count()).select_from(models.SyncLock)
    while True:
        with database(school.app).read_session() as session:
            if session.scalar(leases):
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def a_sync(site: Site) -> int:
    """Run a sync in a separate process, as a scheduler does. Returns its exit code."""
    command = [sys.executable, "-m", "flask", "--app", reference_app.MODULE, "clever", "sync"]
    env = os.environ | running_app.environment_variables(site.settings, 3000)
    return subprocess.run(
        command, env=env, cwd=running_app.ROOT, check=False, timeout=300
    ).returncode


def test_a_hundred_logins_succeed_during_two_syncs(make_site: SiteMaker, postgres: str) -> None:
    site = make_site(database_url=running_app.new_database(postgres))
    assert site.app
    runner = site.app.test_cli_runner()
    runner.invoke(args=["clever", "db", "upgrade"])
    usual = default_config(site.url)
    site.clever.configure(replace(usual, students=STUDENTS))
    with ThreadPoolExecutor(9) as pool:
        syncs = [pool.submit(a_sync, site) for _ in range(2)]
        names = [str(1_000_001 + number) for number in range(100)]
        pages = list(pool.map(lambda name: by_button(site, name).path, names))
        assert set(pages) == {"/dashboard"}
        codes = sorted(sync.result(300) for sync in syncs)
        assert codes in ([0, 0], [0, 4])  # the second one may start after the first one has ended
    result = runner.invoke(args=["clever", "sync", "--full"])
    assert result.exit_code == 0, result.output
    for district in site.clever.people.districts:
        assert_rows_equal(ExpectedRows(site.clever, district), database(site.app).engine)
