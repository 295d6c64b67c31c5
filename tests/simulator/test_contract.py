"""Tests the simulator against Clever's known behavior, so that an app behaves alike with both."""

from __future__ import annotations

import gzip
import http.client
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
import requests

from clever_simulator.config import Config, RegisteredApp, default_config
from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import district_token
from tests.support import page_checks
from tests.support.browser_client import Visitor, send_request
from tests.support.running_app import ROOT
from tests.support.simulators import run_in_background

APP_URL = "https://app.example"
REDIRECT_URI = f"{APP_URL}/oauth/callback"
BASIC = ("simulator", "simulator-secret")
VERSIONS = ["v1.1", "v1.2", "v2.0", "v2.1", "v3.0", "v3.1"]
FORM = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI}


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def authorize(clever: RunningSimulator, **changes: str | None) -> str:
    """Return the URL of an authorization request. None leaves a parameter out."""
    query: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "simulator",
        "redirect_uri": REDIRECT_URI,
        "district_id": clever.people.districts[0].id,
        "state": "a state",
    }
    query |= changes
    request = requests.Request("GET", f"{clever.url}/oauth/authorize", params=query)
    return str(request.prepare().url)


def callback_parameters(
    clever: RunningSimulator, user_name: str = "student", **changes: str | None
) -> dict[str, str]:
    """Log in at Clever and return to the app. Returns the query parameters of the callback."""
    visitor = Visitor(APP_URL)
    visitor.stop_at = "/oauth/callback"
    visitor.open(authorize(clever, **changes))
    visitor.press("Log in", username=user_name, password="clever")
    assert visitor.url.startswith(REDIRECT_URI)
    return {name: values[0] for name, values in parse_qs(urlsplit(visitor.url).query).items()}


def exchange(clever: RunningSimulator, code: str, **parts: Any) -> requests.Response:
    parts = {"data": FORM | {"code": code}, "auth": BASIC} | parts
    return send_request(f"{clever.url}/oauth/tokens", "POST", **parts)


def token(
    clever: RunningSimulator, user_name: str = "student", client_id: str = "simulator"
) -> str:
    code = callback_parameters(clever, user_name, client_id=client_id)["code"]
    response = exchange(clever, code, auth=(client_id, "simulator-secret"))
    return str(response.json()["access_token"])


def read(clever: RunningSimulator, path: str, bearer: str) -> requests.Response:
    return send_request(f"{clever.url}{path}", headers={"Authorization": f"Bearer {bearer}"})


# The authorization request


def test_the_app_receives_code_scope_and_state(clever: RunningSimulator) -> None:
    query = callback_parameters(clever)
    assert re.fullmatch(r"[0-9a-f]{40}", query["code"])
    assert "read:user_id" in query["scope"].split()
    assert query["state"] == "a state"


def test_an_authorization_request_without_a_state_returns_none(clever: RunningSimulator) -> None:
    assert "state" not in callback_parameters(clever, state=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"response_type": "token"},
        {"response_type": None},
        {"redirect_uri": f"{REDIRECT_URI}/"},
        {"redirect_uri": "https://evil.example/oauth/callback"},
        {"redirect_uri": f"{REDIRECT_URI}?a=b"},
        {"district_id": "no-such-district"},
    ],
)
def test_an_invalid_authorization_request_ends_on_clevers_own_error_page(
    clever: RunningSimulator, changes: dict[str, str | None]
) -> None:
    response = send_request(authorize(clever, **changes))
    assert response.status_code == 400
    page_checks.check_page(response, app=False)


