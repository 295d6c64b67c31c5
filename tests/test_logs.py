"""Tests that no log contains personal data or credentials."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clever_login.auth.identity import Identity
from clever_login.errors import AccountRefused
from clever_login.logs.pseudonyms import pseudonym
from clever_login.sessions.user_session import CurrentUser
from clever_simulator.credentials import tokens as clevers_tokens
from tests.conftest import SiteMaker
from tests.support import account_app
from tests.support.browser_client import send_request
from tests.support.login_flows import by_portal, stop_before_callback
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token that Clever issues during the test."""
    issued: list[str] = []
    redeem = clevers_tokens.TokenStore.redeem

    def remember(*args: Any) -> Any:
        token = redeem(*args)
        issued.extend([token.value] if token else [])
        return token

    monkeypatch.setattr(clevers_tokens.TokenStore, "redeem", remember)
    return issued


def test_a_login_logs_no_name_code_state_token_or_secret(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tokens: list[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = stop_before_callback(site, "student")
    query = parse_qs(urlsplit(visitor.url).query)
    visitor.open(visitor.url).press("Log out")
    site.clever.add_fault("me", status=500, times=2)
    visitor.click("Log in again with Clever").press("Yes")
    assert visitor.code == "clever_unavailable"
    person = site.person("student")
    output = capfd.readouterr().err + "".join(
        record.getMessage() + str(record.args)
        for record in caplog.records
        if record.name != "urllib3.connectionpool"  # logs the test's own requests
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


def test_the_access_token_is_in_no_page_cookie_or_session(site: Site, tokens: list[str]) -> None:
    visitor = by_portal(site, "teacher")
    assert site.app is not None
    interface: Any = site.app.session_interface
    session_id = visitor.http.cookies.get("session", domain="localhost.local")
    session = interface._retrieve_session_data(interface._get_store_id(session_id))
    assert set(session) <= {"_permanent", "csrf_token", "login", "state"}
    assert set(session["login"]) == {field.name for field in fields(CurrentUser)}
    texts = "".join(hop.text + str(hop.headers) for hop in visitor.hops)
    cookies = str([(cookie.name, cookie.value) for cookie in visitor.http.cookies])
    assert len(tokens) == 1
    assert tokens[0] not in str(session) + texts + cookies


def test_log_lines_are_json_with_a_time_an_event_and_the_reference_shown_on_the_page(
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
    assert events["login"]["endpoint"] == "clever_login.callback"
    assert {len(line["request"]) for line in lines} == {16}


def test_pseudonyms_of_one_id_differ_by_what_it_is_the_id_of() -> None:
    kinds = ("person", "district", "account", "row")
    assert len({pseudonym("secret", kind, "5f" * 12) for kind in kinds}) == len(kinds)


# Every event with its fields. Those after `|` are optional.
EVENTS = {
    "account_claimed": "person",
    "account_linked": "person",
    "accounts_imported": "count refused",
    "broken_language": "language reason",
    "template_outdated": "template",
    "callback_ignored": "reason",
    "callback_repeated": "",
    "code_not_shared": "",
    "command_crashed": "command causes where",
    "config_warning": "reason",
    "district_tokens_skipped": "entries",
    "exported": "person",
    "failure": "code status reference causes | reason where",
    "forgotten": "kind subject rows sessions",
    "id_token_left_aside": "cause",
    "last_known_used": "roles as_of",
    "login": "role person district impersonation_claimed",
    "login_restarted": "reason",
    "logout": "person",
    "not_ready": "reason",
    "part_missing": "part outcome cause",
    "permissions_corrected": "file",
    "permissions_too_wide": "file",
    "preferred_name_set": "person",
    "ready_again": "",
    "removals_approved": "person number",
    "retention": "rows",
    "receiver_failed": "reason where|district",
    "role_switched": "role person",
    "session_dropped": "reason",
    "sessions_ended": "count",
    "sync_another_district": "district number fields",
    "sync_crashed": "district reason where",
    "sync_held": "district missing",
    "sync_interrupted": "exit_code",
    "sync_not_started": "cause",
    "sync_on_demand": "district mode",
    "sync_records_skipped": "district number fields",
    "sync_values_not_understood": "district number fields",
}
ALWAYS = {"time", "level", "event"}
IN_A_REQUEST = {"endpoint", "request"}
PSEUDONYMS = {"person", "district", "subject"}


def assert_as_listed(line: dict[str, Any]) -> None:
    """Assert that an event has exactly the fields of EVENTS, and people only as pseudonyms."""
    required, _, optional = EVENTS[line["event"]].partition("|")
    fields = line.keys() - ALWAYS - IN_A_REQUEST
    assert set(required.split()) <= fields <= {*required.split(), *optional.split()}, line
    assert line.keys() >= ALWAYS
    for name in PSEUDONYMS & fields:
        assert re.fullmatch("[0-9a-f]{16}", line[name]), line


def test_every_event_is_in_the_table_with_its_fields() -> None:
    source = "".join(path.read_text() for path in (ROOT / "clever_login").rglob("*.py"))
    logged_events = re.findall(r"\blog_event\(\s*\"(\w+)\"", source)
    logged_events += re.findall(r"\"(sync_\w+)\": report\.", source)  # one call in a loop
    assert set(logged_events) == set(EVENTS)
    calls = len(re.findall(r"(?<!def )\blog_event\(", source))
    assert calls == len(logged_events) - 3 + 1, "an event with a computed name"


def test_each_security_event_logs_its_fields_and_only_the_persons_pseudonym(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.clever.add_fault("district", status=404)
    visitor = by_portal(site, "teacher_admin").press("See the school administrator page")
    visitor.open("/oauth/callback?code=x&state=forged")
    callback = stop_before_callback(site, "student")
    cookies = dict(callback.http.cookies)
    callback.open(callback.url)
    send_request(callback.hops[0].url, cookies=cookies)
    visitor.press("Log out").open("/nothing-here")
    assert site.app is not None
    site.app.test_cli_runner().invoke(args=["clever", "sessions", "end", "--all"])
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[0] == "{"]
    for line in lines:
        assert_as_listed(line)
    assert {line["event"] for line in lines} >= {
        *("login", "login_restarted", "callback_repeated", "callback_ignored", "failure"),
        *("part_missing", "role_switched", "logout"),
    }
    people = {line["person"] for line in lines if line.get("person")}
    assert len(people) == 2  # the same pseudonym at login, switch and log out
    assert site.person("teacher_admin").id not in str(lines)


def test_request_data_cannot_forge_a_log_line(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = 'x\r\n{"event": "forged"}\x1b[31m'
    for name in ("code", "state", "error", "district_id", "next"):
        send_request(f"{site.url}/oauth/callback", params={name: evil, "state": "s"})
        send_request(f"{site.url}/login", params={name: evil})
    lines = [line for line in capfd.readouterr().err.splitlines() if "forged" in line]
    assert lines == []


def test_only_a_trusted_proxys_request_id_is_logged(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    for proxies in (0, 1):
        site = make_site(trusted_proxies=proxies)
        send_request(f"{site.url}/nothing", headers={"X-Request-Id": f"request-{proxies}"})
        send_request(f"{site.url}/nothing", headers={"X-Request-Id": "bad id {}"})
    log = capfd.readouterr().err
    assert '"request": "request-1"' in log
    assert "request-0" not in log
    assert "bad id" not in log


def test_clevers_error_text_is_never_logged(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    for endpoint in ("token", "me", "user", "district"):
        for status in (400, 404, 500):
            site.clever.add_fault(endpoint, status=status, body="canary of an answer", times=2)
            by_portal(site, "student")
            site.clever.clear_faults()
    log = capfd.readouterr().err
    assert "failure" in log
    assert "canary" not in log


CANARY = "Mei-Ling Canary"


def test_the_text_of_an_account_refusal_is_shown_but_not_logged(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_identity: Identity) -> str:
        raise AccountRefused(f"{CANARY} is in another course.")

    site = make_site(
        make_app=lambda settings: make_starter(
            settings, without=("Accounts",), find_or_create=refuse
        )
    )
    visitor = by_portal(site, "student")
    assert CANARY in visitor.text
    log = capfd.readouterr().err
    assert '"code": "account_refused"' in log
    assert CANARY not in log


def test_claims_and_exports_log_no_names_and_no_links(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = account_app.make_account_app(make_site, None)
    names = ("--first-name", "Mei-Ling", "--last-name", "Canary", "--email", "mei@canary.test")
    account = account_app.run_flask_clever(site, "accounts", "add", *names).strip()
    link = account_app.run_flask_clever(site, "accounts", "invite", "--person", account).strip()
    by_portal(site, "student").open(link).press("Yes, both are mine")
    person = site.person("student")
    output_lines = account_app.run_flask_clever(site, "export", "--user", person.id).splitlines()
    assert person.name.last in "".join(output_lines)
    lines = [*capfd.readouterr().err.splitlines(), *output_lines]
    log = "\n".join(line for line in lines if line.startswith('{"time"'))
    events = [json.loads(line) for line in log.splitlines()]
    assert {"account_claimed", "exported"} <= {event["event"] for event in events}
    for event in events:
        assert_as_listed(event)
    token = link.partition("token=")[2]
    for canary in (token, account, person.id, person.name.last, str(person.email), "anary"):
        assert canary not in log


def test_connection_failures_log_no_addresses_and_no_ids(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    site.clever.add_fault("user", drop="before")
    site.clever.add_fault("district", drop="after")
    site.clever.add_fault("school", cut="length")
    assert by_portal(site, "student").path == "/dashboard"
    of_urllib3 = [
        record.getMessage() for record in caplog.records if record.name.startswith("urllib3")
    ]
    assert of_urllib3 == []
    assert site.person("student").id not in capfd.readouterr().err + caplog.text
