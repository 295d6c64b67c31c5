"""Tests the pages in a real Chromium: on a phone and a desktop, in English and in Spanish."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app import create_app
from clever_simulator.testing import SimulatedClever
from reading.tests.conftest import STUDENT, TEACHER, School
from tests.support.chromium import run_chromium
from tests.support.matrix import matrix
from tests.support.page_tour import AXE_RULES
from tests.support.running_app import Site, run_in_process

pytestmark = pytest.mark.browser
PHONE, DESKTOP = (360, 740), (1100, 700)
SIZES = {"phone": PHONE, "desktop": DESKTOP}
LONG_NAMES = "odd_sections"  # a teacher whose classes have very long names, or none
PAGES = {
    TEACHER: ("/reading", "/reading/new", "/reading/1", "/reading/1/change", "/reading/books/lion"),
    LONG_NAMES: ("/reading/new",),
    STUDENT: ("/dashboard", "/my-books", "/my-books/1", "/my-books/2"),
}
# Visible controls that are smaller than 44 x 44 CSS pixels. A label is part of its control.
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, summary, input')]
    .filter(element => element.type !== 'hidden' && element.checkVisibility())
    .map(element => [element, (element.closest('label') || element).getBoundingClientRect()])
    .filter(([element, box]) => Math.min(box.height, box.width) < 44)
    .map(([element, box]) => `${element.outerHTML}: ${box.width} x ${box.height}`)"""
# Texts and labels, except names of people and classes (bdi) and parts in another language.
TEXTS = """() => {
    const left = 'bdi, [lang]:not(html), script, style, noscript', found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode())
        if (!walker.currentNode.parentElement.closest(left)) found.add(walker.currentNode.data);
    for (const name of ['aria-label', 'alt', 'title', 'placeholder'])
        for (const element of document.querySelectorAll(`[${name}]`))
            if (!element.closest(left)) found.add(element.getAttribute(name));
    return [...found].map(text => text.trim()).filter(text => /^[^@]*[a-z][^@]*$/i.test(text));
}"""


class Visits:
    """A running app, and browsers in which its users have logged in."""

    def __init__(self, site: Site, browser: Browser) -> None:
        self.site, self.browser = site, browser
        self._states: dict[str, Any] = {}

    @contextmanager
    def page(
        self,
        user_name: str,
        size: tuple[int, int] = DESKTOP,
        language: str = "en",
        javascript: bool = True,
    ) -> Iterator[Page]:
        """Yield a page of a logged-in user."""
        if user_name not in self._states:
            self._states[user_name] = self._log_in(user_name)
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=f"{language}-US",
            java_script_enabled=javascript,
            storage_state=self._states[user_name],
            base_url=self.site.url,
        )
        yield context.new_page()
        context.close()

    def _log_in(self, user_name: str) -> Any:
        context = self.browser.new_context(base_url=self.site.url)
        page = context.new_page()
        page.goto("/login")
        page.get_by_role("link", name=self.site.person(user_name).district.name).click()
        page.get_by_label("User name").fill(user_name)
        page.get_by_label("Password").fill("clever")
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url("**/dashboard")
        state = context.storage_state()
        context.close()
        return state


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visits]:
    """A school in which a book is assigned, and another one has been read."""
    folder = tmp_path_factory.mktemp("app")
    with run_in_process(folder, make_app=create_app) as site, run_chromium() as browser:
        assert site.app
        School(site.app, SimulatedClever(site.clever, {})).sync()
        created = Visits(site, browser)
        with created.page(TEACHER) as page:
            assign(page, "The Hare and the Tortoise")
            assign(page, "Las moscas")
        with created.page(STUDENT) as page:
            page.goto("/my-books/2")
            page.get_by_role("button", name="I have read it").click()
        yield created


def assign(page: Page, title: str) -> None:
    """Assign a book to all classes of a teacher."""
    page.goto("/reading/new")
    page.get_by_role("radio", name=title).check()
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


