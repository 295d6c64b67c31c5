"""Tests logins of every kind of user, by every entry point, in each tier and API version."""

from __future__ import annotations

import json

import pytest

from clever_login.api_versions import VERSIONS
from clever_login.auth.login_views import ROLE_LABELS
from clever_login.clever.models import Role
from tests.conftest import STORES, SiteMaker
from tests.support.browser_client import Visitor
from tests.support.login_flows import (
    LOGIN_FLOWS,
    by_button,
    by_portal,
    launch_tile,
    log_in_at_clever,
)
from tests.support.matrix import matrix
from tests.support.running_app import Site

PEOPLE = {
    "student": "student",
    "teacher": "teacher",
    "school_admin": "staff",
    "district_admin": "district_admin",
}


def assert_logged_in(visitor: Visitor, site: Site, user_name: str, *, school: bool) -> None:
    """Assert that the dashboard shows this person's name, email, role, district, and schools."""
    person = site.person(user_name)
    assert visitor.path == "/dashboard", visitor.text
    assert visitor.url.startswith(site.url)
    assert person.name.full in visitor.text
    assert person.email is not None
    assert person.email in visitor.text
    assert visitor.role == PEOPLE[user_name]
    assert str(ROLE_LABELS[Role(visitor.role)]) in visitor.text
    assert person.district.name in visitor.text
    if user_name != "district_admin":
        for school_record in person.schools:
            assert (school_record.name in visitor.text) == school
    assert "not available right now" not in visitor.text
    assert "not shared" not in visitor.text


@pytest.mark.parametrize(
    ("any_site", "user_name", "entry"), matrix(STORES, PEOPLE, LOGIN_FLOWS), indirect=["any_site"]
)
def test_each_sample_person_can_log_in_from_each_entry_point(
    any_site: SiteMaker, user_name: str, entry: str
) -> None:
    site = any_site()
    assert_logged_in(LOGIN_FLOWS[entry](site, user_name), site, user_name, school=True)


@pytest.mark.parametrize(("any_site", "user_name"), matrix(STORES, PEOPLE), indirect=["any_site"])
def test_the_sso_tier_shows_complete_pages_without_a_school(
    any_site: SiteMaker, user_name: str
) -> None:
    site = any_site(clever_client_id="simulator-sso")
    assert_logged_in(by_button(site, user_name), site, user_name, school=False)


# That gunicorn workers share logins, the first test shows in every run.
DEPLOYED_IS_LONG = pytest.param("deployed", marks=[pytest.mark.servers, pytest.mark.long])


@pytest.mark.parametrize(
    ("any_site", "user_name", "entry"),
    [
        *matrix(["in_process"], PEOPLE, LOGIN_FLOWS),
        *matrix([DEPLOYED_IS_LONG], PEOPLE, LOGIN_FLOWS),
    ],
    indirect=["any_site"],
)
def test_each_sample_person_can_log_in_on_v1_2(
    any_site: SiteMaker, user_name: str, entry: str
) -> None:
    site = any_site(clever_api_version="v1.2")
    assert_logged_in(LOGIN_FLOWS[entry](site, user_name), site, user_name, school=True)


@pytest.mark.parametrize(
    ("version", "user_name"), matrix(sorted(set(VERSIONS) - {"v1.2", "v3.0"}), PEOPLE)
)
def test_the_other_api_versions_show_the_same_dashboard(
    make_site: SiteMaker, user_name: str, version: str
) -> None:
    site = make_site(clever_api_version=version)
    assert_logged_in(by_button(site, user_name), site, user_name, school=True)


def test_each_of_the_four_roles_sees_its_own_page(site: Site) -> None:
    pages = [by_button(site, user_name) for user_name in PEOPLE]
    leads = {page.page.select_one(".lead").get_text() for page in pages}  # type: ignore[union-attr]
    assert len(leads) == 4


def test_a_student_is_greeted_by_first_name_and_can_say_that_is_not_me(site: Site) -> None:
    visitor = by_portal(site, "student")
    assert visitor.heading == f"Hi, {site.person('student').name.first}!"
    log_out = visitor.page.find("button")
    assert log_out is not None
    assert log_out.get_text().strip() == f"Not {site.person('student').name.first}? Log out"


