"""Tests fifteen thousand hostile inputs: callbacks of attackers, and responses of a bad Clever.

Every tier tries a twentieth of them; the longest tier tries all. No response is a crash (502 and
503 have their own pages). Nothing that was sent is repeated in a response or a log. Only a user
whom Clever identified is logged in.
"""

from __future__ import annotations

import copy
import io
import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote_from_bytes, urlsplit

import pytest
import requests
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from werkzeug.test import EnvironBuilder, run_wsgi_app

from clever_login.auth.account_hooks import AccountHooks
from clever_login.auth.identity import Account
from clever_login.auth.pending_logins import digest_state
from clever_login.clever.models import User
from tests.support import running_app
from tests.support.reference_app.app import create_app

QUERIES_EACH = 2_000  # for each of five kinds
BODIES_EACH = 1_250  # for each of four records
APP, CLEVER = "http://localhost:3000", "http://127.0.0.1:3001"
CANARY = "cAnArY"
CANARY_IN_ANY_CASE = re.compile(rb"canary", re.IGNORECASE)
PAGE_CODE = re.compile(rb"<code>(\w+)</code>")
OUR_FAILURES = {
    502: {"clever_misconfigured", "clever_unexpected", "wrong_person"},
    503: {"clever_unavailable"},
}
PERSON, OTHER = "5f0000000000000000000001", "5f00000000000000000000ff"
DISTRICT, SCHOOL = "5f0000000000000000000002", "5f0000000000000000000003"
BROWSER = {
    "HTTP_ACCEPT": "text/html",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_DEST": "document",
}
PATHS = {
    "me": "/v3.0/me",
    "user": f"/v3.0/users/{PERSON}",
    "district": f"/v3.0/districts/{DISTRICT}",
    "school": f"/v3.0/schools/{SCHOOL}",
}
RECORDS: dict[str, dict[str, Any]] = {
    "me": {"type": "user", "data": {"id": PERSON, "district": DISTRICT, "type": "user"}},
    "user": {
        "data": {
            "id": PERSON,
            "district": DISTRICT,
            "email": "ada@school.example",
            "name": {"first": "Ada", "last": "Lovelace"},
            "roles": {"student": {"school": SCHOOL, "schools": [SCHOOL], "legacy_id": OTHER}},
        }
    },
    "district": {"data": {"id": DISTRICT, "name": "Harbour District"}},
    "school": {"data": {"id": SCHOOL, "district": DISTRICT, "name": "Harbour School"}},
}


# The app and Clever without sockets


@dataclass
class Clever:
    """A stand-in for Clever. Every response is valid, except the records in `bodies`, by name."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    accepts_codes: bool = True
    exchanges: int = 0

    def send(
        self, adapter: HTTPAdapter, request: requests.PreparedRequest, **_: Any
    ) -> requests.Response:
        """Replace the call with which requests opens a connection."""
        url = urlsplit(str(request.url))
        assert f"{url.scheme}://{url.netloc}" == CLEVER
        status, body, headers = self._answer(url.path)
        raw = HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
        return adapter.build_response(request, raw)

    def _answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        if path == "/oauth/tokens":
            self.exchanges += 1
            if self.accepts_codes:
                return 200, b'{"access_token": "a-token"}', {}
            return 400, b'{"error": "invalid_grant"}', {}
        for name, record_path in PATHS.items():
            if record_path == path and name in self.bodies:
                return 200, self.bodies[name], self.headers
            if record_path == path:
                return 200, json.dumps(RECORDS[name]).encode(), {}
        return 404, b"{}", {}


@dataclass(frozen=True)
class AppResponse:
    """The app's response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    @property
    def cookies(self) -> dict[str, str]:
        """Return the cookies that the response sets. An expired cookie has an empty value."""
        pairs = (value for name, value in self.headers if name == "Set-Cookie")
        return {
            name: value for name, _, value in (p.partition(";")[0].partition("=") for p in pairs)
        }

    @property
    def logs_in(self) -> bool:
        return bool(self.cookies.get("session"))


