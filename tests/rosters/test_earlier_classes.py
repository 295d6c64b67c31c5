"""Tests that lists show classes of this term first, and those of past terms under "Earlier"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from clever_login import Role, rosters
from clever_login.db.models import Enrollment, School, Section, Term
from clever_login.rosters import records
from tests.conftest import POSTGRESQL_IS_LONG
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import (
    LONG_AGO,
    STUDENT,
    TEACHER,
    database_session,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import Site

TODAY = datetime.now(UTC).date()
TERMS = {  # name: first and last day, in days from today
    "Now": (-60, 60),
    "Undated": (None, None),
    "Next": (100, 200),
    "Last": (-150, -30),
    "Longago": (-500, -400),
}
LISTS = {
    "student": "/dashboard",
    "teacher": "/dashboard",
    "school_admin": "/schools/a1",
    "district_admin": "/schools/a1",
}


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    """A site with one class, without a term, which the student and the teacher have."""
    with run_roster_site(tmp_path, database_url) as site:
        write_roster(site)
        with database_session(site) as session:
            session.get_one(Section, "section-other").archived_at = LONG_AGO
            add_terms(session)
        yield site


def add_terms(session: Session) -> None:
    own = session.get_one(School, "a1").district_id
    for name, days in TERMS.items():
        start, end = (None if day is None else TODAY + timedelta(days=day) for day in days)
        session.add(
            Term(id=name, name=f"Term {name}", district_id=own, start_date=start, end_date=end)
        )
    session.flush()


def add_classes(session: Session, term: str, number: int = 1) -> None:
    """Add classes of the student and the teacher, which are named by their term."""
    own = session.get_one(School, "a1").district_id
    for place in range(number):
        key = f"{term}{place:02}"
        session.add(
            Section(id=key, name=key, district_id=own, school_id="a1", term_id=term, period="1")
        )
        session.flush()
        for person, role in (("student", STUDENT), ("teacher", TEACHER)):
            row = Enrollment(section_id=key, person_id=f"ours-{person}", role=role)
            session.add(row)


def listed(visitor: Visitor, within: str = "main") -> list[str]:
    """Return the names of the classes in lists, in order."""
    links = visitor.page.select(f"{within} a[href^='/classes/']")
    return [str(link["href"]).removeprefix("/classes/") for link in links]


def is_open(visitor: Visitor) -> bool:
    (earlier,) = visitor.page.select("details.earlier")
    return earlier.has_attr("open")


@pytest.mark.parametrize("user_name", LISTS)
def test_current_classes_come_first_and_earlier_ones_are_collapsed_with_the_latest_first(
    school: Site, user_name: str
) -> None:
    visitor = by_button(school, user_name).open(LISTS[user_name])
    assert listed(visitor) == ["section-own"]
    assert not visitor.page.select("details.earlier")
    with database_session(school) as session:
        for term in TERMS:
            add_classes(session, term)
    visitor.open(LISTS[user_name])
    assert listed(visitor, "details.earlier") == ["Last00", "Longago00"]
    current = ["Next00", "Now00", "Undated00", "section-own"]
    assert listed(visitor) == [*current, "Last00", "Longago00"]
    assert not is_open(visitor)
    (heading,) = visitor.page.select("details.earlier > summary h3")
    assert heading.get_text() == "Earlier"
    assert "Anteriores" in visitor.open("/language/es").open(LISTS[user_name]).text


@pytest.mark.parametrize("user_name", LISTS)
def test_a_list_names_the_term_of_a_class_that_is_not_now(school: Site, user_name: str) -> None:
    with database_session(school) as session:
        for term in TERMS:
            add_classes(session, term)
    visitor = by_button(school, user_name).open(LISTS[user_name])
    named = {name for name in TERMS if f"Term {name}" in visitor.text}
    assert named == {"Next", "Last", "Longago"}


@pytest.mark.parametrize("user_name", LISTS)
@POSTGRESQL_IS_LONG
def test_in_summer_when_all_classes_have_ended_they_are_not_hidden(
    school: Site, user_name: str
) -> None:
    with database_session(school) as session:
        session.get_one(Section, "section-own").term_id = "Last"
    visitor = by_button(school, user_name).open(LISTS[user_name])
    assert listed(visitor, "details.earlier") == listed(visitor) == ["section-own"]
    assert is_open(visitor)


@pytest.mark.parametrize("user_name", LISTS)
def test_current_and_earlier_classes_are_paged_as_one_list(school: Site, user_name: str) -> None:
    with database_session(school) as session:
        add_classes(session, "Now", 59)
        add_classes(session, "Last", 60)
    visitor = by_button(school, user_name)
    pages = []
    for number in (1, 2, 3):
        visitor.open(f"{LISTS[user_name]}?page={number}")
        pages.append((len(listed(visitor)), len(listed(visitor, "details.earlier"))))
        if number == 2:
            assert not is_open(visitor)
            assert f"{LISTS[user_name]}?page=3".endswith(
                str(visitor.page.select(".pages a")[-1]["href"])
            )
    assert pages == [(50, 0), (50, 40), (20, 20)]
    assert is_open(visitor)


def test_a_class_is_current_until_its_last_day_is_over_in_every_time_zone(
    school: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_session(school) as session:
        session.get_one(Term, "Now").end_date = date(2027, 6, 10)
        session.get_one(Section, "section-own").term_id = "Now"
    student = by_button(school, "student")
    for day, has_ended in ((9, False), (10, False), (11, False), (12, True)):
        monkeypatch.setattr(records, "utc_today", lambda day=day: date(2027, 6, day))
        assert bool(listed(student.open("/dashboard"), "details.earlier")) == has_ended, day


def test_a_class_begins_later_until_the_first_day_of_its_term(
    school: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_session(school) as session:
        term = session.get_one(Term, "Next")
        term.start_date, term.end_date = date(2027, 8, 10), date(2027, 12, 20)
        session.get_one(Section, "section-own").term_id = "Next"
    student = by_button(school, "student")
    for day, is_named in ((9, True), (10, False)):
        monkeypatch.setattr(records, "utc_today", lambda day=day: date(2027, 8, day))
        assert ("Term Next" in student.open("/dashboard").text) == is_named, day


def test_a_product_can_ask_whether_a_class_has_ended(school: Site) -> None:
    with database_session(school) as session:
        for term in TERMS:
            add_classes(session, term)
    assert school.app
    with school.app.app_context():
        sections = rosters.sections(viewer=rosters.viewer("ours-teacher", Role.TEACHER))
    assert {section.term for section in sections if section.has_ended} == {
        "Term Last",
        "Term Longago",
    }
    assert [section.term for section in sections if section.begins_later] == ["Term Next"]
