"""Tests that a worker killed with logins in it leaves nothing behind and mixes up nobody.

A host does that to a process that uses too much memory.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
from redis import Redis

from tests.deployed.test_crashes import (
    AT_ONCE,
    Child,
    clever_with_an_app,
    count_me_requests,
    finish_login,
    gunicorn_at,
    is_listening,
    students,
    wait_until,
)
from tests.support import running_app
from tests.support.gunicorn import gunicorn, worker_processes
from tests.support.login_flows import stop_before_callback
from tests.support.printed_rows import print_row
from tests.support.raw_http import PATIENCE
from tests.support.running_app import Site

pytestmark = pytest.mark.servers
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 # where gunicorn's heartbeat files are


def children_of(site: Site) -> list[Child]:
    """Return students who have logged in at Clever and have not opened the callback yet."""
    people = students(site)[:AT_ONCE]
    names = frozenset(person.name.full for person in people)
    children = [
        Child(site.url, person=person, others=names - {person.name.full}) for person in people
    ]
    for child in children:
        assert child.person
        stop_before_callback(site, child.person.user_name, child)
    return children


def ends_without_an_answer(child: Child) -> bool:
    try:
        finish_login(child)
    except requests.ConnectionError:
        child.stop_at = None
        return True
    return False


def heartbeat_files() -> set[str]:
    return {path.name for path in SHARED_MEMORY.glob("wgunicorn-*")}


def test_killing_workers_with_logins_in_them_leaves_nothing_and_mixes_up_nobody(
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with ExitStack() as stack:
        redis_url = stack.enter_context(running_app.run_redis(tmp_path))
        port = int(redis_url.rpartition(":")[2].partition("/")[0])
        site = stack.enter_context(clever_with_an_app(tmp_path, port))
        before = heartbeat_files()
        server = stack.enter_context(gunicorn_at(site, tmp_path, TMPDIR=str(temporary)))
        children = children_of(site)
        callbacks = [child.url for child in children]
        site.clever.add_fault("me", times=0, delay_s=5)
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        logins = [pool.submit(ends_without_an_answer, child) for child in children]
        wait_until(lambda: count_me_requests(site) == AT_ONCE)
        for worker in worker_processes(server.pid):
            os.kill(worker, signal.SIGKILL)
        assert all(login.result() for login in logins)
        site.clever.clear_faults()
        running_app.wait_until_answers(f"{site.url}/healthz", server)
        for child, callback in zip(children, callbacks, strict=True):
            assert child.open(callback).path == "/dashboard"  # reloads the page of the browser
            assert child.is_in
        left = [*temporary.iterdir(), *(heartbeat_files() - before)]
        print_row(
            f"2 workers are killed with {AT_ONCE} logins in them",
            f"all are logged in after a reload of the page; files left behind: {len(left)}",
        )
        assert left == []
        with Redis.from_url(redis_url) as redis:
            lasting = [key for key in redis.scan_iter() if redis.ttl(key) == -1]
        assert lasting == []  # whatever a killed login has claimed ends by itself


def test_workers_end_when_gunicorn_itself_is_killed(tmp_path: Path) -> None:
    """Otherwise they would keep the port, and the next start would fail."""
    with gunicorn(tmp_path) as server:
        workers = worker_processes(server.child.pid)
        server.child.kill()
        try:
            wait_until(lambda: not is_listening(int(server.host.partition(":")[2])), PATIENCE)
        finally:
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
