"""Tests that a stop or reload of gunicorn leaves no request without a response."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.support import running_app
from tests.support.gunicorn import Gunicorn, gunicorn
from tests.support.login_flows import stop_before_callback
from tests.support.printed_rows import print_row
from tests.support.raw_http import PATIENCE, connect, one_reply, read_all, replies
from tests.support.steady_load import steady_load

pytestmark = pytest.mark.servers
CLIENTS = {"busy": 6, "new": 6, "resting": 40}
AT_ONCE = 64


def request_bytes(server: Gunicorn, path: str = "/login", *lines: str) -> bytes:
    """Return one complete request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {server.host}", *lines, "", ""]).encode()


@pytest.mark.parametrize("unix", [False, True])
def test_a_stop_under_load_loses_no_request(tmp_path: Path, unix: bool) -> None:
    with gunicorn(tmp_path, unix=unix) as server:
        with steady_load(partial(connect, server.place), request_bytes(server), CLIENTS) as load:
            load.wait_for(150)
            server.child.send_signal(signal.SIGTERM)
            time.sleep(0.5)  # a router also needs a moment to send requests elsewhere
        assert server.child.wait(PATIENCE) == 0
        assert server.socket is None or not server.socket.exists()
    print_row(
        f"a stop under load, {'Unix socket' if unix else 'TCP'}",
        f"answered: {len(load.answered)}, lost: {len(load.lost)}",
    )
    assert load.lost == []
    assert {reply.status for reply in load.answered} == {302}


@pytest.mark.parametrize("options", [(), ("--max-requests", "60", "--max-requests-jitter", "30")])
def test_a_reload_of_the_workers_loses_no_request(tmp_path: Path, options: tuple[str, ...]) -> None:
    """On HUP, as after a configuration change, and after a maximum number of requests."""
    with gunicorn(tmp_path, *options) as server:
        with steady_load(partial(connect, server.place), request_bytes(server), CLIENTS) as load:
            load.wait_for(150)
            if not options:
                server.child.send_signal(signal.SIGHUP)
            load.wait_for(300)
        booted = server.log.read_text().count("Booting worker")
    print_row(
        f"a reload under load, {' '.join(options) or 'HUP'}",
        f"answered: {len(load.answered)}, lost: {len(load.lost)}, started workers: {booted}",
    )
    assert load.lost == []
    assert booted >= 4


def test_a_stopping_server_answers_a_half_sent_request_and_then_closes(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "1") as server:
        with connect(server.place) as half, connect(server.place) as idle:
            half.sendall(request_bytes(server)[:20])
            idle.sendall(request_bytes(server))
            assert one_reply(idle).status == 302
            time.sleep(0.2)
            server.child.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            for raw, remainder in (
                (idle, request_bytes(server)),
                (half, request_bytes(server)[20:]),
            ):
                raw.sendall(remainder)
                (reply,) = replies(read_all(raw))
                assert (reply.status, reply.header("Connection")) == (302, "close")
        assert server.child.wait(PATIENCE) == 0


def test_a_stop_does_not_wait_for_idle_connections(tmp_path: Path) -> None:
    with gunicorn(tmp_path) as server, connect(server.place) as idle:
        began = time.monotonic()
        server.child.send_signal(signal.SIGTERM)
        assert server.child.wait(PATIENCE) == 0
        assert time.monotonic() - began < 15  # the graceful timeout is 25 s
        assert read_all(idle) == b""


def test_a_new_gunicorn_takes_over_on_usr2(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--pid", str(tmp_path / "pid")) as server:
        with steady_load(partial(connect, server.place), request_bytes(server), {"new": 4}) as load:
            load.wait_for(20)
            server.child.send_signal(signal.SIGUSR2)
            new = _pid_in(tmp_path / "pid.2")
            server.child.send_signal(signal.SIGTERM)
            assert server.child.wait(PATIENCE) == 0
            load.wait_for(20)
        os.kill(new, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while Path(f"/proc/{new}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert load.lost == []


def _pid_in(path: Path) -> int:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, "no new gunicorn started"
        time.sleep(0.05)
    time.sleep(0.1)
    return int(path.read_text())


def test_sixty_four_simultaneous_logins_all_succeed(tmp_path: Path) -> None:
    with running_app.run_gunicorn_with_redis(tmp_path) as site:
        names = [
            person.user_name for person in site.clever.people.people if person.roles == ("student",)
        ][:AT_ONCE]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            visitors = list(pool.map(lambda name: stop_before_callback(site, name), names))
            opened = list(pool.map(lambda visitor: visitor.open(visitor.url), visitors))
    assert len(opened) == AT_ONCE
    assert {(visitor.path, visitor.role) for visitor in opened} == {("/dashboard", "student")}
