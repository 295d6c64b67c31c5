"""The simulator, held to what is known of Clever: an app that works here must work there."""

from __future__ import annotations

import gzip
import http.client
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clever_simulator.config import Config, RegisteredApp, default_config
from clever_simulator.server import Running, running
from tests import pages
from tests.sites import ROOT
from tests.test_simulator_data import district_token
from tests.visitor import Visitor, ask

APP_URL = "https://app.example"
REDIRECT_URI = f"{APP_URL}/oauth/callback"
BASIC = ("simulator", "simulator-secret")
VERSIONS = ["v1.1", "v1.2", "v2.0", "v2.1", "v3.0", "v3.1"]
FORM = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI}


@pytest.fixture
def clever() -> Iterator[Running]:
    with running(default_config(APP_URL)) as started:
        yield started


def authorize(clever: Running, **changes: str | None) -> str:
    """An authorization request; None leaves a parameter out."""
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


def arrive(clever: Running, user_name: str = "student", **changes: str | None) -> dict[str, str]:
    """Log in at Clever and come back to the app: the query that arrives there."""
    visitor = Visitor(APP_URL)
    visitor.stop_at = "/oauth/callback"
    visitor.open(authorize(clever, **changes))
    visitor.press("Log in", username=user_name, password="clever")
    assert visitor.url.startswith(REDIRECT_URI)
    return {name: values[0] for name, values in parse_qs(urlsplit(visitor.url).query).items()}


def exchange(clever: Running, code: str, **parts: Any) -> requests.Response:
    parts = {"data": FORM | {"code": code}, "auth": BASIC} | parts
    return ask(f"{clever.url}/oauth/tokens", "POST", **parts)


def token(clever: Running, user_name: str = "student", client_id: str = "simulator") -> str:
    code = arrive(clever, user_name, client_id=client_id)["code"]
    answer = exchange(clever, code, auth=(client_id, "simulator-secret"))
    return str(answer.json()["access_token"])


def read(clever: Running, path: str, bearer: str) -> requests.Response:
    return ask(f"{clever.url}{path}", headers={"Authorization": f"Bearer {bearer}"})


# The authorization request


def test_code_scope_and_state_arrive_at_the_app(clever: Running) -> None:
    query = arrive(clever)
    assert re.fullmatch(r"[0-9a-f]{40}", query["code"])
    assert "read:user_id" in query["scope"].split()
    assert query["state"] == "a state"


def test_without_a_state_none_comes_back(clever: Running) -> None:
    assert "state" not in arrive(clever, state=None)


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
def test_a_bad_request_ends_on_clevers_own_page(
    clever: Running, changes: dict[str, str | None]
) -> None:
    answer = ask(authorize(clever, **changes))
    assert answer.status_code == 400
    pages.check(answer, app=False)


def test_without_a_district_the_school_is_asked_for(clever: Running) -> None:
    visitor = Visitor(APP_URL).open(authorize(clever, district_id=None))
    for district in clever.people.districts:
        assert district.name in visitor.text


def test_a_wrong_password_stays_at_clever(clever: Running) -> None:
    visitor = Visitor(APP_URL).open(authorize(clever))
    visitor.press("Log in", username="student", password="wrong")
    assert visitor.url.startswith(clever.url)
    assert visitor.page.find(role="alert")


def test_one_click_logs_a_person_in(clever: Running) -> None:
    visitor = Visitor(APP_URL)
    visitor.stop_at = "/oauth/callback"
    visitor.open(authorize(clever)).press(clever.people.person("student").name.full)
    assert "code=" in visitor.url


def test_portal_and_instant_login_go_to_the_primary_redirect_uri_without_a_state() -> None:
    second = "https://app.example/other"
    app = RegisteredApp(client_id="two", client_secret="s", redirect_uris=(REDIRECT_URI, second))
    with running(Config(apps=(app,))) as clever:
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


def test_a_code_is_good_for_one_exchange(clever: Running) -> None:
    code = arrive(clever)["code"]
    first, second = exchange(clever, code), exchange(clever, code)
    assert set(first.json()) == {"access_token"}
    assert first.json()["access_token"].startswith("il")
    assert second.status_code == 400
    assert second.json() == {"error": "invalid_grant", "error_description": "invalid code"}


def test_a_code_is_good_for_a_minute(clever: Running) -> None:
    young, old = arrive(clever)["code"], arrive(clever)["code"]
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
    ],
)
def test_what_clever_would_not_take_is_refused(clever: Running, parts: dict[str, Any]) -> None:
    code = arrive(clever)["code"]
    if isinstance(parts.get("data"), dict):
        parts = parts | {"data": parts["data"] | {"code": code}}
    answer = exchange(clever, code, **parts)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"invalid_grant", "invalid_client", "invalid_request", "unsupported_grant_type", "invalid request"}  # fmt: skip  # noqa: E501