@dataclass
class Harness:
    """The app as a WSGI callable, the Clever that it uses, and the users who logged in."""

    app: Flask
    clever: Clever
    logged_in: list[User] = field(default_factory=list)
    attempts: int = 0
    part: int = 1  # of all inputs: 20 means a twentieth

    @property
    def queries(self) -> int:
        """How many inputs of each kind are tried."""
        return QUERIES_EACH // self.part

    def __post_init__(self) -> None:
        AccountHooks(find_person=self._find_person).install(self.app)
        self._environ = EnvironBuilder(base_url=APP).get_environ() | BROWSER

    def get(self, path: str, query: bytes = b"", cookies: bytes = b"") -> AppResponse:
        """Send one request as a WSGI server does, with the bytes as received (PEP 3333)."""
        environ = {
            **self._environ,
            "PATH_INFO": path,
            "QUERY_STRING": query.decode("latin-1"),
            "wsgi.errors": io.StringIO(),
        }
        if cookies:
            environ["HTTP_COOKIE"] = cookies.decode("latin-1")
        body, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        return AppResponse(int(status.split()[0]), list(headers), b"".join(body))

    def callback(
        self, query: bytes, cookies: bytes = b"", path: str = "/oauth/callback"
    ) -> AppResponse:
        """Open a callback, and check what must hold for every response."""
        self.attempts += 1
        response = self.get(path, query, cookies)
        assert_no_crash(response)
        assert not CANARY_IN_ANY_CASE.search(sent_to_browser(response))
        return response

    def begin(self) -> tuple[str, str, str]:
        """Start a login.

        Returns the state, and the name and value of the pending login's cookie.
        """
        response = self.get("/login")
        state = parse_qs(urlsplit(response.header("Location")).query)["state"][0]
        ((name, value),) = response.cookies.items()
        return state, name, value

    def log_in(self) -> AppResponse:
        """Complete a login with a valid callback. Clever's responses decide the result."""
        self.logged_in.clear()
        state, name, value = self.begin()
        return self.callback(f"code=of-{state}&state={state}".encode(), f"{name}={value}".encode())

    def _find_person(self, user: User) -> Account:
        self.logged_in.append(user)
        return Account(id=user.id)


@pytest.fixture(params=[20, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])
def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Harness:
    clever = Clever()
    monkeypatch.setattr(
        HTTPAdapter,
        "send",
        lambda adapter, request, **parts: clever.send(adapter, request, **parts),
    )
    app = create_app(running_app.settings_for(APP, CLEVER, tmp_path))
    return Harness(app, clever, part=request.param)


def assert_no_crash(response: AppResponse) -> None:
    """Assert that the response is no crash, and that a 5xx status has a code of the app."""
    match = PAGE_CODE.search(response.body)
    code = match[1].decode() if match else ""
    assert b"http_5" not in response.body
    assert response.status < 500 or code in OUR_FAILURES.get(response.status, ()), (
        response.status,
        code,
    )


def sent_to_browser(response: AppResponse) -> bytes:
    """Return everything that the browser receives: headers and body."""
    return repr(response.headers).encode() + response.body


def try_inputs(strategy: st.SearchStrategy[Any], count: int, check: Callable[[Any], None]) -> None:
    """Try `count` values of the strategy, the same ones in each run."""
    run = settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(check))
    run()


# Hostile queries

