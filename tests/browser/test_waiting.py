"""While Clever is slow, the log-in link says so, and clicking again does no harm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_in_chromium import log_in_at_clever
from tests.chromium import chromium
from tests.sites import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
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


def test_the_link_says_that_clever_was_asked_and_a_second_click_asks_no_second_time(
    site: Site, page: Page
) -> None:
    page.goto(site.url)
    assert page.evaluate(CLICK_TWICE) == [True, False, "Asking Clever…", "true"]
    page.get_by_role("link", name=site.person("student").district.name).click()
    log_in_at_clever(page, "student")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()


def test_whoever_comes_back_or_has_waited_in_vain_can_ask_again(site: Site, page: Page) -> None:
    page.clock.install()
    page.route("**/login", lambda route: route.fulfill(status=204))
    page.goto(site.url)
    link = page.locator("a.clever-button")
    for come_back in (
        lambda: page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))"),
        lambda: page.clock.run_for(16_000),
    ):
        page.evaluate("document.querySelector('a.clever-button').click()")
        expect(link).to_have_text("Asking Clever…")
        come_back()
        expect(link).to_have_text("Log in with Clever")
        expect(link).not_to_have_attribute("aria-busy", "true")


def test_a_link_that_is_opened_in_another_tab_does_not_look_busy(site: Site, page: Page) -> None:
    page.goto(site.url)
    with page.context.expect_page():
        page.locator("a.clever-button").click(modifiers=["ControlOrMeta"])
    expect(page.locator("a.clever-button")).to_have_text("Log in with Clever")
