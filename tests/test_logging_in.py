"""Every kind of person, by every way in, on each tier and version: what their page says."""

from __future__ import annotations

import pytest

from clever_login.api.versions import VERSIONS
from clever_login.dashboard import ROLE_LABELS
from clever_login.models import Role
from tests.conftest import STORES, SiteMaker
from tests.entries import ENTRIES, by_button, by_portal, launch_tile, log_in_at_clever
from tests.matrix import matrix
from tests.sites import Site
from tests.visitor import Visitor

PEOPLE = {
    "student": "student",
    "teacher": "teacher",
    "school_admin": "staff",
    "district_admin": "district_admin",
}


def assert_is_in(visitor: Visitor, site: Site, user_name: str, *, school: bool) -> None:
    """The dashboard, with the name, email, role, district and school of this person."""
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
        for each in person.schools:
            assert (each.name in visitor.text) == school
    assert "could not be read" not in visitor.text
    assert "not shared" not in visitor.text


@pytest.mark.parametrize(
    ("any_site", "user_name", "entry"), matrix(STORES, PEOPLE, ENTRIES), indirect=["any_site"]
)
def test_each_person_is_in_by_each_way(any_site: SiteMaker, user_name: str, entry: str) -> None:
    site = any_site()
    assert_is_in(ENTRIES[entry](site, user_name), site, user_name, school=True)


@pytest.mark.parametrize(("any_site", "user_name"), matrix(STORES, PEOPLE), indirect=["any_site"])
def test_the_sso_tier_shows_whole_pages_without_a_school(
    any_site: SiteMaker, user_name: str
) -> None:
    site = any_site(clever_client_id="simulator-sso")
    assert_is_in(by_button(site, user_name), site, user_name, school=False)


@pytest.mark.parametrize(
    ("any_site", "user_name", "entry"), matrix(STORES, PEOPLE, ENTRIES), indirect=["any_site"]
)
def test_each_person_is_in_on_v1_2(any_site: SiteMaker, user_name: str, entry: str) -> None:
    site = any_site(clever_api_version="v1.2")
    assert_is_in(ENTRIES[entry](site, user_name), site, user_name, school=True)


@pytest.mark.parametrize(
    ("version", "user_name"), matrix(sorted(set(VERSIONS) - {"v1.2", "v3.0"}), PEOPLE)
)
def test_the_other_versions_show_the_same(
    make_site: SiteMaker, user_name: str, version: str
) -> None:
    site = make_site(clever_api_version=version)
    assert_is_in(by_button(site, user_name), site, user_name, school=True)


def test_the_four_roles_see_four_pages(site: Site) -> None:
    pages = [by_button(site, user_name) for user_name in PEOPLE]
    leads = {page.page.select_one(".lead").get_text() for page in pages}  # type: ignore[union-attr]
    assert len(leads) == 4


def test_a_student_is_greeted_by_first_name_and_can_say_that_it_is_not_her(site: Site) -> None:
    visitor = by_portal(site, "student")
    assert visitor.heading == f"Hi, {site.person('student').name.first}!"
    log_out = visitor.page.find("button")
    assert log_out is not None
    assert log_out.get_text().strip() == f"Not {site.person('student').name.first}? Log out"


def test_a_student_of_whom_clever_tells_the_least_is_in(site: Site) -> None:
    visitor = by_button(site, "sparse")
    assert site.person("sparse").name.full in visitor.text
    facts = [each.get_text() for each in visitor.page.find_all("dt")]
    assert facts == ["Name", "You are a", "District"]


def test_a_login_asks_clever_once_for_each_thing(site: Site) -> None:
    by_portal(site, "student")
    asked = [
        f"{each['method']} {each['path'].rpartition('/')[0] or each['path']}"
        for each in site.clever.journal()
        if each["path"].startswith(("/v3.0", "/oauth/tokens", "/userinfo"))
    ]
    assert sorted(asked) == [
        "GET /v3.0",
        "GET /v3.0/districts",
        "GET /v3.0/schools",
        "GET /v3.0/users",
        "POST /oauth",
    ]


def test_the_button_goes_to_the_district_of_the_settings(make_site: SiteMaker) -> None:
    site = make_site()
    district = site.person("teacher").district
    visitor = site.visitor().open(f"/login?district_id={district.id}")
    assert district.name in visitor.heading
    site = make_site(clever_district_id=district.id)
    assert district.name in site.visitor().open("/").click("Log in with Clever").heading


def test_next_leads_back_to_the_page_that_was_asked_for(site: Site) -> None:
    visitor = site.visitor().open("/dashboard?page=2")
    assert visitor.path == "/"
    visitor.click("Log in with Clever").click(site.person("teacher").district.name)
    visitor.press("Log in", username="teacher", password="clever")
    assert visitor.url == f"{site.url}/dashboard?page=2"


# Several roles


def test_of_several_roles_the_one_that_clever_names_is_shown(site: Site) -> None:
    visitor = by_portal(site, "teacher_admin")
    assert len(site.person("teacher_admin").schools) == 2
    for school in site.person("teacher_admin").schools:
        assert school.name in visitor.text
    assert visitor.role == "teacher"
    assert "/userinfo" in [each["path"] for each in site.clever.journal()]


