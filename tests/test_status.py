"""Trouble at Clever is told below the button, and nobody waits for it."""

from __future__ import annotations

import time

import pytest

from clever_login.api.status import ASK_SECONDS, KNOWN_SECONDS, StatusPage
from clever_login.api.transport import Transport
from tests.conftest import SiteMaker
from tests.entries import by_button
from tests.sites import Site
from tests.visitor import Visitor

CHILD = "Clever has a problem. If you cannot get in, wait a bit. Then try again."


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    """An app that knows where the simulator's status page is."""
    return make_site(clever_status_url="{clever}/_status")


def asked(site: Site) -> int:
    return sum("summary.json" in each["path"] for each in site.clever.journal())


def wait_until_asked(site: Site, times: int = 1) -> None:
    deadline = time.monotonic() + 10
    while [e["status"] for e in site.clever.journal() if "summary" in e["path"]][:times] != (
        [200] * times
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)  # the answer is on its way


def opened(site: Site, path: str = "/") -> Visitor:
    """A page, once the status page has been asked because of an earlier one."""
    site.visitor().open("/")
    wait_until_asked(site)
    return site.visitor().open(path)


def test_an_incident_is_told_below_the_button_for_a_child_and_for_a_teacher(site: Site) -> None:
    site.clever.incident("Some logins fail <b>", "major")
    page = opened(site)
    assert page.text.index("Log in with Clever") < page.text.index(CHILD)
    assert "Clever's status page says “ Some logins fail <b> ”" in page.text


def test_it_is_on_error_pages_and_after_a_log_out_too(site: Site) -> None:
    site.clever.incident("Some logins fail", "minor")
    assert CHILD in opened(site, "/logged-out").text
    assert CHILD in site.visitor().open("/oauth/callback?state=x&code=y").text


def test_who_is_logged_in_sees_nothing_of_it(site: Site) -> None:
    site.clever.incident("Some logins fail", "minor")
    opened(site)
    assert CHILD not in by_button(site, "student").text


def test_repairs_are_told_in_other_words_and_the_worst_trouble_wins(site: Site) -> None:
    site.clever.incident("New machines", "maintenance")
    assert "Clever is being repaired." in opened(site).text


def test_of_several_the_worst_is_told(site: Site) -> None:
    for name, impact in (("small", "minor"), ("all is down", "critical"), ("half", "major")):
        site.clever.incident(name, impact)
    assert "all is down" in opened(site).text


def test_nothing_is_told_when_all_is_well(site: Site) -> None:
    assert "problem" not in opened(site).text


def test_it_is_asked_once_however_many_come(site: Site) -> None:
    for _ in range(20):
        site.visitor().open("/")
    wait_until_asked(site)
    assert asked(site) == 1


def test_without_an_address_it_is_never_asked(make_site: SiteMaker) -> None:
    site = make_site()
    site.visitor().open("/")
    assert asked(site) == 0


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"body": "html"}, {"body": "[]"}, {"body": '{"incidents": [1]}'}]
)
def test_a_status_page_that_fails_is_nobodys_trouble(site: Site, fault: dict[str, object]) -> None:
    site.clever.fault("status", times=0, **fault)
    site.visitor().open("/")
    assert site.visitor().open("/").heading.startswith("Welcome")


def test_a_page_does_not_wait_for_a_status_page_that_is_slow(site: Site) -> None:
    site.clever.fault("status", delay_s=3)
    site.visitor().open("/")  # whoever waits for this is not asked at all before it is there
    assert [e["status"] for e in site.clever.journal() if "summary" in e["path"]] in ([], [None])


def test_it_is_asked_anew_after_a_minute_and_forgotten_after_ten(site: Site) -> None:
    clock = [0.0]
    page = StatusPage(Transport(), f"{site.clever.url}/_status", lambda: clock[0])
    site.clever.incident("Some logins fail", "minor")
    page.incident()
    wait_until_asked(site)
    assert page.incident() is not None
    clock[0] = ASK_SECONDS - 1
    page.incident()
    assert asked(site) == 1
    clock[0] = ASK_SECONDS + 1
    page.incident()
    wait_until_asked(site, 2)
    site.clever.fault("status", times=0, status=503)
    clock[0] += KNOWN_SECONDS + 1
    assert page.incident() is None
