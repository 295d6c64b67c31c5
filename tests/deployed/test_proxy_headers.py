"""Tests what headers of proxies change at each kind of host, and that none causes a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.gunicorn import Gunicorn, gunicorn
from tests.support.raw_http import ask, get

pytestmark = pytest.mark.servers
APP = "tests.support.echo_app:with_request_page()"
GTHREAD = ("--worker-class", "gthread")


@dataclass(frozen=True)
class Place:
    """Where the app runs: the number of proxies that it trusts, and gunicorn's worker class."""

    trusted: int
    options: tuple[str, ...] = ()
    forwarded_allow_ips: str = ""  # which peers gunicorn's own workers trust; * on Heroku

    def __str__(self) -> str:
        worker = "gthread" if self.options else "ours"
        return f"{self.trusted} trusted, {worker}, {self.forwarded_allow_ips or 'unset'}"


PLACES = [
    Place(0),
    Place(1, (), "*"),
    Place(2),
    Place(0, GTHREAD),
    Place(1, GTHREAD, "*"),
]


@pytest.fixture(scope="module", params=PLACES, ids=str)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, Gunicorn]]:
    place: Place = request.param
    variables: dict[str, Any] = {"TRUSTED_PROXIES": str(place.trusted)}
    if place.forwarded_allow_ips:
        variables["FORWARDED_ALLOW_IPS"] = place.forwarded_allow_ips
    options = ("--workers", "1", *place.options)
    with gunicorn(tmp_path_factory.mktemp("proxied"), *options, app=APP, **variables) as server:
        yield place, server


NOTHING: dict[str, Any] = {}
HTTPS = {"scheme": "https"}
# Header lines, and what they change with no, one, and two trusted proxies.
HEADERS = {
    "X-Forwarded-Proto: https": (NOTHING, HTTPS, NOTHING),
    "X-Forwarded-Proto: HTTPS": (NOTHING, HTTPS, NOTHING),
    "X-Forwarded-Proto: https, http": (NOTHING, NOTHING, HTTPS),
    "X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https": (NOTHING, HTTPS, NOTHING),
    "X-Forwarded-Ssl: on": (NOTHING,) * 3,
    "X-Forwarded-Protocol: ssl\r\nX-Forwarded-Proto: http": (NOTHING,) * 3,
    "X-Forwarded-For: 6.6.6.6, 1.2.3.4": (
        NOTHING,
        {"address": "1.2.3.4"},
        {"address": "6.6.6.6"},
    ),
    "X-Forwarded-Host: evil.example": (NOTHING,) * 3,
    "X-Forwarded-Port: 444": (NOTHING,) * 3,
    "X-Forwarded-Prefix: /x": (NOTHING,) * 3,
    "X-Script-Name: /x": (NOTHING,) * 3,
    "Forwarded: for=6.6.6.6;proto=https;host=evil.example": (NOTHING,) * 3,
    "SCRIPT_NAME: /x": (NOTHING,) * 3,
    "SCRIPT_NAME: /req": (NOTHING,) * 3,
    "Script-Name: /x": (NOTHING,) * 3,
    "PATH_INFO: /x": (NOTHING,) * 3,
    "REMOTE_USER: ada": (NOTHING,) * 3,
    "REMOTE_ADDR: 6.6.6.6": (NOTHING,) * 3,
    "X-Request-Id: of-the-router": (NOTHING, {"id": "of-the-router"}, {"id": "of-the-router"}),
    "X-Request-Id: two words": (NOTHING,) * 3,
    "X-Request-Id: \xe9": (NOTHING,) * 3,
    f"X-Request-Id: {'a' * 5000}": (NOTHING,) * 3,
}


@pytest.mark.parametrize("lines", HEADERS, ids=lambda lines: lines[:50])
def test_only_trusted_proxies_change_what_the_app_knows_of_a_request(
    served: tuple[Place, Gunicorn], lines: str
) -> None:
    place, server = served
    reply = get(server.place, "/request", server.host, lines)
    assert reply.status == 200, reply
    shown = json.loads(reply.body)
    usual = {"scheme": "http", "address": "127.0.0.1", "host": server.host, "root": ""}
    if "X-Request-Id" not in lines or not HEADERS[lines][place.trusted]:
        assert len(shown.pop("id")) == 16  # random
    assert shown == usual | {"user": None, "form": {}} | HEADERS[lines][place.trusted]


CHUNKS = {
    "a=b in chunks": ("1\r\na\r\n2\r\n=b\r\n0\r\n\r\n", 200),
    "a size that is no number": ("zz\r\nab\r\n0\r\n\r\n", 400),
    "a negative size": ("-1\r\na\r\n0\r\n\r\n", 400),
    "a size with an underscore": (f"1_0\r\n{'a' * 16}\r\n0\r\n\r\n", 400),
    "a chunk that is too long": ("1\r\nab\r\n0\r\n\r\n", 400),
    "a control character in an extension": ('1;a="\0"\r\na\r\n0\r\n\r\n', 400),
}


@pytest.mark.parametrize("name", CHUNKS)
def test_malformed_chunks_are_a_bad_request(served: tuple[Place, Gunicorn], name: str) -> None:
    _, server = served
    chunks, status = CHUNKS[name]
    head = [
        f"POST /request HTTP/1.1\r\nHost: {server.host}\r\nConnection: close",
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
    ]
    reply = ask(server.place, "\r\n".join([*head, "", chunks]))[-1]
    assert reply.status == status
    assert status == 400 or json.loads(reply.body)["form"] == {"a": "b"}
