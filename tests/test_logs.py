"""Nothing that names or admits a person is in any log."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clever_login.session import CurrentUser
from clever_simulator import tokens as clevers_tokens
from tests.conftest import SiteMaker
from tests.entries import by_portal, to_the_callback
from tests.sites import Site
from tests.visitor import ask


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token that Clever gives out during the test."""
    given: list[str] = []
    redeem = clevers_tokens.Vault.redeem

    def remember(*args: Any) -> Any:
        token = redeem(*args)
        given.extend([token.value] if token else [])
        return token

    monkeypatch.setattr(clevers_tokens.Vault, "redeem", remember)
    return given


def test_a_whole_login_leaves_no_name_code_state_token_or_secret_in_any_log(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tokens: list[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = to_the_callback(site, "student")
    query = parse_qs(urlsplit(visitor.url).query)
    visitor.open(visitor.url).press("Log out")
    site.clever.fault("me", status=500, times=2)
    visitor.click("Log in again with Clever").press("Yes")
    assert visitor.code == "clever_unavailable"
    person = site.person("student")
    output = capfd.readouterr().err + "".join(
        record.getMessage() + str(record.args)
        for record in caplog.records
        if record.name != "urllib3.connectionpool"  # which logs the test's own requests, too
    )
    assert '"event": "login"' in output
    assert len(tokens) == 2
    for canary in (
        query["code"][0],
        query["state"][0],
        person.name.first,
        person.name.last,
        str(person.email),
        "simulator-secret",
        *tokens,
        site.settings.secret_key,
    ):
        assert canary not in output


def test_the_token_is_on_no_page_in_no_cookie_and_in_no_session(
    site: Site, tokens: list[str]
) -> None:
    visitor = by_portal(site, "teacher")
    assert site.app is not None
    interface: Any = site.app.session_interface
    session_id = visitor.http.cookies.get("session", domain="localhost.local")
    session = interface._retrieve_session_data(interface._get_store_id(session_id))
    assert set(session) <= {"_permanent", "csrf_token", "login", "state"}
    assert set(session["login"]) == {field.name for field in fields(CurrentUser)}
    answers = "".join(hop.text + str(hop.headers) for hop in visitor.hops)
    cookies = str([(each.name, each.value) for each in visitor.http.cookies])
    assert len(tokens) == 1
    assert tokens[0] not in str(session) + answers + cookies


def test_our_lines_are_json_with_a_time_an_event_and_a_reference_that_the_page_shows(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = by_portal(site, "teacher").open("/nothing-here\r\n{}")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[0] == "{"]
    events = {line["event"]: line for line in lines}
    assert events["login_restarted"]["reason"] == "no_state"
    assert events["login"]["role"] == "teacher"
    assert events["failure"]["code"] == "http_404"
    assert events["failure"]["reference"] in visitor.text
    assert all(line["time"].endswith("+00:00") for line in lines)


EVENTS = {
    "login": {"role", "person", "district", "impersonation_claimed"},
    "login_restarted": {"reason"},
    "callback_repeated": set(),
    "callback_ignored": {"reason"},
    "failure": {"code", "status", "reference", "causes"},
    "part_missing": {"part", "outcome", "cause"},
    "role_switched": {"role", "person"},
    "logout": {"person"},
    "sessions_ended": {"count"},
}


def test_each_security_event_has_its_fields_and_the_persons_pseudonym_alone(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.clever.fault("district", status=404)
    visitor = by_portal(site, "teacher_admin").press("See the school administrator page")
    visitor.open("/oauth/callback?code=x&state=forged")
    callback = to_the_callback(site, "student")
    cookies = dict(callback.http.cookies)
    callback.open(callback.url)
    ask(callback.hops[0].url, cookies=cookies)
    visitor.press("Log out").open("/nothing-here")
    assert site.app is not None
    site.app.test_cli_runner().invoke(args=["clever", "sessions", "end", "--all"])
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[0] == "{"]
    for line in lines:
        assert EVENTS[line["event"]] <= set(line), line
    assert {line["event"] for line in lines} >= set(EVENTS) - {"sessions_ended"}
    people = {line["person"] for line in lines if line.get("person")}
    assert len(people) == 2  # the same pseudonym at login, switch and log out
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in people)
    assert site.person("teacher_admin").id not in str(lines)


def test_nothing_that_is_sent_can_forge_a_line(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = 'x\r\n{"event": "forged"}\x1b[31m'
    for name in ("code", "state", "error", "district_id", "next"):
        ask(f"{site.url}/oauth/callback", params={name: evil, "state": "s"})
        ask(f"{site.url}/login", params={name: evil})
    lines = [line for line in capfd.readouterr().err.splitlines() if "forged" in line]
    assert lines == []


def test_a_trusted_proxys_request_id_is_in_the_log_and_nobody_elses(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    for proxies in (0, 1):
        site = make_site(trusted_proxies=proxies)
        ask(f"{site.url}/nothing", headers={"X-Request-Id": f"request-{proxies}"})
        ask(f"{site.url}/nothing", headers={"X-Request-Id": "bad id {}"})
    log = capfd.readouterr().err
    assert '"request": "request-1"' in log
    assert "request-0" not in log
    assert "bad id" not in log


def test_what_clever_says_is_in_no_log(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    for endpoint in ("token", "me", "user", "district"):
        for status in (400, 404, 500):
            site.clever.fault(endpoint, status=status, body="canary of an answer", times=2)
            by_portal(site, "student")
            site.clever.clear_faults()
    log = capfd.readouterr().err
    assert "failure" in log
    assert "canary" not in log