def test_a_student_with_only_the_guaranteed_fields_can_log_in(site: Site) -> None:
    visitor = by_button(site, "sparse")
    assert site.person("sparse").name.full in visitor.text
    labels = [term.get_text() for term in visitor.page.find_all("dt")]
    assert labels == ["Name", "You are a", "District"]


def test_a_login_requests_each_record_once(site: Site) -> None:
    by_portal(site, "student")
    requested = [
        f"{request['method']} {request['path'].rpartition('/')[0] or request['path']}"
        for request in site.clever.received_requests()
        if request["path"].startswith(("/v3.0", "/oauth/tokens", "/userinfo"))
    ]
    assert sorted(requested) == [
        "GET /v3.0",
        "GET /v3.0/districts",
        "GET /v3.0/schools",
        "GET /v3.0/users",
        "POST /oauth",
    ]


def test_the_login_button_uses_the_configured_district(make_site: SiteMaker) -> None:
    site = make_site()
    district = site.person("teacher").district
    visitor = site.visitor().open(f"/login?district_id={district.id}")
    assert district.name in visitor.heading
    site = make_site(clever_district_id=district.id)
    assert district.name in site.visitor().open("/").click("Log in with Clever").heading


def test_the_district_of_a_link_comes_before_the_configured_one(make_site: SiteMaker) -> None:
    site = make_site(clever_district_id="5f1")
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    visitor.open("/login?district_id=5f2")
    assert visitor.url.partition("&district_id=")[2].partition("&")[0] == "5f2"


def test_next_leads_back_to_the_requested_page(site: Site) -> None:
    visitor = site.visitor().open("/dashboard?page=2")
    assert visitor.path == "/"
    visitor.click("Log in with Clever").click(site.person("teacher").district.name)
    visitor.press("Log in", username="teacher", password="clever")
    assert visitor.url == f"{site.url}/dashboard?page=2"


# Several roles


def test_a_person_with_several_roles_starts_in_the_role_clever_names(site: Site) -> None:
    visitor = by_portal(site, "teacher_admin")
    assert len(site.person("teacher_admin").schools) == 2
    for school in site.person("teacher_admin").schools:
        assert school.name in visitor.text
    assert visitor.role == "teacher"
    assert "/userinfo" in [request["path"] for request in site.clever.received_requests()]


def test_a_person_with_several_roles_starts_with_the_most_permissions_if_clever_names_no_role(
    site: Site,
) -> None:
    site.clever.add_fault("userinfo", status=500, times=2)
    assert by_portal(site, "teacher_admin").role == "staff"


def test_a_role_that_clever_names_and_the_person_lacks_is_not_theirs(site: Site) -> None:
    claims = {"sub": site.person("teacher_admin").id, "user_type": "district_admin"}
    site.clever.add_fault("userinfo", body=json.dumps(claims))
    assert by_portal(site, "teacher_admin").role == "staff"


def test_a_person_can_switch_roles_and_the_url_never_contains_the_role(
    any_site: SiteMaker,
) -> None:
    site = any_site()
    visitor = by_portal(site, "teacher_admin").press("See the school administrator page")
    assert visitor.role == "staff"
    assert visitor.url == f"{site.url}/dashboard"
    assert visitor.open("/dashboard").role == "staff"


def test_switching_to_a_role_that_the_user_lacks_is_refused(site: Site) -> None:
    visitor = by_portal(site, "teacher_admin")
    visitor.press("See the school administrator page", role="district_admin")
    assert visitor.response.status_code == 403
    assert visitor.open("/dashboard").role == "teacher"


def test_before_v3_clever_asks_which_of_two_accounts_to_use(make_site: SiteMaker) -> None:
    site = make_site(clever_api_version="v1.2")
    visitor = by_button(site, "teacher_admin").press("School admin")
    assert visitor.role == "staff"
    assert "more than one role" not in visitor.text


# Log out