def test_without_a_district_id_clever_asks_for_the_school(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(authorize(clever, district_id=None))
    for district in clever.people.districts:
        assert district.name in visitor.text


def test_a_wrong_password_shows_clevers_login_form_again(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(authorize(clever))
    visitor.press("Log in", username="student", password="wrong")
    assert visitor.url.startswith(clever.url)
    assert visitor.page.find(role="alert")


def test_one_click_logs_a_person_in(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL)
    visitor.stop_at = "/oauth/callback"
    visitor.open(authorize(clever)).press(clever.people.person("student").name.full)
    assert "code=" in visitor.url


def test_portal_and_instant_login_use_the_primary_redirect_uri_without_a_state() -> None:
    second = "https://app.example/other"
    app = RegisteredApp(client_id="two", client_secret="s", redirect_uris=(REDIRECT_URI, second))
    with run_in_background(Config(apps=(app,))) as clever:
        district = clever.people.districts[0]
        visitor = Visitor(APP_URL).open(f"{clever.url}/in/{district.shortname}")
        visitor.press("Log in", username="student", password="clever")
        visitor.stop_at = "/oauth/callback"
        visitor.follow(visitor.page.select("a.tile")[0])
        assert visitor.url.startswith(f"{REDIRECT_URI}?")
        assert "state=" not in visitor.url
        link = f"/oauth/instant-login?client_id=two&district_id={district.id}&state=mine"
        visitor.open(clever.url + link)
        assert visitor.url.startswith(f"{REDIRECT_URI}?")
        assert "state=" not in visitor.url


# The exchange


def test_a_code_can_be_exchanged_once(clever: RunningSimulator) -> None:
    code = callback_parameters(clever)["code"]
    first, second = exchange(clever, code), exchange(clever, code)
    assert set(first.json()) == {"access_token"}
    assert first.json()["access_token"].startswith("il")
    assert second.status_code == 400
    assert second.json() == {"error": "invalid_grant", "error_description": "invalid code"}


def test_a_code_expires_after_a_minute(clever: RunningSimulator) -> None:
    young, old = callback_parameters(clever)["code"], callback_parameters(clever)["code"]
    clever.advance(58)
    assert exchange(clever, young).status_code == 200
    clever.advance(4)
    assert exchange(clever, old).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "parts",
    [
        {"data": FORM | {"redirect_uri": f"{REDIRECT_URI}/"}},
        {"data": FORM | {"grant_type": "password"}},
        {"auth": ("simulator", "wrong")},
        {"auth": ("simulator-sso", "simulator-secret")},
        {"auth": None},
        {"auth": None, "data": FORM | {"client_id": BASIC[0], "client_secret": BASIC[1]}},
        {"data": b"code=x", "headers": {"Content-Type": "text/plain"}},
        {"data": None, "files": {"code": "x"}},
        {"data": FORM | {"redirect_uri": [REDIRECT_URI, REDIRECT_URI]}},
        {"params": {"client_secret": BASIC[1]}},
        {"data": FORM | {"client_secret": BASIC[1]}},
        {"data": FORM | {"redirect_uri": ""}},
    ],
)
def test_token_requests_that_clever_would_refuse_are_refused(
    clever: RunningSimulator, parts: dict[str, Any]
) -> None:
    code = callback_parameters(clever)["code"]
    if isinstance(parts.get("data"), dict):
        parts = parts | {"data": parts["data"] | {"code": code}}
    response = exchange(clever, code, **parts)
    assert response.status_code in {400, 401}
    assert response.json()["error"] in {"invalid_grant", "invalid_client", "invalid_request", "unsupported_grant_type", "invalid request"}  # fmt: skip  # noqa: E501


def test_a_secret_in_the_body_does_not_repair_a_wrong_one_in_the_header(
    clever: RunningSimulator,
) -> None:
    config = default_config(APP_URL)
    apps = tuple(replace(app, secret_in_body=True) for app in config.apps)
    clever.configure(replace(config, apps=apps))
    code = callback_parameters(clever)["code"]
    form = FORM | {"code": code, "client_id": BASIC[0], "client_secret": BASIC[1]}
    assert exchange(clever, code, data=form, auth=(BASIC[0], "wrong")).status_code == 401
    assert exchange(clever, code, data=form, auth=None).status_code == 200


def test_a_districts_token_works_until_the_district_leaves(clever: RunningSimulator) -> None:
    url = f"{clever.url}/oauth/tokens?owner_type=district"
    bearer = send_request(url, auth=BASIC).json()["data"][0]["access_token"]
    clever.advance(400 * 24 * 60 * 60)
    assert read(clever, "/v3.0/schools", bearer).status_code == 200


@pytest.mark.parametrize(("bare", "status"), [(False, 200), (True, 400)])
def test_a_charset_in_the_content_type_of_a_token_request_is_refused_only_where_configured(
    clever: RunningSimulator, bare: bool, status: int
) -> None:
    (app, *_) = default_config(APP_URL).apps
    clever.configure(Config(apps=(replace(app, bare_content_type=bare),)))
    form = "application/x-www-form-urlencoded"
    for content_type, expected in ((form, 200), (f"{form};charset=UTF-8", status)):
        code = callback_parameters(clever)["code"]
        response = exchange(clever, code, headers={"Content-Type": content_type})
        assert response.status_code == expected


def test_token_requests_may_have_a_json_body(clever: RunningSimulator) -> None:
    body = FORM | {"code": callback_parameters(clever)["code"]}
    assert exchange(clever, "", data=None, json=body).status_code == 200


# What a token may read


@pytest.mark.parametrize("version", VERSIONS)
def test_the_me_response_matches_the_api_version(clever: RunningSimulator, version: str) -> None:
    person = clever.people.person("teacher")
    body = read(clever, f"/{version}/me", token(clever, "teacher")).json()
    has_legacy_ids = version < "v3"
    assert body["type"] == ("teacher" if has_legacy_ids else "user")
    assert body["data"]["district"] == person.district.id
    assert body["data"]["id"] == (
        person.role_assignment("teacher").legacy_id if has_legacy_ids else person.id
    )
    assert ("authorized_by" in body["data"]) == (version >= "v2.1")
    links = {link["rel"]: link["uri"] for link in body["links"]}
    kind = "teachers" if has_legacy_ids else "users"
    assert links["self"] == "/me"
    assert links["canonical"] == f"/{version}/{kind}/{body['data']['id']}"
    assert links["district"] == f"/{version}/districts/{person.district.id}"


def test_the_sso_tier_shows_no_school(clever: RunningSimulator) -> None:
    bearer = token(clever, "teacher", "simulator-sso")
    person = clever.people.person("teacher")
    user = read(clever, f"/v3.0/users/{person.id}", bearer).json()["data"]
    assert set(user) <= {"id", "district", "name", "email", "created", "last_modified", "roles"}
    assert user["roles"]["teacher"]["schools"] == []
    school = read(clever, f"/v3.0/schools/{person.schools[0].id}", bearer)
    assert school.status_code == 404
    district = read(clever, f"/v3.0/districts/{person.district.id}", bearer).json()["data"]
    assert set(district) == {"id", "name"}


def test_a_user_token_reads_only_its_owner(clever: RunningSimulator) -> None:
    bearer = token(clever, "student")
    other = clever.people.person("teacher")
    other_district = clever.people.districts[1]
    for path in (f"/users/{other.id}", f"/districts/{other_district.id}"):
        response = read(clever, f"/v3.0{path}", bearer)
        assert response.status_code == 404
        assert "message" in response.json()
    unknown = read(clever, "/v3.0/courses", bearer)
    assert unknown.status_code == 404
    assert "text/html" in unknown.headers["Content-Type"]


@pytest.mark.parametrize("bearer", ["", "ilwrong", "il" + "0" * 40])
def test_an_invalid_token_gets_a_401_with_a_message(clever: RunningSimulator, bearer: str) -> None:
    response = read(clever, "/v3.0/me", bearer)
    assert response.status_code == 401
    assert "message" in response.json()


def test_a_token_expires_after_a_day(clever: RunningSimulator) -> None:
    bearer = token(clever)
    clever.advance(24 * 60 * 60 + 1)
    assert read(clever, "/v3.0/me", bearer).status_code == 401


def test_district_app_tokens_at_the_sso_tier_read_only_districts(
    clever: RunningSimulator,
) -> None:
    url = f"{clever.url}/oauth/tokens?owner_type=district"
    assert send_request(url).status_code == 401
    tokens = send_request(url, auth=("simulator-sso", "simulator-secret")).json()["data"]
    assert {token["owner"]["id"] for token in tokens} == {d.id for d in clever.people.districts}
    bearer = tokens[0]["access_token"]
    district = tokens[0]["owner"]["id"]
    assert read(clever, f"/v3.0/districts/{district}", bearer).status_code == 200
    assert read(clever, "/v3.0/me", bearer).json()["type"] == "district"
    user = clever.people.person("student").id
    assert read(clever, f"/v3.0/users/{user}", bearer).status_code == 404


def test_userinfo_and_tokeninfo_say_whose_token_it_is(clever: RunningSimulator) -> None:
    bearer = token(clever, "teacher_admin")
    person = clever.people.person("teacher_admin")
    info = read(clever, "/userinfo", bearer).json()
    assert info["sub"] == info["multi_role_user_id"] == person.id
    assert info["user_type"] == "teacher"
    assert info["name"]["first"] == person.name.first
    assert info["email_verified"] is False
    assert read(clever, "/oauth/tokeninfo", bearer).json()["client_id"] == "simulator"


def test_the_sparse_sample_person_has_only_the_guaranteed_fields(clever: RunningSimulator) -> None:
    person = clever.people.person("sparse")
    user = read(clever, f"/v3.0/users/{person.id}", token(clever, "sparse")).json()["data"]
    assert not user.get("email")
    assert set(user["name"]) - {"middle"} == {"first", "last"}
    assert not user["roles"]["student"].get("school")


def test_the_sample_districts_are_large_enough_and_always_the_same(
    clever: RunningSimulator,
) -> None:
    people = clever.people
    assert (len(people.districts), len(people.schools)) == (3, 9)
    students = [person for person in people.people if "student" in person.roles]
    assert len(students) > 100
    assert len(people.sections) > 20
    with run_in_background(default_config(APP_URL)) as second_simulator:
        assert second_simulator.people.people == people.people


# Request log and faults


def test_the_request_log_has_every_request_in_order_and_no_secret(clever: RunningSimulator) -> None:
    bearer = token(clever)
    read(clever, "/v3.0/me", bearer)
    requests_received = send_request(f"{clever.url}/_simulator/journal").json()["requests"]
    paths = [(request["method"], request["path"]) for request in requests_received]
    assert paths[0] == ("GET", "/oauth/authorize")
    assert paths[-2:] == [("POST", "/oauth/tokens"), ("GET", "/v3.0/me")]
    assert all({"query", "status", "time", "ms"} <= set(request) for request in requests_received)
    assert bearer not in str(requests_received)
    assert "simulator-secret" not in str(requests_received)


@pytest.mark.parametrize("name", ["access_token", "client_secret", "code", "password", "token"])
def test_the_request_log_masks_each_parameter_that_may_be_a_secret(
    clever: RunningSimulator, name: str
) -> None:
    send_request(f"{clever.url}/nothing-here", params={name: "canary", "state": "as it is"})
    (request,) = clever.received_requests()
    assert request["query"] == f"{name}=***&state=as+it+is"


def test_faults_can_be_added_counted_and_cleared_over_http(clever: RunningSimulator) -> None:
    url = f"{clever.url}/_simulator/faults"
    bearer = token(clever)
    assert send_request(url, "POST", json={"endpoint": "me", "times": 2, "status": 503}).ok
    statuses = [read(clever, "/v3.0/me", bearer).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    send_request(url, "POST", json={"endpoint": "me", "times": 0, "status": 429})
    limited = read(clever, "/v3.0/me", bearer)
    assert (limited.status_code, limited.content) == (429, b"")
    assert "X-RateLimit-Reset" in limited.headers
    assert send_request(url, "DELETE").ok
    assert read(clever, "/v3.0/me", bearer).status_code == 200


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("length", http.client.IncompleteRead),
        ("chunked", http.client.IncompleteRead),
        ("reset", ConnectionResetError),
        ("gzip", EOFError),
        ("damaged", (zlib.error, OSError)),
    ],
)
def test_a_response_is_cut_off_as_requested(
    clever: RunningSimulator, kind: str, error: type[Exception]
) -> None:
    clever.add_fault("discovery", cut=kind)
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(clever.url).port, timeout=10)
    connection.request("GET", "/.well-known/openid-configuration")
    response = connection.getresponse()
    assert response.status == 200
    with pytest.raises(error):
        gzip.decompress(response.read())
    connection.close()
    assert (
        send_request(f"{clever.url}/.well-known/openid-configuration").json()["issuer"]
        == clever.url
    )


