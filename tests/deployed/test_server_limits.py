"""Tests what the web server does at its limits: rates, sizes, memory, and many connections.

Each test prints a row of docs/reliability.md: `bin/test tests/deployed/test_server_limits.py -rP`.
"""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from clever_login.server.worker import MAX_BUFFERED_BYTES
from tests.support import running_app
from tests.support.browser_client import send_request as visit
from tests.support.echo_app import LARGE
from tests.support.gunicorn import Gunicorn, gunicorn, memory_mb, open_files, worker_processes
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.printed_rows import print_row
from tests.support.raw_http import PATIENCE, Reply, ask, connect, get, one_reply, read_all, replies
from tests.support.running_app import Site
from tests.support.slow_clients import small_connection

pytestmark = pytest.mark.servers
KIB = 1024
BOUND_SECONDS = 5
ONE_WORKER = ("--workers", "1")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server that waits one or two seconds where it usually waits 10, 30, or 100.

    It has two threads.
    """
    folder = tmp_path_factory.mktemp("impatient")
    app = "tests.support.echo_app:impatient()"
    options = (*ONE_WORKER, "--threads", "2", "--keep-alive", "2")
    with gunicorn(folder, *options, app=app) as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server with one worker, whose temporary files are in a folder of their own."""
    folder = tmp_path_factory.mktemp("server")
    temporary_folder(folder).mkdir()
    app = "tests.support.echo_app:with_uploads()"
    with gunicorn(folder, *ONE_WORKER, app=app, TMPDIR=str(temporary_folder(folder))) as started:
        yield started


def temporary_folder(folder: Path) -> Path:
    return folder / "tmp"


