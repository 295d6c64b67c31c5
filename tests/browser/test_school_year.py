"""Tests one student in one browser for one school year: the account stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from clever_login.db import models
from clever_login.db.database import database
from clever_simulator.directory.models import Person
from tests.conftest import SiteMaker
from tests.support.chromium import run_chromium
from tests.support.expected_rows import let_time_pass
from tests.support.running_app import Site

# The app needs rosters and claims to follow a school year.
pytest.importorskip("clever_login.roster_sync.job")
pytest.importorskip("clever_login.accounts.claims")

pytestmark = pytest.mark.browser
CHILD = "talia.thompson"


@pytest.fixture
def page() -> Iterator[Page]:
    with run_chromium() as browser:
        yield browser.new_context().new_page()


class School:
    """The app, its database, and the simulator, with the actions of a student and an operator."""

    def __init__(self, site: Site, page: Page) -> None:
        assert site.app
        self.site, self.page = site, page
        self.app: Flask = site.app
        self.command("db", "upgrade")

    @property
    def child(self) -> Person:
        return self.site.person(CHILD)

    def command(self, *words: str) -> str:
        result = self.app.test_cli_runner().invoke(args=["clever", *words])
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def year(self, step: str, *, synced: bool = True) -> dict[str, Any]:
        """Make a step at Clever, then run the sync that the scheduler would run next."""
        change = self.site.clever.make_step(step)
        if synced:
            self.command("sync")
        return change

    def rows(self) -> dict[str, models.Person]:
        """Return everyone in the database who has logged in, by Clever id."""
        with database(self.app).read_session() as session:
            people = session.scalars(
                select(models.Person).where(models.Person.first_login.is_not(None))
            )
            return {str(person.clever_id): person for person in people}

    def move_logins_back(self) -> None:
        """Move logins back, because a full read archives nobody who has just logged in."""
        with database(self.app).begin() as session:
            long_ago = models.utc_now() - timedelta(minutes=5)
            session.execute(update(models.Person).values(last_login=long_ago))

    def schools(self, account: str) -> set[str]:
        """Return the schools of the sections that an account attends."""
        enrolled = select(models.Enrollment.section_id).where(
            models.Enrollment.person_id == account
        )
        with database(self.app).read_session() as session:
            return set(
                session.scalars(
                    select(models.Section.school_id).where(models.Section.id.in_(enrolled))
                )
            )

    def members(self, section: str) -> set[str | None]:
        """Return the Clever ids of all members of a section."""
        joined = models.Enrollment.person_id == models.Person.id
        in_class = select(models.Person.clever_id).join(models.Enrollment, joined)
        with database(self.app).read_session() as session:
            return set(session.scalars(in_class.where(models.Enrollment.section_id == section)))

    def log_in(self) -> None:
        """Log in from the app. The browser keeps its session at Clever."""
        self.page.goto(f"{self.site.url}/login?district_id={self.child.district.id}")
        if self.page.get_by_label("User name").count():
            self.page.get_by_label("User name").fill(CHILD)
            self.page.get_by_label("Password").fill("clever")
            self.page.get_by_role("button", name="Log in", exact=True).click()

    def expect_dashboard(self) -> None:
        expect(self.page).to_have_url(f"{self.site.url}/dashboard")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(self.child.name.first)

    def expect_refused_at_clever(self) -> None:
        assert self.page.url.startswith(self.site.clever.url), self.page.url
        expect(self.page.get_by_text("is not shared with")).to_be_visible()

    def expect_logged_out(self) -> None:
        self.page.goto(f"{self.site.url}/dashboard")
        expect(self.page).not_to_have_url(f"{self.site.url}/dashboard")


def test_a_students_account_lasts_through_a_whole_school_year(
    make_site: SiteMaker, page: Page
) -> None:
    school = School(make_site(), page)
    school.command("sync")

    school.log_in()
    school.expect_dashboard()
    first_id = school.child.id
    account = school.rows()[first_id].id
    assert school.schools(account) == {school.child.schools[0].id}

    # A section changes its teacher, and nobody has to log in again.
    (change,) = school.year("new_teacher")["touched"]
    page.reload()
    school.expect_dashboard()
    members = school.members(change["id"])
    assert {first_id, school.site.person(change["after"]).id} <= members
    assert school.site.person(change["before"]).id not in members

    # A new school: other sections, the same account.
    school.year("new_school")
    assert school.schools(account) == {school.child.schools[0].id}
    school.log_in()
    school.expect_dashboard()
    assert school.rows()[first_id].id == account

    # Unshared: the session ends, and Clever explains why the login fails.
    school.year("unshared")
    school.expect_logged_out()
    school.log_in()
    school.expect_refused_at_clever()
    assert school.rows()[first_id].archived_at

    # Shared again: the next login restores the account, even before the next sync.
    school.year("back", synced=False)
    school.log_in()
    assert school.rows()[first_id].id == account
    school.command("sync")
    page.reload()
    school.expect_dashboard()
    assert school.rows()[first_id].id == account

    # August: the next grade and new sections. The sync's cursor has expired.
    school.year("rollover")
    school.log_in()
    school.expect_dashboard()
    assert school.rows()[first_id].id == account
    assert school.schools(account)

    # Away for 300 days: the student has a new Clever id, and a new account until they claim the old
    # one.
    school.move_logins_back()
    school.year("new_id")
    assert school.child.id != first_id
    assert school.rows()[first_id].missing_since
    let_time_pass(school.site, hours=25)
    school.command("sync")
    assert school.rows()[first_id].archived_at
    school.log_in()
    school.expect_dashboard()
    assert school.rows()[school.child.id].id != account
    link = school.command("accounts", "invite", "--person", account, "--new-clever-id").strip()
    page.goto(link)
    page.get_by_role("button", name="Yes, both are mine").click()
    school.expect_dashboard()
    assert school.rows()[school.child.id].id == account
    assert school.schools(account)

    # The district disconnects. Its users are logged out, and their data is kept.
    school.year("leave")
    school.expect_logged_out()
    school.log_in()
    school.expect_refused_at_clever()
    row = school.rows()[school.child.id]
    assert (row.id, row.archived_at is None) == (account, False)

    # The district connects again, and its users can log in before the next sync.
    school.year("rejoin", synced=False)
    school.log_in()
    row = school.rows()[school.child.id]
    assert (row.id, row.archived_at) == (account, None)
    school.command("sync")
    page.reload()
    school.expect_dashboard()
