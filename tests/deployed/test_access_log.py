"""Tests gunicorn's access log: one line of printable ASCII per request, without the query."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gunicorn import Gunicorn, gunicorn
from tests.support.raw_http import PATIENCE, ask, get

pytestmark = pytest.mark.servers
LINE = re.compile(r"\[[^\]]+\] (?P<request>[!-~]+ [!-~]+ \d{3}) \d+ms")
SECRET = "only-for-one-login"
# Request targets, each with the method, path, and status of its log line.
ASKED = {
    f"/oauth/callback?code={SECRET}&state={SECRET}": "GET /oauth/callback 400",
    "/a%0A[29/Nov/2026:08:00:00%20+0000]%20GET%20/admin%20200%201ms": (
        "GET /a%0A%5B29/Nov/2026:08:00:00%20+0000%5D%20GET%20/admin%20200%201ms 404"
    ),
    "/a%0D%0Ab": "GET /a%0D%0Ab 404",
    "/a%1B%5B2J%1b]0;title%07": "GET /a%1B%5B2J%1B%5D0;title%07 404",
    "/a%20200%205ms": "GET /a%20200%205ms 404",
    '/a%22"%5C%7F%00': "GET /a%22%22%5C%7F%00 404",
    "/%E2%80%AE%C2%85%E2%80%A8": "GET /%E2%80%AE%C2%85%E2%80%A8 404",
    "/a%25%0a": "GET /a%25%0A 404",
    f"http://evil.example/?{SECRET}": "GET / 200",
    "/healthz": "GET /healthz 200",
}
TOLD_ALL = (
    '%(t)s %(h)s %(l)s %(u)s "%(r)s" %(m)s %(U)s %(q)s %(H)s %(s)s %(b)s %(B)s %(f)s "%(a)s" '
    "%(T)s %(D)s %(M)s %(L)s %(p)s %({referer}i)s %({cookie}i)s %({authorization}i)s "
    "%({location}o)s %({set-cookie}o)s %({query_string}e)s %({raw_uri}e)s %({request_uri}e)s"
)


def lines(log: Path, count: int) -> list[str]:
    """Wait for `count` lines in a log and return them. A response arrives before its line."""
    deadline = time.monotonic() + PATIENCE
    while log.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
    return log.read_bytes().decode("ascii").splitlines()


@pytest.fixture(scope="module", params=["", "gthread"])
def logged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gunicorn, Path]]:
    """The shipped worker class and gunicorn's default one, with the same logger."""
    folder = tmp_path_factory.mktemp("log")
    log = folder / "access.log"
    worker = ("--worker-class", request.param) if request.param else ()
    options = ("--workers", "1", "--access-logfile", str(log), *worker)
    with gunicorn(folder, *options) as server:
        yield server, log


@pytest.mark.parametrize("target", ASKED)
def test_a_request_is_one_log_line_that_no_visitor_can_forge(
    logged: tuple[Gunicorn, Path], target: str
) -> None:
    server, log = logged
    before = len(lines(log, 1))
    get(server.place, target, server.host, f"Referer: {server.url}/?{SECRET}")
    line = lines(log, before + 1)[before]
    match = LINE.fullmatch(line)
    assert match, line
    assert match["request"] == ASKED[target]
    assert SECRET not in line


REFUSED = {
    f"GET /?{SECRET} HTTP/1.1\r\nHost : x\r\n\r\n": "- - 400",
    f"GET /{SECRET}\n HTTP/1.1\r\nHost: x\r\n\r\n": "- - 400",
    f"GET /?{SECRET} HTTP/3.0\r\nHost: x\r\n\r\n": "- - 505",
    f"POST /logout?{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n": (
        "POST /logout 413"
    ),
}


def test_a_request_that_the_server_refuses_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with gunicorn(tmp_path, "--workers", "1", "--access-logfile", str(log)) as server:
        for request_text in REFUSED:
            ask(server.place, request_text)
    matches = [LINE.fullmatch(line) for line in lines(log, 1 + len(REFUSED))[1:]]
    assert [match and match["request"] for match in matches] == list(REFUSED.values())
    assert SECRET not in log.read_text() + server.log.read_text()


def test_a_custom_log_format_gets_no_query_string(tmp_path: Path) -> None:
    headers = (
        f"Referer: http://x/?{SECRET}",
        f"Cookie: session={SECRET}",
        f"Authorization: Basic {SECRET}",
        'User-Agent: a" 200 \xe9',
    )
    log = tmp_path / "access.log"
    options = ("--workers", "1", "--access-logfile", str(log), "--access-logformat", TOLD_ALL)
    with gunicorn(tmp_path, *options) as server:
        get(server.place, f"/login?{SECRET}&next=/x", server.host, *headers)
    line = lines(log, 2)[1]
    assert SECRET not in line
    assert "state=" not in line  # from the Location header
    assert re.fullmatch(r"[ -~]+", line)
    assert '"GET /login HTTP/1.1" GET /login - HTTP/1.1 302' in line
    assert r'"a\" 200 \xe9"' in line
