"""Tests limits at their boundary: sizes, counts, and lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest
from flask import Flask, g
from requests.structures import CaseInsensitiveDict
from sqlalchemy.exc import IntegrityError

from clever_login.accounts.preferred_name import MAX_NAME_LENGTH
from clever_login.auth.pending_logins import digest_state
from clever_login.clever.district_api.pagination import MAX_EMPTY_PAGES, iterate_records
from clever_login.clever.http import LOGIN_LIMITS
from clever_login.clever.parsing import MAX_TEXT_LENGTH, is_valid_id, parse_text
from clever_login.clever.retries import MAX_NUMBER_DIGITS, CleverResponse
from clever_login.clever.status_page import Incident
from clever_login.clever.user_client import MAX_SECTIONS, MAX_STUDENTS
from clever_login.db.models import Enrollment, Section
from clever_login.errors import CleverUnexpected
from clever_login.server.parser import MAX_HEADER_LINES, RequestParser, ServerLimits
from clever_login.services import services
from clever_login.web.fetch_metadata import MAX_CODES, MAX_PARAMETER_LENGTH
from clever_login.web.routing import MAX_NEXT_LENGTH, public, safe_next
from tests.conftest import SiteMaker
from tests.support import account_app as schools
from tests.support import session_file
from tests.support.account_app import database_of, flask_app, people_rows
from tests.support.browser_client import NAVIGATION_HEADERS, Visitor, send_request
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.running_app import Site

KIB = 1024


@dataclass(frozen=True)
class Limit:
    """The largest allowed size, a size that is too large, and the function that tries a size."""

    allowed: int
    too_many: int
    given: Callable[[SiteMaker, int], object]
    results: tuple[object, object]


def form_of(make_site: SiteMaker, size: int) -> int:
    """Return the status of a form of this many bytes."""
    visitor = by_button(make_site(), "student")
    token = visitor.page.select_one("[name=csrf_token]")
    assert token
    start = f"csrf_token={token['value']}&x="
    response = visitor.http.post(
        f"{visitor.app_url}/logout",
        data=start.ljust(size, "x"),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": visitor.app_url},
        allow_redirects=False,
        timeout=10,
    )
    return response.status_code


def name_of(make_site: SiteMaker, size: int) -> int:
    """Return the stored length of a preferred name of this many characters."""
    site = schools.make_account_app(make_site, None, ask_preferred_name=True)
    visitor = by_button(site, "student").open("/preferred-name")
    visitor.press("Use this name", name="N" * size)
    (person,) = people_rows(site)
    assert visitor.heading == f"Hi, {person.preferred_name}!"
    return len(person.preferred_name or "")


def library(make_site: SiteMaker, sections: int, students: int) -> Visitor:
    """Return the page of a Library teacher with this many sections, and students per section."""
    site = make_site(clever_client_id="simulator-library", clever_library=True)
    own = [{"data": {"id": f"5f{number:022x}", "name": f"C{number}"}} for number in range(sections)]
    people = [
        {"data": {"id": f"6f{number:022x}", "name": {"first": "A", "last": "B"}}}
        for number in range(students)
    ]
    site.clever.add_fault("data", body=json.dumps({"data": own}))
    site.clever.add_fault("data", body=json.dumps({"data": people}), times=sections)
    visitor = by_button(site, "teacher").press("Yes")
    assert visitor.path == "/dashboard"
    return visitor


def students_of(make_site: SiteMaker, size: int) -> int:
    """Return how many students of a Library section the page counts."""
    text = library(make_site, 1, size).text
    return next(int(word) for word in text.replace(",", "").split() if word.isdecimal())


def sections_of(make_site: SiteMaker, size: int) -> int:
    """Return how many sections of a Library teacher the page lists."""
    words = library(make_site, size, 1).text.split()
    return sum(f"C{number}" in words for number in range(size))


def parameter_of(make_site: SiteMaker, size: int) -> str:
    """Return the error of a callback whose state has this many characters."""
    return make_site().visitor().open(f"/oauth/callback?code=x&state={'s' * size}").code


def codes_of(make_site: SiteMaker, size: int) -> int:
    """Return how many codes of a callback with this many are stored as used."""
    site = make_site()
    query = "&".join(f"code={number}" for number in range(size))
    response = send_request(f"{site.url}/oauth/callback?{query}", headers=NAVIGATION_HEADERS)
    assert response.status_code == 400
    return len(session_file.values(site, "code-*"))


def request_id_of(make_site: SiteMaker, size: int) -> bool:
    """Return whether the logs use a proxy's request id of this many characters."""

    def extend(app: Flask) -> None:
        app.add_url_rule("/id", "id", public(lambda: g.request_id))

    site, request_id = make_site(extend=extend, trusted_proxies=1), "i" * size
    return send_request(f"{site.url}/id", headers={"X-Request-Id": request_id}).text == request_id


def answer_of(make_site: SiteMaker, size: int) -> str:
    """Return the error of a login at which Clever's answer to /me has this many bytes."""
    site = make_site()
    person = site.person("student")
    data = {"id": person.id, "district": person.district.id, "type": "user"}
    body = json.dumps({"type": "user", "data": data}).ljust(size)
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault("me", body=body)
    return visitor.open(visitor.url).code