def test_a_fault_can_omit_a_header_and_change_the_date(clever: RunningSimulator) -> None:
    bearer, date = token(clever), "Mon, 01 Jan 2024 08:00:00 GMT"
    clever.add_fault("me", status=429, headers={"X-RateLimit-Reset": None, "Date": date})
    limited = read(clever, "/v3.0/me", bearer)
    assert limited.status_code == 429
    assert "X-RateLimit-Reset" not in limited.headers
    assert limited.headers["Date"] == date


def test_a_fault_can_change_and_remove_fields(clever: RunningSimulator) -> None:
    path = "/.well-known/openid-configuration"
    true = read(clever, path, "").json()
    clever.add_fault("discovery", fields={"issuer": f"{clever.url}/", "jwks_uri": None})
    changed = read(clever, path, "").json()
    assert changed == {k: v for k, v in true.items() if k != "jwks_uri"} | {
        "issuer": f"{clever.url}/"
    }
    assert read(clever, path, "").json() == true
    clever.add_fault("certs", status=503, fields={"message": "busy"})
    assert read(clever, "/oauth/certs", "").json() == {"message": "busy"}


def test_a_fault_can_be_for_one_path_and_can_cut_a_list(clever: RunningSimulator) -> None:
    bearer = district_token(clever)
    clever.add_fault("data", path="/sections", rows=2)
    full_page = read(clever, "/v3.0/schools?limit=1", bearer).json()
    assert [link["rel"] for link in full_page["links"]] == ["self", "next"]
    cut = read(clever, "/v3.0/sections?limit=3", bearer).json()
    assert (len(cut["data"]), [link["rel"] for link in cut["links"]]) == (2, ["self"])
    assert len(read(clever, "/v3.0/sections?limit=3", bearer).json()["data"]) == 3


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"endpoint": "x"},
        {"endpoint": "me", "fields": []},
        {"endpoint": "me", "drop": "now"},
        {"endpoint": "me", "cut": "off"},
        {"endpoint": "me", "headers": {"A": 1}},
        [],
    ],
)
def test_an_invalid_fault_is_refused_with_a_message(
    clever: RunningSimulator, fault: object
) -> None:
    response = send_request(f"{clever.url}/_simulator/faults", "POST", json=fault)
    assert response.status_code == 400
    assert response.json()["message"]


