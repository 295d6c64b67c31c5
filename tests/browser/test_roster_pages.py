"""Tests the roster pages in a real browser: in print, and in every color scheme."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from clever_login.db.models import Enrollment
from tests.support.chromium import run_chromium
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import (
    STUDENT,
    add_person,
    database_session,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import Site

pytestmark = pytest.mark.browser
STUDENTS = 62
# The contrast ratio of two colors, as WCAG 2 defines it.
CONTRAST = r"""
bar => {
  const light = color => {
    const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map(channel => channel / 255)
      .map(channel => channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const colors = [getComputedStyle(bar).fill,
    getComputedStyle(bar.closest(".plot")).backgroundColor];
  const [more, less] = colors.map(light).sort((a, b) => b - a);
  return (more + 0.05) / (less + 0.05);
}
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_roster_site(tmp_path_factory.mktemp("school"), None) as site:
        write_roster(site)
        with database_session(site) as session:
            for number in range(STUDENTS - 2):
                student = add_person(session, f"One{number}", f"one{number}", "a", [STUDENT], "a1")
                student.grade = str(number % 12 + 1)
                session.add(
                    Enrollment(section_id="section-own", person_id=student.id, role=STUDENT)
                )
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@contextmanager
def page_of(browser: Browser, site: Site, user_name: str, **choices: str) -> Iterator[Page]:
    """Yield a page in the browser of a logged-in user."""
    cookies = by_button(site, user_name).http.cookies
    context = browser.new_context(**choices)  # type: ignore[arg-type] # color options, by name
    context.add_cookies(
        [{"name": cookie.name, "value": cookie.value or "", "url": site.url} for cookie in cookies]
    )
    yield context.new_page()
    context.close()


def test_a_printed_class_list_has_every_student_and_no_buttons(
    school: Site, browser: Browser
) -> None:
    with page_of(browser, school, "teacher") as page:
        page.goto(f"{school.url}/classes/section-own")
        page.get_by_role("link", name="All, to print").click()
        expect(page.locator("tbody tr")).to_have_count(STUDENTS)
        expect(page.get_by_role("link", name="Back to your page")).to_be_visible()
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", name="CanaryClassown")).to_be_visible()
        expect(page.locator("tbody tr").last).to_be_visible()
        expect(page.get_by_text("Last synced with Clever")).to_be_visible()
        for control in page.locator("button, nav a, main a").all():
            expect(control).to_be_hidden()


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_grade_chart_is_visible_in_every_color_scheme_and_in_print(
    school: Site, browser: Browser, scheme: str, forced: str
) -> None:
    colors = {"color_scheme": scheme, "forced_colors": forced}
    with page_of(browser, school, "district_admin", **colors) as page:
        page.goto(f"{school.url}/district")
        expect(page.locator(".plot .bar")).to_have_count(12)
        for medium in ("screen", "print"):
            page.emulate_media(media=medium)
            for bar in page.locator(".plot .bar").all():
                assert bar.evaluate(CONTRAST) >= 3, medium


@pytest.mark.parametrize("width", [320, 1280])
def test_the_labels_of_the_grade_chart_stay_inside_it(
    school: Site, browser: Browser, width: int
) -> None:
    with page_of(browser, school, "district_admin") as page:
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(f"{school.url}/district")
        box = page.locator(".plot").bounding_box()
        assert box
        for word in page.locator(".plot text").all():
            label_box = word.bounding_box()
            assert label_box
            assert label_box["x"] >= box["x"]
            assert label_box["x"] + label_box["width"] <= box["x"] + box["width"]


def test_a_long_list_can_be_paged_by_keyboard(school: Site, browser: Browser) -> None:
    with page_of(browser, school, "teacher") as page:
        page.goto(f"{school.url}/classes/section-own")
        page.get_by_role("link", name="Page 2").focus()
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr")).to_have_count(STUDENTS - 50)
        expect(page.get_by_role("link", name="Page 2")).to_have_attribute("aria-current", "page")
