"""Tests that a killed Redis or a stopped gunicorn never mixes up users or loses a response."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clever_simulator.config import default_config
from clever_simulator.directory.models import Person
from tests.support import running_app
from tests.support.browser_client import Visitor
from tests.support.login_flows import log_in_at_clever, stop_before_callback
from tests.support.reference_app import GUNICORN_APP
from tests.support.running_app import Site
from tests.support.simulators import run_in_background

pytestmark = pytest.mark.servers
LOGINS = 100
AT_ONCE = 8  # fewer than the concurrent logins of one process
PATIENCE_S = 120


@contextmanager
def redis_at(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run an empty Redis on this port."""
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with running_app.run_process(command, {}, folder / f"redis-{time.monotonic_ns()}.log") as child:
        wait_until(lambda: is_listening(port))
        yield child


@contextmanager
def gunicorn_at(site: Site, folder: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run two gunicorn workers at the site's address."""
    port = port_of(site)
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", GUNICORN_APP]
    command += ["--bind", f"127.0.0.1:{port}"]
    log = folder / f"gunicorn-{time.monotonic_ns()}.log"
    env = running_app.environment_variables(site.settings, port) | variables
    with running_app.run_process(command, env, log) as child:
        running_app.wait_until_answers(f"{site.url}/healthz", child)
        yield child


@contextmanager
def clever_with_an_app(folder: Path, redis_port: int) -> Iterator[Site]:
    """Run the simulator, and yield a site whose app is not started yet."""
    url = f"http://localhost:{running_app.free_port()}"
    with run_in_background(default_config(url)) as clever:
        redis_url = f"redis://127.0.0.1:{redis_port}/0"
        yield Site(
            url, clever, running_app.settings_for(url, clever.url, folder, redis_url=redis_url)
        )


def port_of(site: Site) -> int:
    return int(site.url.rpartition(":")[2])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def students(site: Site) -> list[Person]:
    """Return a hundred students with distinct names."""
    by_name = {p.name.full: p for p in site.clever.people.people if p.roles == ("student",)}
    return list(by_name.values())[:LOGINS]


@dataclass
class Child(Visitor):
    """A student with a separate browser. Every page must be the student's own or the 503 page."""

    person: Person | None = None
    others: frozenset[str] = frozenset()  # the full names of all others

    def log_in(self) -> bool:
        """Try to log in once, also if Clever remembers another user.

        Returns whether it succeeded.
        """
        assert self.person
        self.open(f"/login?district_id={self.person.district.id}")
        if not self.at_app:
            log_in_at_clever(self, self.person.user_name)
        return self.is_in

    def comes_back(self) -> bool:
        """Open the dashboard. Returns whether the student is still logged in."""
        self.open("/dashboard")
        return self.is_in

    @property
    def is_in(self) -> bool:
        """Whether this is the student's dashboard.

        Any other page of the app must be the 503 page.
        """
        assert self.person
        if self.response.status_code == 200 and self.path == "/dashboard":
            assert self.person.name.full in self.text
            return True
        assert (self.response.status_code, self.code) == (503, "store_unavailable"), self.text
        assert self.response.headers["Retry-After"]
        return False

    def _send(
        self, method: str, url: str, data: dict[str, str], headers: dict[str, str], site: str = ""
    ) -> None:
        super()._send(method, url, data, headers, site)
        for hop in self.hops:
            if not hop.url.startswith(self.app_url):
                continue  # Clever's form lists users to log in as
            assert hop.status_code in {200, 302, 303, 503}, f"{hop.status_code} at {hop.url}"
            assert not [name for name in self.others if name in hop.text]


@dataclass(frozen=True)
class Attempt:
    """One login, from its first click to its last page. Times are monotonic, in seconds."""

    begun: float
    ended: float
    child: Child
    is_in: bool


class LoginRush:
    """A hundred students who log in, a few at a time, and retry until they succeed."""

    def __init__(self, site: Site) -> None:
        people = students(site)
        assert len(people) == LOGINS
        names = frozenset(person.name.full for person in people)
        self.children = [
            Child(site.url, person=person, others=names - {person.name.full}) for person in people
        ]
        self.attempts: list[Attempt] = []
        self._parts: list[Future[None]] = []
        self._deadline = 0.0

    def begin(self, pool: ThreadPoolExecutor) -> None:
        """Start the logins, with a time limit."""
        self._deadline = time.monotonic() + PATIENCE_S
        self._parts = [pool.submit(self._log_in_with_retries, child) for child in self.children]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until `happens` returns True. Raises the failure of any student's login."""
        wait_until(lambda: self._check_logins() and condition())

    def is_complete(self) -> bool:
        """Return whether every student is logged in."""
        return all(part.done() for part in self._parts)

    def failed(self) -> list[Attempt]:
        """Return the attempts so far that ended on a 503 page."""
        return [attempt for attempt in list(self.attempts) if not attempt.is_in]

    def logged_in_students(self) -> list[Child]:
        """Return the students whose login has succeeded so far."""
        return [attempt.child for attempt in list(self.attempts) if attempt.is_in]

    def _check_logins(self) -> bool:
        for part in self._parts:
            if part.done():
                part.result()
        return True

    def _log_in_with_retries(self, child: Child) -> None:
        """Log one student in, with retries until the time limit."""
        while time.monotonic() < self._deadline:
            begun = time.monotonic()
            is_in = child.log_in()
            self.attempts.append(Attempt(begun, time.monotonic(), child, is_in))
            if is_in:
                return
            time.sleep(0.1)
        raise AssertionError(f"not in when the time was over: {child.text}")


def test_killing_redis_during_a_hundred_logins_never_mixes_up_users(tmp_path: Path) -> None:
    port = running_app.free_port()
    with ExitStack() as stack:
        redis = stack.enter_context(redis_at(port, tmp_path))
        site = stack.enter_context(clever_with_an_app(tmp_path, port))
        stack.enter_context(gunicorn_at(site, tmp_path))
        site.clever.add_fault(
            "me", times=0, delay_s=0.1
        )  # keeps many logins between claim and session
        rush = LoginRush(site)
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        rush.begin(pool)
        rush.wait_until(lambda: len(rush.logged_in_students()) >= LOGINS * 0.4)
        redis.kill()
        killed = time.monotonic()
        redis.wait(5)
        for child in rush.logged_in_students()[:10]:
            assert not child.comes_back()  # a 503, and never a way to log in
        rush.wait_until(lambda: len(rush.failed()) >= 20)
        stack.enter_context(redis_at(port, tmp_path))
        returned = time.monotonic()
        rush.wait_until(rush.is_complete)
        assert [attempt for attempt in rush.attempts if attempt.begun < killed < attempt.ended]
        assert not [attempt for attempt in rush.failed() if attempt.begun > returned]
        assert len(rush.logged_in_students()) == LOGINS
        site.clever.clear_faults()
        successful = [attempt for attempt in rush.attempts if attempt.is_in]
        after = [attempt.child.comes_back for attempt in successful if attempt.begun > returned]
        before = [attempt.child.log_in for attempt in successful if attempt.begun <= returned]
        assert after
        assert before
        assert all(pool.map(lambda visit: visit(), after + before))


def test_a_stopping_gunicorn_finishes_the_logins_it_has_started(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis_url = stack.enter_context(running_app.run_redis(tmp_path))
        redis_port = int(redis_url.rpartition(":")[2].partition("/")[0])
        site = stack.enter_context(clever_with_an_app(tmp_path, redis_port))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        with gunicorn_at(site, tmp_path) as child:
            people = students(site)[:AT_ONCE]
            visitors = [stop_before_callback(site, person.user_name) for person in people]
            site.clever.add_fault("me", times=0, delay_s=1.5)
            futures = [pool.submit(finish_login, visitor) for visitor in visitors]
            wait_until(lambda: count_me_requests(site) == AT_ONCE)
            child.send_signal(signal.SIGTERM)
            assert [future.result(PATIENCE_S) for future in futures] == [303] * AT_ONCE
            assert child.wait(PATIENCE_S) == 0
        with gunicorn_at(site, tmp_path):
            for visitor, person in zip(visitors, people, strict=True):
                assert person.name.full in visitor.open("/dashboard").text
        assert count_me_requests(site) == AT_ONCE  # nobody had to log in twice


@contextmanager
def ask_and_wait(url: str, path: str) -> Iterator[socket.socket]:
    """Open a connection, send a complete request, and read nothing yet."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), PATIENCE_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        yield connection


def status_of(connection: socket.socket) -> str:
    """Return the response's status, or "" if the server closed the connection. Closes it."""
    with connection:
        try:
            return connection.recv(4096).decode().partition(" ")[2][:3]
        except ConnectionError:
            return ""


def test_a_stopping_gunicorn_answers_every_request_it_has_received(tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = stack.enter_context(clever_with_an_app(tmp_path, running_app.free_port()))
        child = stack.enter_context(gunicorn_at(site, tmp_path))
        requests = [stack.enter_context(ask_and_wait(site.url, "/healthz")) for _ in range(LOGINS)]
        child.send_signal(signal.SIGTERM)
        assert [status_of(request) for request in requests] == ["200"] * LOGINS
        assert child.wait(PATIENCE_S) == 0


def test_a_second_gunicorn_does_not_start_on_the_same_port(tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = stack.enter_context(clever_with_an_app(tmp_path, running_app.free_port()))
        stack.enter_context(gunicorn_at(site, tmp_path))
        log = tmp_path / "second.log"
        variables = running_app.environment_variables(site.settings, port_of(site))
        command = [sys.executable, "-m", "gunicorn", GUNICORN_APP]
        command += ["--bind", f"127.0.0.1:{port_of(site)}"]
        second = stack.enter_context(running_app.run_process(command, variables, log))
        assert second.wait(PATIENCE_S) == 1
        assert f"Connection in use: ('127.0.0.1', {port_of(site)})" in log.read_text()


def test_a_login_in_progress_at_clever_survives_a_gunicorn_restart(tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis_url = stack.enter_context(running_app.run_redis(tmp_path))
        redis_port = int(redis_url.rpartition(":")[2].partition("/")[0])
        site = stack.enter_context(clever_with_an_app(tmp_path, redis_port))
        with gunicorn_at(site, tmp_path) as child:
            visitor = stop_before_callback(site, "student")
            child.send_signal(signal.SIGTERM)
            assert child.wait(PATIENCE_S) == 0
        with gunicorn_at(site, tmp_path):
            visitor.open(visitor.url)
            assert [hop.status_code for hop in visitor.hops] == [303, 200]
            assert site.person("student").name.full in visitor.text


def finish_login(visitor: Visitor) -> int:
    """Return from Clever. Returns the status of the app's response."""
    visitor.stop_at = "/dashboard"
    visitor.open(visitor.url)
    visitor.stop_at = None
    return visitor.response.status_code


def count_me_requests(site: Site) -> int:
    """Return how many logins have requested /me."""
    return sum(request["path"].endswith("/me") for request in site.clever.received_requests())