def test_logging_out_ends_the_apps_session_but_not_clevers(site: Site) -> None:
    visitor = by_portal(site, "student").press("Log out")
    assert visitor.heading == "You are logged out"
    assert visitor.hops[0].headers["Clear-Site-Data"] == '"cache", "storage"'  # never "cookies"
    assert visitor.open("/dashboard").path == "/"
    assert "/logout" not in [request["path"] for request in site.clever.received_requests()]
    visitor.click("Log in with Clever")  # Clever keeps its session and asks to confirm the user
    assert visitor.press("Yes").path == "/dashboard"
    assert visitor.open("/login").path == "/dashboard"  # asked only once


def test_after_that_is_not_me_clever_asks_the_next_student_to_confirm(site: Site) -> None:
    visitor = by_portal(site, "student").press("Log out")
    visitor.open(
        f"{site.clever.url}/oauth/instant-login?client_id=simulator"
        f"&district_id={site.person('student').district.id}"
    )
    assert site.person("student").name.first in visitor.heading
    visitor.press("No").press("Log in", username="sparse", password="clever")
    assert site.person("sparse").name.full in visitor.text


def test_confirmation_can_be_required_at_every_student_login(make_site: SiteMaker) -> None:
    site = make_site(clever_confirm_students=True)
    visitor = by_button(site, "student").open("/login")
    assert visitor.press("Yes").path == "/dashboard"
    assert by_button(site, "teacher").open("/login").path == "/dashboard"


@pytest.mark.parametrize("entry", LOGIN_FLOWS)
def test_only_districts_on_the_allow_list_can_log_in(make_site: SiteMaker, entry: str) -> None:
    ids = [district.id for district in make_site().clever.people.districts]
    site = make_site(clever_district_ids=(ids[1],))
    visitor = LOGIN_FLOWS[entry](site, "student")
    assert (visitor.code, visitor.response.status_code) == ("district_not_allowed", 403)
    assert visitor.open("/dashboard").path == "/"
    assert LOGIN_FLOWS[entry](site, "student2").path == "/dashboard"


def test_removing_a_district_from_the_allow_list_logs_out_its_users(
    make_site: SiteMaker,
) -> None:
    site = make_site(secret_key="s" * 64)
    ids = [district.id for district in site.clever.people.districts]
    browsers = [by_button(site, user_name).http for user_name in ("student", "student2")]
    restricted_site = make_site(
        secret_key="s" * 64, clever_district_ids=(ids[1],)
    )  # with the same store
    refused, allowed = [
        Visitor(restricted_site.url, http=browser).open("/dashboard") for browser in browsers
    ]
    assert (refused.path, allowed.path) == ("/", "/dashboard")


def test_an_impersonation_parameter_adds_a_note_to_each_page_and_a_log_event(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = by_portal(site, "student")
    assert "An administrator may be using" not in visitor.text
    visitor.open("/oauth/callback?code=x&loginas_by_admin=true")
    assert visitor.path == "/dashboard"
    assert "An administrator may be using this page as Ada Moreno" in visitor.text
    assert '"impersonation_claimed": true' in capfd.readouterr().err


def test_error_pages_show_the_user_and_a_log_out_button(site: Site) -> None:
    visitor = by_portal(site, "student").open("/nothing-here")
    assert site.person("student").name.full in visitor.text
    assert visitor.press("Log out").heading == "You are logged out"


def test_logging_out_requires_a_post(site: Site) -> None:
    visitor = by_portal(site, "student")
    assert visitor.open("/logout").response.status_code == 405
    assert visitor.open("/dashboard").path == "/dashboard"


def test_impersonation_is_shown_on_every_page_and_logged(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = make_site()
    portal = f"{site.clever.url}/in/{site.person('student').district.shortname}"
    visitor = log_in_at_clever(site.visitor().open(portal), "district_admin")
    visitor.open(f"{site.clever.url}/as").press("Ada Moreno")
    launch_tile(visitor, site)
    assert (visitor.path, visitor.role) == ("/dashboard", "student")
    assert "An administrator may be using this page as Ada Moreno." in visitor.text
    assert '"impersonation_claimed": true' in capfd.readouterr().err
