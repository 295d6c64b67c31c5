"""Tests an app that finds accounts in its own users table: rosters and pages stay the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask, redirect
from sqlalchemy import select

from clever_login import AccountRefused, Identity, rosters
from clever_login.config import Settings
from clever_login.db.models import Person
from tests.conftest import SiteMaker
from tests.support.account_app import (
    account_id,
    add_account_view,
    database_of,
    flask_app,
    people_rows,
    record_statements,
    run_flask_clever,
)
from tests.support.browser_client import Visitor
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.starter import make_starter

PEOPLE = ("student", "teacher", "three_roles", "school_admin", "district_admin", "teacher_admin")


class OwnUsers:
    """A product's own users table: numbers by Clever id."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        self.identities: list[Identity] = []

    def find_or_create(self, identity: Identity) -> str:
        self.identities.append(identity)
        return self.numbers.setdefault(identity.subject, f"user-{len(self.numbers) + 1}")

    def make_app(self, settings: Settings) -> Flask:
        app = make_starter(settings, without=("Accounts",), find_or_create=self.find_or_create)
        add_account_view(app)
        return app


@pytest.fixture
def own_users() -> OwnUsers:
    return OwnUsers()


@pytest.fixture
def own(make_site: SiteMaker, own_users: OwnUsers) -> Site:
    return make_site(make_app=own_users.make_app)


def roster_pages(site: Site, user_name: str) -> dict[str, str]:
    """Return the text of each roster page that a person can reach, by path."""
    visitor, pages = by_button(site, user_name), {}
    unvisited = ["/dashboard"]
    while unvisited:
        path = unvisited.pop()
        visitor.open(path)
        pages[path] = visitor.text
        links = visitor.page.find_all("a", href=re.compile("^/(classes|schools|district)"))
        unvisited += sorted({str(link["href"]) for link in links} - {*pages, *unvisited})
    return pages


@pytest.mark.parametrize("user_name", PEOPLE)
def test_class_lists_are_the_same_with_own_accounts_as_with_the_librarys(
    make_site: SiteMaker, own_users: OwnUsers, user_name: str
) -> None:
    with_ours = make_site()
    assert sync_site(with_ours).exit_code == 0
    expected = roster_pages(with_ours, user_name)
    with_own = make_site(make_app=own_users.make_app)  # on the same database
    assert roster_pages(with_own, user_name) == expected
    assert len(expected) > 1


def test_a_library_teachers_classes_are_shown_with_own_accounts(
    make_site: SiteMaker, own_users: OwnUsers
) -> None:
    site = make_site(make_app=own_users.make_app, clever_client_id="simulator-library")
    teacher = by_button(site, "teacher")
    if teacher.path != "/dashboard":
        teacher.press("Yes")
    assert teacher.path == "/dashboard"
    page = class_page(teacher)
    person = site.person("teacher")
    sections = [section for section in site.clever.people.sections if section.teacher == person]
    (section,) = [section for section in sections if section.name == page.heading]
    for student in section.students:
        assert student.name.first in page.text
    assert own_users.identities[-1].library
    assert account_id(teacher) == "user-1"


def class_page(teacher: Visitor) -> Visitor:
    link = teacher.page.find("a", href=re.compile("^/classes/"))
    assert link
    return teacher.open(str(link["href"]))


def test_the_identity_names_the_persons_row(own: Site, own_users: OwnUsers) -> None:
    student = by_button(own, "student")
    (identity,) = own_users.identities
    person = own.person("student")
    assert (identity.provider, identity.subject) == ("clever", person.id)
    assert identity.district_id == person.district.id
    assert (identity.role, identity.roles) == ("student", ("student",))
    assert identity.first_name == person.name.first
    assert not identity.library
    assert account_id(student) == "user-1"
    with database_of(own).read_session() as session:
        query = select(Person.id).where(Person.clever_id == identity.subject)
        assert session.scalars(query).one() == identity.person_id


