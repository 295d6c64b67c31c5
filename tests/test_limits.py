"""Limits that hold at their edge: sizes, counts and lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy.exc import IntegrityError

from clever_login.api.library import MOST_SECTIONS, MOST_STUDENTS
from clever_login.api.status import Incident
from clever_login.pending import digest
from clever_login.school.names import LONGEST
from clever_login.school.tables import Enrolment, Section
from clever_login.services import services
from tests import school as schools
from tests.conftest import SiteMaker
from tests.entries import by_button, to_the_callback
from tests.school import app_of, kept, people
from tests.sites import Site
from tests.visitor import Visitor

KIB = 1024


@dataclass(frozen=True)
class Limit:
    """What is allowed, what is one too many, and what comes of a size."""

    allowed: int
    too_many: int
    given: Callable[[SiteMaker, int], object]
    results: tuple[object, object]


def form_of(make_site: SiteMaker, size: int) -> int:
    """The status of a form with so many bytes."""
    visitor = by_button(make_site(), "student")
    token = visitor.page.select_one("[name=csrf_token]")
    assert token
    start = f"csrf_token={token['value']}&x="
    answer = visitor.http.post(
        f"{visitor.app_url}/logout",
        data=start.ljust(size, "x"),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": visitor.app_url},
        allow_redirects=False,
        timeout=10,
    )
    return answer.status_code


def name_of(make_site: SiteMaker, size: int) -> int:
    """How long a preferred name is kept, of so many characters."""
    site = schools.make(make_site, None, ask_preferred_name=True)
    visitor = by_button(site, "student").open("/preferred-name")
    visitor.press("Call me that", name="N" * size)
    (person,) = people(site)
    assert visitor.heading == f"Hi, {person.preferred_name}!"
    return len(person.preferred_name or "")


def library(make_site: SiteMaker, sections: int, students: int) -> Visitor:
    """The page of a Library teacher with so many sections, and students in the first one."""
    site = make_site(clever_client_id="simulator-library", clever_library=True)
    own = [{"data": {"id": f"5f{each:022x}", "name": f"C{each}"}} for each in range(sections)]
    people = [
        {"data": {"id": f"6f{each:022x}", "name": {"first": "A", "last": "B"}}}
        for each in range(students)
    ]
    site.clever.fault("data", body=json.dumps({"data": own}))
    site.clever.fault("data", body=json.dumps({"data": people}), times=sections)
    visitor = by_button(site, "teacher").press("Yes")
    assert visitor.path == "/dashboard"
    return visitor


def students_of(make_site: SiteMaker, size: int) -> int:
    """How many students of a Library section the page counts."""
    text = library(make_site, 1, size).text
    return next(int(word) for word in text.replace(",", "").split() if word.isdecimal())


def sections_of(make_site: SiteMaker, size: int) -> int:
    """How many sections of a Library teacher the page lists."""
    words = library(make_site, size, 1).text.split()
    return sum(f"C{each}" in words for each in range(size))


LIMITS = {
    "bytes of a form": Limit(64 * KIB, 64 * KIB + 1, form_of, (303, 413)),
    "characters of a name": Limit(LONGEST, LONGEST + 1, name_of, (40, 40)),
    "students of a section": Limit(MOST_STUDENTS, MOST_STUDENTS + 1, students_of, (200, 200)),
    "sections of a teacher": Limit(MOST_SECTIONS, MOST_SECTIONS + 1, sections_of, (20, 20)),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_holds_at_its_edge(make_site: SiteMaker, what: str) -> None:
    limit = LIMITS[what]
    found = [limit.given(make_site, size) for size in (limit.allowed, limit.too_many)]
    assert tuple(found) == limit.results


def test_whoever_waits_for_a_login_is_told_at_once_that_it_has_failed(site: Site) -> None:
    visitor = to_the_callback(site, "student")
    state = visitor.url.partition("state=")[2].partition("&")[0]
    site.clever.fault("me", status=401)
    assert visitor.open(visitor.url).code == "login_refused"
    store = services(app_of(site)).store
    assert store.get(f"ended-{digest(state)}") is not None


def test_an_incident_that_is_over_is_not_told() -> None:
    over = {"name": "Old trouble", "impact": "major", "status": "resolved"}
    planned = {"name": "Later", "impact": "none", "status": "scheduled"}
    going_on = {"name": "Logins are slow", "impact": "minor", "status": "monitoring"}
    summary = {"incidents": [over], "scheduled_maintenances": [planned]}
    assert Incident.worst_of(summary) is None
    summary["incidents"].append(going_on)
    assert Incident.worst_of(summary) == Incident(name="Logins are slow", impact="minor")


@pytest.mark.parametrize("missing", ["section", "person"])
def test_a_row_that_refers_to_nothing_is_not_written(
    make_site: SiteMaker, database_url: str | None, missing: str
) -> None:
    site = schools.make(make_site, database_url)
    by_button(site, "student")
    (person,) = people(site)
    with kept(site).begin() as session:
        session.add(Section(id="here", name="Reading"))
    ids = {"section": "here", "person": person.id, missing: "nowhere"}
    seat = Enrolment(section_id=ids["section"], person_id=ids["person"], role="student")
    with pytest.raises(IntegrityError), kept(site).begin() as session:
        session.add(seat)