PARTS = (
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf0\x9f\x98\x80", b"\x80", b"\x1b[2J"),
    *(b"\r\nSet-Cookie: session=x", b"\n\nHTTP/1.1 200", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\x7f"),
    *(b"<script>alert(1)</script>", b'"><svg/onload=x>', b"{{7*7}}", b"${x}", b"%s%n", b"'--"),
    *(b"../../etc", b"//evil.example", b"\\\\evil", b"javascript:x", b"http://[::1", b"[]", b"[0]"),
    *(b"%", b"%zz", b"%00", b"%0d%0a", b"%u0041", b"%C0%AF", b"%ED%A0%80", b"%FF", b"%25", b"+"),
    *(b"&", b"=", b";", b"#", b"?", b" ", b"a" * 1999, b"a" * 2001, b"a" * 9000, b""),
)
NAMES = (b"code", b"state", b"error", b"error_description", b"scope", b"next", b"district_id")
chunks = st.sampled_from(PARTS) | st.binary(max_size=12)
hostile = st.lists(chunks, max_size=4).map(lambda parts: CANARY.encode() + b"".join(parts))
names = st.sampled_from(NAMES) | hostile
pairs = st.lists(st.tuples(names, hostile), min_size=1, max_size=5)


def quoted(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"&".join(_quote(name) + b"=" + _quote(value) for name, value in pairs)


def raw(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"&".join(name + b"=" + value for name, value in pairs)


def _quote(value: bytes) -> bytes:
    return quote_from_bytes(value, safe="").encode()


def _assert_no_login(harness: Harness, query: bytes, cookies: bytes = b"", code: str = "") -> None:
    """Assert that nobody is logged in and no code is exchanged. `code` is the error page's code."""
    response = harness.callback(query, cookies)
    assert not response.logs_in
    assert harness.clever.exchanges == 0
    assert not harness.logged_in
    assert code.encode() in response.body


def _assert_attempts(harness: Harness, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Assert that enough inputs were tried and that no log contains them."""
    assert harness.attempts >= count
    output = capsys.readouterr()
    assert CANARY.lower() not in (output.out + output.err).lower()


def test_random_percent_encoded_bytes_log_nobody_in(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    try_inputs(
        pairs, harness.queries, lambda parameters: _assert_no_login(harness, quoted(parameters))
    )
    _assert_attempts(harness, harness.queries, capsys)


def test_random_raw_bytes_log_nobody_in(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    soup = pairs.map(raw) | hostile
    try_inputs(soup, harness.queries, lambda query: _assert_no_login(harness, query))
    _assert_attempts(harness, harness.queries, capsys)


def test_repeated_parameters_in_any_order_never_log_a_user_in(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    repeated = st.tuples(st.sampled_from(NAMES[:3]), hostile).flatmap(
        lambda pair: st.permutations([pair, pair, (pair[0], b""), (b"code", b"x")])
    )

    try_inputs(
        repeated,
        harness.queries,
        lambda parameters: _assert_no_login(harness, quoted(parameters), code="bad_callback"),
    )
    _assert_attempts(harness, harness.queries, capsys)


def test_cookies_with_a_wrong_signature_never_log_a_user_in(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    state, name, value = harness.begin()
    place = st.integers(0, len(value) - 2)  # two bits of the last character are unused
    other_cookies = st.lists(
        st.tuples(st.sampled_from([b"session", b"login-", b"x"]), hostile), max_size=3
    )

    def check(case: tuple[int, str, list[tuple[bytes, bytes]]]) -> None:
        position, letter, extra_cookies = case
        forged = value[:position] + letter + value[position + 1 :]
        if forged == value:
            forged = ""
        cookies = [f"{name}={forged}".encode(), raw(extra_cookies).replace(b"&", b"; ")]
        _assert_no_login(harness, f"code={CANARY}&state={state}".encode(), b"; ".join(cookies))

    letters = st.sampled_from('Aa0-_."\\,\x00\xff')
    try_inputs(st.tuples(place, letters, other_cookies), harness.queries, check)
    _assert_attempts(harness, harness.queries, capsys)


def test_a_valid_state_with_a_hostile_code_or_error_logs_nobody_in(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.clever.accepts_codes = False

    def check(parameters: list[tuple[bytes, bytes]]) -> None:
        state, name, value = harness.begin()
        query = quoted([(b"state", state.encode()), *parameters])
        response = harness.callback(query, f"{name}={value}".encode())
        assert not response.logs_in

    parameter_names = st.sampled_from([b"code", b"error", b"error_description", b"iss"])
    distinct_parameters = st.dictionaries(parameter_names, hostile, min_size=1, max_size=3)
    try_inputs(
        distinct_parameters.map(lambda parameters: list(parameters.items())), harness.queries, check
    )
    assert harness.clever.exchanges >= harness.queries / 50  # this many got as far as Clever
    assert not harness.logged_in
    _assert_attempts(harness, harness.queries, capsys)


def test_a_hostile_login_parameter_on_login_again_logs_nobody_in(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    state, name, value = harness.begin()
    own = digest_state(state).encode()

    def check(case: tuple[int, bytes]) -> None:
        length, suffix = case
        query = quoted([(b"login", own[:length] + suffix)])
        response = harness.callback(query, f"{name}={value}".encode(), "/login/again")
        assert not response.logs_in

    try_inputs(st.tuples(st.sampled_from([0, 16, len(own)]), hostile), harness.queries // 2, check)
    assert harness.clever.exchanges == 0
    _assert_attempts(harness, harness.queries // 2, capsys)


# Hostile responses from Clever

STRANGE_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e308, float("nan"), float("inf"), "", " ", [], {}, [[]], [None]),
    *(OTHER, [OTHER], [PERSON], {"id": OTHER}, {"id": PERSON}, f"{PERSON}\n", f"{PERSON}\x00"),
    *(
        f" {PERSON}",
        f"../users/{OTHER}",
        f"{PERSON}?x",
        PERSON + "\u200b",
        "\ud800",
        "\udfff\ud83d",
    ),
    *(f"<script>{CANARY}</script>", f"{CANARY}\r\nSet-Cookie: session=x", CANARY * 1000, "\u202e"),
    *("user", "district", "student", "school_admin", "x" * 64, "x" * 65, [SCHOOL, OTHER, None]),
)
WHOLE_BODIES = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "a string": b'""',
    "NaN": b"NaN",
    "two": b"{}{}",
    "cut": b'{"data":',
    "a mark before it": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"data": "\xed\xa0\x80"}',
    "a page": b"<html>cAnArY</html>",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"data":' * 50_000,
    "an endless number": b'{"data": {"id": ' + b"9" * 5000 + b"}}",
    "too large": b" " * 1_000_001,
}
GZIP = {"Content-Encoding": "gzip"}  # no body here is gzip
HEADERS: tuple[dict[str, str], ...] = (
    *({}, {}, {}, {}, {"Content-Type": "text/html"}, {"Set-Cookie": f"session={CANARY}"}),
    *(GZIP, {"Content-Encoding": CANARY}, {"Location": f"/{CANARY}"}),
)
ODD = "\ud800\udfff\u202e\u2028\x00\x1b<>&'\"{%\u00e9\u4e2d\U0001f600"
WAYS = ("replace", "replace", "replace", "delete", "wrap", "double")
Place = tuple[str, ...]


def bodies(record: str) -> st.SearchStrategy[bytes]:
    """Return a strategy for bodies that are almost valid, damaged, or nonsense.

    Hypothesis only provides the random numbers. Changes drawn from it one by one hit the same few
    places.
    """
    return st.randoms(use_true_random=True).map(lambda dice: _body(record, dice))


def _body(record: str, dice: Random) -> bytes:
    kind = dice.random()
    if kind < 0.08:
        return WHOLE_BODIES[dice.choice(list(WHOLE_BODIES))]
    if kind < 0.12:
        return dice.randbytes(dice.randrange(40))
    body = _mutated(record, dice)
    if kind < 0.16:
        return body.decode().encode("utf-16")
    if kind < 0.28:
        start, length = dice.randrange(len(body)), dice.choice((0, 1, 9, len(body)))
        return body[:start] + dice.randbytes(dice.randrange(4)) + body[start + length :]
    return body


def _mutated(record: str, dice: Random) -> bytes:
    """Return a valid record with one to three changes in random places."""
    body, twice = copy.deepcopy(RECORDS[record]), ""
    for _ in range(dice.randint(1, 3)):
        path, way, value = dice.choice(_places(body)), dice.choice(WAYS), _value(dice)
        parent = reduce(operator.getitem, path[:-1], body)
        if way == "delete":
            del parent[path[-1]]
        elif way == "double" and len(path) == 1:
            twice = f"{json.dumps(path[0])}: {json.dumps(value)}, "
        else:
            parent[path[-1]] = [parent[path[-1]]] if way == "wrap" else value
        if not body:
            break
    return ("{" + twice + json.dumps(body)[1:]).encode()


def _places(value: dict[str, Any]) -> list[Place]:
    places: list[Place] = []
    for key, item in value.items():
        places.append((key,))
        if isinstance(item, dict):
            places += [(key, *below) for below in _places(item)]
    return places


def _value(dice: Random) -> Any:
    kind = dice.randrange(6)
    if kind < 3:
        return copy.deepcopy(dice.choice(STRANGE_VALUES))
    if kind < 5:
        return f"<{CANARY}>" + "".join(dice.choices(ODD, k=3))
    return {dice.choice(("id", "data", "first", "x")): copy.deepcopy(dice.choice(STRANGE_VALUES))}


def _id_in(body: bytes) -> Any:
    """Return the id in a record, or None."""
    try:
        data = json.loads(body)["data"]
        return data.get("id")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None


@pytest.mark.parametrize("record", list(RECORDS))
def test_a_hostile_response_from_clever_logs_in_only_the_person_it_names(
    harness: Harness, record: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = set()

    def check(case: tuple[bytes, dict[str, str]]) -> None:
        body, harness.clever.headers = case
        harness.clever.bodies = {record: body}
        response = harness.log_in()
        outcomes.add(response.logs_in)
        assert response.logs_in == (response.status == 303) == bool(harness.logged_in)
        if response.logs_in:
            _assert_named_person(
                harness.logged_in[0], record, b"" if harness.clever.headers == GZIP else body
            )
            _assert_page_opens(harness, response)

    try_inputs(
        st.tuples(bodies(record), st.sampled_from(HEADERS)), BODIES_EACH // harness.part, check
    )
    assert True in outcomes  # otherwise the test proves nothing
    assert (False in outcomes) == (record in {"me", "user"})
    _assert_attempts(harness, BODIES_EACH // harness.part, capsys)


def _assert_named_person(user: User, record: str, body: bytes) -> None:
    stated = _id_in(body)
    if record == "me":
        assert user.id == stated
    if record == "user":
        assert user.id == PERSON
        assert not stated or stated == PERSON


def _assert_page_opens(harness: Harness, response: AppResponse) -> None:
    """Assert that the user's page opens, and that Clever's values are escaped on it."""
    page = harness.get("/dashboard", cookies=f"session={response.cookies['session']}".encode())
    assert page.status == 200
    assert page.body.count(b"<script") == 1  # the app's own script, in the head
    assert not CANARY_IN_ANY_CASE.search(repr(page.headers).encode())
