"""Tests that slow clients and oversized requests delay nobody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import running_app
from tests.support.browser_client import send_request as visit
from tests.support.echo_app import LARGE
from tests.support.gunicorn import Gunicorn, gunicorn
from tests.support.login_flows import by_button
from tests.support.printed_rows import print_row
from tests.support.raw_http import PATIENCE, Reply, ask, connect, one_reply, read_all, replies
from tests.support.running_app import Site
from tests.support.slow_clients import ATTACKS, under_attack

pytestmark = pytest.mark.servers
# An idle machine takes a tenth. Without a defense it is 20 s, or there is no answer at all.
BOUND_SECONDS = 5
KIB_64 = 64 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_app.run_gunicorn_with_redis(tmp_path_factory.mktemp("site")) as started:
        for _ in range(6):
            by_button(started, "teacher")  # the first login of each process takes longer
        yield started


@pytest.mark.parametrize("name", ATTACKS)
def test_slow_clients_delay_neither_health_checks_nor_logins(site: Site, name: str) -> None:
    with under_attack(ATTACKS[name], site.url):
        began = time.monotonic()
        for _ in range(4):  # one worker may be free while the other is not
            assert visit(f"{site.url}/healthz").status_code == 200
        answered = time.monotonic()
        assert by_button(site, "student").path == "/dashboard"
        in_after = time.monotonic() - answered
    print_row(
        f"{ATTACKS[name].connections} {name}",
        f"4 health checks: {answered - began:.2f} s, then a login: {in_after:.2f} s",
    )
    assert answered - began < BOUND_SECONDS
    assert in_after < BOUND_SECONDS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    folder = tmp_path_factory.mktemp("uploads")
    app = "tests.support.echo_app:with_uploads()"
    with gunicorn(folder, "--workers", "1", app=app) as started:
        yield started


def request_head(server: Gunicorn, line: str, *lines: str) -> bytes:
    """Return the header of a request, including the blank line."""
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {server.host}", *lines, "", ""]).encode()


SLOW = {
    "half a header": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
    "half a request line": (b"GET /hea", b"l"),
    "half a body": (b"POST /logout HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", b"a"),
    "half a chunk": (
        b"POST /logout HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n",
        b"a",
    ),
    "chunks without end": (
        b"POST /logout HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\na\r\n",
    ),
}


def test_a_request_that_takes_longer_than_ten_seconds_is_answered_408(server: Gunicorn) -> None:
    """The limit is for the whole request, even if bytes keep arriving.

    Idle connections stay open.
    """
    with connect(server.place) as idle, connect(server.place) as used:
        used.sendall(request_head(server, "GET /healthz"))
        assert one_reply(used).status == 200
        responses, seconds = _drip_all(server)
        for raw in (idle, used):
            raw.sendall(request_head(server, "GET /healthz", "Connection: close"))
            assert replies(read_all(raw))[-1].status == 200
    for name, reply in responses.items():
        assert reply.status == 408, name
        assert reply.header("Connection") == "close"
        assert "did not arrive within 10 seconds" in reply.body
    assert 9 < seconds < 9 + BOUND_SECONDS


def _drip_all(server: Gunicorn) -> tuple[dict[str, Reply], float]:
    """Send each of SLOW a few bytes per second. Returns the responses and the seconds they took."""
    began = time.monotonic()
    open_ones = {name: connect(server.place) for name in SLOW}
    for name, raw in open_ones.items():
        raw.sendall(SLOW[name][0])
    responses: dict[str, Reply] = {}
    while open_ones and time.monotonic() - began < 9 + BOUND_SECONDS:
        for name, raw in list(open_ones.items()):
            raw.settimeout(0.05)
            try:
                received = raw.recv(65536)
            except TimeoutError:
                raw.sendall(SLOW[name][1])
                continue
            raw.settimeout(PATIENCE)
            responses[name] = replies(received + read_all(raw))[0]
            open_ones.pop(name).close()
        time.sleep(0.2)
    for raw in open_ones.values():
        raw.close()
    return responses, time.monotonic() - began


def post(
    server: Gunicorn, path: str, body: bytes, *header_lines: str, declared: int | None = None
) -> Reply:
    """Send one POST. `declared` replaces the true Content-Length."""
    length = len(body) if declared is None else declared
    lines = ("Connection: close", f"Content-Length: {length}", *header_lines)
    return ask(server.place, request_head(server, f"POST {path}", *lines) + body)[-1]


def test_a_body_is_limited_to_64_kib_unless_its_view_allows_more(server: Gunicorn) -> None:
    assert post(server, "/upload", b"a" * KIB_64).body == f"{KIB_64}\n"
    assert post(server, "/upload", b"a" * LARGE).body == f"{LARGE}\n"
    for path, size in (("/upload", LARGE + 1), ("/logout", KIB_64 + 1), ("/nowhere", KIB_64 + 1)):
        reply = post(server, path, b"", declared=size)  # refused before any of it was sent
        assert (reply.status, reply.header("Connection")) == (413, "close")
        assert "larger than the page accepts" in reply.body
    assert post(server, "/logout", b"a" * KIB_64).status not in {408, 413}


def test_at_most_twenty_large_bodies_are_received_at_the_same_time(server: Gunicorn) -> None:
    part = request_head(server, "POST /upload", f"Content-Length: {LARGE}") + b"a" * KIB_64
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connect(server.place)).sendall(part)
        _wait_until(lambda: post(server, "/upload", b"", declared=LARGE).status == 503)
        assert post(server, "/upload", b"", declared=LARGE).header("Retry-After") == "60"
        assert post(server, "/upload", b"a" * KIB_64).body == f"{KIB_64}\n"
    _wait_until(lambda: post(server, "/upload", b"a" * LARGE).body == f"{LARGE}\n")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_urgent_data_closes_the_connection_and_is_not_logged(server: Gunicorn) -> None:
    with connect(server.place) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n")
        raw.send(b"!", socket.MSG_OOB)
        assert read_all(raw) == b""
    assert "urgent" not in server.log.read_text()
    assert server.log.read_text().count("\n") < 50


def chunked(body: bytes, size: int) -> bytes:
    """Return a body in chunks of this size."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "size", "chunk", "status"),
    [
        ("/upload", KIB_64, 1000, 200),
        ("/upload", LARGE, 1000, 200),
        ("/upload", LARGE + 1, 1000, 413),
        ("/logout", KIB_64 + 1, 1000, 413),
        ("/logout", KIB_64, 1, 413),  # the chunk framing is larger than the data
    ],
)
def test_a_chunked_body_has_the_same_limit(
    server: Gunicorn, path: str, size: int, chunk: int, status: int
) -> None:
    lines = ("Connection: close", "Transfer-Encoding: chunked")
    request = request_head(server, f"POST {path}", *lines) + chunked(b"a" * size, chunk)
    assert ask(server.place, request)[-1].status == status


