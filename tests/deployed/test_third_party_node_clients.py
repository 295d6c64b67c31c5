"""Tests clients of Clever for Node against the simulator: each logs in or reads data.

docs/simulator.md has a table of what works, and with which switches.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clever_simulator.config import Config, RegisteredApp
from clever_simulator.server import RunningSimulator
from tests.support import npm_packages
from tests.support.browser_client import Visitor
from tests.support.running_app import ROOT
from tests.support.simulators import run_in_background

pytestmark = pytest.mark.long

FILES = ROOT / "tests" / "third_party_clients"
CLIENT, SECRET, SITE = "our-app", "a-secret-of-this-test", "http://localhost:8123"
CALLBACK = f"{SITE}/auth/callback/clever"
APP = RegisteredApp(client_id=CLIENT, client_secret=SECRET, redirect_uris=(CALLBACK,), oidc=True)
TOKEN_TYPE = {"sends_token_type": True}
# What each client says when it fails, by the name in docs/simulator.md.
WITHOUT_TOKEN_TYPE = '"response" body "token_type" property must be a string'
UNKNOWN_BASE64 = "Base64 is not defined"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients' folder outside the project, with their pinned packages."""
    return npm_packages.install(FILES, tmp_path_factory.mktemp("third_party") / "clients")


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background() as started:
        yield started


def configure(clever: RunningSimulator, **changes: Any) -> None:
    clever.configure(Config(apps=(replace(APP, **changes),)))


def log_in(clever: RunningSimulator, folder: Path, name: str, user_name: str) -> dict[str, Any]:
    """Log a user in with a client. Return what the client knows, or its error."""
    command = [*npm_packages.node(), "client.mjs", name, clever.url, CLIENT, SECRET, CALLBACK]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin
        assert client.stdout
        first = client.stdout.readline()
        if first.startswith("{"):
            return dict(json.loads(first))
        returned = at_clever(clever, first.strip(), user_name)
        client.stdin.write(f"{returned}\n")
        client.stdin.flush()
        return dict(json.loads([line for line in client.stdout if line.startswith("{")][-1]))


def at_clever(clever: RunningSimulator, url: str, user_name: str) -> str:
    """Log in at Clever. Return the URL with which the browser returns to the client's site."""
    browser = Visitor(SITE)
    browser.stop_at = "/auth/callback/clever"
    browser.open(f"{url}&district_id={clever.people.person(user_name).district.id}")
    browser.press("Log in", username=user_name, password="clever")
    assert browser.url.startswith(CALLBACK), browser.text
    return browser.url


@pytest.mark.parametrize("user_name", ["student", "teacher", "sparse"])
@pytest.mark.parametrize("name", ["openid-client", "auth.js"])
def test_a_client_of_openid_connect_logs_in_if_clever_sends_a_token_type(
    clever: RunningSimulator, installed: Path, name: str, user_name: str
) -> None:
    configure(clever, **TOKEN_TYPE)
    person = clever.people.person(user_name)
    result = log_in(clever, installed, name, user_name)
    assert result == {"user": {"id": person.id, "first": person.name.first}}


@pytest.mark.parametrize("name", ["openid-client", "auth.js"])
def test_a_client_of_openid_connect_fails_without_a_token_type(
    clever: RunningSimulator, installed: Path, name: str
) -> None:
    configure(clever)
    result = log_in(clever, installed, name, "student")
    assert WITHOUT_TOKEN_TYPE in result["error"]


def test_passport_clever_fails_because_it_does_not_load_a_module(
    clever: RunningSimulator, installed: Path
) -> None:
    configure(clever, api_version="v2.1")
    assert UNKNOWN_BASE64 in log_in(clever, installed, "passport-clever", "student")["error"]


@pytest.mark.parametrize("user_name", ["student", "district_admin"])
def test_passport_clever_logs_in_where_the_app_loads_the_module(
    clever: RunningSimulator, installed: Path, user_name: str
) -> None:
    configure(clever, api_version="v2.1")
    person = clever.people.person(user_name)
    result = log_in(clever, installed, "passport-clever+base64", user_name)
    expected = {"id": person.role_assignments[0].legacy_id, "first": person.name.first}
    assert result == {"user": expected}


def test_passport_clever_fails_for_teachers_because_it_reads_students_with_their_token(
    clever: RunningSimulator, installed: Path
) -> None:
    configure(clever, api_version="v2.1")
    result = log_in(clever, installed, "passport-clever+base64", "teacher")
    assert re.search(r"/v2\.1/sections/\w+/students", result["error"])


def test_passport_clever_fails_in_an_app_that_has_no_v2(
    clever: RunningSimulator, installed: Path
) -> None:
    configure(clever, api_versions=("v3.0",))
    assert "error" in log_in(clever, installed, "passport-clever+base64", "student")


def read_students(clever: RunningSimulator, folder: Path) -> dict[str, Any]:
    state = clever.app.extensions["clever_simulator"]
    token = state.tokens.district_token(state.config.apps[0], clever.people.districts[0]).value
    command = [*npm_packages.node(), "client.mjs", "clever", clever.url, token]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def test_clever_js_reads_students_of_v1(clever: RunningSimulator, installed: Path) -> None:
    configure(clever)
    students = [
        person.name.first
        for person in clever.people.people_of(clever.people.districts[0])
        if "student" in person.roles
    ]
    assert read_students(clever, installed) == {"students": students}


def test_clever_js_fails_with_the_versions_of_a_new_app(
    clever: RunningSimulator, installed: Path
) -> None:
    configure(clever, api_versions=("v3.0", "v3.1"))
    assert "404" in read_students(clever, installed)["error"]


def test_the_clients_are_pinned_and_use_the_configured_registry() -> None:
    lock = json.loads((FILES / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert all(package["version"] and package["integrity"] for package in packages)
    assert not any("resolved" in package for package in packages)


def test_the_documented_table_names_the_pinned_versions() -> None:
    text = (ROOT / "docs" / "simulator.md").read_text()
    wanted = json.loads((FILES / "package.json").read_text())["dependencies"]
    documented = dict(re.findall(r"^\| `([@\w/-]+)` (\d[\d.]*) \|", text, re.M))
    assert documented.items() >= wanted.items()
