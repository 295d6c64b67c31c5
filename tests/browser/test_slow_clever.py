"""Tests that the login link shows progress while Clever is slow, and ignores more clicks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_login import log_in_at_clever
from tests.support.chromium import run_chromium
from tests.support.running_app import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


CLICK_TWICE = """() => {
  const link = document.querySelector("a.clever-button");
  const click = () => link.dispatchEvent(
    new MouseEvent("click", { bubbles: true, cancelable: true }));
  return [click(), click(), link.textContent.trim(), link.getAttribute("aria-busy")];
}"""


def test_the_login_link_shows_progress_and_ignores_a_second_click(site: Site, page: Page) -> None:
    page.goto(site.url)
    assert page.evaluate(CLICK_TWICE) == [True, False, "Opening Clever…", "true"]
    page.get_by_role("link", name=site.person("student").district.name).click()
    log_in_at_clever(page, "student")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()


def test_the_login_link_works_again_after_back_or_a_long_wait(site: Site, page: Page) -> None:
    page.clock.install()
    page.route("**/login", lambda route: route.fulfill(status=204))
    page.goto(site.url)
    link = page.locator("a.clever-button")
    for come_back in (
        lambda: page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))"),
        lambda: page.clock.run_for(16_000),
    ):
        page.evaluate("document.querySelector('a.clever-button').click()")
        expect(link).to_have_text("Opening Clever…")
        come_back()
        expect(link).to_have_text("Log in with Clever")
        expect(link).not_to_have_attribute("aria-busy", "true")


def test_opening_the_login_link_in_another_tab_does_not_mark_it_busy(
    site: Site, page: Page
) -> None:
    page.goto(site.url)
    with page.context.expect_page():
        page.locator("a.clever-button").click(modifiers=["ControlOrMeta"])
    expect(page.locator("a.clever-button")).to_have_text("Log in with Clever")