def test_a_client_that_sends_far_too_much_can_read_the_refusal(server: Gunicorn) -> None:
    """The server must not reset the connection while a browser sends, or the response is lost."""
    body = b"a" * (3 * LARGE)
    reply = visit(f"{server.url}/upload", "POST", data=body)
    assert reply.status_code == 413
    assert reply.text.startswith("This is larger than the page accepts.")


def test_a_client_that_sends_expect_with_too_large_a_body_is_refused(server: Gunicorn) -> None:
    lines = ("Expect: 100-continue", f"Content-Length: {KIB_64 + 1}")
    assert [
        reply.status for reply in ask(server.place, request_head(server, "POST /logout", *lines))
    ] == [413]


def test_a_refusal_repeats_nothing_from_the_request(server: Gunicorn) -> None:
    (reply,) = ask(server.place, request_head(server, "GET /?code=secret", "X-Secret : secret"))
    assert reply.status == 400
    assert "secret" not in reply.head + reply.body


def test_too_many_connections_do_not_lock_out_new_clients(tmp_path: Path) -> None:
    options = ("--workers", "1", "--worker-connections", "50")
    with (
        gunicorn(tmp_path, *options) as server,
        under_attack(ATTACKS["half headers"], server.url) as slow,
    ):
        assert len(slow) == 300
        began = time.monotonic()
        for _ in range(5):
            assert visit(f"{server.url}/healthz").status_code == 200
        assert time.monotonic() - began < BOUND_SECONDS  # half-sent requests end after ten seconds