def test_of_several_roles_the_widest_is_shown_when_clever_does_not_say(site: Site) -> None:
    site.clever.fault("userinfo", status=500, times=2)
    assert by_portal(site, "teacher_admin").role == "staff"


def test_somebody_with_several_roles_can_switch_and_the_address_never_says_which(
    any_site: SiteMaker,
) -> None:
    site = any_site()
    visitor = by_portal(site, "teacher_admin").press("See the school administrator page")
    assert visitor.role == "staff"
    assert visitor.url == f"{site.url}/dashboard"
    assert visitor.open("/dashboard").role == "staff"


def test_nobody_can_switch_to_a_role_that_is_not_theirs(site: Site) -> None:
    visitor = by_portal(site, "teacher_admin")
    visitor.press("See the school administrator page", role="district_admin")
    assert visitor.response.status_code == 403
    assert visitor.open("/dashboard").role == "teacher"


def test_before_v3_clever_asks_which_of_two_accounts_is_meant(make_site: SiteMaker) -> None:
    site = make_site(clever_api_version="v1.2")
    visitor = by_button(site, "teacher_admin").press("School admin")
    assert visitor.role == "staff"
    assert "more than one role" not in visitor.text


# The way out


def test_logging_out_ends_the_session_here_and_not_at_clever(site: Site) -> None:
    visitor = by_portal(site, "student").press("Log out")
    assert visitor.heading == "You are logged out"
    assert visitor.hops[0].headers["Clear-Site-Data"] == '"cache", "storage"'  # never "cookies"
    assert visitor.open("/dashboard").path == "/"
    assert "/logout" not in [each["path"] for each in site.clever.journal()]
    visitor.click("Log in with Clever")  # Clever still knows her, and asks whether it is her
    assert visitor.press("Yes").path == "/dashboard"
    assert visitor.open("/login").path == "/dashboard"  # after that, no more


def test_after_not_ada_the_next_child_is_asked_and_can_say_no(site: Site) -> None:
    visitor = by_portal(site, "student").press("Log out")
    visitor.open(
        f"{site.clever.url}/oauth/instant-login?client_id=simulator"
        f"&district_id={site.person('student').district.id}"
    )
    assert site.person("student").name.first in visitor.heading
    visitor.press("No").press("Log in", username="sparse", password="clever")
    assert site.person("sparse").name.full in visitor.text


def test_students_can_be_asked_at_every_login(make_site: SiteMaker) -> None:
    site = make_site(clever_confirm_students=True)
    visitor = by_button(site, "student").open("/login")
    assert visitor.press("Yes").path == "/dashboard"
    assert by_button(site, "teacher").open("/login").path == "/dashboard"


@pytest.mark.parametrize("entry", ENTRIES)
def test_only_the_districts_of_an_allow_list_get_in(make_site: SiteMaker, entry: str) -> None:
    ids = [district.id for district in make_site().clever.people.districts]
    site = make_site(clever_district_ids=(ids[1],))
    visitor = ENTRIES[entry](site, "student")
    assert (visitor.code, visitor.response.status_code) == ("district_not_allowed", 403)
    assert visitor.open("/dashboard").path == "/"
    assert ENTRIES[entry](site, "student2").path == "/dashboard"


def test_whoever_is_in_from_a_district_that_is_taken_off_the_list_is_logged_out(
    make_site: SiteMaker,
) -> None:
    site = make_site(secret_key="s" * 64)
    ids = [district.id for district in site.clever.people.districts]
    browsers = [by_button(site, each).http for each in ("student", "student2")]
    narrow = make_site(secret_key="s" * 64, clever_district_ids=(ids[1],))  # on the same store
    left, stays = [Visitor(narrow.url, http=each).open("/dashboard") for each in browsers]
    assert (left.path, stays.path) == ("/", "/dashboard")


def test_a_link_that_claims_an_impersonation_leaves_a_note_on_each_page_and_in_the_log(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = by_portal(site, "student")
    assert "An administrator may be using" not in visitor.text
    visitor.open("/oauth/callback?code=x&loginas_by_admin=true")
    assert visitor.path == "/dashboard"
    assert "An administrator may be using this page as Ada Moreno" in visitor.text
    assert '"impersonation_claimed": true' in capfd.readouterr().err


def test_everyone_is_named_on_error_pages_too_and_can_log_out_there(site: Site) -> None:
    visitor = by_portal(site, "student").open("/nothing-here")
    assert site.person("student").name.full in visitor.text
    assert visitor.press("Log out").heading == "You are logged out"


def test_logging_out_by_a_link_is_not_possible(site: Site) -> None:
    visitor = by_portal(site, "student")
    assert visitor.open("/logout").response.status_code == 405
    assert visitor.open("/dashboard").path == "/dashboard"


def test_an_admin_who_acts_as_a_student_sees_it_on_every_page_and_so_does_the_log(
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