def test_json_bodies_are_taken_too(clever: Running) -> None:
    body = FORM | {"code": arrive(clever)["code"]}
    assert exchange(clever, "", data=None, json=body).status_code == 200


# What a token may read


@pytest.mark.parametrize("version", VERSIONS)
def test_me_has_the_shape_of_its_version(clever: Running, version: str) -> None:
    person = clever.people.person("teacher")
    body = read(clever, f"/{version}/me", token(clever, "teacher")).json()
    typed = version < "v3"
    assert body["type"] == ("teacher" if typed else "user")
    assert body["data"]["district"] == person.district.id
    assert body["data"]["id"] == (person.post("teacher").legacy_id if typed else person.id)
    assert ("authorized_by" in body["data"]) == (version >= "v2.1")
    links = {link["rel"]: link["uri"] for link in body["links"]}
    kind = "teachers" if typed else "users"
    assert links["self"] == "/me"
    assert links["canonical"] == f"/{version}/{kind}/{body['data']['id']}"
    assert links["district"] == f"/{version}/districts/{person.district.id}"


def test_the_sso_tier_shows_no_school(clever: Running) -> None:
    bearer = token(clever, "teacher", "simulator-sso")
    person = clever.people.person("teacher")
    user = read(clever, f"/v3.0/users/{person.id}", bearer).json()["data"]
    assert set(user) <= {"id", "district", "name", "email", "created", "last_modified", "roles"}
    assert user["roles"]["teacher"]["schools"] == []
    school = read(clever, f"/v3.0/schools/{person.schools[0].id}", bearer)
    assert school.status_code == 404
    district = read(clever, f"/v3.0/districts/{person.district.id}", bearer).json()["data"]
    assert set(district) == {"id", "name"}


def test_a_token_reads_its_owner_and_nobody_else(clever: Running) -> None:
    bearer = token(clever, "student")
    other = clever.people.person("teacher")
    elsewhere = clever.people.districts[1]
    for path in (f"/users/{other.id}", f"/districts/{elsewhere.id}"):
        answer = read(clever, f"/v3.0{path}", bearer)
        assert answer.status_code == 404
        assert "message" in answer.json()
    unknown = read(clever, "/v3.0/courses", bearer)
    assert unknown.status_code == 404
    assert "text/html" in unknown.headers["Content-Type"]


@pytest.mark.parametrize("bearer", ["", "ilwrong", "il" + "0" * 40])
def test_a_bad_token_is_401_with_a_message(clever: Running, bearer: str) -> None:
    answer = read(clever, "/v3.0/me", bearer)
    assert answer.status_code == 401
    assert "message" in answer.json()


def test_a_token_ends_after_a_day(clever: Running) -> None:
    bearer = token(clever)
    clever.advance(24 * 60 * 60 + 1)
    assert read(clever, "/v3.0/me", bearer).status_code == 401


def test_district_app_tokens_are_listed_and_reach_districts_alone_at_the_sso_tier(
    clever: Running,
) -> None:
    url = f"{clever.url}/oauth/tokens?owner_type=district"
    assert ask(url).status_code == 401
    listed = ask(url, auth=("simulator-sso", "simulator-secret")).json()["data"]
    assert {each["owner"]["id"] for each in listed} == {d.id for d in clever.people.districts}
    bearer = listed[0]["access_token"]
    district = listed[0]["owner"]["id"]
    assert read(clever, f"/v3.0/districts/{district}", bearer).status_code == 200
    assert read(clever, "/v3.0/me", bearer).json()["type"] == "district"
    user = clever.people.person("student").id
    assert read(clever, f"/v3.0/users/{user}", bearer).status_code == 404


def test_userinfo_and_tokeninfo_say_whose_token_it_is(clever: Running) -> None:
    bearer = token(clever, "teacher_admin")
    person = clever.people.person("teacher_admin")
    info = read(clever, "/userinfo", bearer).json()
    assert info["sub"] == info["multi_role_user_id"] == person.id
    assert info["user_type"] == "teacher"
    assert info["name"]["first"] == person.name.first
    assert info["email_verified"] is False
    assert read(clever, "/oauth/tokeninfo", bearer).json()["client_id"] == "simulator"


def test_the_one_of_whom_clever_guarantees_the_least_has_no_more(clever: Running) -> None:
    person = clever.people.person("sparse")
    user = read(clever, f"/v3.0/users/{person.id}", token(clever, "sparse")).json()["data"]
    assert not user.get("email")
    assert set(user["name"]) - {"middle"} == {"first", "last"}
    assert not user["roles"]["student"].get("school")


def test_there_are_enough_people_to_look_real_and_always_the_same(clever: Running) -> None:
    people = clever.people
    assert (len(people.districts), len(people.schools)) == (3, 9)
    students = [each for each in people.people if "student" in each.roles]
    assert len(students) > 100
    assert len(people.sections) > 20
    with running(default_config(APP_URL)) as again:
        assert again.people.people == people.people


