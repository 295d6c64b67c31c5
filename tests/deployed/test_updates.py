"""Tests the process that a district administrator's button starts, with gunicorn's workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.support import reference_app, running_app
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.running_app import Site

pytestmark = pytest.mark.servers
FINISHED, RUNNING = "The update is finished", "The lists are being updated"


@pytest.fixture
def site(tmp_path: Path, postgres: str) -> Iterator[Site]:
    url = running_app.new_database_with_tables(postgres)
    with running_app.run_gunicorn_with_redis(tmp_path, database_url=url) as site:
        site.clever.add_fault("data", delay_s=1, times=0)
        yield site


def process_of(visitor: Visitor) -> int:
    """Return the id of the process that runs the update on the visitor's page."""
    run_id = visitor.path.rpartition("/")[2].encode()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended
                continue
            if run_id in words and b"flask" in words:
                return int(folder.name)
        time.sleep(0.05)
    raise AssertionError("no process runs the update")


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))


def wait_for_heading(visitor: Visitor, former: str) -> str:
    path, deadline = visitor.path, time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(requests.ConnectionError):  # of a worker that was killed
            if visitor.open(path).heading != former:
                return str(visitor.heading)
        time.sleep(0.2)
    raise AssertionError(f"the page still says {former}")


def wait_until_it_reads(visitor: Visitor) -> None:
    deadline = time.monotonic() + 120
    while "starts soon" in visitor.open(visitor.path).text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert visitor.heading == RUNNING


def run_sync(site: Site) -> int:
    """Run a sync as a scheduler does. Returns its exit code."""
    command = [sys.executable, "-m", "flask", "--app", reference_app.MODULE, "clever", "sync"]
    env = os.environ | running_app.environment_variables(site.settings, 3000)
    return subprocess.run(
        command, env=env, cwd=running_app.ROOT, check=False, timeout=300
    ).returncode


def test_an_update_has_the_lowest_priority_and_outlives_the_worker_that_started_it(
    site: Site,
) -> None:
    admin = by_button(site, "district_admin").press("Update now")
    process = process_of(admin)
    assert os.getpriority(os.PRIO_PROCESS, process) == 19
    assert os.getsid(process) == process
    worker = parent_of(process)
    os.kill(worker, signal.SIGKILL)
    assert wait_for_heading(admin, RUNNING) == FINISHED
    assert "People" in admin.text


def test_an_update_that_was_killed_is_interrupted_and_the_next_sync_reads_the_district(
    site: Site,
) -> None:
    admin = by_button(site, "district_admin").press("Update now")
    process = process_of(admin)
    wait_until_it_reads(admin)
    os.kill(process, signal.SIGKILL)
    assert wait_for_heading(admin, RUNNING) == "The update was interrupted"
    site.clever.clear_faults()
    assert run_sync(site) == 0  # although the one that was killed held the lock
    admin.click("History of updates")
    assert "Interrupted" in admin.text
    assert "People: " in admin.text
