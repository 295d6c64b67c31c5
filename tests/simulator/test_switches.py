"""Tests the switches for open questions about Clever: each value is another behavior."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from clever_simulator.__main__ import main
from clever_simulator.config import RegisteredApp, default_config
from clever_simulator.server import RunningSimulator
from clever_simulator.switches import SwitchError, all_switches, format_value, parse_switch
from docs import write_switches
from tests.simulator.test_data_api import district_token
from tests.simulator.test_login import act_as
from tests.support.browser_client import Visitor, send_request
from tests.support.simulator_client import (
    APP_URL,
    CLIENT_SECRET,
    REDIRECT_URI,
    authorize,
    callback_query,
    exchange_code,
    log_in,
    log_in_and_exchange,
    read_endpoint,
)
from tests.support.simulators import run_in_background

SWITCHES = {switch.name: switch for switch in all_switches()}
OTHER_URI = f"{APP_URL}/other"
ENCODED = ("a+b", "a%2Bb")  # a client ID, and the same encoded like a form field


@dataclass(frozen=True)
class Probe:
    """A client that sees how the simulator behaves towards an app with one switch set."""

    clever: RunningSimulator

    @property
    def bearer(self) -> str:
        return str(log_in_and_exchange(self.clever, "simulator")["access_token"])

    def code(self, client_id: str = "simulator") -> str:
        return callback_query(log_in(self.clever, client_id))["code"]

    def exchange(self, **parts: Any) -> str:
        """Exchange a code in this way. Returns the status, and the error if there is one."""
        response = exchange_code(self.clever, "simulator", self.code(), **parts)
        return f"{response.status_code} {response.json().get('error', '')}".strip()

    def read(self, path: str, bearer: str | None = None) -> str:
        """Return the status of a resource, and what kind of answer it is."""
        response = read_endpoint(self.clever, path, bearer or district_token(self.clever))
        kind = response.headers.get("Content-Type", "").partition(";")[0].partition("/")[2]
        return f"{response.status_code} {kind}".strip()

    def json(self, path: str, bearer: str | None = None) -> Any:
        return read_endpoint(self.clever, path, bearer or district_token(self.clever)).json()

    def arrive(self, client_id: str = "simulator", user: str = "student", **link: str) -> Visitor:
        """Log in, and open the link once more. The browser has a session at Clever then."""
        visitor = log_in(self.clever, client_id, user, **link)
        return visitor.open(authorize(self.clever, client_id, **link))

    def page(self, visitor: Visitor) -> str:
        """Return where a browser is: at the app, or on a page of Clever with this heading."""
        return "app" if visitor.url.startswith(APP_URL) else visitor.heading

    def id_token(self, part: int) -> Any:
        """Return the header or the claims of an ID token."""
        tokens = log_in_and_exchange(self.clever, "simulator-oidc", "district_admin")
        text = tokens["id_token"].split(".")[part]
        return json.loads(base64.urlsafe_b64decode(text + "==="))

    def change_app(self, **fields: Any) -> None:
        """Change the registration of the app `simulator`, and keep its switches."""
        config = self.clever.app.extensions["clever_simulator"].config
        first, *others = config.apps
        self.clever.configure(replace(config, apps=(replace(first, **fields), *others)))


def form(**fields: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI} | fields


def wrong_redirect_uri(probe: Probe) -> str:
    probe.change_app(redirect_uris=(REDIRECT_URI, OTHER_URI))
    code = probe.code()
    refused = exchange_code(
        probe.clever, "simulator", code, data=form(code=code, redirect_uri=OTHER_URI)
    )
    again = exchange_code(probe.clever, "simulator", code)
    return f"{refused.json()['error']}, then {again.status_code}"


def used_code(probe: Probe) -> str:
    code = probe.code()
    token = exchange_code(probe.clever, "simulator", code).json()["access_token"]
    exchange_code(probe.clever, "simulator", code)
    return probe.read("/v3.0/me", token)


def encoded_basic(probe: Probe) -> str:
    plain, encoded = ENCODED
    probe.change_app(client_id=plain, client_secret=plain)
    url = f"{probe.clever.url}/oauth/tokens?owner_type=district"
    pairs = ((plain, plain), (encoded, encoded))
    return " ".join(str(send_request(url, auth=pair).status_code) for pair in pairs)


def length_optional(probe: Probe) -> str:
    parts = iter([b"grant_type=authorization_code&code=none&redirect_uri=none"])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{probe.clever.url}/oauth/tokens"
    auth = ("simulator", CLIENT_SECRET)
    response = send_request(url, "POST", data=parts, headers=headers, auth=auth)
    return str(response.json()["error_description"])


def owner_type_required(probe: Probe) -> str:
    url = f"{probe.clever.url}/oauth/tokens?district={probe.clever.people.districts[0].id}"
    return str(send_request(url, auth=("simulator", CLIENT_SECRET)).status_code)


def scopes(probe: Probe) -> str:
    query = callback_query(log_in(probe.clever, "simulator"))
    told = probe.json("/oauth/tokeninfo", probe.bearer)["scopes"]
    return f"{bool(query.get('scope'))} {bool(told)}"


def other_district(probe: Probe) -> str:
    visitor = log_in(probe.clever, "simulator")
    other = probe.clever.people.districts[1].id
    return probe.page(visitor.open(authorize(probe.clever, "simulator", district_id=other)))


def login_session(probe: Probe) -> str:
    visitor = log_in(probe.clever, "simulator")
    probe.clever.advance(2 * 60 * 60 + 1)
    return probe.page(visitor.open(authorize(probe.clever, "simulator")))


def refused_consent(probe: Probe) -> str:
    visitor = log_in(probe.clever, "simulator-library", "teacher").press("No")
    if not visitor.url.startswith(APP_URL):
        return visitor.heading
    query = callback_query(visitor)
    return f"{query['error']} {query['state']}"


def loginas_mark(probe: Probe) -> str:
    visitor = act_as(probe.clever)
    query = callback_query(visitor.open(authorize(probe.clever, "simulator")))
    return str(query.get("loginas_by_admin"))


def two_accounts(probe: Probe) -> str:
    probe.change_app(api_version="v2.1")
    return probe.page(probe.arrive(user="teacher_admin"))


def two_roles(probe: Probe) -> str:
    token = log_in_and_exchange(probe.clever, "simulator", "teacher_admin")["access_token"]
    return str(probe.json("/userinfo", token)["user_type"])


def roles_order(probe: Probe) -> str:
    person = probe.clever.people.person("teacher_admin")
    return " ".join(probe.json(f"/v3.0/users/{person.id}")["data"]["roles"])


def userinfo_role(probe: Probe) -> str:
    person = probe.clever.people.person("unknown_role")
    link = {"district_id": person.district.id}
    token = log_in_and_exchange(probe.clever, "simulator", "unknown_role", **link)["access_token"]
    return str(probe.json("/userinfo", token).get("user_type"))


def unreadable(probe: Probe) -> str:
    token = log_in_and_exchange(probe.clever, "simulator-sso")["access_token"]
    school = probe.clever.people.schools[0].id
    other = probe.clever.people.person("teacher").id
    return " | ".join(
        probe.read(path, token) for path in (f"/v3.0/users/{other}", f"/v3.0/schools/{school}")
    )


def missing_version(probe: Probe) -> str:
    probe.change_app(api_versions=("v3.0",))
    return probe.read("/v2.1/students")


def sends_retry_after(probe: Probe) -> str:
    token, url = district_token(probe.clever), f"{probe.clever.url}/v3.0/schools?limit=1"
    tokens = probe.clever.app.extensions["clever_simulator"].tokens
    while tokens.calls_left(token)[0] > 0:
        pass
    response = send_request(url, headers={"Authorization": f"Bearer {token}"})
    seconds = int(response.headers.get("Retry-After", "0"))
    return f"{response.status_code} {0 < seconds <= 60}"


def lost_record(probe: Probe) -> str:
    return probe.read("/v3.0/schools?starting_after=000000000000000000000000")


def links(probe: Probe) -> str:
    first = probe.clever.people.schools[0].id
    page = probe.json(f"/v3.0/schools?limit=1&starting_after={first}")
    return " ".join(sorted(link["rel"] for link in page["links"]))


def old_event(probe: Probe) -> str:
    probe.clever.change_roster("name", "student", first="Adele")
    path = "/v3.0/events?starting_after=000000000000000000000000"
    status = probe.read(path)
    return f"{status} {len(probe.json(path).get('data', ()))}"


def previous_attributes(probe: Probe) -> str:
    probe.clever.change_roster("name", "student", first="Adele")
    event = probe.json("/v3.0/events")["data"][0]["data"]
    return f"{'previous_attributes' in event['data']} {'previous_attributes' in event}"


def library_after_leaving(probe: Probe) -> str:
    link = log_in(probe.clever, "simulator-library", "teacher").press("Yes")
    code = callback_query(link)["code"]
    token = exchange_code(probe.clever, "simulator-library", code).json()["access_token"]
    probe.clever.make_step("leave")
    return probe.read("/v3.0/me", token)


NO_SECRET = {"auth": None}
# For each switch: how to see it, and what is seen for each of its values.
PROBES: dict[str, tuple[Callable[[Probe], str], tuple[str, ...]]] = {
    "wrong_redirect_uri": (
        wrong_redirect_uri,
        ("invalid_grant, then 400", "redirect_uri_mismatch, then 400", "invalid_grant, then 200"),
    ),
    "used_code": (used_code, ("200 json", "401 json")),
    "wrong_secret": (
        lambda probe: probe.exchange(auth=("simulator", "wrong")),
        ("401 invalid_client", "400 invalid_client"),
    ),
    "secret_in_body": (
        lambda probe: str(
            exchange_code(
                probe.clever,
                "simulator",
                "",
                auth=None,
                data=form(code=probe.code(), client_id="simulator", client_secret=CLIENT_SECRET),
            ).status_code
        ),
        ("401", "200"),
    ),
    "bare_content_type": (
        lambda probe: probe.exchange(
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            data=form(code=probe.code()),
        ),
        ("200", "400 invalid_request"),
    ),
    "encoded_basic": (encoded_basic, ("200 200", "200 401", "401 200")),
    "sends_token_type": (
        lambda probe: str(log_in_and_exchange(probe.clever, "simulator").get("token_type")),
        ("None", "bearer"),
    ),
    "length_optional": (length_optional, ("Content-Length is missing", "invalid code")),
    "owner_type_required": (owner_type_required, ("200", "400")),
    "scopes": (scopes, ("True True", "False False")),
    "repeated_parameter": (
        lambda probe: probe.page(
            log_in(probe.clever, "simulator").open(
                authorize(probe.clever, "simulator") + "&state=2"
            )
        ),
        ("This login cannot continue", "app"),
    ),
    "loose_instant_login": (
        lambda probe: probe.page(
            log_in(probe.clever, "simulator").open(
                f"{probe.clever.url}/oauth/instant-login?client_id=simulator&redirect_uri=http://x"
            )
        ),
        ("This login cannot continue", "app"),
    ),
    "other_district": (
        other_district,
        ("Log in to Lantern Bay Public Schools", "app"),
    ),
    "confirms_unasked": (
        lambda probe: probe.page(probe.arrive()),
        ("app", "Is this you? Ada Moreno"),
    ),
    "confirms_after_password": (
        lambda probe: probe.page(log_in(probe.clever, "simulator", confirmed="false")),
        ("app", "Is this you? Ada Moreno"),
    ),
    "two_accounts": (two_accounts, ("Which account?", "app")),
    "two_roles": (two_roles, ("teacher", "staff")),
    "login_session": (
        login_session,
        ("app", "Log in to Harrow Creek Unified School District"),
    ),
    "refused_consent": (refused_consent, ("Nothing was shared", "access_denied a state")),
    "loginas_repeats": (loginas_mark, ("None", "true")),
    "unversioned_me": (lambda probe: probe.read("/me", probe.bearer), ("200 json", "404 html")),
    "short_old_me": (
        lambda probe: str("name" in probe.json("/v1.1/me", probe.bearer)["data"]),
        ("True", "False"),
    ),
    "sends_authorized_by": (
        lambda probe: str(probe.json("/v3.0/me", probe.bearer)["data"].get("authorized_by")),
        ("district", "None"),
    ),
    "roles_order": (roles_order, ("staff teacher", "teacher staff")),
    "userinfo_role": (userinfo_role, ("librarian", "None")),
    "id_token_role": (
        lambda probe: str(probe.id_token(1)["user_type"]),
        ("district admin", "district_admin"),
    ),
    "id_token_algorithm": (
        lambda probe: str(probe.id_token(0)["alg"]),
        ("RS256", "ES256"),
    ),
    "unreadable": (
        unreadable,
        ("404 json | 404 html", "403 json | 403 json", "404 html | 404 html"),
    ),
    "missing_version": (missing_version, ("404 json", "501 json", "404 html")),
    "sends_retry_after": (sends_retry_after, ("429 False", "429 True")),
    "bad_limit": (lambda probe: probe.read("/v3.0/schools?limit=0"), ("400 json", "200 json")),
    "unknown_role_filter": (
        lambda probe: probe.read("/v3.0/users?role=nobody"),
        ("400 json", "200 json"),
    ),
    "lost_record": (lost_record, ("200 json", "404 json")),
    "sends_prev": (links, ("next prev self", "next self")),
    "sends_count": (
        lambda probe: str("count" in probe.json("/v3.0/schools?count=true")),
        ("True", "False"),
    ),
    "unknown_contact": (
        lambda probe: probe.read("/v2.1/contacts/nobody/students"),
        ("200 json", "404 json"),
    ),
    "old_event": (old_event, ("404 json 0", "400 json 0", "200 json 1")),
    "previous_attributes": (previous_attributes, ("True False", "False True")),
    "library_after_leaving": (library_after_leaving, ("200 json", "401 json")),
}


def apps_with(**switches: Any) -> tuple[RegisteredApp, ...]:
    return tuple(replace(app, **switches) for app in default_config(APP_URL).apps)


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def test_every_switch_has_a_probe() -> None:
    assert set(PROBES) == set(SWITCHES)


@pytest.mark.parametrize("name", PROBES)
def test_each_value_of_a_switch_is_another_behavior(clever: RunningSimulator, name: str) -> None:
    look, expected = PROBES[name]
    seen = []
    for value in SWITCHES[name].behaviors:
        clever.reset()
        clever.configure(replace(default_config(APP_URL), apps=apps_with(**{name: value})))
        seen.append(look(Probe(clever)))
    assert tuple(seen) == expected


def test_the_table_in_the_readme_has_every_switch() -> None:
    assert write_switches.PAGE.read_text(encoding="utf-8") == write_switches.text()


def test_a_switch_on_the_command_line_applies_to_every_app() -> None:
    with_switch = parse_switch("sends_token_type=true") | parse_switch("used_code=token_revoked")
    assert with_switch == {"sends_token_type": True, "used_code": "token_revoked"}
    for switch in all_switches():
        for value in switch.behaviors:
            assert parse_switch(f"{switch.name}={format_value(value)}") == {switch.name: value}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("used_code", "The values of used_code are token_valid and token_revoked."),
        ("sends_prev=no", "The values of sends_prev are true and false."),
        ("magic=true", "There is no switch magic. The switches are wrong_redirect_uri, used_code"),
    ],
)
def test_a_wrong_switch_on_the_command_line_is_refused_with_the_choices(
    text: str, sentence: str
) -> None:
    with pytest.raises(SwitchError, match=re.escape(sentence)):
        parse_switch(text)


def test_the_command_refuses_a_wrong_switch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--switch", "used_code=maybe"])
    assert "The values of used_code are token_valid and token_revoked." in capsys.readouterr().err
