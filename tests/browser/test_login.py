"""Tests logins in a real browser, with the app and Clever on two sites, by every entry point."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import SiteMaker
from tests.support.chromium import launch_chromium, run_chromium
from tests.support.fresh_checkout import installed_copy, run_fresh_site
from tests.support.matrix import matrix
from tests.support.running_app import Site, serve_other_site

pytestmark = pytest.mark.browser
PEOPLE = ["student", "teacher", "school_admin", "district_admin"]
ROLES = {
    "student": "Student",
    "teacher": "Teacher",
    "school_admin": "School administrator",
    "district_admin": "District administrator",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh browser profile. Errors and warnings on its console fail the test."""
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def log_in_at_clever(page: Page, user_name: str) -> None:
    page.get_by_label("User name").fill(user_name)
    page.get_by_label("Password").fill("clever")
    page.get_by_role("button", name="Log in", exact=True).click()


def by_button(page: Page, site: Site, user_name: str) -> None:
    page.goto(site.url)
    page.get_by_role("link", name="Log in with Clever").click()
    page.get_by_role("link", name=site.person(user_name).district.name).click()
    log_in_at_clever(page, user_name)


def by_portal(page: Page, site: Site, user_name: str) -> None:
    page.goto(f"{site.clever.url}/in/{site.person(user_name).district.shortname}")
    log_in_at_clever(page, user_name)
    page.locator(f'a.tile[href*="client_id={site.settings.clever_client_id}&"]').click()


def by_instant_login(page: Page, site: Site, user_name: str) -> None:
    link = f"{site.clever.url}/oauth/instant-login?client_id={site.settings.clever_client_id}"
    page.goto(f"{link}&district_id={site.person(user_name).district.id}")
    log_in_at_clever(page, user_name)


ENTRIES = {"button": by_button, "portal": by_portal, "instant_login": by_instant_login}


def expect_dashboard(page: Page, site: Site, user_name: str, *, school: bool) -> None:
    """Assert that this is the person's dashboard, at a URL without a code."""
    person = site.person(user_name)
    expect(page).to_have_url(f"{site.url}/dashboard")
    expect(page.get_by_role("heading", level=1)).to_contain_text(person.name.first)
    expect(page.get_by_text(person.name.full).first).to_be_visible()
    expect(page.get_by_text(str(person.email))).to_be_visible()
    expect(page.get_by_text(ROLES[user_name], exact=True).first).to_be_visible()
    expect(page.locator("dd", has_text=person.district.name)).to_be_visible()
    if user_name != "district_admin":
        for own_school in person.schools:
            expect(page.locator("dd", has_text=own_school.name)).to_have_count(int(school))