def head(server: Gunicorn, line: str, *lines: str) -> bytes:
    """Return the header of a request, which ends its connection."""
    first = [f"{line} HTTP/1.1", f"Host: {server.host}", "Connection: close"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def wait_until(condition: Callable[[], bool], seconds: float = BOUND_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read_steadily(raw: socket.socket, size: int) -> int:
    """Read `size` bytes five times a second, for five seconds. Returns how many bytes arrived."""
    count = 0
    with suppress(ConnectionResetError):
        for _ in range(25):
            rest = size
            while rest and (data := raw.recv(rest)):
                rest -= len(data)
            count += size - rest
            time.sleep(0.2)
    return count


def test_a_response_must_be_read_at_a_minimum_rate(impatient: Gunicorn) -> None:
    """The rate is 40 KiB in 30 seconds, here in one. Slow readers hold neither thread."""
    size = 512 * KIB
    with ExitStack() as stack:
        never, too_slow, slow = (
            stack.enter_context(small_connection(impatient.url)) for _ in range(3)
        )
        for raw in (never, too_slow, slow):
            raw.sendall(head(impatient, f"GET /bytes/{size}"))
        assert visit(f"{impatient.url}/healthz").status_code == 200
        with ThreadPoolExecutor(2) as threads:
            rates = [
                threads.submit(read_steadily, raw, rate * KIB)
                for raw, rate in ((too_slow, 2), (slow, 64))
            ]
            counts = [rate.result() for rate in rates]
        wait_until(lambda: was_reset(never) and was_reset(too_slow))
        print_row(
            "512 KiB read at 10 and at 320 KiB/s, with a limit of 40 KiB/s",
            f"hung up on after {counts[0] // KIB} KiB; receives all of it",
        )
    assert counts[1] > size


def was_reset(raw: socket.socket) -> bool:
    """Whether the server has closed the connection without waiting for the client."""
    poll = select.poll()
    poll.register(raw, 0)
    return bool(poll.poll(0))


def test_what_clients_do_not_read_takes_a_limited_part_of_the_memory(server: Gunicorn) -> None:
    """Above the limit, the connection that was still for the longest time is closed."""
    size = 1000 * KIB  # the largest response that is kept in memory and not in a file
    (worker,) = worker_processes(server.child.pid)
    before, count = memory_mb(worker), 200
    with ExitStack() as stack:
        readers = []
        for _ in range(count):
            readers.append(stack.enter_context(small_connection(server.url)))
            readers[-1].sendall(head(server, f"GET /bytes/{size}"))
            assert select.select([readers[-1]], [], [], BOUND_SECONDS)[0]
        most = MAX_BUFFERED_BYTES // (size - 200 * KIB)
        wait_until(lambda: sum(not was_reset(raw) for raw in readers) <= most)
        resets = [was_reset(raw) for raw in readers]
        used = memory_mb(worker) - before
        print_row(
            f"{count} clients read nothing of {size // KIB:,} KiB",
            f"{resets.count(False)} stay connected; the worker uses {used:.0f} MB more",
        )
        assert resets == sorted(resets, reverse=True)  # the first ones are closed
        assert resets.count(False) > most // 2
        assert used < 60
        assert visit(f"{server.url}/healthz").status_code == 200


def send_body(server: Gunicorn, part: int, seconds: float) -> Reply:
    """Upload LARGE bytes in parts, with a pause after each, and return the response."""
    with connect(server.place) as raw:
        raw.sendall(head(server, "POST /upload", f"Content-Length: {LARGE}"))
        with suppress(OSError):
            for _ in range(LARGE // part):
                raw.sendall(b"a" * part)
                if select.select([raw], [], [], seconds)[0]:
                    break
        return replies(read_all(raw))[0]


def test_a_large_body_must_arrive_at_a_minimum_rate(impatient: Gunicorn) -> None:
    """The rate is 64 KiB in ten seconds, here in one. The whole body may take longer than that."""
    began = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(send_body, impatient, 64 * KIB, 0.15)
        too_slow = threads.submit(send_body, impatient, 4 * KIB, 0.2)
        statuses = [slow.result().status, too_slow.result().status]
    print_row(
        "1 MiB sent at 400 and at 20 KiB/s, with a limit of 64 KiB/s",
        f"{statuses[0]}; {statuses[1]}",
    )
    assert statuses == [200, 408]
    assert time.monotonic() - began > 2


CHUNKED = "Transfer-Encoding: chunked"
FLOODS = {
    "chunks of one byte": b"1\r\na\r\n",
    "a chunk size without end": b"0" * 6,
    "a chunk extension without end": b"1;a=" + b"a" * 40,
    "a trailer without end": b"0\r\nX: " + b"a" * 64,
}


@pytest.mark.parametrize("name", FLOODS)
def test_what_is_sent_around_a_body_is_limited(server: Gunicorn, name: str) -> None:
    """A view that accepts 1 MiB does not make the server read 1 MiB of framing."""
    start = head(server, "POST /upload", CHUNKED)
    filler = FLOODS[name] if name == "chunks of one byte" else FLOODS[name][-1:]
    data = start + FLOODS[name] + filler * (400 * KIB // len(filler))
    assert ask(server.place, data[: 300 * KIB])[-1].status == 413


def test_a_header_without_end_is_refused(server: Gunicorn) -> None:
    lines = b"X-A: b\r\n" * 10_000
    assert ask(server.place, head(server, "GET /")[:-2] + lines)[-1].status == 431


def test_a_browser_with_many_cookies_of_other_apps_can_log_in(site: Site) -> None:
    """A school's domain may have many apps, and a browser sends the cookies of all of them."""
    student = site.visitor()
    for number in range(24):
        student.http.cookies.set(f"other_app_{number}", "x" * KIB, domain="localhost.local")
    stop_before_callback(site, "student", student)
    assert student.open(student.url).path == "/dashboard"
    assert len(str(student.response.request.headers["Cookie"])) > 24 * KIB
    reply = get(site.url, "/login", site.url.removeprefix("http://"), f"Cookie: a={'x' * 40 * KIB}")
    assert reply.status == 431
    assert "Delete the cookies of this site, or open it in a private window" in reply.body


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_app.run_gunicorn_with_redis(tmp_path_factory.mktemp("site")) as started:
        by_button(started, "teacher")
        yield started


def seconds_until_closed(raw: socket.socket, sent_meanwhile: bytes) -> float:
    """Send these bytes five times a second until the server closes the connection."""
    began = time.monotonic()
    while not was_reset(raw):
        with suppress(OSError):
            raw.sendall(sent_meanwhile)
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.2)
    return time.monotonic() - began


def test_an_idle_connection_is_closed(impatient: Gunicorn) -> None:
    """After 100 seconds without a request, here two. Blank lines are no request."""
    with connect(impatient.place) as silent, connect(impatient.place) as used:
        used.sendall(head(impatient, "GET /healthz").replace(b"Connection: close", b"X-A: b"))
        assert one_reply(used).status == 200
        began = time.monotonic()
        assert read_all(silent) == read_all(used) == b""
        assert 1 < time.monotonic() - began < 2 + BOUND_SECONDS
    with connect(impatient.place) as blank:
        assert seconds_until_closed(blank, b"\r\n") > 1


def test_a_refused_client_that_stays_is_hung_up_on(server: Gunicorn) -> None:
    """It has two seconds to read the response. What it sends meanwhile is dropped."""
    with connect(server.place) as raw:
        raw.sendall(head(server, "POST /logout", f"Content-Length: {LARGE}"))
        seconds = seconds_until_closed(raw, b"a")
        print_row("a client goes on sending after a refusal", f"hung up on after {seconds:.1f} s")
        assert replies(raw.recv(KIB))[0].status == 413
    assert 1 < seconds < 2 + BOUND_SECONDS


def test_an_interrupted_upload_leaves_no_temporary_file(server: Gunicorn) -> None:
    (worker,) = worker_processes(server.child.pid)

    def temporary_files() -> list[str]:
        return [name for name in open_files(worker) if "/tmp/" in name]  # noqa: S108 # their names

    before = temporary_files()
    with ExitStack() as stack:
        for _ in range(10):
            raw = stack.enter_context(connect(server.place))
            raw.sendall(head(server, "POST /upload", f"Content-Length: {LARGE}"))
            raw.sendall(b"a" * (LARGE * 2 // 3))
        wait_until(lambda: len(temporary_files()) == len(before) + 10)
    wait_until(lambda: temporary_files() == before)
    assert list(temporary_folder(server.log.parent).iterdir()) == []


@contextmanager
def many_files() -> Iterator[None]:
    """Allow this process two thousand open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 2000), hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_connections_take_little_memory_and_are_given_back(
    tmp_path: Path,
) -> None:
    with many_files(), gunicorn(tmp_path, "--keep-alive", "100") as server:
        workers = worker_processes(server.child.pid)

        def measure() -> tuple[float, int]:
            return sum(map(memory_mb, workers)), sum(len(open_files(pid)) for pid in workers)

        def have_started() -> bool:
            earlier = measure()
            time.sleep(0.5)
            return measure() == earlier

        wait_until(have_started, PATIENCE)
        memory, files = measure()
        with ExitStack() as stack:
            for _ in range(1000):
                stack.enter_context(connect(server.place))
            # Each worker keeps 500 at most. If one has accepted more, some of the 1,000 are closed.
            wait_until(lambda: measure()[1] > files + 450, PATIENCE)
            began = time.monotonic()
            assert visit(f"{server.url}/healthz").status_code == 200
            seconds = time.monotonic() - began
            memory_then, files_then = measure()
        wait_until(lambda: measure()[1] <= files, PATIENCE)
        memory_after, files_after = measure()
        print_row(
            "1,000 idle connections to 2 workers: before, meanwhile, afterwards",
            f"{memory:.1f}, {memory_then:.1f}, {memory_after:.1f} MB;"
            f" {files}, {files_then}, {files_after} file descriptors;"
            f" a health check takes {seconds:.2f} s meanwhile",
        )
    assert files_then <= files + 1000
    assert memory_then - memory < 20
    assert seconds < BOUND_SECONDS


def test_five_hundred_slow_connections_delay_nobody(server: Gunicorn) -> None:
    """Each sends a header byte by byte. All are answered 408 when ten seconds have passed."""
    with many_files(), ExitStack() as stack:
        slow = [stack.enter_context(connect(server.place)) for _ in range(500)]
        began, longest, statuses = time.monotonic(), 0.0, list[int]()
        start = head(server, "GET /healthz")
        for raw in slow:
            raw.sendall(start[:-2] + b"X-Slow: ")
        while len(statuses) < len(slow) and time.monotonic() - began < 20:
            for raw in slow:
                with suppress(OSError):
                    raw.send(b"a")
            asked = time.monotonic()
            assert visit(f"{server.url}/healthz").status_code == 200
            longest = max(longest, time.monotonic() - asked)
            time.sleep(1)
            if time.monotonic() - began > 12:
                statuses = [status_of(raw) for raw in slow]
        print_row(
            "500 slow connections to 1 worker",
            f"a health check takes {longest:.2f} s at most; 408: {statuses.count(408)}",
        )
    assert statuses.count(408) >= 490  # the others were closed for health checks
    assert longest < BOUND_SECONDS


def status_of(raw: socket.socket) -> int:
    """Return the status of the response, or 0 if the connection was closed without one."""
    received = b""
    with suppress(BrokenPipeError):
        received = read_all(raw)
    return replies(received)[0].status if received else 0


def test_the_first_visitors_of_a_new_process_are_not_an_overload(tmp_path: Path) -> None:
    """They wait until it has started, which says nothing about the load."""
    app = "tests.support.echo_app:slow_to_start()"
    with gunicorn(tmp_path, *ONE_WORKER, app=app, wait=False) as server:
        began = time.monotonic()
        with ThreadPoolExecutor(12) as visitors:
            asked = [visitors.submit(get, server.place, "/login", server.host) for _ in range(12)]
            statuses = [visitor.result().status for visitor in asked]
        print_row(
            "12 visitors arrive 3 s before a worker has started",
            f"sent to Clever: {statuses.count(302)}",
        )
    assert statuses == [302] * 12
    assert time.monotonic() - began > 2
