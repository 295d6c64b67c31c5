"""Tests every page with axe-core: each role, both languages, light and dark, narrow and wide.

CI tests each page in one of the display modes, and each pair of language, scheme, and width.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.chromium import run_chromium
from tests.support.login_flows import by_button
from tests.support.page_tour import (
    AXE_RULES,
    STOPS,
    DisplayMode,
    Stop,
    Tour,
    open_path,
    playwright_cookies,
    run_tour_site,
)

pytestmark = pytest.mark.browser
# Each pair of language, scheme, and width occurs. The pages take the three groups in turn.
DISPLAY_MODES = (
    (
        DisplayMode(language="en", scheme="light", width=320),
        DisplayMode(language="es", scheme="dark"),
    ),
    (
        DisplayMode(language="en", scheme="dark"),
        DisplayMode(language="es", scheme="light", width=320),
    ),
    (
        DisplayMode(language="en", scheme="dark", width=320),
        DisplayMode(language="es", scheme="light"),
    ),
)
VISITS = [
    pytest.param(
        stop,
        mode,
        marks=[pytest.mark.long] if place != number % 2 else [],
        id=f"{stop.name}-{mode}",
    )
    for number, stop in enumerate(STOPS)
    for place, mode in enumerate(DISPLAY_MODES[number % len(DISPLAY_MODES)])
]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with run_tour_site(tmp_path_factory.mktemp("tour")) as site, run_chromium() as browser:
        yield Tour(site, browser)


def axe_violations(page: Page) -> list[str]:
    """Return axe's violations, one line per element."""
    violations = Axe().run(page, options={"runOnly": AXE_RULES}).response["violations"]
    return [
        f"{violation['id']}: {node['html']}"
        for violation in violations
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize(("stop", "mode"), VISITS)
def test_axe_finds_no_problem_on_any_page(tour: Tour, stop: Stop, mode: DisplayMode) -> None:
    with tour.visit(stop, mode) as page:
        assert axe_violations(page) == []


@pytest.mark.parametrize("stop", STOPS, ids=[stop.name for stop in STOPS])
def test_no_page_is_wider_than_the_narrowest_screen(tour: Tour, stop: Stop) -> None:
    with tour.visit(stop, DisplayMode(width=320, height=568)) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


FOCUS_IS_VISIBLE = """() => {
    const element = document.activeElement, box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return element !== document.body && style.outlineStyle !== "none" && top
        && (element.contains(top) || top.contains(element));
}"""


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until this element has the focus.

    Asserts that the focus is visible at each step.
    """
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS_IS_VISIBLE), f"on the way to {selector} the focus is lost"
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_keyboard_focus_stays_visible_throughout_a_login(tour: Tour) -> None:
    admin = by_button(tour.site, "teacher_admin")
    with tour.visit(
        Stop(name="log-in", steps=open_path("/")), DisplayMode(width=400, height=600)
    ) as page:
        tab_to(page, 'a[href^="/login"]')
        page.context.add_cookies(playwright_cookies(admin))
        page.goto(f"{tour.site.url}/dashboard")
        tab_to(page, 'main a[href^="/classes/"]')
        page.keyboard.press("Enter")
        page.wait_for_url("**/classes/*")
        tab_to(page, 'main a[href="/dashboard"]')
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard")
        tab_to(page, "summary")
        page.keyboard.press("Enter")
        tab_to(page, 'button[value="staff"]')
        page.keyboard.press("Enter")
        page.locator('main[data-role="staff"]').wait_for()
        tab_to(page, "summary")
        page.keyboard.press("Enter")
        tab_to(page, 'form[action="/logout"] button')
        page.keyboard.press("Enter")
        page.wait_for_url("**/logged-out*")
