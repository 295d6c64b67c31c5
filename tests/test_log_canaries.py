"""Tests that what visitors, Clever, a product, and drivers say reaches no log.

Each source says a canary where a name, an email address, a token, or an id would be. No log event,
no line of another library, and no output of a command that a scheduler runs may repeat it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click
import pytest
from flask import Flask, request
from flask.typing import ResponseReturnValue

from clever_login import AccountRefused, Identity, public, signals
from clever_login.config import PRODUCTION, Settings
from clever_login.errors import LoginError
from tests.conftest import SiteMaker
from tests.project.test_architecture import names_of_tests
from tests.support.account_app import flask_app, make_account_app, run_flask_clever
from tests.support.browser_client import send_request
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button, by_portal
from tests.support.starter import make_starter
from tests.test_logs import EVENTS, assert_as_listed

WORD = "Canarybird"
CANARY = f'{WORD}\r\n{{"event": "forged"}}\x1b[2J\x7f\u2028\u202e'
ID = "cafe" * 6  # like an id of Clever's
NAMES = {"name": {"first": WORD, "last": CANARY}, "email": f"{WORD}@school.example"}


class OutOfBooks(LoginError):
    """A product's error, whose message quotes a child."""


def fail(*_: object, **__: object) -> Any:
    raise KeyError(CANARY, ID)


@dataclass(frozen=True)
class Source:
    """Somebody who says the canary, and the events that they cause."""

    events: str
    say: Callable[[SiteMaker], Any]  # returns what a command prints, or anything else


def visitor_in_requests(make_site: SiteMaker) -> None:
    site = make_site()
    said = dict.fromkeys(("code", "state", "error", "iss", "next", "district_id"), CANARY)
    headers = {
        name: quote(CANARY)
        for name in ("User-Agent", "Referer", "X-Request-Id", "Cookie", "Authorization")
    }
    for path in ("/oauth/callback", "/login", "/claim", "/logged-out", f"/{ID}", f"/classes/{ID}"):
        for query in (said, dict.fromkeys(("state",), CANARY), {"token": CANARY}):
            send_request(f"{site.url}{path}", params=query, headers=headers)
            send_request(f"{site.url}{path}", "POST", data=query, headers=headers)
    by_portal(site, "student").open(f"/oauth/callback?state=forged&code={quote(CANARY)}")


def person_at_clever(make_site: SiteMaker) -> None:
    site = make_account_app(make_site, None, ask_preferred_name=True)
    person = site.person("teacher_admin")
    roles: dict[str, Any] = {"teacher": {"schools": []}, "staff": {"schools": []}}
    record = {"id": person.id, "district": person.district.id, "roles": roles, **NAMES}
    site.clever.add_fault("user", body=json.dumps({"data": record}), times=0)
    names = ("--first-name", WORD, "--last-name", CANARY, "--email", f"{WORD}@school.example")
    account = run_flask_clever(site, "accounts", "add", *names).strip()
    link = run_flask_clever(site, "accounts", "invite", "--person", account).strip()
    visitor = by_button(site, "teacher_admin").press("Use this name", name=CANARY)
    visitor.open(link).press("Yes, both are mine").press("See the school administrator page")
    visitor.press("Log out")
    for words in (("forget", "--user", person.id), ("retention", "--yes")):
        print_output(run_flask_clever(site, *words))


def answer_of_clever(make_site: SiteMaker) -> None:
    site = make_site(clever_client_id="simulator-oidc")
    for endpoint in ("discovery", "certs", "token", "user", "district"):
        site.clever.add_fault(endpoint, status=500, body=CANARY, times=2)
        by_portal(site, "student")
        site.clever.clear_faults()
    for endpoint, fault in (("me", {"drop": "after"}), ("school", {"cut": "length"})):
        site.clever.add_fault(endpoint, **fault)
        by_portal(site, "student")


def roster_of_clever(make_site: SiteMaker) -> None:
    site = make_account_app(make_site, None)
    person = site.person("student")
    section = site.clever.people.sections_of(person.district)[0]
    odd = {"email": [CANARY], "roles.student.grade": [CANARY], "name.first": WORD}
    altered = {person.id: odd, section.id: {"id": f"no id, {ID}"}}
    site.clever.override_many([{"id": key, "fields": each} for key, each in altered.items()])
    result = sync_site(site, "--district", person.district.id)
    print_output(result.output.replace(person.district.name, ""))


def account_refused(make_site: SiteMaker) -> None:
    def refuse(_identity: Identity) -> str:
        raise AccountRefused(CANARY)

    def make(settings: Settings) -> Flask:
        return make_starter(settings, without=("Accounts",), find_or_create=refuse)

    by_portal(make_site(make_app=make), "student")


