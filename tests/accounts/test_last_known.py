"""Tests logins of users whose record Clever does not send: the database knows some of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select

from clever_login import Identity
from clever_login.clever.models import Role
from clever_login.config import Settings
from clever_login.db.models import District, Person, RoleAssignment, School, utc_now
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.support.account_app import (
    database_of,
    make_account_app,
    people_rows,
    record_statements,
    school,
)
from tests.support.browser_client import Visitor
from tests.support.expected_rows import give_first_sync, sync_site
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.starter import make_starter

__all__ = ["school"]

TELLS_NOTHING = "Clever did not tell us about you just now."
NO_RECORD = [{"status": 503}, {"status": 404}, {"status": 403}, {"body": "html"}, {"body": "[]"}]


@pytest.fixture
def synced(school: Site) -> Site:
    """An app that has synced its districts, and nobody has logged in."""
    give_first_sync(school)
    return school


def log_in_without_record(site: Site, user_name: str, **fault: object) -> Visitor:
    """Log in while Clever identifies the user, but does not send the user's record."""
    site.clever.add_fault("user", times=0, **(fault or {"status": 503}))
    visitor = by_button(site, user_name)
    site.clever.clear_faults()
    assert visitor.path == "/dashboard", visitor.text
    return visitor


def class_names(visitor: Visitor) -> list[str]:
    return [tag.get_text() for tag in visitor.page.select(".tile-name")]


def change_row(site: Site, user_name: str, change: Callable[[Person], None]) -> None:
    with database_of(site).begin() as session:
        clever_id = site.person(user_name).id
        change(session.scalars(select(Person).where(Person.clever_id == clever_id)).one())


def row_of(site: Site, user_name: str) -> Person:
    (row,) = [row for row in people_rows(site) if row.clever_id == site.person(user_name).id]
    return row


def set_sync_time(site: Site, age: timedelta) -> None:
    with database_of(site).begin() as session:
        for district in session.scalars(select(District)):
            district.synced_at = utc_now() - age


@pytest.mark.parametrize("fault", NO_RECORD, ids=json.dumps)
@POSTGRESQL_IS_LONG
def test_a_child_whose_record_cannot_be_read_sees_the_page_of_the_last_sync(
    synced: Site, fault: dict[str, object]
) -> None:
    visitor = log_in_without_record(synced, "student", **fault)
    assert (visitor.role, visitor.heading) == ("student", "Hi, Ada!")
    assert synced.person("student").name.full in visitor.text
    assert "Clever user" not in visitor.text
    classes = class_names(visitor)
    assert TELLS_NOTHING in visitor.text
    assert "This is from a little while ago." in visitor.text
    assert "Your name and role" not in visitor.text
    whole = by_button(synced, "student")
    assert TELLS_NOTHING not in whole.text
    assert class_names(whole) == classes != []


@pytest.mark.parametrize(
    ("age", "english", "spanish"),
    [
        (timedelta(hours=-1), "a little while ago", "hace un rato"),
        (timedelta(hours=3), "some hours ago", "hace unas horas"),
        (timedelta(hours=20), "a day ago", "hace un día"),
        (timedelta(days=3), "some days ago", "hace unos días"),
        (timedelta(days=30), "a long time ago", "hace mucho tiempo"),
    ],
    ids=str,
)
@POSTGRESQL_IS_LONG
def test_the_page_says_how_old_it_is_in_words_for_a_child(
    synced: Site, age: timedelta, english: str, spanish: str
) -> None:
    set_sync_time(synced, age)
    visitor = log_in_without_record(synced, "student")
    assert f"This is from {english}." in visitor.text
    visitor.http.headers["Accept-Language"] = "es"
    assert f"Esto es de {spanish}." in visitor.open("/dashboard").text


