"""Tests the app with the district of cases that Clever's certification guides name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clever_simulator.config import default_config
from clever_simulator.directory.certification import CASES, DISTRICT
from clever_simulator.directory.models import District
from clever_simulator.state import build_directory
from tests.support.browser_client import Visitor
from tests.support.expected_rows import (
    ExpectedRows,
    assert_rows_equal,
    database_engine,
    sync_site,
)
from tests.support.login_flows import LOGIN_FLOWS, by_portal
from tests.support.running_app import Site, run_in_process

VERSIONS = [
    "v3.0",
    pytest.param("v2.1", marks=pytest.mark.long),
    pytest.param("v3.1", marks=pytest.mark.long),
]
ONE_ID = [VERSIONS[0], VERSIONS[2]]  # the versions in which a person has one ID for all roles
SHORTNAME = DISTRICT[1]
MAX_PAGES = 60


@pytest.fixture(scope="module", params=VERSIONS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """An app that has read the district as a whole."""
    folder: Path = tmp_path_factory.mktemp("certification")
    with run_in_process(folder, clever_api_version=request.param) as site:
        config = default_config(site.url, request.param)
        site.clever.configure(replace(config, certification=True))
        result = sync_site(site, "--district", district_of(site).id)
        assert result.exit_code == 0, result.stderr
        assert "not understood" not in result.stdout
        yield site


def district_of(site: Site) -> District:
    district = site.clever.people.portal(SHORTNAME)
    assert district is not None
    return district


def log_in(site: Site, user_name: str, flow: str = "portal") -> Visitor:
    """Log in. Before v3, Clever asks people with two roles which account to use, at each login."""
    visitor = LOGIN_FLOWS[flow](site, user_name)
    for _ in range(2):  # from the Portal, the app starts a second login
        if visitor.at_app:
            break
        visitor.press(site.person(user_name).role_assignments[0].legacy_id)
    return visitor


def open_every_page(visitor: Visitor) -> int:
    """Open every page that the dashboard leads to. Returns how many there are."""
    seen: set[str] = set()
    waiting = ["/dashboard"]
    while waiting and len(seen) < MAX_PAGES:
        path = waiting.pop(0)
        assert visitor.open(path).response.status_code == 200, path
        seen.add(path)
        links = (str(link["href"]) for link in visitor.page.select("main a[href]"))
        waiting += [
            link for link in links if link.startswith("/") and link not in (*seen, *waiting)
        ]
    return len(seen)


def test_a_full_read_has_every_row_of_the_district(site: Site) -> None:
    truth = ExpectedRows(site.clever, district_of(site), site.settings.clever_api_version)
    assert_rows_equal(truth, database_engine(site))


@pytest.mark.parametrize("user_name", [case.user_name for case in CASES])
def test_every_person_of_the_district_logs_in_and_can_open_every_page(
    site: Site, user_name: str
) -> None:
    visitor = log_in(site, user_name)
    assert visitor.path == "/dashboard"
    person = site.person(user_name)
    assert person.name.full in visitor.text
    assert person.email is None or person.email in visitor.text
    is_child = person.roles == ("student",)
    own_classes = 0 if is_child else len(site.clever.people.sections_of(person))
    assert open_every_page(visitor) > own_classes


def test_two_students_with_the_same_name_are_two_users(site: Site) -> None:
    first, second = (log_in(site, name).text for name in ("cert_twin_1", "cert_twin_2"))
    assert "cert_twin_1@certification.example" in first
    assert "cert_twin_1@certification.example" not in second


@pytest.mark.parametrize("site", ONE_ID, indirect=True)  # before, each role is an account
@pytest.mark.parametrize("user_name", ["cert_teacher_staff", "cert_all_roles"])
def test_a_person_with_several_roles_can_switch_between_them(site: Site, user_name: str) -> None:
    visitor = by_portal(site, user_name)
    assert "Teacher" in visitor.text
    assert visitor.page.select("form[action*=role] button")


def test_events_change_the_rows_of_the_district(site: Site) -> None:
    site.clever.change_roster("name", "cert_twin_1", last="Tamm")
    site.clever.change_roster("unshared", "cert_co_teacher")
    result = sync_site(site, "--district", district_of(site).id)
    assert "events." in result.stdout
    truth = ExpectedRows(site.clever, district_of(site), site.settings.clever_api_version)
    assert_rows_equal(truth, database_engine(site))


def test_the_district_is_added_only_on_request() -> None:
    config = default_config("http://localhost:3000")
    assert build_directory(config).portal(SHORTNAME) is None
    directory = build_directory(replace(config, certification=True))
    district = directory.portal(SHORTNAME)
    assert district
    named = [person.user_name for person in directory.named(district)]
    assert named == [case.user_name for case in CASES]
