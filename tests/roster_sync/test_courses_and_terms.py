"""Tests that a sync archives and restores courses and terms, and never classes because of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from clever_login.db import models
from tests.conftest import SiteMaker
from tests.roster_sync.test_loss_limits import (
    BOTH_SYNCS,
    assert_as_at_clever,
    district_of,
    replace_sections,
    run,
)
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    actual_rows,
    database_engine,
    give_first_sync,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.signal_recorder import recording


@pytest.fixture
def site(make_site: SiteMaker, database_url: str | None) -> Site:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    return site


def own_section(site: Site, person: str = "student") -> Any:
    """Return one of a person's sections at Clever."""
    sections = site.clever.people.sections_of(district_of(site))
    return next(s for s in sections if site.person(person) in (*s.students, *s.teachers))


def course_of(site: Site, section_id: str) -> tuple[str, str | None, bool]:
    """Return the stored name and number of a section's course, and whether it is archived."""
    course = models.Course
    query = select(course.name, course.number, course.archived_at.is_not(None)).join(
        models.Section, models.Section.course_id == course.id
    )
    with database_engine(site).connect() as db:
        name, number, is_archived = db.execute(query.where(models.Section.id == section_id)).one()
        return name, number, bool(is_archived)


def teach(site: Site, section_id: str, name: str, number: str) -> None:
    """Change the course of a section at Clever. A course that nobody teaches is deleted there."""

    def change(sections: Any) -> list[Any]:
        new_facts = {"course_name": name, "course_number": number} if name else {}
        return [
            replace(section, facts=section.facts | new_facts)
            if section.id == section_id
            else section
            for section in sections
        ]

    replace_sections(site, change)


@BOTH_SYNCS
def test_a_course_is_added_archived_and_restored(site: Site, words: tuple[str, ...]) -> None:
    section = own_section(site)
    teach(site, section.id, "Robotics", "R-1")
    assert "courses: 1 new" in run(site, *words)
    assert course_of(site, section.id) == ("Robotics", "R-1", False)
    assert_as_at_clever(site)
    teach(site, section.id, "Chess", "C-1")
    output = run(site, *words)
    assert "courses: 1 new, 1 archived" in output
    assert "sections: 1 changed" in output
    assert_as_at_clever(site)
    teach(site, section.id, "Robotics", "R-1")
    assert "courses: 1 archived, 1 restored" in run(site, *words)
    assert course_of(site, section.id) == ("Robotics", "R-1", False)
    assert_as_at_clever(site)


@BOTH_SYNCS
def test_a_renamed_course_keeps_its_sections(site: Site, words: tuple[str, ...]) -> None:
    section = own_section(site)
    course_id = section_row(site, section.id).course_id
    site.clever.override(course_id, name="History of flight", number="H" * 100)
    assert "courses: 1 changed" in run(site, *words)
    assert course_of(site, section.id) == ("History of flight", "H" * 64, False)
    teacher = by_button(site, "teacher").open(f"/classes/{own_section(site, 'teacher').id}")
    assert "Course" in teacher.text


def section_row(site: Site, section_id: str) -> Any:
    with database_engine(site).connect() as db:
        return db.execute(select(models.Section).where(models.Section.id == section_id)).one()


def stored_terms(site: Site) -> dict[str, bool]:
    """Return whether each of the district's terms is archived, by id."""
    term = models.Term
    query = select(term.id, term.archived_at.is_not(None))
    with database_engine(site).connect() as db:
        rows = db.execute(query.where(term.district_id == district_of(site).id))
        return {row[0]: bool(row[1]) for row in rows}


@pytest.mark.parametrize("user_name", ["student", "teacher"])
def test_a_term_that_is_gone_at_clever_takes_no_class_with_it(site: Site, user_name: str) -> None:
    section = own_section(site, user_name)
    term_id = section_row(site, section.id).term_id
    before = actual_rows(database_engine(site), district_of(site).id)
    visitor = by_button(site, user_name)
    page = visitor.page.select(".own")
    # The list of terms has the term under another id. The section still has the former id.
    site.clever.override(term_id, id="term-with-a-new-id")
    assert "terms: 1 new, 1 archived\n" in run(site, "--full")
    assert stored_terms(site)[term_id]
    after = actual_rows(database_engine(site), district_of(site).id)
    assert {k: v for k, v in after.items() if k != "terms"} == {
        k: v for k, v in before.items() if k != "terms"
    }
    assert visitor.open("/dashboard").page.select(".own") == page
    assert section_row(site, section.id).term_id == term_id


@BOTH_SYNCS
def test_a_section_follows_its_term_to_the_new_id_at_its_next_update(
    site: Site, words: tuple[str, ...]
) -> None:
    section = own_section(site)
    term_id = section_row(site, section.id).term_id
    site.clever.override(term_id, id="term-with-a-new-id")
    run(site, "--full")
    site.clever.override(section.id, term_id="term-with-a-new-id")
    output = run(site, *words)
    assert "sections: 1 changed" in output
    assert "archived" not in output
    assert section_row(site, section.id).term_id == "term-with-a-new-id"
    own = section.id
    assert by_button(site, "student").page.select(f".own a[href='/classes/{own}']")


@BOTH_SYNCS
def test_a_section_with_another_course_is_sent_with_its_old_course(
    site: Site, words: tuple[str, ...]
) -> None:
    section = own_section(site)
    before = section_row(site, section.id).course_id
    teach(site, section.id, "Robotics", "R-1")
    assert site.app
    with recording(site.app) as recorder:
        run(site, *words)
    (change,) = recorder.rows("sections_changed")
    assert change.before == replace(change.after, course_id=before)
    assert change.after.course_id == section_row(site, section.id).course_id != before


@pytest.mark.parametrize("name", ["terms", "courses"])
@pytest.mark.parametrize("status", [403, 404])
def test_without_permission_for_terms_or_courses_everything_else_is_synced(
    site: Site, name: str, status: int
) -> None:
    before = actual_rows(database_engine(site), district_of(site).id)
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.add_fault("data", path=f"/{name}", status=status, times=0)
    result = sync_site(site, "--district", district_of(site).id, "--full")
    assert result.exit_code == 0
    assert f"Clever does not let this app read {name}, so they stay as they were." in result.stdout
    after = actual_rows(database_engine(site), district_of(site).id)
    assert after[name] == before[name]
    assert after["sections"] == before["sections"]
    assert "Adler" in {row[3] for row in after["people"]}
    site.clever.clear_faults()
    assert "nothing changed" in sync_site(site, "--district", district_of(site).id, "--full").stdout