@pytest.mark.parametrize(("user_name", "language", "size"), matrix(PAGES, ["en", "es"], SIZES))
def test_pages_fit_the_screen_and_are_accessible(
    visits: Visits, user_name: str, language: str, size: str
) -> None:
    with visits.page(user_name, SIZES[size], language) as page:
        for path in PAGES[user_name]:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0], path
            assert page.evaluate(SMALL_TARGETS) == [], path
            found = Axe().run(page, options={"runOnly": AXE_RULES}).response["violations"]
            assert [node["html"] for violation in found for node in violation["nodes"]] == [], path


@pytest.mark.parametrize("user_name", [TEACHER, STUDENT])
def test_nothing_stays_in_english_on_a_page_in_spanish(visits: Visits, user_name: str) -> None:
    names = {"Reading Room", "English", "Español"}
    with (
        visits.page(user_name, language="en") as english,
        visits.page(user_name, language="es") as spanish,
    ):
        for path in PAGES[user_name]:
            english.goto(path)
            spanish.goto(path)
            both = {*english.evaluate(TEXTS)} & {*spanish.evaluate(TEXTS)}
            assert both <= names, path


@pytest.mark.parametrize(
    ("size", "javascript"), [(PHONE, False), (DESKTOP, True)], ids=["phone", "desktop"]
)
def test_a_student_reads_what_a_teacher_assigns(
    visits: Visits, size: tuple[int, int], javascript: bool
) -> None:
    title = "Bed in Summer" if javascript else "The Swing"
    with visits.page(TEACHER, size, javascript=javascript) as page:
        assign(page, title)
        expect(page.get_by_role("main")).to_contain_text("0 of 16 students have read it")
        with visits.page(STUDENT, size, javascript=javascript) as students_page:
            students_page.goto("/dashboard")
            students_page.get_by_role("link", name=title).click()
            students_page.get_by_role("button", name="I have read it").click()
            tile = students_page.get_by_role("link", name=title)
            expect(tile).to_contain_text("You read it")
        page.reload()
        expect(page.get_by_role("main")).to_contain_text("1 of 16 students have read it")
        page.get_by_role("button", name="Unassign").click()
        expect(page.get_by_role("button", name="Assign it again")).to_be_visible()


def test_a_form_with_a_mistake_keeps_what_the_teacher_has_chosen(visits: Visits) -> None:
    with visits.page(TEACHER, javascript=False) as page:
        page.goto("/reading/new")
        page.get_by_role("radio", name="The Lion and the Mouse").check()
        for box in page.get_by_role("checkbox").all():
            box.uncheck()
        page.get_by_role("button", name="Assign", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text("Choose at least one class.")
        expect(page.get_by_role("radio", name="The Lion and the Mouse")).to_be_checked()


def test_a_book_is_assigned_and_read_with_the_keyboard_alone(visits: Visits) -> None:
    with visits.page(TEACHER) as page:
        page.goto("/reading/new")
        press_tab_until(page, "[name=book]")
        page.keyboard.press("Space")
        press_tab_until(page, "[name=section]")
        page.keyboard.press("Space")  # without the first class
        press_tab_until(page, "main button")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/reading/\d+$"))
        expect(page.get_by_role("main")).to_contain_text("0 of 12 students have read it")
    with visits.page(STUDENT) as page:
        page.goto("/my-books")
        press_tab_until(page, ".tile")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/my-books/\d+$"))
        press_tab_until(page, "main button")
        page.keyboard.press("Enter")
        expect(page.locator(".tile", has_text="You read it").first).to_be_visible()


def press_tab_until(page: Page, selector: str) -> None:
    """Move the focus to an element with the Tab key."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_the_printed_list_has_every_student_and_no_buttons(visits: Visits) -> None:
    with visits.page(TEACHER) as page:
        page.goto("/reading/2")
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", name="Las moscas")).to_be_visible()
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(16)
        expect(rows.last).to_be_visible()
        expect(rows.last).to_contain_text("✓")
        for control in page.locator("button, .button, nav a, main a").all():
            expect(control).to_be_hidden()
