"""Tests that Clever's incidents are shown below the button, without delaying a page."""

from __future__ import annotations

import time

import pytest

from clever_login.clever.http import HttpClient
from clever_login.clever.status_page import (
    POLL_SECONDS,
    STALE_AFTER_SECONDS,
    Incident,
    StatusPage,
)
from tests.conftest import SiteMaker
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.running_app import Site

CHILD = "Clever has a problem. If you can't log in, wait a bit. Then try again."


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    """An app that is configured with the simulator's status page."""
    return make_site(clever_status_url="{clever}/_status")


def count_status_requests(site: Site) -> int:
    return sum("summary.json" in request["path"] for request in site.clever.received_requests())


def wait_until_asked(site: Site, times: int = 1) -> None:
    deadline = time.monotonic() + 10
    while [e["status"] for e in site.clever.received_requests() if "summary" in e["path"]][
        :times
    ] != ([200] * times):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)  # the response is on its way


def open_page(site: Site, path: str = "/") -> Visitor:
    """Open a page after an earlier one has caused a status request."""
    site.visitor().open("/")
    wait_until_asked(site)
    return site.visitor().open(path)


def test_an_incident_is_shown_below_the_login_button_for_students_and_teachers(site: Site) -> None:
    site.clever.add_incident("Some logins fail <b>", "major")
    page = open_page(site)
    assert page.text.index("Log in with Clever") < page.text.index(CHILD)
    assert "Clever's status page says “ Some logins fail <b> ”" in page.text


def test_an_incident_is_shown_on_error_pages_and_the_logged_out_page(site: Site) -> None:
    site.clever.add_incident("Some logins fail", "minor")
    assert CHILD in open_page(site, "/logged-out").text
    assert CHILD in site.visitor().open("/oauth/callback?state=x&code=y").text


def test_logged_in_users_see_no_incident(site: Site) -> None:
    site.clever.add_incident("Some logins fail", "minor")
    open_page(site)
    assert CHILD not in by_button(site, "student").text


def test_maintenance_has_its_own_text_and_the_worst_impact_is_shown(site: Site) -> None:
    site.clever.add_incident("New machines", "maintenance")
    assert "Clever is being fixed." in open_page(site).text


def test_the_worst_of_several_incidents_is_shown(site: Site) -> None:
    for name, impact in (("small", "minor"), ("all is down", "critical"), ("half", "major")):
        site.clever.add_incident(name, impact)
    assert "all is down" in open_page(site).text


def test_an_incident_is_worse_than_maintenance() -> None:
    order = ["critical", "major", "minor", "maintenance"]
    repair = {"name": "maintenance", "impact": "none", "status": "in_progress"}
    incidents = [{"name": impact, "impact": impact, "status": "open"} for impact in order[:3]]
    for first, impact in enumerate(order):
        summary = {"incidents": incidents[first:][::-1], "scheduled_maintenances": [repair]}
        assert Incident.worst_of(summary) == Incident(name=impact, impact=impact)


def test_nothing_is_shown_without_an_incident(site: Site) -> None:
    assert "problem" not in open_page(site).text


def test_concurrent_visitors_cause_one_status_request(site: Site) -> None:
    for _ in range(20):
        site.visitor().open("/")
    wait_until_asked(site)
    assert count_status_requests(site) == 1


def test_without_a_status_url_no_request_is_sent(make_site: SiteMaker) -> None:
    site = make_site()
    site.visitor().open("/")
    assert count_status_requests(site) == 0


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"body": "html"}, {"body": "[]"}, {"body": '{"incidents": [1]}'}]
)
def test_a_failing_status_page_affects_no_page(site: Site, fault: dict[str, object]) -> None:
    site.clever.add_fault("status", times=0, **fault)
    site.visitor().open("/")
    assert site.visitor().open("/").heading.startswith("Welcome")


def test_pages_do_not_wait_for_a_slow_status_page(site: Site) -> None:
    site.clever.add_fault("status", delay_s=3)
    site.visitor().open("/")  # the app must not wait for the status request
    assert [e["status"] for e in site.clever.received_requests() if "summary" in e["path"]] in (
        [],
        [None],
    )


def test_the_status_is_refreshed_after_one_minute_and_discarded_after_ten(site: Site) -> None:
    clock = [0.0]
    page = StatusPage(HttpClient(), f"{site.clever.url}/_status", lambda: clock[0])
    site.clever.add_incident("Some logins fail", "minor")
    page.incident()
    wait_until_asked(site)
    assert page.incident() is not None
    clock[0] = POLL_SECONDS - 1
    page.incident()
    assert count_status_requests(site) == 1
    clock[0] = POLL_SECONDS + 1
    page.incident()
    wait_until_asked(site, 2)
    site.clever.add_fault("status", times=0, status=503)
    clock[0] += STALE_AFTER_SECONDS + 1
    assert page.incident() is None
