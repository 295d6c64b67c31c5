"""Tests random sequences of logins: tabs, browsers, callbacks, logouts, clocks, and failures.

`tests/support/login_model.py` says what each step must answer. After every step, each browser shows
the user that the model names, and no code was exchanged twice.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
import time_machine
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from clever_login.auth import pending_logins
from clever_login.auth.pending_logins import digest_state
from clever_login.errors import StoreUnavailable
from clever_login.testing import Browser, browser
from clever_simulator import create_app as create_simulator
from clever_simulator.config import default_config
from clever_simulator.server import RunningSimulator
from clever_simulator.testing import SimulatedClever
from tests.support import running_app
from tests.support.failing_store import FailingStore
from tests.support.login_model import (
    AGAIN,
    CLEVER,
    DASHBOARD,
    HOME,
    BrowserModel,
    Code,
    World,
)
from tests.support.reference_app.app import create_app

APP, CLEVER_URL = (
    "http://localhost",
    "http://127.0.0.1:9",
)  # nothing listens there: no socket is opened
USERS = ("student", "student2", "teacher")
STATUSES = {
    DASHBOARD: {302, 303},
    **{path: {302} for path in (CLEVER, AGAIN, HOME)},
    **{code: {400} for code in ("login_expired", "code_used", "login_cancelled")},
    **{code: {503} for code in ("clever_unavailable", "store_unavailable")},
}
LONG = {"max_examples": 400, "stateful_step_count": 60}
QUICK = {"max_examples": 6, "stateful_step_count": 18}
ERROR_CODE = re.compile(r"<code[^>]*>(\w+)</code>")


class NoStore:
    """A session store that does not answer."""

    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailable(name)


@dataclass
class Harness:
    """The app and Clever in this process, without sockets."""

    app: Flask
    clever: SimulatedClever
    exchanged: Counter[str]
    steps: int = 0
    answers: ClassVar[Counter[str]] = Counter()

    def send(
        self, adapter: HTTPAdapter, request: requests.PreparedRequest, **_: Any
    ) -> requests.Response:
        """Replace the call with which requests opens a connection."""
        body = request.body or b""
        if urlsplit(str(request.url)).path == "/oauth/tokens":
            text = body if isinstance(body, str) else bytes(body).decode()
            self.exchanged[parse_qs(text)["code"][0]] += 1
        environ = EnvironBuilder(
            base_url=CLEVER_URL,
            path=urlsplit(str(request.url)).path,
            query_string=urlsplit(str(request.url)).query,
            method=request.method or "GET",
            headers=list(request.headers.items()),
            data=body,
        ).get_environ()
        content, status, headers = run_wsgi_app(self.clever.simulator.app, environ, buffered=True)
        raw = HTTPResponse(
            io.BytesIO(b"".join(content)), dict(headers), int(status[:3]), preload_content=False
        )
        return adapter.build_response(request, raw)

    def stores(self) -> list[Any]:
        """Return everything of the app that has the session store."""
        names = ("clever_login_pending_logins", "clever_login_used_codes")
        return [self.app.session_interface, *(self.app.extensions[name] for name in names)]

    @contextmanager
    def store(self, replacement: Any) -> Iterator[None]:
        """Replace the session store for a block."""
        working = self.stores()[0]._store
        for owner in self.stores():
            owner._store = replacement
        try:
            yield
        finally:
            for owner in self.stores():
                owner._store = working

    @property
    def working_store(self) -> Any:
        return self.stores()[0]._store


@dataclass(frozen=True)
class Started:
    """A login that the app has sent to Clever, and the browser that began it."""

    address: str
    browser: int

    @property
    def state(self) -> str:
        return parse_qs(urlsplit(self.address).query)["state"][0]


@dataclass(frozen=True)
class Arrival:
    """A callback URL that Clever has sent a browser to."""

    state: str
    code: str
    browser: int

    def at(self, elsewhere: bool) -> int:
        """Return the browser in which the URL is opened."""
        return 1 - self.browser if elsewhere else self.browser


class Logins(RuleBasedStateMachine):
    """Users of two browsers, in any order."""

    harness: ClassVar[Harness]
    started = Bundle("started")
    arrivals = Bundle("arrivals")
    dropped = Bundle("dropped")
    browsers = st.integers(0, 1)
    users = st.sampled_from(USERS)
    elsewhere = st.sampled_from([False, False, False, True])  # somebody else's browser

    @initialize()
    def begin(self) -> None:
        self.clever = self.harness.clever
        self.clever.simulator.reset()
        self.harness.exchanged.clear()
        self.traveller = time_machine.travel("2026-10-01T08:00:00Z", tick=False)
        self.clock = self.traveller.start()
        self.world = World()
        self.tabs = [(browser(self.harness.app), BrowserModel()) for _ in range(2)]
        self.ended: list[str] = []

    def teardown(self) -> None:
        self.traveller.stop()

    # What users do

    @rule(target=started, number=browsers)
    def start_a_login(self, number: int) -> Any:
        return self._begin(number, "/login")

    @rule(target=arrivals, login=started, user=users)
    def log_in_at_clever(self, login: Started, user: str) -> Arrival:
        return self._arrival(login, user)

    @rule(target=arrivals, number=browsers, user=users)
    def log_in(self, number: int, user: str) -> Any:
        login = self._begin(number, "/login")
        if not isinstance(login, Started):
            return multiple()
        arrival = self._arrival(login, user)
        self._arrive(number, arrival)
        return arrival

    @rule(target=dropped, number=browsers, user=users)
    def come_from_the_portal(self, number: int, user: str) -> Any:
        """Launch the app from the Portal. Returns the code of the launch, which the app drops."""
        code = self._portal(user)
        login = self._begin(number, f"/oauth/callback?{urlencode({'code': code})}")
        if not isinstance(login, Started):
            return multiple()
        self.world.codes[code] = Code(user, self.world.now)
        self.world.drop(code)
        self._arrive(number, self._arrival(login, user))
        return code

    @rule(target=started, login=started, code=dropped)
    def bring_the_code_of_a_launch(self, login: Started, code: str) -> Any:
        return self._arrive(login.browser, Arrival(login.state, code, login.browser))

    @rule(target=started, arrival=arrivals, elsewhere=elsewhere)
    def arrive(self, arrival: Arrival, elsewhere: bool) -> Any:
        return self._arrive(arrival.at(elsewhere), arrival)

    @rule(target=started, number=browsers, user=users)
    def click_twice(self, number: int, user: str) -> Any:
        login = self._begin(number, "/login")
        if not isinstance(login, Started):
            return multiple()
        arrival = self._arrival(login, user)
        self._arrive(number, arrival)
        return self._arrive(number, arrival)

    @rule(target=started, arrival=arrivals, other=arrivals, elsewhere=elsewhere)
    def mix_two_callbacks(self, arrival: Arrival, other: Arrival, elsewhere: bool) -> Any:
        mixed = Arrival(arrival.state, other.code, arrival.browser)
        return self._arrive(arrival.at(elsewhere), mixed)

    @rule(target=started, login=started)
    def cancel_at_clever(self, login: Started) -> Any:
        query = {"error": "access_denied", "state": login.state}
        return self._callback(login.browser, query, login.state, None, "cancelled")

    @rule(number=browsers, arrival=arrivals)
    def forge_a_state(self, number: int, arrival: Arrival) -> None:
        self._arrive(number, Arrival("forged", arrival.code, number))

    @rule(number=browsers)
    def log_out(self, number: int) -> None:
        client, model = self.tabs[number]
        cookie = client.get_cookie("session")
        self._sees(client.submit("/logout"), "/logged-out")
        model.session = None
        if cookie:
            self.ended.append(cookie.value)
            self._is_useless(cookie.value)

    @rule(number=browsers)
    def open_a_page(self, number: int) -> None:
        client, model = self.tabs[number]
        response = client.get("/dashboard")
        user = self.world.user_of(model)
        if user is None:
            self._sees(response, HOME)
            return
        assert response.status_code == 200
        for name in USERS:
            assert (self._first_name(name) in response.text) == (name == user)

    @rule(data=st.data())
    def use_the_cookie_of_an_ended_session(self, data: st.DataObject) -> None:
        if not self.ended:
            return
        self._is_useless(data.draw(st.sampled_from(self.ended)))

    # What happens to them

    @rule(seconds=st.sampled_from([-61, 31, 31, 61, 301, 661, 1861, 29_000]))
    def wait(self, seconds: int) -> None:
        self.clock.shift(seconds)
        self.world.now += seconds

    @rule(target=started, login=started, user=users, trouble=st.sampled_from(["token", "me"]))
    def arrive_while_clever_fails(self, login: Started, user: str, trouble: str) -> Any:
        arrival = self._arrival(login, user)
        self.clever.simulator.add_fault(trouble, status=500, times=2)
        try:
            query = {"code": arrival.code, "state": arrival.state}
            return self._callback(login.browser, query, arrival.state, arrival.code, trouble)
        finally:
            self.clever.simulator.clear_faults()

    @rule(number=browsers, arrival=arrivals)
    def arrive_while_the_store_is_down(self, number: int, arrival: Arrival) -> None:
        client, _ = self.tabs[number]
        if client.get_cookie("session") is None:
            return  # then not every answer needs the store
        query = urlencode({"code": arrival.code, "state": arrival.state})
        with self.harness.store(NoStore()):
            self._sees(client.get(f"/oauth/callback?{query}"), "store_unavailable")
        self.world.codes[arrival.code].known_until = float("inf")  # in this process

    @rule(number=browsers, user=users, call=st.integers(1, 7))
    def log_in_while_the_store_fails_once(self, number: int, user: str, call: int) -> None:
        login = self._begin(number, "/login")
        if not isinstance(login, Started):
            return
        client, model = self.tabs[number]
        arrival, former = self._arrival(login, user), self.world.user_of(model)
        query = urlencode({"code": arrival.code, "state": arrival.state})
        with self.harness.store(FailingStore(self.harness.working_store, call)):
            status = client.get(f"/oauth/callback?{query}").status_code
        assert status in {303, 503}
        assert self._shown(client) in ({user} if status == 303 else {None, former})
        self.tabs[number] = (browser(self.harness.app), BrowserModel())

    @invariant()
    def each_browser_shows_its_own_user(self) -> None:
        self.harness.steps += 1
        for client, model in self.tabs:
            session = model.session
            alive = session is not None and session.is_alive(self.world.now)
            assert self._shown(client) == (session.user if session and alive else None)

    @invariant()
    def each_code_is_exchanged_at_most_once(self) -> None:
        assert all(number == 1 for number in self.harness.exchanged.values())

    # How

    def _begin(self, number: int, path: str) -> Any:
        """Begin a login, unless this browser has as many in progress as it may."""
        client, model = self.tabs[number]
        if len(model.pending) > 7:
            return multiple()
        response = client.get(path)
        self._sees(response, CLEVER)
        login = Started(str(response.location), number)
        self.world.begin(model, login.state)
        return login

    def _portal(self, user: str) -> str:
        """Return the code of a launch from the Portal."""
        district = self.clever.person(user).district.id
        query = urlencode({"client_id": "simulator", "district_id": district})
        url = self.clever.log_in(f"{CLEVER_URL}/oauth/instant-login?{query}", user)
        return parse_qs(urlsplit(url).query)["code"][0]

    def _arrival(self, login: Started, user: str) -> Arrival:
        query = parse_qs(urlsplit(self.clever.log_in(login.address, user)).query)
        assert query["state"] == [login.state]
        self.world.codes[query["code"][0]] = Code(user, self.world.now)
        return Arrival(login.state, query["code"][0], login.browser)

    def _arrive(self, number: int, arrival: Arrival) -> Any:
        query = {"code": arrival.code, "state": arrival.state}
        return self._callback(number, query, arrival.state, arrival.code)

    def _callback(
        self,
        number: int,
        query: dict[str, str],
        state: str,
        code: str | None,
        trouble: str = "",
    ) -> Any:
        """Send a callback, and follow it. Returns the login that it restarts, if any."""
        client, model = self.tabs[number]
        former = client.get_cookie("session")
        expected = self.world.callback(model, state, code, trouble)
        response = client.get(f"/oauth/callback?{urlencode(query)}")
        self._sees(response, expected)
        if expected == AGAIN:
            assert response.location == f"{AGAIN}?login={digest_state(state)}"
            expected = self.world.again(model, state)
            response = client.get(response.location)
            self._sees(response, expected)
        after = client.get_cookie("session")
        if former and (after is None or after.value != former.value):
            self.ended.append(former.value)
        if expected != CLEVER:
            return multiple()
        login = Started(str(response.location), number)
        self.world.begin(model, login.state, self.world.restarts)
        return login

    def _sees(self, response: TestResponse, expected: str) -> None:
        """Assert where a response leads to: a path, or the code of an error page."""
        code = ERROR_CODE.search(response.text)
        seen = urlsplit(response.location).path if response.location else code and code[1]
        allowed = {expected, "cookies_blocked"} if expected == "login_expired" else {expected}
        assert seen in allowed
        assert response.status_code in STATUSES.get(expected, {303})
        self.harness.answers[expected] += 1

    def _is_useless(self, cookie: str) -> None:
        """Assert that nobody is logged in with the cookie of a session, in another browser."""
        client = browser(self.harness.app)
        client.set_cookie("session", cookie)
        self._sees(client.get("/dashboard"), HOME)

    def _shown(self, client: Browser) -> str | None:
        """Return who is logged in in this browser, which does not count as a click."""
        user = client.get("/session").get_json()["user"]
        names = {self._first_name(name): name for name in USERS}
        return names[user["first_name"]] if user else None

    def _first_name(self, user: str) -> str:
        return self.clever.person(user).name.first


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Logins]:
    """The machine, with an app and a Clever of its own."""
    simulator = RunningSimulator(CLEVER_URL, create_simulator(default_config(APP)))
    app = create_app(running_app.settings_for(APP, CLEVER_URL, tmp_path))
    result = app.test_cli_runner().invoke(args=["clever", "db", "upgrade"])
    assert result.exit_code == 0
    clever = SimulatedClever(simulator, {"CLEVER_CLIENT_ID": "simulator"})
    harness = Harness(app, clever, Counter())
    monkeypatch.setattr(HTTPAdapter, "send", lambda *args, **parts: harness.send(*args, **parts))
    monkeypatch.setattr(pending_logins, "REPEAT_WAIT_SECONDS", 0)  # no request is concurrent

    class Machine(Logins):
        pass

    Machine.harness = harness
    return Machine


def profile(**counts: int) -> settings:
    return settings(
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        **counts,  # type: ignore[arg-type] # the numbers of examples and steps
    )


def test_every_step_of_any_sequence_of_logins_answers_as_documented(machine: type[Logins]) -> None:
    run_state_machine_as_test(machine, settings=settings(profile(**QUICK), derandomize=True))


@pytest.mark.long
def test_every_step_of_many_sequences_of_logins_answers_as_documented(
    machine: type[Logins],
) -> None:
    """A failure prints the seed and the steps."""
    run_state_machine_as_test(machine, settings=profile(**LONG))
    print(f"{machine.harness.steps} steps: {dict(machine.harness.answers)}")