# Journal and faults


def test_the_journal_has_every_request_in_order_and_no_secret(clever: Running) -> None:
    bearer = token(clever)
    read(clever, "/v3.0/me", bearer)
    seen = ask(f"{clever.url}/_simulator/journal").json()["requests"]
    paths = [(each["method"], each["path"]) for each in seen]
    assert paths[0] == ("GET", "/oauth/authorize")
    assert paths[-2:] == [("POST", "/oauth/tokens"), ("GET", "/v3.0/me")]
    assert all({"query", "status", "time", "ms"} <= set(each) for each in seen)
    assert bearer not in str(seen)
    assert "simulator-secret" not in str(seen)


def test_faults_are_armed_counted_and_cleared_over_http(clever: Running) -> None:
    url = f"{clever.url}/_simulator/faults"
    bearer = token(clever)
    assert ask(url, "POST", json={"endpoint": "me", "times": 2, "status": 503}).ok
    statuses = [read(clever, "/v3.0/me", bearer).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    ask(url, "POST", json={"endpoint": "me", "times": 0, "status": 429})
    limited = read(clever, "/v3.0/me", bearer)
    assert (limited.status_code, limited.content) == (429, b"")
    assert "X-RateLimit-Reset" in limited.headers
    assert ask(url, "DELETE").ok
    assert read(clever, "/v3.0/me", bearer).status_code == 200


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("length", http.client.IncompleteRead),
        ("chunked", http.client.IncompleteRead),
        ("reset", ConnectionResetError),
        ("gzip", EOFError),
        ("damaged", (zlib.error, OSError)),
    ],
)
def test_an_answer_is_cut_off_in_the_way_that_was_asked_for(
    clever: Running, how: str, error: type[Exception]
) -> None:
    clever.fault("discovery", cut=how)
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(clever.url).port, timeout=10)
    connection.request("GET", "/.well-known/openid-configuration")
    answer = connection.getresponse()
    assert answer.status == 200
    with pytest.raises(error):
        gzip.decompress(answer.read())
    connection.close()
    assert ask(f"{clever.url}/.well-known/openid-configuration").json()["issuer"] == clever.url


def test_a_fault_can_leave_a_header_out_and_say_another_date(clever: Running) -> None:
    bearer, date = token(clever), "Mon, 01 Jan 2024 08:00:00 GMT"
    clever.fault("me", status=429, headers={"X-RateLimit-Reset": None, "Date": date})
    limited = read(clever, "/v3.0/me", bearer)
    assert limited.status_code == 429
    assert "X-RateLimit-Reset" not in limited.headers
    assert limited.headers["Date"] == date


def test_a_fault_can_be_for_one_path_and_can_cut_a_list(clever: Running) -> None:
    bearer = district_token(clever)
    clever.fault("data", path="/sections", rows=2)
    whole = read(clever, "/v3.0/schools?limit=1", bearer).json()
    assert [each["rel"] for each in whole["links"]] == ["self", "next"]
    cut = read(clever, "/v3.0/sections?limit=3", bearer).json()
    assert (len(cut["data"]), [each["rel"] for each in cut["links"]]) == (2, ["self"])
    assert len(read(clever, "/v3.0/sections?limit=3", bearer).json()["data"]) == 3


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"endpoint": "x"},
        {"endpoint": "me", "drop": "now"},
        {"endpoint": "me", "cut": "off"},
        {"endpoint": "me", "headers": {"A": 1}},
        [],
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_message(
    clever: Running, fault: object
) -> None:
    answer = ask(f"{clever.url}/_simulator/faults", "POST", json=fault)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_same_switches_are_on_a_page(clever: Running) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/_simulator")
    visitor.press("Make it fail")
    assert "None: everything works" not in visitor.text
    visitor.press("Clear failures")
    assert "None: everything works" in visitor.text


def test_a_reset_forgets_tokens_faults_and_the_journal(clever: Running) -> None:
    bearer = token(clever)
    ask(f"{clever.url}/_simulator/reset", "POST", json={})
    assert clever.journal() == []
    assert read(clever, "/v3.0/me", bearer).status_code == 401


def test_another_site_can_neither_switch_nor_read(clever: Running) -> None:
    url = f"{clever.url}/_simulator/reset"
    assert ask(url, "POST", headers={"Origin": "https://evil.test"}).status_code == 403
    assert ask(f"{clever.url}/", headers={"Host": "evil.test"}).status_code == 400


def test_it_listens_on_this_machine_alone() -> None:
    command = [sys.executable, "-m", "clever_simulator", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode != 0
    assert "this machine only" in ended.stderr
    assert "Traceback" not in ended.stderr