@POSTGRESQL_IS_LONG
def test_an_adult_reads_the_age_in_hours_and_can_log_in_again(synced: Site) -> None:
    set_sync_time(synced, timedelta(hours=5))
    visitor = log_in_without_record(synced, "teacher")
    assert (visitor.role, visitor.heading) == ("teacher", "Welcome, Grace Whitaker")
    assert "Clever last sent this 5 hours ago." in visitor.text
    again = visitor.click("Log in again to see everything")
    assert TELLS_NOTHING not in again.text


@POSTGRESQL_IS_LONG
def test_the_session_as_json_says_how_old_the_name_and_role_are(synced: Site) -> None:
    user = log_in_without_record(synced, "student").open("/session").response.json()["user"]
    assert (user["first_name"], user["role"]) == ("Ada", "student")
    with database_of(synced).begin() as session:
        own = session.get_one(District, synced.person("student").district.id)
        assert own.synced_at
        assert user["as_of"] == pytest.approx(own.synced_at.timestamp())
    assert by_button(synced, "student").open("/session").response.json()["user"]["as_of"] is None


def test_a_person_with_several_roles_keeps_those_with_a_school(synced: Site) -> None:
    visitor = log_in_without_record(synced, "teacher_admin")
    assert visitor.open("/session").response.json()["user"]["roles"] == ["teacher", "staff"]
    with database_of(synced).begin() as session:
        session.execute(delete(RoleAssignment).where(RoleAssignment.role == Role.STAFF))
    visitor = log_in_without_record(synced, "teacher_admin")
    assert visitor.open("/session").response.json()["user"]["roles"] == ["teacher"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda person: setattr(person, "roles", []), id="not_in_the_row"),
        pytest.param(lambda person: setattr(person, "roles", ["staff"]), id="another_in_the_row"),
    ],
)
@POSTGRESQL_IS_LONG
def test_a_role_that_only_a_school_names_is_not_given(
    synced: Site, change: Callable[[Person], None]
) -> None:
    change_row(synced, "teacher", change)
    visitor = log_in_without_record(synced, "teacher")
    assert (visitor.role, visitor.heading) == ("none", "Hello, Grace")


@POSTGRESQL_IS_LONG
def test_a_role_without_a_school_is_not_given(synced: Site) -> None:
    visitor = log_in_without_record(synced, "district_admin")
    assert row_of(synced, "district_admin").roles == ["district_admin"]
    assert (visitor.role, visitor.heading) == ("none", "Hello, Mei-Ling")
    assert visitor.open("/district").response.status_code == 404
    change_row(synced, "teacher", lambda person: setattr(person, "roles", ["district_admin"]))
    assert log_in_without_record(synced, "teacher").role == "none"


def test_a_role_at_an_archived_school_is_not_given(synced: Site) -> None:
    with database_of(synced).begin() as session:
        for row in session.scalars(select(School)):
            row.archived_at = utc_now()
    visitor = log_in_without_record(synced, "teacher")
    assert (visitor.role, visitor.heading) == ("none", "Hello, Grace")


def test_a_role_at_a_school_of_another_district_is_not_given(synced: Site) -> None:
    with database_of(synced).begin() as session:
        for row in session.scalars(select(School)):
            row.district_id = synced.person("student2").district.id
    visitor = log_in_without_record(synced, "teacher")
    assert (visitor.role, visitor.heading) == ("none", "Hello, Grace")


def test_an_archived_user_is_greeted_by_name_and_gets_no_stored_role(synced: Site) -> None:
    """Clever vouches for the user, but no sync keeps the role of an archived row up to date."""
    archived_at = utc_now() - timedelta(days=3)
    change_row(synced, "teacher", lambda person: setattr(person, "archived_at", archived_at))
    for _ in range(2):  # the first login restores the row, and the second one finds it restored
        visitor = log_in_without_record(synced, "teacher")
        assert (visitor.role, visitor.heading) == ("none", "Hello, Grace")
        assert visitor.page.select(".tile-name, main a[href^='/sections/']") == []
        row = row_of(synced, "teacher")
        assert (row.archived_at, row.roles) == (None, [])
    assert by_button(synced, "teacher").role == "teacher"


