"""Tests the dashboards: what each role sees, and what the page shows if Clever says little."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from clever_login import Role
from clever_login.testing import Browser, login_as
from tests.app.conftest import words

Page = Callable[..., BeautifulSoup]
ABOUT_YOU = "[aria-labelledby=about-you]"


@pytest.mark.parametrize("role", Role)
def test_each_role_has_a_dashboard(client: Browser, page: Page, role: Role) -> None:
    login_as(client, role, first_name="Grace", last_name="Hopper")
    dashboard = page()
    assert dashboard.select(f"main[data-role={role}]")
    assert "Grace" in words(dashboard, "h1")
    assert len(dashboard.select("h1")) == 1
    assert "Grace Hopper" in words(dashboard, ABOUT_YOU)


def test_no_two_roles_have_the_same_dashboard(client: Browser, page: Page) -> None:
    leads = set()
    for role in Role:
        login_as(client, role)
        leads.add(words(page(), ".lead"))
    assert len(leads) == len(Role)


def test_a_student_is_greeted_by_the_first_name(client: Browser, page: Page) -> None:
    login_as(client, "student", first_name="Ada", last_name="Lovelace")
    assert "Ada" in words(page(), "h1")
    assert "Lovelace" not in words(page(), "h1")


def test_the_dashboard_needs_a_login(client: Browser) -> None:
    assert client.get("/dashboard").location == "/?next=/dashboard"


def test_the_address_of_a_dashboard_does_not_contain_the_role(client: Browser) -> None:
    login_as(client, "teacher")
    assert client.get("/dashboard").status_code == 200
    assert client.get("/dashboard/student").status_code == 404


def test_a_user_without_a_role_is_logged_in_and_sees_no_role(client: Browser, page: Page) -> None:
    login_as(client, None, first_name="Grace")
    dashboard = page()
    assert dashboard.select("main[data-role=none]")
    assert "Grace" in words(dashboard, "h1")


def test_a_user_with_two_roles_can_switch(client: Browser, page: Page) -> None:
    login_as(client, "staff", roles=["teacher"])
    assert [button["value"] for button in page().select("button[name=role]")] == ["teacher"]
    assert client.submit("/role", role="teacher").status_code == 303
    assert page().select("main[data-role=teacher]")


@pytest.mark.parametrize("role", ["student", "teacher", "staff"])
def test_the_dashboard_names_all_schools(client: Browser, page: Page, role: str) -> None:
    login_as(client, role, schools={"n": "North School", "s": "South School"})
    facts = words(page(), ABOUT_YOU)
    assert "North School" in facts
    assert "South School" in facts


def test_a_district_administrator_sees_the_district_and_no_school(
    client: Browser, page: Page
) -> None:
    login_as(client, "district_admin", schools={"n": "North School"})
    dashboard = words(page(), "main")
    assert "Test District" in dashboard
    assert "North School" not in dashboard


def test_more_schools_than_fit_are_counted(client: Browser, page: Page) -> None:
    login_as(client, "staff", schools={f"s{number}": f"School {number}" for number in range(11)})
    assert "11" in words(page(), ".lead")
    assert "3" in words(page(), ABOUT_YOU)


def test_the_email_address_is_shown_only_if_clever_shares_it(client: Browser, page: Page) -> None:
    login_as(client, "teacher", email="grace@example.org")
    assert "grace@example.org" in words(page(), ABOUT_YOU)
    login_as(client, "teacher", first_name="Ada")
    assert "@" not in words(page(), ABOUT_YOU)


@pytest.mark.parametrize("role", Role)
def test_a_user_without_name_and_school_has_a_complete_page(
    client: Browser, page: Page, role: Role
) -> None:
    login_as(client, role, first_name="", last_name="", schools={})
    dashboard = page()
    assert words(dashboard, "h1")
    assert words(dashboard, ABOUT_YOU)
    assert "None" not in words(dashboard)


def test_names_are_escaped(client: Browser, page: Page) -> None:
    login_as(client, "student", first_name="<script>Bobby</script>")
    dashboard = page()
    assert "<script>Bobby</script>" in words(dashboard, "h1")
    assert not dashboard.select("main script")


def test_everybody_can_log_out(client: Browser, page: Page) -> None:
    login_as(client, "student")
    assert page().select("form[action$='/logout'] [name=csrf_token]")
    client.submit("/logout")
    assert client.get("/dashboard").location == "/?next=/dashboard"


def test_a_student_finds_no_page_of_the_district(app: Flask, client: Browser, page: Page) -> None:
    if "clever_login.district" not in app.view_functions:
        pytest.skip("needs parts.Rosters() in app.py")
    login_as(client, "student")
    page("/district", status=404)


def test_before_the_first_sync_a_teacher_sees_no_class(
    app: Flask, client: Browser, page: Page
) -> None:
    if "clever_login.section" not in app.view_functions:
        pytest.skip("needs parts.Rosters() in app.py")
    login_as(client, "teacher")
    assert not page().select("main a[href*='/classes/']")
