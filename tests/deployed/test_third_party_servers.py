"""Tests the app's authorization request, state, and code exchange with two third-party servers.

Both OAuth servers use Clever's paths, so nothing stands between them and the app. OAuth has no data
API, so this module serves one, with one fixed user.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from werkzeug.serving import BaseWSGIServer, make_server

from tests.support import npm_packages, running_app
from tests.support.browser_client import Visitor, send_request
from tests.support.reference_app.app import create_app
from tests.support.running_app import ROOT

pytestmark = pytest.mark.servers

FILES = ROOT / "tests" / "third_party_servers"
SERVERS = ("oidc_provider", "oauth2_mock_server")
CLIENT, SECRET = "our-app", "a-secret-of-this-test"
START_SECONDS = 120
PERSON, DISTRICT = "5f0000000000000000000001", "5f0000000000000000000002"
RECORDS: dict[str, dict[str, Any]] = {
    "/v3.0/me": {"type": "user", "data": {"id": PERSON, "district": DISTRICT}},
    f"/v3.0/users/{PERSON}": {
        "data": {
            "id": PERSON,
            "district": DISTRICT,
            "name": {"first": "Grace", "last": "Hopper"},
            "roles": {"teacher": {}},
        }
    },
    f"/v3.0/districts/{DISTRICT}": {"data": {"id": DISTRICT, "name": "Harbour District"}},
}


@dataclass
class RosterApi:
    """A stand-in for Clever's data API that records the paths and access tokens of requests."""

    tokens: set[str] = field(default_factory=set)
    paths: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        record = RECORDS.get(environ["PATH_INFO"]) if scheme == "Bearer" else None
        self.tokens.add(token)
        self.paths.append(environ["PATH_INFO"])
        status = "200 OK" if record else "404 Not Found"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(record or {}).encode()]


@dataclass(frozen=True)
class ThirdPartySite:
    """The app, and the OAuth server that it uses as Clever."""

    app_url: str
    url: str
    log: Path
    api: RosterApi

    def visitor(self) -> Visitor:
        """Return a new browser without cookies."""
        return Visitor(self.app_url)

    def stop_at_callback(self) -> Visitor:
        """Return a browser that the server sent back with a code that the app has not received."""
        visitor = self.visitor()
        visitor.stop_at = "/oauth/callback"
        visitor.open("/login")
        assert visitor.path == "/oauth/callback", visitor.response.text
        visitor.stop_at = None
        return visitor

    def authorize(self, **changes: str) -> requests.Response:
        """Send the app's authorization request with changed parameters."""
        visitor = self.visitor()
        visitor.stop_at = "/oauth/authorize"
        url = visitor.open("/login").url
        return send_request(url.partition("?")[0], params=query(url) | changes)

    def redeem(self, code: str) -> requests.Response:
        """Exchange a code with the app's credentials, without the app."""
        return self._post("tokens", grant_type="authorization_code", code=code)

    def knows(self, token: str) -> bool:
        """Return whether the server considers this token active."""
        return bool(self._post("introspect", token=token).json()["active"])

    def exchanges(self) -> int:
        """Return how many code exchanges the server received."""
        return self.log.read_text().splitlines().count("POST /oauth/tokens")

    def _post(self, name: str, **form: str) -> requests.Response:
        form["redirect_uri"] = f"{self.app_url}/oauth/callback"
        return send_request(f"{self.url}/oauth/{name}", "POST", auth=(CLIENT, SECRET), data=form)


SiteStarter = Callable[..., ThirdPartySite]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The servers' folder outside the project, with their pinned packages."""
    return npm_packages.install(FILES, tmp_path_factory.mktemp("third_party") / "servers")


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest, installed: Path, tmp_path: Path) -> Iterator[Any]:
    """Start an app with each of the servers: `start(**settings)`."""
    with ExitStack() as stack:

        def starter(**changes: Any) -> ThirdPartySite:
            claims = changes.pop("claims", None)
            return stack.enter_context(
                _third_party(request.param, installed, tmp_path, changes, claims or {})
            )

        yield starter


@pytest.fixture
def third_party(start: SiteStarter) -> ThirdPartySite:
    """The app with each of the servers."""
    return start()


@pytest.fixture
def strict(installed: Path, tmp_path: Path) -> Iterator[ThirdPartySite]:
    """The app with oidc-provider, which validates everything."""
    with _third_party("oidc_provider", installed, tmp_path, {}, {}) as site:
        yield site


@contextmanager
def _third_party(
    name: str, installed: Path, folder: Path, changes: dict[str, Any], claims: dict[str, str]
) -> Iterator[ThirdPartySite]:
    log, api = folder / f"{name}.log", RosterApi()
    with ExitStack() as stack:
        api_url = f"http://127.0.0.1:{stack.enter_context(_serving(api)).server_port}"
        app = stack.enter_context(_serving(_not_yet))
        app_url = f"http://localhost:{app.server_port}"
        command = [*npm_packages.node(), f"{name}.mjs", CLIENT, SECRET, f"{app_url}/oauth/callback"]
        command.append(json.dumps(claims))
        child = stack.enter_context(running_app.run_process(command, {}, log, cwd=installed))
        url = _address_of(child, log)
        values: dict[str, Any] = {
            "clever_client_id": CLIENT,
            "clever_client_secret": SECRET,
            "clever_api_url": api_url,
        }
        app.app = create_app(running_app.settings_for(app_url, url, folder, **(values | changes)))
        yield ThirdPartySite(app_url, url, log, api)