@POSTGRESQL_IS_LONG
def test_the_age_of_an_archived_users_page_is_that_of_the_archiving(synced: Site) -> None:
    archived_at = utc_now() - timedelta(days=3)
    change_row(synced, "student", lambda person: setattr(person, "archived_at", archived_at))
    assert "some days ago" in log_in_without_record(synced, "student").text


def test_a_user_of_a_district_that_has_left_gets_no_stored_role(synced: Site) -> None:
    with database_of(synced).begin() as session:
        for district in session.scalars(select(District)):
            district.archived_at = utc_now()
    visitor = log_in_without_record(synced, "teacher")
    assert (visitor.role, visitor.heading) == ("none", "Hello, Grace")


def test_the_row_of_another_district_says_nothing(synced: Site) -> None:
    other = synced.person("student2").district.id
    change_row(synced, "teacher", lambda person: setattr(person, "district_id", other))
    visitor = log_in_without_record(synced, "teacher")
    assert (visitor.role, visitor.heading) == ("none", "Hello")


@POSTGRESQL_IS_LONG
def test_an_unknown_user_has_the_page_of_an_unknown_user(school: Site) -> None:
    visitor = log_in_without_record(school, "student")
    assert (visitor.role, visitor.heading) == ("none", "Hello")
    assert "Your name and role: not available right now" in visitor.text
    assert TELLS_NOTHING not in visitor.text


def test_without_a_sync_the_last_login_knows_the_name_and_no_role(school: Site) -> None:
    assert by_button(school, "student").role == "student"
    visitor = log_in_without_record(school, "student")
    assert (visitor.role, visitor.heading) == ("none", "Hello, Ada")
    assert "This is from a little while ago." in visitor.text


@pytest.mark.parametrize("user_name", ["student", "teacher"])
def test_a_role_that_clever_names_is_the_only_one(make_site: SiteMaker, user_name: str) -> None:
    """Before v3, `/me` has the role. The row may say more, such as that of a former principal."""
    site = make_account_app(make_site, None, clever_api_version="v2.1")
    assert sync_site(site).exit_code == 0
    with database_of(site).begin() as session:
        legacy_id = site.person(user_name).role_assignments[0].legacy_id
        person = session.scalars(select(Person).where(Person.clever_id == legacy_id)).one()
        person.roles = [user_name, "staff"]
        school_id = session.scalars(
            select(School.id).where(School.district_id == person.district_id)
        ).first()
        session.add(RoleAssignment(person_id=person.id, school_id=str(school_id), role="staff"))
    visitor = log_in_without_record(site, user_name)
    assert visitor.open("/session").response.json()["user"]["roles"] == [user_name]
    assert site.person(user_name).name.full in visitor.open("/dashboard").text


def test_the_database_is_asked_only_if_the_record_is_missing(synced: Site) -> None:
    by_button(synced, "student")
    with record_statements(synced) as normal:
        by_button(synced, "student")
    with record_statements(synced) as without_record:
        log_in_without_record(synced, "student")
    assert len(without_record) == len(normal) + 1


def test_own_accounts_get_what_clever_said_and_the_page_what_the_rosters_know(
    make_site: SiteMaker,
) -> None:
    identities: list[Identity] = []

    def find_or_create(identity: Identity) -> str:
        identities.append(identity)
        return "user-1"

    def make_app(settings: Settings) -> Flask:
        return make_starter(settings, without=("Accounts",), find_or_create=find_or_create)

    site = make_site(make_app=make_app)
    assert sync_site(site).exit_code == 0
    visitor = log_in_without_record(site, "student")
    assert (visitor.role, visitor.heading) == ("student", "Hi, Ada!")
    (identity,) = identities
    assert (identity.first_name, identity.roles, identity.role) == ("", (), None)
