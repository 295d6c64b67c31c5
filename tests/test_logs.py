"""Nothing that names or admits a person is in any log."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clever_login.accounts import Account
from clever_login.errors import AccountRefused
from clever_login.models import User
from clever_login.session import CurrentUser
from clever_simulator import tokens as clevers_tokens
from tests import school
from tests.conftest import SiteMaker
from tests.entries import by_portal, to_the_callback
from tests.sites import ROOT, Site
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


# Every event, with its fields; those behind `|` are not always there.
EVENTS = {
    "account_claimed": "person impersonation_claimed",
    "broken_language": "language reason",
    "callback_ignored": "reason",
    "callback_repeated": "",
    "code_not_shared": "",
    "config_warning": "reason",
    "exported": "person",
    "failure": "code status reference causes | reason where",
    "forgotten": "kind subject rows sessions",
    "id_token_left_aside": "cause",
    "login": "role person district impersonation_claimed",
    "login_restarted": "reason",
    "logout": "person",
    "not_ready": "reason",
    "part_missing": "part outcome cause",
    "permissions_corrected": "file",
    "permissions_too_wide": "file",
    "preferred_name_set": "person impersonation_claimed",
    "ready_again": "",
    "retention": "rows",
    "role_switched": "role person",
    "session_dropped": "reason",
    "sessions_ended": "count",
    "sync_held": "district missing",
}
ALWAYS = {"time", "level", "event"}
IN_A_REQUEST = {"endpoint", "request"}
PSEUDONYMS = {"person", "district", "subject"}


def assert_as_listed(line: dict[str, Any]) -> None:
    """An event has the fields of the table above and no others, and people by pseudonym."""
    required, _, optional = EVENTS[line["event"]].partition("|")
    fields = line.keys() - ALWAYS - IN_A_REQUEST
    assert set(required.split()) <= fields <= {*required.split(), *optional.split()}, line
    assert line.keys() >= ALWAYS
    for name in PSEUDONYMS & fields:
        assert re.fullmatch("[0-9a-f]{16}", line[name]), line


def test_every_event_is_in_the_table_with_its_fields() -> None:
    source = "".join(path.read_text() for path in (ROOT / "clever_login").rglob("*.py"))
    named = re.findall(r"\bevent\(\s*\"(\w+)\"", source)
    assert set(named) == set(EVENTS)


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
        assert_as_listed(line)
    assert {line["event"] for line in lines} >= {
        *("login", "login_restarted", "callback_repeated", "callback_ignored", "failure"),
        *("part_missing", "role_switched", "logout"),
    }
    people = {line["person"] for line in lines if line.get("person")}
    assert len(people) == 2  # the same pseudonym at login, switch and log out
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


CANARY = "Mei-Ling Canary"


def test_the_words_with_which_an_account_is_refused_are_for_the_person_alone(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_user: User) -> Account:
        raise AccountRefused(f"{CANARY} is in another course.")

    site = make_site(extend=lambda app: app.config.update(FIND_OR_CREATE=refuse))
    visitor = by_portal(site, "student")
    assert CANARY in visitor.text
    log = capfd.readouterr().err
    assert '"code": "account_refused"' in log
    assert CANARY not in log


def test_a_claim_and_an_export_leave_no_name_and_no_link_in_the_log(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = school.make(make_site, None)
    names = ("--first-name", "Mei-Ling", "--last-name", "Canary", "--email", "mei@canary.test")
    account = school.flask_clever(site, "accounts", "add", *names).strip()
    link = school.flask_clever(site, "accounts", "invite", "--person", account).strip()
    by_portal(site, "student").open(link).press("Yes, both are me")
    person = site.person("student")
    said = school.flask_clever(site, "export", "--user", person.id).splitlines()
    assert person.name.last in "".join(said)
    lines = [*capfd.readouterr().err.splitlines(), *said]
    log = "\n".join(line for line in lines if line.startswith('{"time"'))
    events = [json.loads(line) for line in log.splitlines()]
    assert {"account_claimed", "exported"} <= {event["event"] for event in events}
    for event in events:
        assert_as_listed(event)
    token = link.partition("token=")[2]
    for canary in (token, account, person.id, person.name.last, str(person.email), "anary"):
        assert canary not in log


def test_failing_connections_leave_no_address_and_no_id_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    site.clever.fault("user", drop="before")
    site.clever.fault("district", drop="after")
    site.clever.fault("school", cut="length")
    assert by_portal(site, "student").path == "/dashboard"
    of_urllib3 = [each.getMessage() for each in caplog.records if each.name.startswith("urllib3")]
    assert of_urllib3 == []
    assert site.person("student").id not in capfd.readouterr().err + caplog.text
