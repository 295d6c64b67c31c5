"""Tests `clever-simulator check`, which checks a Clever client from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from clever_simulator.conformance.browser import AppUnreachable
from clever_simulator.conformance.checks import CHECKS, Finding
from clever_simulator.conformance.client import App, CheckImpossible
from clever_simulator.conformance.run import check_app, describe, register_app
from clever_simulator.server import RunningSimulator
from clever_simulator.testing import SimulatedClever
from tests.support import careless_client, django_clients, running_app
from tests.support.running_app import ROOT, Site
from tests.support.simulators import run_in_background

PEERS = {"django-allauth": "/allauth/clever/login/", "social-core": "/social/login/clever/"}
LOGOUT = {"logout": "/logout"}


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background() as started:
        yield started


def findings(
    clever: RunningSimulator,
    url: str,
    secret: str,
    login: str = "/login",
    only: str = "",
    **paths: str,
) -> dict[str, Finding]:
    """Check an app, and return the findings by the name of the check's function."""
    checks = [check for check in CHECKS if not only or check.__name__ in {"log_in", only}]
    simulated = register_app(SimulatedClever(clever, {}), url + login, secret)
    addresses = {name: url + path for name, path in paths.items()}
    app = App(simulated, url + login, **addresses)
    return dict(zip((check.__name__ for check in checks), check_app(app, checks), strict=True))


def outcomes(found: dict[str, Finding], outcome: str) -> set[str]:
    return {name for name, finding in found.items() if finding.outcome == outcome}


def test_this_app_passes_every_check(site: Site) -> None:
    found = findings(site.clever, site.url, "simulator-secret", **LOGOUT)
    assert outcomes(found, "ok") == {check.__name__ for check in CHECKS}
    assert found["portal"].says == "The app starts a login of its own, which succeeds."


def test_a_simple_client_passes_every_check_but_one(clever: RunningSimulator) -> None:
    with careless_client.run_client(clever.url) as url:
        found = findings(clever, url, careless_client.CLIENT[1], **LOGOUT)
    # It does not remember the code that it has not used.
    assert outcomes(found, "problem") == {"portal_code"}
    assert found["portal_code"].says.startswith("The code logs anyone in for a minute")


@pytest.mark.parametrize(
    ("mistake", "check"),
    [
        ("no state", "has_state"),
        ("constant state", "has_state"),
        ("accepts the Portal's code", "portal"),
        ("ignores the state", "forged_state"),
        ("ignores the state", "other_browser"),
        ("ignores the state", "other_login"),
        ("error page is a bug", "denied"),
        ("error page is a bug", "empty"),
        ("keeps the first user", "next_user"),
        ("needs an email address", "no_email"),
        ("no impersonation", "impersonated"),
        ("a refusal is a bug", "clever_down"),
        ("a refusal is a bug", "reload"),
        ("a refusal is a bug", "double_click"),
        ("shows tokens", "secrets"),
        ("stays at the callback", "log_in"),
        ("does not log out", "log_out"),
    ],
)
def test_a_mistake_is_found(clever: RunningSimulator, mistake: str, check: str) -> None:
    with careless_client.run_client(clever.url, mistake) as url:
        paths = {"page": "/page", "logout": "/logout"}
        found = findings(clever, url, careless_client.CLIENT[1], only=check, **paths)
    assert found[check].outcome == "problem", describe(found[check])


def test_a_used_code_that_works_again_is_found(clever: RunningSimulator) -> None:
    mistakes = ("remembers codes", "ignores the state")
    with careless_client.run_client(clever.url, *mistakes) as url:
        found = findings(clever, url, careless_client.CLIENT[1], only="replay")
    assert found["replay"].outcome == "problem"


def test_a_client_that_refuses_the_portal_gets_a_note(clever: RunningSimulator) -> None:
    with careless_client.run_client(clever.url, "refuses the Portal") as url:
        found = findings(clever, url, careless_client.CLIENT[1], only="portal")
    assert found["portal"].outcome == "note"
    assert found["portal"].says == "The app refuses with 400: nobody can log in from the Portal."


def test_a_client_that_answers_nothing_useful_cannot_be_checked(clever: RunningSimulator) -> None:
    with careless_client.run_client(clever.url) as url:
        with pytest.raises(CheckImpossible, match=r"/page answers 200 and does not send"):
            findings(clever, url, careless_client.CLIENT[1], login="/page")
        with pytest.raises(CheckImpossible, match=r"/logout answers 200 and does not show"):
            findings(clever, url, careless_client.CLIENT[1], page="/logout")
    with pytest.raises(AppUnreachable, match="does not answer"):
        findings(clever, url, careless_client.CLIENT[1])


@pytest.mark.parametrize("peer", PEERS)
def test_the_documented_table_is_what_other_clients_do(
    clever: RunningSimulator, peer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    django_clients.set_up_django()
    django_clients.clear_database()
    django_clients.point_clients_at(clever.url, monkeypatch)
    configure = clever.configure
    monkeypatch.setattr(  # neither client sends HTTP Basic
        clever,
        "configure",
        lambda config: configure(
            replace(config, apps=tuple(replace(app, secret_in_body=True) for app in config.apps))
        ),
    )
    with django_clients.run_site() as url:
        found = findings(
            clever, url, django_clients.CLIENT_SECRET, PEERS[peer], page="/in", logout="/out"
        )
    expected = documented()[peer]
    assert list(expected) == [finding.name for finding in found.values()]
    for finding in found.values():
        assert finding.outcome in expected[finding.name].split(" or "), describe(finding)


def documented() -> dict[str, dict[str, str]]:
    """Return the table of docs/simulator.md: the outcomes by client and check."""
    text = (ROOT / "docs" / "simulator.md").read_text()
    header, _, *rows = re.findall(r"^\|(.+)\|$", text[text.index("| check |") :], re.M)
    _, *clients = (cell.strip() for cell in header.split("|"))
    table: dict[str, dict[str, str]] = {client: {} for client in clients}
    for row in rows:
        name, *cells = (cell.strip() for cell in row.split("|"))
        for client, cell in zip(clients, cells, strict=True):
            table[client][name] = cell
    return table


def test_the_documented_table_says_that_this_app_passes_every_check() -> None:
    own = documented()["this project"]
    assert list(own) == [str(check.__doc__).strip().rstrip(".") for check in CHECKS]
    assert set(own.values()) == {"ok"}


def test_the_command_prints_a_report() -> None:
    port = running_app.free_port()
    with careless_client.run_client(f"http://127.0.0.1:{port}", "shows tokens") as url:
        command = [sys.executable, "-m", "clever_simulator", "check", f"{url}/login"]
        command += ["--port", str(port), "--secret", careless_client.CLIENT[1]]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        other = [*command[:-4], "--port", str(port)]
        wrong = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")
    first, *_, last_check, total = ended.stdout.splitlines()
    assert first == "ok       A user logs in from the app. The user is logged in."
    assert last_check.startswith("PROBLEM  No answer contains the client secret or a token.")
    assert total == "2 problems."
    assert wrong.returncode == 2
    assert "does not show the user's name" in wrong.stderr
    gone = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.startswith(f"{url}/login does not answer")
