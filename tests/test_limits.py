"""Tests limits at their boundary: sizes, counts, and lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy.exc import IntegrityError

from clever_login.accounts.preferred_name import MAX_NAME_LENGTH
from clever_login.auth.pending_logins import digest_state
from clever_login.clever.status_page import Incident
from clever_login.clever.user_client import MAX_SECTIONS, MAX_STUDENTS
from clever_login.db.models import Enrollment, Section
from clever_login.services import services
from tests.conftest import SiteMaker
from tests.support import account_app as schools
from tests.support.account_app import database_of, flask_app, people_rows
from tests.support.browser_client import Visitor
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
    visitor.press("Call me that", name="N" * size)
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


LIMITS = {
    "bytes of a form": Limit(64 * KIB, 64 * KIB + 1, form_of, (303, 413)),
    "characters of a name": Limit(MAX_NAME_LENGTH, MAX_NAME_LENGTH + 1, name_of, (40, 40)),
    "students of a section": Limit(MAX_STUDENTS, MAX_STUDENTS + 1, students_of, (200, 200)),
    "sections of a teacher": Limit(MAX_SECTIONS, MAX_SECTIONS + 1, sections_of, (20, 20)),
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
