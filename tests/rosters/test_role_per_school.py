"""Tests that a person who is staff at one school and teaches at another has one role per school."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from clever_login.db.models import School, Section
from clever_simulator.config import default_config
from clever_simulator.state import SimulatorState
from tests.support.browser_client import Visitor
from tests.support.expected_rows import ExpectedRows, assert_rows_equal, database_engine, sync_site
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import database_session, run_roster_site
from tests.support.running_app import ROOT, Site

PINE_HOLLOW = ROOT / "tests" / "data" / "pine_hollow"
WINONA = "800001"  # the principal of Elementary, who also teaches: there, and at Middle
STAFF_OF_BOTH = "900002"
ELEMENTARY, MIDDLE = "Pine Hollow Elementary", "Pine Hollow Middle, North"
READING, ALGEBRA = "Reading with Mrs. Begay", "Algebra"


@pytest.fixture
def site(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    with run_roster_site(tmp_path, database_url) as site:
        site.clever.configure(replace(default_config(site.url), data=PINE_HOLLOW))
        sync_pine_hollow(site)
        yield site


def sync_pine_hollow(site: Site, *words: str) -> str:
    return sync_site(site, "--district", site.person(WINONA).district.id, *words).stdout


def reachable_names(site: Site, visitor: Visitor) -> set[str]:
    """Return the names of the schools and sections that this person may open."""
    with database_session(site) as session:
        schools = [(f"/schools/{row.id}", row.name) for row in session.scalars(select(School))]
        classes = [(f"/classes/{row.id}", row.name) for row in session.scalars(select(Section))]
    pages = schools + classes
    assert {name for _, name in pages} == {ELEMENTARY, MIDDLE, READING, ALGEBRA}
    return {name for path, name in pages if visitor.open(path).response.ok}


def own_schools(visitor: Visitor) -> list[str]:
    """Return the schools to which the dashboard links."""
    links = visitor.open("/dashboard").page.select("main a[href^='/schools/']")
    return [link.get_text() for link in links]


def school_figures(visitor: Visitor, school: str) -> str:
    """Return the numbers of students, teachers, and sections on a school's page."""
    visitor.open("/dashboard").click(school)
    return " ".join(figure.get_text() for figure in visitor.page.select(".figures dd"))


def as_role(visitor: Visitor, role: str) -> Visitor:
    """Switch to the page of the user's other role."""
    visitor.open("/dashboard")
    if visitor.role != role:
        visitor.press(f"See the {role.replace('staff', 'school administrator')} page")
    assert visitor.role == role
    return visitor


def set_roles(site: Site, **schools: str) -> None:
    """Change Winona's roles to these, with one school each."""
    simulator: SimulatorState = site.clever.app.extensions["clever_simulator"]
    winona, by_name = (
        site.person(WINONA),
        {school.name: school for school in simulator.people.schools},
    )
    posts = tuple(
        replace(assignment, schools=(by_name[schools[assignment.role]],))
        for assignment in winona.role_assignments
        if assignment.role in schools
    )
    simulator.changes.apply_and_log(
        winona.district,
        lambda: simulator.data.replace_person(replace(winona, role_assignments=posts)),
        [winona.id],
    )


def test_a_school_page_is_open_to_its_staff_but_not_to_its_teachers(site: Site) -> None:
    winona = as_role(by_button(site, WINONA), "staff")
    assert own_schools(winona) == [ELEMENTARY]
    assert reachable_names(site, winona) == {ELEMENTARY, READING}
    assert school_figures(winona, ELEMENTARY) == "2 1 1"
    as_role(winona, "teacher")
    assert own_schools(winona) == []
    assert reachable_names(site, winona) == {READING, ALGEBRA}


def test_staff_of_one_school_who_teach_at_another_are_not_teachers_of_the_first(
    site: Site,
) -> None:
    hugo = by_button(site, STAFF_OF_BOTH)
    assert own_schools(hugo) == [ELEMENTARY, MIDDLE]
    assert (school_figures(hugo, ELEMENTARY), school_figures(hugo, MIDDLE)) == ("2 1 1", "2 3 1")
    set_roles(site, staff=ELEMENTARY, teacher=MIDDLE)
    sync_pine_hollow(site)
    assert (school_figures(hugo, ELEMENTARY), school_figures(hugo, MIDDLE)) == ("2 0 1", "2 3 1")


@pytest.mark.parametrize("words", [(), ("--full",)])
def test_a_role_removed_at_a_school_is_removed_by_the_next_sync(
    site: Site, words: tuple[str, ...]
) -> None:
    winona = as_role(by_button(site, WINONA), "staff")
    set_roles(site, staff=MIDDLE, teacher=ELEMENTARY)
    assert "people: 1 changed" in sync_pine_hollow(site, *words)
    assert own_schools(winona) == [MIDDLE]
    assert reachable_names(site, winona) == {MIDDLE, ALGEBRA}
    set_roles(site, teacher=MIDDLE)
    assert "people: 1 changed" in sync_pine_hollow(site, *words)
    assert reachable_names(site, winona) == set()
    assert_rows_equal(
        ExpectedRows(site.clever, site.person(WINONA).district), database_engine(site)
    )


def test_who_loses_one_of_two_schools_is_reported_as_changed(site: Site) -> None:
    hugo = site.person(STAFF_OF_BOTH)
    [staff] = [row for row in hugo.role_assignments if len(row.schools) == 2][:1]
    site.clever.override(hugo.id, **{f"roles__{staff.role}__schools": [staff.schools[0].id]})
    assert "people: 1 changed" in sync_pine_hollow(site, "--full")