def test_a_second_login_finds_the_same_account(own: Site, own_users: OwnUsers) -> None:
    assert account_id(by_button(own, "student")) == account_id(by_button(own, "student"))
    first, second = own_users.identities
    assert first == second


def saved_account_ids(statements: list[str]) -> int:
    """Return how many statements store an account id."""
    return sum("SET account_id" in statement for statement in statements)


def test_the_account_id_of_the_last_login_is_stored_and_only_written_when_it_changes(
    make_site: SiteMaker, own_users: OwnUsers, database_url: str | None
) -> None:
    site = make_site(make_app=own_users.make_app, database_url=database_url)
    run_flask_clever(site, "db", "upgrade")
    subject = site.person("student").id
    stored = []
    for number in ("user-1", "user-1", "user-2"):
        own_users.numbers[subject] = number
        with record_statements(site) as statements:
            by_button(site, "student")
        (person,) = people_rows(site)
        stored.append((person.account_id, saved_account_ids(statements)))
    assert stored == [("user-1", 1), ("user-1", 0), ("user-2", 1)]


def test_rosters_return_the_account_ids_of_the_product(
    make_site: SiteMaker, own_users: OwnUsers
) -> None:
    site = make_site(make_app=own_users.make_app)
    assert sync_site(site).exit_code == 0
    own_users.numbers[site.person("student").id] = "user-7"
    by_button(site, "student")
    with flask_app(site).app_context():
        operator = rosters.operator(site.person("student").district.id)
        people = rosters.people(viewer=operator, size=200)
    account_ids = [person.account_id for person in people]
    assert account_ids.count("user-7") == 1
    assert account_ids.count(None) == people.total - 1


def test_with_the_librarys_accounts_the_account_id_is_the_id(site: Site) -> None:
    with record_statements(site) as statements:
        student = by_button(site, "student")
    assert saved_account_ids(statements) == 0
    assert student.path == "/dashboard"
    (person,) = people_rows(site)
    assert person.account_id is None
    with flask_app(site).app_context():
        operator = rosters.operator(site.person("student").district.id)
        (match,) = rosters.people(viewer=operator)
    assert match.account_id == match.id == person.id


@pytest.mark.parametrize("unusable_id", [None, "", 7, "x" * 256])
def test_an_account_without_a_usable_id_logs_nobody_in(
    make_site: SiteMaker, unusable_id: object
) -> None:
    def make_app(settings: Settings) -> Flask:
        return make_starter(
            settings, without=("Accounts",), find_or_create=lambda _identity: unusable_id
        )

    visitor = by_button(make_site(make_app=make_app), "student")
    assert visitor.code == "http_500"
    assert visitor.open("/dashboard").path == "/"


def test_a_user_refused_by_on_login_is_not_logged_in(make_site: SiteMaker) -> None:
    def on_login(identity: Identity) -> None:
        if identity.role == "student":
            raise AccountRefused("Your class starts on Monday.")

    site = make_site(make_app=lambda settings: make_starter(settings, on_login=on_login))
    student = by_button(site, "student")
    assert (student.code, student.response.status_code) == ("account_refused", 403)
    assert "Your class starts on Monday." in student.text
    assert student.open("/dashboard").path == "/"
    assert by_button(site, "teacher").path == "/dashboard"


def test_on_login_may_send_the_user_to_another_page(make_site: SiteMaker) -> None:
    site = make_site(
        make_app=lambda settings: make_starter(settings, on_login=lambda _who: redirect("/schools"))
    )
    student = by_button(site, "student")
    assert student.path == "/schools"


def test_a_folder_of_the_app_stays_private_with_own_accounts(own: Site, tmp_path: Path) -> None:
    by_button(own, "student")
    for path in tmp_path.rglob("*.sqlite3"):
        assert path.stat().st_mode & 0o077 == 0, path
