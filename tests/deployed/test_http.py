"""Tests how the server parses HTTP: strictly, and without ambiguities that help an attacker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gunicorn import Gunicorn, gunicorn
from tests.support.printed_rows import print_row
from tests.support.raw_http import ask, connect, get, read_all, replies

pytestmark = pytest.mark.servers
ECHO = "tests.support.echo_app:environ"


@pytest.fixture(scope="module", params=["tcp", "unix"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gunicorn]:
    folder = tmp_path_factory.mktemp("http")
    with gunicorn(folder, "--workers", "1", app=ECHO, unix=request.param == "unix") as started:
        yield started


def environ(server: Gunicorn, path: str = "/", *lines: str) -> dict[str, Any]:
    """Return the WSGI environ of a request with these header lines."""
    reply = get(server.place, path, server.host, *lines)
    assert reply.status == 200, reply
    variables: dict[str, Any] = json.loads(reply.body)
    return variables


def test_a_header_with_an_underscore_in_its_name_is_dropped(server: Gunicorn) -> None:
    variables = environ(server, "/", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-For: 1.2.3.4")
    assert variables["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"
    assert "HTTP_X_FORWARDED_FOR" not in environ(server, "/", "X_Forwarded_For: 6.6.6.6")
    assert "CONTENT_LENGTH" not in environ(server, "/", "Content_Length: 5")


def test_forwarded_headers_reach_the_app_and_change_nothing_by_themselves(server: Gunicorn) -> None:
    headers = {
        "X-Forwarded-For": "1.2.3.4, 5.6.7.8",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "444",
        "Forwarded": "for=1.2.3.4;proto=https",
    }
    variables = environ(server, "/", *[f"{name}: {value}" for name, value in headers.items()])
    for name, value in headers.items():
        assert variables["HTTP_" + name.upper().replace("-", "_")] == value
    assert variables["wsgi.url_scheme"] == "http"
    assert variables["HTTP_HOST"] == server.host
    assert variables["REMOTE_ADDR"] == ("" if server.socket else "127.0.0.1")
    port = "80" if server.socket else server.host.partition(":")[2]
    assert variables["SERVER_PORT"] == port


def test_the_queue_time_is_measured_and_cannot_be_set_by_visitors(
    server: Gunicorn,
) -> None:
    lies = ("clever_login.waited_seconds", "Clever-Login-Waited-Seconds", "X-Waited-Seconds")
    variables = environ(server, "/", *[f"{name}: 99" for name in lies])
    assert 0 <= variables["clever_login.waited_seconds"] < 30


PATHS = {
    "/a%20b%2Fc?x=%2F&y": ("/a b/c", "x=%2F&y"),
    "/%C3%A9": ("/\xc3\xa9", ""),
    "//evil.example/a": ("/evil.example/a", ""),
    "/a//b": ("/a//b", ""),
    "http://evil.example/a?b": ("/a", "b"),
    "/a#b": ("/a", ""),
    "/.": ("/.", ""),
    "/%00%0a": ("/\0\n", ""),
}


@pytest.mark.parametrize("target", PATHS)
def test_a_target_is_decoded_once_and_its_host_is_ignored(server: Gunicorn, target: str) -> None:
    variables = environ(server, target)
    assert (variables["PATH_INFO"], variables["QUERY_STRING"]) == PATHS[target]
    assert variables["HTTP_HOST"] == server.host
    assert variables["SCRIPT_NAME"] == ""


def test_repeated_headers_are_joined(server: Gunicorn) -> None:
    variables = environ(server, "/", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2")
    assert variables["HTTP_X_FORWARDED_FOR"] == "1.1.1.1, 2.2.2.2"


HEAD = "Host: {host}\r\n"
REFUSED = {
    "no host": (400, "GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "two content types": (
        400,
        f"POST / HTTP/1.1\r\n{HEAD}Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
    ),
    "two lengths": (
        400,
        f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    ),
    "a length that is a list": (400, f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 1, 1\r\n\r\na"),
    "a length with a sign": (400, f"POST / HTTP/1.1\r\n{HEAD}Content-Length: +1\r\n\r\na"),
    "a length without end": (400, f"POST / HTTP/1.1\r\n{HEAD}Content-Length: {'9' * 5000}\r\n\r\n"),
    "length and coding": (
        400,
        f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
    ),
    "a coding in HTTP/1.0": (
        400,
        f"POST / HTTP/1.0\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "two codings": (
        400,
        f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    ),
    "chunked twice": (501, f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked, chunked\r\n\r\n"),
    "an unknown coding": (501, f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: gzip\r\n\r\n"),
    "a hidden coding": (
        501,
        f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    "a bad chunk size": (
        400,
        f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    ),
    "a chunk too long for its size": (
        400,
        f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ),
    "a folded header": (400, f"GET / HTTP/1.1\r\n{HEAD}X-A: b\r\n c\r\n\r\n"),
    "a folded first header": (400, f"GET / HTTP/1.1\r\n X-A: b\r\n{HEAD}\r\n"),
    "a blank before the colon": (400, f"GET / HTTP/1.1\r\n{HEAD}X-A : b\r\n\r\n"),
    "a line without a colon": (400, f"GET / HTTP/1.1\r\n{HEAD}X-A\r\n\r\n"),
    "a bare line feed": (400, f"GET / HTTP/1.1\r\n{HEAD}X-A: b\nX-B: c\r\n\r\n"),
    "a NUL in a value": (400, f"GET / HTTP/1.1\r\n{HEAD}X-A: b\0c\r\n\r\n"),
    "a tab in the target": (400, f"GET /a\tb HTTP/1.1\r\n{HEAD}\r\n"),
    "a byte that is not ASCII in the target": (400, f"GET /\xe9 HTTP/1.1\r\n{HEAD}\r\n"),
    "a blank in the target": (400, f"GET /a b HTTP/1.1\r\n{HEAD}\r\n"),
    "two blanks": (400, f"GET  / HTTP/1.1\r\n{HEAD}\r\n"),
    "a relative target": (400, f"GET a HTTP/1.1\r\n{HEAD}\r\n"),
    "a target that cannot be parsed": (400, f"GET http://[ HTTP/1.1\r\n{HEAD}\r\n"),
    "a proxy's method": (400, f"CONNECT a:443 HTTP/1.1\r\n{HEAD}\r\n"),
    "a method in small letters": (400, f"get / HTTP/1.1\r\n{HEAD}\r\n"),
    "no version": (400, "GET /\r\n\r\n"),
    "a version of the future": (505, f"GET / HTTP/2.0\r\n{HEAD}\r\n"),
    "a version of nobody": (505, f"GET / HTTP/1.2\r\n{HEAD}\r\n"),
    "another protocol": (400, f"GET / XTTP/1.1\r\n{HEAD}\r\n"),
    "TLS": (400, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"),
    "a large header": (431, f"GET / HTTP/1.1\r\n{HEAD}X-A: {'a' * 33_000}\r\n\r\n"),
    "a large target": (431, f"GET /{'a' * 33_000} HTTP/1.1\r\n{HEAD}\r\n"),
    "many headers": (431, f"GET / HTTP/1.1\r\n{HEAD}" + "X-A: b\r\n" * 120 + "\r\n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_request_is_refused_and_the_connection_closed(
    server: Gunicorn, name: str
) -> None:
    status, text = REFUSED[name]
    smuggled = f"GET /smuggled HTTP/1.1\r\nHost: {server.host}\r\n\r\n"
    received = ask(server.place, text.format(host=server.host) + smuggled)
    assert [reply.status for reply in received] == [status]
    assert received[0].header("Connection") == "close"
    assert received[0].header("Content-Type") == "text/plain; charset=utf-8"
    assert received[0].header("Cache-Control") == "no-store"
    assert received[0].header("X-Content-Type-Options") == "nosniff"
    assert received[0].header("Server") == ""
    assert received[0].body.endswith(".\n")


def test_chunks_are_joined_and_the_trailer_is_dropped(server: Gunicorn) -> None:
    body = "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
    head = f"POST / HTTP/1.1\r\nHost: {server.host}\r\nTransfer-Encoding: Chunked\r\n"
    (reply,) = ask(server.place, f"{head}Connection: close\r\n\r\n{body}")
    variables = json.loads(reply.body)
    assert (variables["body"], variables["CONTENT_LENGTH"]) == (5, "5")
    assert "HTTP_TRANSFER_ENCODING" not in variables
    assert "HTTP_X_FORWARDED_FOR" not in variables


@pytest.mark.parametrize(
    ("request_line", "lines", "stays_open"),
    [
        ("GET / HTTP/1.1", "", True),
        ("GET / HTTP/1.1", "Connection: close\r\n", False),
        ("GET / HTTP/1.1", "Connection: TE, Close\r\n", False),
        ("GET / HTTP/1.0", "", False),
        ("GET / HTTP/1.0", "Connection: keep-alive\r\n", True),
    ],
)
def test_a_connection_is_kept_open_if_the_client_asks_for_it(
    server: Gunicorn, request_line: str, lines: str, stays_open: bool
) -> None:
    request = f"{request_line}\r\nHost: {server.host}\r\n{lines}\r\n"
    last = f"GET /last HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n"
    with connect(server.place) as raw:
        raw.sendall(request.encode())
        first = raw.recv(65536)
        if stays_open:
            raw.sendall(b"\r\n" + last.encode())  # some clients end a request with a blank line
        received = replies(first + read_all(raw))
    assert [reply.status for reply in received] == [200] * (1 + stays_open)
    assert (received[0].header("Connection") == "close") is not stays_open
    assert received[0].header("Date")
    assert received[0].header("Server") == ""


def test_head_is_answered_without_a_body(server: Gunicorn) -> None:
    (reply,) = ask(
        server.place, f"HEAD / HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n"
    )
    assert reply.status == 200
    assert int(reply.header("Content-Length")) > 0
    assert reply.body == ""


def test_an_options_request_for_the_whole_server_reaches_the_app(server: Gunicorn) -> None:
    (reply,) = ask(
        server.place, f"OPTIONS * HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n"
    )
    assert json.loads(reply.body)["PATH_INFO"] == "*"


def test_a_client_that_sends_expect_gets_100_continue(server: Gunicorn) -> None:
    head = (
        f"POST / HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\nExpect: 100-continue\r\n"
    )
    with connect(server.place) as raw:
        raw.sendall(f"{head}Content-Length: 3\r\n\r\n".encode())
        go_on = raw.recv(65536)
        raw.sendall(b"abc")
        received = replies(go_on + read_all(raw))
    assert [reply.status for reply in received] == [100, 200]
    assert json.loads(received[1].body)["body"] == 3
    (without_body,) = ask(server.place, f"{head}\r\n".replace("POST", "GET"))
    assert without_body.status == 200


def test_a_crash_of_the_app_is_answered_with_500_and_its_message_is_not_logged(
    server: Gunicorn,
) -> None:
    reply = get(server.place, "/fails?Ada", server.host)
    assert (reply.status, reply.header("Connection")) == (500, "close")
    assert reply.body == "The server failed. Try again.\n"
    log = server.log.read_text()
    assert "Exception while serving /fails\n" in log
    assert "in environ\n" in log
    assert "ValueError\n" in log
    assert "Ada" not in log


def test_pipelined_requests_are_dropped(server: Gunicorn) -> None:
    request = f"GET /one HTTP/1.1\r\nHost: {server.host}\r\n\r\n"
    received = ask(server.place, request * 200)
    print_row("200 pipelined requests", f"answered: {len(received)}; the connection is closed")
    assert [reply.status for reply in received] == [200]
    assert received[0].header("Connection") == "close"