def test_the_control_page_offers_the_same_switches(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/_simulator")
    visitor.press("Make it fail")
    assert "None: everything works" not in visitor.text
    visitor.press("Clear failures")
    assert "None: everything works" in visitor.text


def test_a_reset_clears_tokens_faults_and_the_request_log(clever: RunningSimulator) -> None:
    bearer = token(clever)
    send_request(f"{clever.url}/_simulator/reset", "POST", json={})
    assert clever.received_requests() == []
    assert read(clever, "/v3.0/me", bearer).status_code == 401


def test_another_site_can_neither_use_nor_read_the_control_endpoints(
    clever: RunningSimulator,
) -> None:
    url = f"{clever.url}/_simulator/reset"
    assert send_request(url, "POST", headers={"Origin": "https://evil.test"}).status_code == 403
    assert send_request(f"{clever.url}/", headers={"Host": "evil.test"}).status_code == 400


def test_the_simulator_listens_only_on_loopback() -> None:
    command = [sys.executable, "-m", "clever_simulator", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode != 0
    assert "Use a loopback address" in result.stderr
    assert "Traceback" not in result.stderr


# What some clients send, and Clever accepts


def test_encoded_credentials_are_accepted_like_plain_ones() -> None:
    secret = "a secret: 100% + & more"  # test value
    app = RegisteredApp(client_id="my app", client_secret=secret, redirect_uris=(REDIRECT_URI,))
    with run_in_background(Config(apps=(app,))) as clever:
        for credentials in (("my app", secret), (quote_plus("my app"), quote_plus(secret))):
            code = callback_parameters(clever, client_id="my app")["code"]
            assert exchange(clever, code, auth=credentials).status_code == 200
        code = callback_parameters(clever, client_id="my app")["code"]
        assert exchange(clever, code, auth=("my app", quote_plus("another"))).status_code == 401


@pytest.mark.parametrize("sends_it", [False, True])
def test_the_type_of_the_token_is_a_switch(sends_it: bool) -> None:
    config = default_config(APP_URL)
    apps = tuple(replace(app, sends_token_type=sends_it) for app in config.apps)
    with run_in_background(replace(config, apps=apps)) as clever:
        body = exchange(clever, callback_parameters(clever)["code"]).json()
    assert body.get("token_type") == ("bearer" if sends_it else None)


@pytest.mark.parametrize("query", ["district={}", "owner_type=district&district={}"])
def test_the_token_of_one_district_is_found_by_its_id(clever: RunningSimulator, query: str) -> None:
    district = clever.people.districts[1].id
    url = f"{clever.url}/oauth/tokens?{query.format(district)}"
    response = send_request(url, auth=BASIC)
    assert [token["owner"]["id"] for token in response.json()["data"]] == [district]


def test_a_path_without_a_version_returns_the_owner_in_the_version_of_the_app(
    clever: RunningSimulator,
) -> None:
    bearer = token(clever)
    assert read(clever, "/me", bearer).json() == read(clever, "/v3.0/me", bearer).json()
    assert read(clever, "/me", "unknown").status_code == 401