@contextmanager
def _serving(wsgi_app: Any) -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, wsgi_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _not_yet(_environ: object, _start_response: object) -> list[bytes]:
    raise AssertionError("asked before it was ready")


def _address_of(child: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the server says it listens on."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.startswith("listening at "):
                return line.removeprefix("listening at ")
        assert child.poll() is None, f"the server ended: {log.read_text()}"
        time.sleep(0.02)
    raise AssertionError(f"the server did not start in {START_SECONDS} s: {log.read_text()}")


def query(url: str) -> dict[str, str]:
    """Return the parameters of a URL. Asserts that none is repeated."""
    pairs = parse_qsl(urlsplit(url).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_third_party_servers_are_pinned_and_use_the_configured_registry() -> None:
    lock = json.loads((FILES / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert all(package["version"] and package["integrity"] for package in packages)
    assert not any("resolved" in package for package in packages)
    wanted = json.loads((FILES / "package.json").read_text())["dependencies"]
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_a_person_logs_in_at_a_third_party_server(third_party: ThirdPartySite) -> None:
    visitor = third_party.visitor().open("/").click("Log in with Clever")
    assert visitor.path == "/dashboard"
    assert visitor.role == "teacher"
    assert "Grace Hopper" in visitor.text
    assert "Harbour District" in visitor.text
    assert third_party.exchanges() == 1


def test_a_third_party_id_token_is_verified_and_replaces_the_me_request(
    start: SiteStarter,
) -> None:
    claims = {"sub": PERSON, "user_type": "teacher", "district": DISTRICT}
    third_party = start(clever_oidc=True, claims=claims)
    visitor = third_party.visitor().open("/").click("Log in with Clever")
    assert visitor.role == "teacher"
    assert "Grace Hopper" in visitor.text
    assert "/v3.0/me" not in third_party.api.paths


def test_the_authorization_request_follows_the_standard_and_the_state_comes_back(
    third_party: ThirdPartySite,
) -> None:
    visitor = third_party.visitor().open("/").click("Log in with Clever")
    addresses = [str(hop.url) for hop in visitor.hops]
    request = query(next(address for address in addresses if "/oauth/authorize?" in address))
    callback = query(next(address for address in addresses if "/oauth/callback?" in address))
    state, nonce = request.pop("state"), request.pop("nonce")
    assert len({state, nonce, ""}) == 3
    assert request == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{third_party.app_url}/oauth/callback",
    }
    assert callback["state"] == state
    assert callback["code"]
    assert visitor.path == "/dashboard"


def test_the_app_uses_the_token_that_the_server_issued(third_party: ThirdPartySite) -> None:
    third_party.visitor().open("/login")
    (token,) = third_party.api.tokens
    assert third_party.knows(token)


def test_a_wrong_client_secret_fails_the_login(start: SiteStarter) -> None:
    third_party = start(clever_client_secret="another-secret")
    visitor = third_party.visitor().open("/login")
    assert (visitor.response.status_code, visitor.code) == (502, "clever_misconfigured")
    assert third_party.exchanges() == 1
    assert not third_party.api.tokens
    assert visitor.open("/dashboard").path == "/"


def test_reopening_a_callback_does_not_exchange_the_code_again(third_party: ThirdPartySite) -> None:
    visitor = third_party.stop_at_callback()
    callback, cookies = visitor.url, dict(visitor.http.cookies)
    assert visitor.open(callback).path == "/dashboard"
    assert visitor.open(callback).path == "/dashboard"
    send_request(callback, cookies=cookies, headers={"Accept": "text/html"})
    assert third_party.exchanges() == 1


def test_a_used_code_is_refused_by_the_server_and_shows_our_error_page(
    third_party: ThirdPartySite,
) -> None:
    visitor = third_party.stop_at_callback()
    code = query(visitor.url)["code"]
    assert third_party.redeem(code).status_code == 200
    visitor.open(visitor.url)
    assert (visitor.response.status_code, visitor.code) == (400, "code_used")
    repeated = third_party.redeem(code)
    assert (repeated.status_code, repeated.json()["error"]) == (400, "invalid_grant")
    assert not third_party.api.tokens


def test_a_valid_code_with_a_forged_state_is_never_exchanged(third_party: ThirdPartySite) -> None:
    visitor = third_party.stop_at_callback()
    state = query(visitor.url)["state"]
    visitor.open(visitor.url.replace(state, "forged"))
    assert (visitor.response.status_code, visitor.code) == (400, "login_expired")
    assert third_party.exchanges() == 0


def test_a_code_and_state_from_another_browser_are_never_exchanged(
    third_party: ThirdPartySite,
) -> None:
    victim = third_party.visitor().open(third_party.stop_at_callback().url)
    assert (victim.response.status_code, victim.code) == (400, "login_expired")
    assert third_party.exchanges() == 0


def test_a_person_who_declines_gets_the_cancelled_page(strict: ThirdPartySite) -> None:
    visitor = strict.visitor()
    visitor.http.cookies.set("says", "no", domain="127.0.0.1")
    assert visitor.open("/login").code == "login_cancelled"
    assert strict.exchanges() == 0


def test_the_third_party_server_checks_our_authorization_request(strict: ThirdPartySite) -> None:
    accepted = strict.authorize()
    assert "/interaction/" in accepted.headers["Location"]
    other = f"{strict.app_url}/oauth/callback/"
    assert "redirect_uri" in strict.authorize(redirect_uri=other).text
    assert "client is invalid" in strict.authorize(client_id="another-app").text
    refused = strict.authorize(response_type="token").headers["Location"]
    assert query(refused.replace("#", "?"))["error"] == "unsupported_response_type"