def empty_pages(_: SiteMaker, size: int) -> str:
    """Return what is read from a list that begins with this many empty pages."""
    users, pages = "https://clever.test/v3.0/users", count(1)

    def get(_: str) -> dict[str, object]:
        if (page := next(pages)) > size:
            return {"data": [{"data": "the end"}], "links": []}
        return {"data": [], "links": [{"rel": "next", "uri": f"{users}?page={page}"}]}

    try:
        return str(next(iterate_records(get, users, within=users)))
    except CleverUnexpected as error:
        return str(error)


def number_of(_: SiteMaker, digits: int) -> object:
    """Return what is read for an integer of this many digits."""
    return CleverResponse(200, CaseInsensitiveDict(), b"1" * digits).json


def header_of(_: SiteMaker, lines: int) -> int:
    """Return the status with which the server refuses a header of this many lines, or 0."""
    parser = RequestParser(ServerLimits())
    parser.received(b"GET / HTTP/1.1\r\nHost: a.test\r\n" + b"X-A: b\r\n" * (lines - 1) + b"\r\n")
    return getattr(parser.error, "code", 0)


LIMITS = {
    "bytes of a form": Limit(64 * KIB, 64 * KIB + 1, form_of, (303, 413)),
    "characters of a name": Limit(MAX_NAME_LENGTH, MAX_NAME_LENGTH + 1, name_of, (40, 40)),
    "students of a section": Limit(MAX_STUDENTS, MAX_STUDENTS + 1, students_of, (200, 200)),
    "sections of a teacher": Limit(MAX_SECTIONS, MAX_SECTIONS + 1, sections_of, (20, 20)),
    "characters of a state": Limit(
        MAX_PARAMETER_LENGTH,
        MAX_PARAMETER_LENGTH + 1,
        parameter_of,
        ("login_expired", "bad_callback"),
    ),
    "codes of a callback": Limit(MAX_CODES, MAX_CODES + 1, codes_of, (3, 3)),
    "characters of the next page": Limit(
        MAX_NEXT_LENGTH,
        MAX_NEXT_LENGTH + 1,
        lambda _, size: bool(safe_next("/".ljust(size, "a"))),
        (True, False),
    ),
    "characters of a request id": Limit(64, 65, request_id_of, (True, False)),
    "bytes of an answer": Limit(
        LOGIN_LIMITS.largest_body,
        LOGIN_LIMITS.largest_body + 1,
        answer_of,
        ("", "clever_unexpected"),
    ),
    "empty pages of a list": Limit(
        MAX_EMPTY_PAGES,
        MAX_EMPTY_PAGES + 1,
        empty_pages,
        ("the end", "a list from Clever has too many empty pages in a row"),
    ),
    "digits of a number": Limit(
        MAX_NUMBER_DIGITS, MAX_NUMBER_DIGITS + 1, number_of, (int("1" * MAX_NUMBER_DIGITS), None)
    ),
    "lines of a header": Limit(MAX_HEADER_LINES, MAX_HEADER_LINES + 1, header_of, (0, 431)),
    "characters of an id": Limit(64, 65, lambda _, size: is_valid_id("a" * size), (True, False)),
    "characters of a text": Limit(
        MAX_TEXT_LENGTH,
        MAX_TEXT_LENGTH + 1,
        lambda _, size: len(parse_text("a" * size) or ""),
        (255, 255),
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_accepts_its_maximum_and_refuses_one_more(
    make_site: SiteMaker, name: str
) -> None:
    limit = LIMITS[name]
    results = [limit.given(make_site, size) for size in (limit.allowed, limit.too_many)]
    assert tuple(results) == limit.results


def test_a_failed_login_is_recorded_for_a_second_callback(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    state = visitor.url.partition("state=")[2].partition("&")[0]
    site.clever.add_fault("me", status=401)
    assert visitor.open(visitor.url).code == "login_refused"
    store = services(flask_app(site)).store
    assert store.get(f"ended-{digest_state(state)}") is not None


def test_a_resolved_incident_is_not_shown() -> None:
    over = {"name": "Old trouble", "impact": "major", "status": "resolved"}
    planned = {"name": "Later", "impact": "none", "status": "scheduled"}
    going_on = {"name": "Logins are slow", "impact": "minor", "status": "monitoring"}
    summary = {"incidents": [over], "scheduled_maintenances": [planned]}
    assert Incident.worst_of(summary) is None
    summary["incidents"].append(going_on)
    assert Incident.worst_of(summary) == Incident(name="Logins are slow", impact="minor")


@pytest.mark.parametrize("missing", ["section", "person"])
def test_a_row_with_a_dangling_reference_is_not_written(
    make_site: SiteMaker, database_url: str | None, missing: str
) -> None:
    site = schools.make_account_app(make_site, database_url)
    by_button(site, "student")
    (person,) = people_rows(site)
    with database_of(site).begin() as session:
        session.add(Section(id="here", name="Reading"))
    ids = {"section": "here", "person": person.id, missing: "nowhere"}
    seat = Enrollment(section_id=ids["section"], person_id=ids["person"], role="student")
    with pytest.raises(IntegrityError), database_of(site).begin() as session:
        session.add(seat)