@pytest.fixture(scope="module")
def started_by_bin_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site that a new developer has after one command."""
    with run_fresh_site(installed_copy(tmp_path_factory.mktemp("running"))) as site:
        yield site


@pytest.mark.parametrize(("user_name", "entry"), matrix(PEOPLE, ENTRIES))
def test_after_bin_dev_each_sample_person_can_log_in_from_each_entry_point(
    started_by_bin_dev: Site, page: Page, user_name: str, entry: str
) -> None:
    ENTRIES[entry](page, started_by_bin_dev, user_name)
    expect_dashboard(page, started_by_bin_dev, user_name, school=True)


def test_after_bin_dev_a_student_sees_their_classes(started_by_bin_dev: Site, page: Page) -> None:
    by_button(page, started_by_bin_dev, "student")
    expect(page.get_by_role("link", name="Mathematics")).to_be_visible()


@pytest.mark.parametrize("user_name", PEOPLE)
def test_the_sso_tier_shows_complete_pages_without_a_school(
    make_site: SiteMaker, page: Page, user_name: str
) -> None:
    site = make_site(clever_client_id="simulator-sso")
    by_button(page, site, user_name)
    expect_dashboard(page, site, user_name, school=False)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_login_with_an_id_token_shows_the_same_dashboard(
    make_site: SiteMaker, page: Page, entry: str
) -> None:
    site = make_site(clever_client_id="simulator-oidc", clever_oidc=True)
    ENTRIES[entry](page, site, "teacher")
    expect_dashboard(page, site, "teacher", school=True)


def test_a_library_teacher_signs_up_and_consents_and_then_a_student_can_log_in(
    make_site: SiteMaker, page: Page, browser: Browser
) -> None:
    site = make_site(clever_client_id="simulator-library", clever_library=True)
    teacher = site.person("teacher")
    page.goto(site.url)
    page.get_by_role("link", name="Sign up with Clever").click()
    page.get_by_role("link", name=teacher.district.name).click()
    log_in_at_clever(page, "teacher")
    page.get_by_role("button", name="Yes, I agree").click()
    expect(page.get_by_role("heading", name="Welcome, Grace Whitaker")).to_be_visible()
    sections = site.clever.people.sections_of(teacher)
    for section in sections:
        expect(page.get_by_text(section.name).first).to_be_visible()
    expect(page.get_by_text("District", exact=True)).to_have_count(0)

    context = browser.new_context()
    student = sections[0].students[0]
    by_button(context.new_page(), site, student.user_name)
    first = context.pages[0].get_by_role("heading", name=f"Hi, {student.name.first}!")
    expect(first).to_be_visible()
    context.close()


def test_the_browser_treats_clever_and_the_app_as_different_sites(site: Site, page: Page) -> None:
    """Otherwise a SameSite=Strict cookie would pass every test here and fail in production."""
    fetch_sites: list[str] = []
    page.on(
        "request",
        lambda request: (
            fetch_sites.append(request.all_headers().get("sec-fetch-site", ""))
            if "/oauth/callback" in request.url
            else None
        ),
    )
    by_button(page, site, "student")
    expect(page).to_have_url(f"{site.url}/dashboard")
    assert fetch_sites == ["cross-site"]


def test_a_student_logs_out_and_the_next_student_logs_in(site: Site, page: Page) -> None:
    by_portal(page, site, "student")
    page.get_by_role("button", name="Not Ada? Log out").click()
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
    page.goto(f"{site.clever.url}/in/{site.person('sparse').district.shortname}")
    page.get_by_role("button", name="Log out of Clever").click()
    by_portal(page, site, "sparse")
    expect(page.get_by_text(site.person("sparse").name.full).first).to_be_visible()
    expect(page.get_by_text("Ada")).to_have_count(0)


def test_a_login_works_without_javascript_and_by_keyboard(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url)
    page.keyboard.press("Tab")  # the product's name
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=site.person("student").district.name).press("Enter")
    page.get_by_label("User name").type("student")
    page.get_by_label("Password").type("clever")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
    context.close()


def test_a_framed_page_shows_only_a_link_that_opens_a_tab(site: Site, page: Page) -> None:
    frame = f'<!doctype html><iframe src="{site.url}/oauth/callback?code=x"></iframe>'
    with serve_other_site(frame) as url:
        page.goto(url)
        link = page.frame_locator("iframe").get_by_role("link", name="Open a new tab")
        expect(link).to_be_visible()


@pytest.fixture
def remembering_browser(browser: Browser) -> Iterator[Browser]:
    """A browser with a back/forward cache, like those of users."""
    started = launch_chromium(browser.browser_type, ignored=["--disable-back-forward-cache"])
    yield started
    started.close()


SHOWN_AGAIN = "window.addEventListener('pageshow', e => window.name = String(e.persisted))"


def go_back(page: Page) -> None:
    """Go back without Playwright's wait for a page load, which a cached page does not have."""
    page.evaluate("setTimeout(() => history.back(), 50)")


def test_back_after_logging_out_shows_no_student_data(
    site: Site, remembering_browser: Browser
) -> None:
    context = remembering_browser.new_context()
    page = context.new_page()
    page.add_init_script(SHOWN_AGAIN)
    with serve_other_site("<h1>an ordinary page</h1>") as url:
        page.goto(url)
        page.goto(f"{site.clever.url}/")
        go_back(page)
        expect(page).to_have_url(url)
        assert page.evaluate("window.name") == "true"  # an ordinary page is restored from the cache
    by_portal(page, site, "student")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
    go_back(page)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(page.get_by_text("Ada")).to_have_count(0)
    context.close()
