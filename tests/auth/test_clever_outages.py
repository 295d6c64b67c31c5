"""Tests logins while Clever is down, slow, or wrong: the page shown, and who is logged in."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from clever_login.auth.load_shedding import MAX_CONCURRENT_LOGINS
from clever_login.config import Settings
from tests.conftest import SiteMaker
from tests.support.login_flows import by_button, code_of, stop_before_callback, with_code
from tests.support.matrix import matrix
from tests.support.running_app import Site

FAILED = [
    {"status": 429},
    {"status": 500},
    {"status": 503, "body": "html"},
    {"body": "html"},
    {"body": "empty"},
    {"body": "truncated"},
    {"body": "[]"},
    {"body": '{"data": []}'},
    {"body": "9" * 5000},
    {"status": 401},
    {"status": 302, "headers": {"Location": "https://evil.test/"}, "body": "empty"},
    {"drop": "before"},
    {"drop": "after"},
]


def short_id(fault: object) -> str:
    """Return a fault in short form, for a test id."""
    return fault if isinstance(fault, str) else json.dumps(fault)[:40]


PARTS = {"user": "Your name and role", "district": "Your district", "school": "Your school"}


@pytest.mark.parametrize(("endpoint", "fault"), matrix(PARTS, FAILED), ids=short_id)
def test_a_failed_profile_request_does_not_stop_the_login(
    site: Site, endpoint: str, fault: dict[str, object]
) -> None:
    site.clever.add_fault(endpoint, **{"times": 0, **fault})
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert f"{PARTS[endpoint]}: not available right now" in visitor.text
    site.clever.clear_faults()
    assert visitor.click("Log in again to see everything").path == "/dashboard"
    assert "not available right now" not in visitor.text


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("endpoint", PARTS)
def test_a_refused_profile_request_is_shown_as_not_shared(
    site: Site, endpoint: str, status: int
) -> None:
    site.clever.add_fault(endpoint, status=status)
    visitor = by_button(site, "student")
    assert f"{PARTS[endpoint]}: not shared with this app" in visitor.text
    assert "not available right now" not in visitor.text


def test_without_the_user_record_v3_uses_least_privilege_and_v1_2_the_known_role(
    make_site: SiteMaker,
) -> None:
    site = make_site()
    site.clever.add_fault("user", status=503, times=2)
    assert by_button(site, "teacher").role == "none"
    site = make_site(clever_api_version="v1.2")
    site.clever.add_fault("user", status=503, times=2)
    visitor = by_button(site, "teacher")
    assert visitor.role == "teacher"


@pytest.mark.parametrize(
    "roles", [{}, None, [], {"contact": {}}, {"wizard": {}}, {"student": None}]
)
def test_malformed_and_unknown_roles_get_least_privilege(site: Site, roles: object) -> None:
    person = site.person("student")
    record = {"id": person.id, "district": person.district.id, "name": {"first": "Ada"}}
    site.clever.add_fault("user", body=json.dumps({"data": record | {"roles": roles}}))
    visitor = by_button(site, "student")
    assert visitor.role == "none"
    assert visitor.heading == "Hello, Ada"


@pytest.mark.parametrize("name", [None, {}, {"first": None, "last": ""}, "Ada", {"first": 7}])
def test_a_person_without_a_name_or_email_can_log_in(site: Site, name: object) -> None:
    person = site.person("student")
    record = {"id": person.id, "district": person.district.id, "name": name, "email": None}
    site.clever.add_fault("user", body=json.dumps({"data": record | {"roles": {"student": {}}}}))
    visitor = by_button(site, "student")
    assert visitor.heading == "Hi!"
    assert "Clever user" in visitor.text


def test_a_refused_school_is_noted_beside_the_school_that_was_read(site: Site) -> None:
    site.clever.add_fault("school", status=404)
    visitor = by_button(site, "teacher_admin")
    names = [school.name in visitor.text for school in site.person("teacher_admin").schools]
    assert sorted(names) == [False, True]
    assert "Your school: not shared with this app" in visitor.text
    assert "more" not in visitor.page.select_one(".facts").get_text()  # type: ignore[union-attr]


def test_only_the_first_schools_are_read_and_the_rest_are_counted(site: Site) -> None:
    person = site.person("school_admin")
    school = person.schools[0]
    ids = [school.id, *(f"{number:024x}" for number in range(19))]
    record = {"id": person.id, "district": person.district.id, "name": {"first": "Desmond"}}
    body = {"data": record | {"roles": {"staff": {"schools": ids}}}}
    site.clever.add_fault("user", body=json.dumps(body))
    visitor = by_button(site, "school_admin")
    school_requests = [
        request for request in site.clever.received_requests() if "/schools/" in request["path"]
    ]
    assert len(school_requests) == 8
    assert f"{school.name} and 12 more" in visitor.text


def test_an_unknown_user_type_can_log_in_with_least_privilege(
    make_site: SiteMaker,
) -> None:
    site = make_site(clever_api_version="v1.2")
    person = site.person("student")
    body = {"type": "wizard", "data": {"id": person.id, "district": person.district.id}}
    site.clever.add_fault("me", body=json.dumps(body))
    visitor = by_button(site, "student")
    assert (visitor.path, visitor.role) == ("/dashboard", "none")


def test_missing_profile_parts_are_logged_with_their_reason(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.clever.add_fault("user", status=503, times=2)
    by_button(site, "student")
    log = capfd.readouterr().err
    assert '"part": "user_record", "outcome": "failed"' in log
    assert '"cause": "Clever answered 503 to the request for the user"' in log


@pytest.mark.parametrize("value", ["another", "../x", "a?b", 7])
@pytest.mark.parametrize("field", ["id", "district"])
def test_a_record_of_another_person_fails_the_login(site: Site, field: str, value: object) -> None:
    person = site.person("student")
    record = {"id": person.id, "district": person.district.id, "name": {"first": "Eve"}}
    body = {"data": record | {"roles": {"teacher": {}}, field: value}}
    site.clever.add_fault("user", body=json.dumps(body))
    visitor = by_button(site, "student")
    assert (visitor.response.status_code, visitor.code) == (502, "wrong_person")
    assert "Eve" not in visitor.text
    assert visitor.open("/dashboard").path == "/"


@pytest.mark.parametrize(
    "extra",
    [{"expires_in": [1]}, {"expires_at": {"a": 1}}, {"expires_in": 1e999}, {"token_type": 7}],
    ids=str,
)
def test_a_token_response_with_unknown_fields_never_crashes(
    site: Site, extra: dict[str, object]
) -> None:
    body = json.dumps({"access_token": "il" + "0" * 40} | extra)
    site.clever.add_fault("token", body=body)
    assert by_button(site, "student").code in {"clever_unexpected", "login_refused"}


@pytest.mark.parametrize(
    "token", [None, "", 7, ["il"], "il\r\nX-Evil: 1", "il token", "ilé", {"a": 1}], ids=repr
)
def test_a_malformed_access_token_is_never_sent(site: Site, token: object) -> None:
    site.clever.add_fault("token", body=json.dumps({"access_token": token}))
    assert by_button(site, "student").code == "clever_unexpected"
    assert "/v3.0/me" not in [request["path"] for request in site.clever.received_requests()]


def test_names_with_control_characters_are_cleaned(site: Site) -> None:
    person = site.person("student")
    name = {"first": "\u202eevil\x00 <script>{{7*7}}</script>\ud800", "last": "x" * 900_000}
    record = {"id": person.id, "district": person.district.id, "name": name}
    site.clever.add_fault("user", body=json.dumps({"data": record | {"roles": {"student": {}}}}))
    visitor = by_button(site, "student")
    assert visitor.heading == "Hi, evil <script>{{7*7}}</script>!"
    assert len(visitor.response.text) < 10_000
    assert visitor.page.find("script", src=False) is None


@pytest.mark.parametrize(
    "first", ["\u200b", "\u2800", "\u3164\u3164", "\u00ad \u2060", "\u0301", "\ufe0f"]
)
def test_a_name_without_a_visible_character_is_no_name(site: Site, first: str) -> None:
    person = site.person("student")
    record = {"id": person.id, "district": person.district.id, "roles": {"student": {}}}
    record |= {"name": {"first": first, "last": "क्ष 🙂"}}
    site.clever.add_fault("user", body=json.dumps({"data": record}))
    visitor = by_button(site, "student")
    assert visitor.heading == "Hi!"
    assert "क्ष 🙂" in visitor.text


ON_TOKEN_AND_ME = [
    ({"status": 429}, "clever_unavailable", 503),
    ({"status": 500}, "clever_unavailable", 503),
    ({"status": 503, "body": "html"}, "clever_unavailable", 503),
    ({"body": "html"}, "clever_unexpected", 502),
    ({"body": "empty"}, "clever_unexpected", 502),
    ({"body": "truncated"}, "clever_unexpected", 502),
    ({"body": "[]"}, "clever_unexpected", 502),
    ({"body": "{}"}, "clever_unexpected", 502),
    ({"drop": "after"}, "clever_unavailable", 503),
]


@pytest.mark.parametrize(("fault", "code", "status"), ON_TOKEN_AND_ME, ids=short_id)
@pytest.mark.parametrize("endpoint", ["token", "me"])
def test_a_failed_token_or_me_request_shows_an_error_page_with_a_retry_link(
    site: Site, endpoint: str, fault: dict[str, object], code: str, status: int
) -> None:
    site.clever.add_fault(endpoint, **{"times": 0, **fault})
    visitor = by_button(site, "student")
    assert (visitor.code, visitor.response.status_code) == (code, status)
    assert visitor.page.select_one(".reference")
    if status == 503:
        assert int(visitor.response.headers["Retry-After"]) > 0
    site.clever.clear_faults()
    assert visitor.click("Try again with Clever").path == "/dashboard"


def test_rejected_client_credentials_are_reported_as_the_operators_problem(
    make_site: SiteMaker,
) -> None:
    site = make_site(clever_client_secret="wrong")
    visitor = by_button(site, "student")
    assert (visitor.code, visitor.response.status_code) == ("clever_misconfigured", 502)
    assert "It is not your fault" in visitor.text


@pytest.mark.parametrize(
    ("endpoint", "fault", "code"),
    [
        ("token", {"fields": {"token_type": "Bearer"}}, ""),
        ("token", {"fields": {"token_type": "mac"}}, "clever_unexpected"),
        ("token", {"status": 401, "body": "{}"}, "clever_misconfigured"),
        ("me", {"status": 418}, "clever_unexpected"),
        ("me", {"status": 505}, "clever_unavailable"),
        ("me", {"status": 599}, "clever_unavailable"),
    ],
    ids=short_id,
)
def test_an_unusual_answer_is_classified_by_what_it_says(
    site: Site, endpoint: str, fault: dict[str, object], code: str
) -> None:
    site.clever.add_fault(endpoint, **{"times": 0, **fault})
    assert by_button(site, "student").code == code


@pytest.mark.parametrize(
    ("endpoint", "field"), [("district", "id"), ("school", "id"), ("school", "district")]
)
def test_the_record_of_another_district_or_school_is_not_shown(
    site: Site, endpoint: str, field: str
) -> None:
    school = site.person("student").schools[0]
    record = {"id": school.id, "district": school.district.id, "name": "Elsewhere"}
    site.clever.add_fault(endpoint, fields={"data": record | {field: "5f" * 12}})
    text = by_button(site, "student").text
    assert f"{PARTS[endpoint]}: not available right now" in text
    assert "Elsewhere" not in text


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_rejected_access_token_fails_the_login(site: Site, status: int) -> None:
    site.clever.add_fault("me", status=status)
    site.clever.add_fault("userinfo", status=status)
    assert by_button(site, "student").code == "login_refused"


def test_a_login_with_a_district_token_shows_an_error_page(site: Site) -> None:
    body = {"type": "district", "data": {"id": "0123456789abcdef01234567", "type": "district"}}
    site.clever.add_fault("me", body=json.dumps(body))
    assert by_button(site, "student").code == "not_a_person"


@pytest.mark.parametrize("bad_id", ["../../x", "a?b", "%2e%2e", "", 7, None, "a/b", "x" * 65])
def test_an_id_that_could_alter_a_url_path_is_never_requested(site: Site, bad_id: object) -> None:
    body = {"type": "user", "data": {"id": bad_id, "district": None, "type": "user"}}
    site.clever.add_fault("me", body=json.dumps(body))
    assert by_button(site, "student").code == "clever_unexpected"
    assert "user" not in site.clever.received_requests()[-1]["path"]


def test_an_interrupted_exchange_restarts_the_login_instead_of_resending_the_code(
    site: Site,
) -> None:
    site.clever.add_fault("token", drop="after")
    assert by_button(site, "student").path == "/dashboard"


def test_an_exchange_that_is_always_interrupted_ends_on_an_error_page(site: Site) -> None:
    site.clever.add_fault("token", drop="after", times=0)
    assert by_button(site, "student").code == "clever_unavailable"
    paths = [request["path"] for request in site.clever.received_requests()]
    assert paths.count("/oauth/tokens") == 2  # one code, plus the code of the silent restart


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    matrix(["me", *PARTS], [{"status": 502}, {"status": 503}, {"drop": "before"}]),
    ids=short_id,
)
def test_a_transient_failure_of_a_get_is_retried(
    site: Site, endpoint: str, fault: dict[str, object]
) -> None:
    site.clever.add_fault(endpoint, **fault)
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert "not available right now" not in visitor.text


def test_only_a_short_rate_limit_is_waited_for_during_a_login(
    site: Site,
) -> None:
    site.clever.add_fault("user", status=429, headers={"Retry-After": "1"})
    assert by_button(site, "student").role == "student"
    site.clever.add_fault("user", status=429, headers={"Retry-After": "60"})
    assert "Clever did not tell us about you just now" in by_button(site, "student").text


def test_a_stalled_clever_does_not_occupy_all_threads(site: Site) -> None:
    visitors = [stop_before_callback(site, "student") for _ in range(MAX_CONCURRENT_LOGINS + 3)]
    teacher = by_button(site, "teacher")
    site.clever.add_fault("token", times=0, delay_s=4)
    with ThreadPoolExecutor(len(visitors)) as threads:
        results = list(threads.map(lambda visitor: visitor.open(visitor.url), visitors))
        codes = [visitor.code for visitor in results]
    assert codes.count("too_busy") >= 3
    busy = next(visitor for visitor in results if visitor.code == "too_busy")
    assert busy.response.status_code == 503
    assert "Retry-After" in busy.response.headers
    assert teacher.open("/dashboard").role == "teacher"
    site.clever.clear_faults()
    thief = stop_before_callback(site, "teacher")
    assert thief.open(with_code(thief.url, code_of(busy.url))).role == "teacher"
    assert busy.open(busy.url).role == "student"  # after a silent restart


# Slow responses: a whole login may take ten seconds, in most of these tests less


@pytest.mark.parametrize("endpoint", ["token", "user"])
def test_a_slow_dripping_response_is_cut_off(make_site: SiteMaker, endpoint: str) -> None:
    site = make_site(login_seconds=2)
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault(endpoint, drip=True)
    began = time.monotonic()
    visitor.open(visitor.url)
    assert 1 < time.monotonic() - began < 5  # two seconds for all requests together
    if endpoint == "token":
        assert visitor.code == "clever_unavailable"
    else:
        assert "Your name and role: not available right now" in visitor.text


def test_a_clever_that_never_answers_times_out(make_site: SiteMaker) -> None:
    assert Settings.login_seconds == 10
    site = make_site(login_seconds=1)
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault("me", delay_s=8)
    began = time.monotonic()
    assert visitor.open(visitor.url).code == "clever_unavailable"
    assert time.monotonic() - began < 4


@pytest.mark.long
def test_a_login_is_cut_off_after_ten_seconds(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault("token", drip=True)
    began = time.monotonic()
    assert visitor.open(visitor.url).code == "clever_unavailable"
    assert 9 < time.monotonic() - began < 13