def errors_of_a_product(make_site: SiteMaker) -> None:
    @public
    def crash() -> ResponseReturnValue:
        raise KeyError(request.args["word"], ID)

    @public
    def refuse() -> ResponseReturnValue:
        raise OutOfBooks(CANARY)

    def extend(app: Flask) -> None:
        app.add_url_rule("/crash", "crash", crash)
        app.add_url_rule("/refuse", "refuse", refuse)

    site = make_site(app_env=PRODUCTION, extend=extend)
    for path, status in (("/crash", 500), ("/refuse", 400)):
        response = send_request(f"{site.url}{path}", params={"word": CANARY})
        assert response.status_code == status


def receivers_of_a_product(make_site: SiteMaker) -> None:
    site = make_account_app(make_site, None)
    app = flask_app(site)
    signals.logged_in.connect(fail, sender=app)
    by_button(site, "student")
    signals.people_created.connect(fail, sender=app)
    sync_site(site)


def command_of_the_app(make_site: SiteMaker) -> None:
    site = make_account_app(make_site, None, app_env=PRODUCTION)
    group = flask_app(site).cli.commands["clever"]
    assert isinstance(group, click.Group)
    group.add_command(click.Command("break", callback=fail))
    print_output(run_flask_clever(site, "break", fails=True))


def stores_that_are_down(make_site: SiteMaker) -> None:
    for changes in (
        {"redis_url": f"redis://:{WORD}@127.0.0.1:1/0"},
        {"database_url": f"postgresql://{WORD}:{WORD}@127.0.0.1:1/{WORD}"},
    ):
        site = make_site(app_env=PRODUCTION, **changes)
        by_button(site, "student")
        assert send_request(f"{site.url}/readyz").status_code == 503
        for words in (("sync",), ("forget", "--user", ID), ("sessions", "end", "--all")):
            result = flask_app(site).test_cli_runner().invoke(args=["clever", *words])
            print_output(result.output)


def print_output(text: str) -> None:
    """Send the output of a command where a scheduler's log would have it."""
    sys.stderr.write(text)


SOURCES = {
    "a visitor": Source("failure login login_restarted callback_ignored", visitor_in_requests),
    "a person at Clever": Source(
        "login preferred_name_set account_claimed role_switched logout forgotten retention",
        person_at_clever,
    ),
    "an answer of Clever": Source(
        "login_restarted part_missing failure id_token_left_aside", answer_of_clever
    ),
    "a roster of Clever": Source(
        "sync_values_not_understood sync_records_skipped", roster_of_clever
    ),
    "an account refusal": Source("failure", account_refused),
    "an error of a product": Source("failure", errors_of_a_product),
    "a receiver of a product": Source("receiver_failed", receivers_of_a_product),
    "a command": Source("command_crashed", command_of_the_app),
    "a store that is down": Source("failure not_ready", stores_that_are_down),
}
# Events that these tests cause, with their own canaries.
ELSEWHERE = {
    "exported": "test_claims_and_exports_log_no_names_and_no_links",
    "district_tokens_skipped": "test_an_unusable_entry_of_the_token_list_is_skipped_and_logged",
    "sync_another_district": "test_data_of_one_district_never_changes_another_and_is_counted",
    "sync_crashed": "test_an_error_in_the_app_ends_the_sync_of_one_district_only",
}
# Events of which each field is a constant, a count, a time, a role, a pseudonym, or a name of a
# file of the app.
SAYS_NOTHING = """
account_linked accounts_imported broken_language callback_repeated code_not_shared config_warning
last_known_used permissions_corrected permissions_too_wide ready_again removals_approved
session_dropped sessions_ended sync_held sync_interrupted sync_not_started sync_on_demand
template_outdated
"""


@pytest.mark.parametrize("name", SOURCES)
def test_what_somebody_says_is_in_no_log(
    make_site: SiteMaker,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    source = SOURCES[name]
    source.say(make_site)
    lines = logged_lines(capfd.readouterr().err, caplog)
    events = [json.loads(line) for line in lines if line.startswith('{"time"')]
    assert {event["event"] for event in events} >= set(source.events.split())
    for event in events:
        assert_as_listed(event)
    for said in (WORD, ID, "forged", "\x1b[2J", "\u202e"):
        assert [line for line in lines if said in line] == []


def logged_lines(stderr: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of all loggers, but not the paths of the development server's access log."""
    others = [record for record in caplog.records if record.name != "werkzeug"]
    texts = [stderr, *(caplog.handler.format(record) for record in others)]
    return [line for text in texts for line in text.split("\n") if " - - [" not in line]


def test_every_event_has_a_source_or_says_nothing_from_outside() -> None:
    with_source = {event for source in SOURCES.values() for event in source.events.split()}
    assert with_source | ELSEWHERE.keys() | set(SAYS_NOTHING.split()) == set(EVENTS)
    assert set(ELSEWHERE.values()) <= names_of_tests()
