"""Tests languages in Chromium: the browser's language first, then one chosen by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_login import by_portal
from tests.support.chromium import run_chromium
from tests.support.running_app import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a browser whose language is Spanish."""
    context = browser.new_context(locale="es-US", java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def follow_link(page: Page, label: str) -> None:
    """Move to the link with the Tab key, and follow it."""
    link = page.get_by_role("link", name=label, exact=True)
    for _ in range(30):
        page.keyboard.press("Tab")
        if link.evaluate("element => element === document.activeElement"):
            break
    expect(link).to_be_focused()
    page.keyboard.press("Enter")


def test_a_student_can_switch_languages_and_the_choice_ends_with_log_out(
    page: Page, site: Site
) -> None:
    page.goto(site.url)
    expect(page.get_by_role("link", name="Iniciar sesión con Clever")).to_be_visible()
    by_portal(page, site, "student")
    expect(page.get_by_role("heading", name="¡Hola, Ada!")).to_be_visible()
    follow_link(page, "English")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/dashboard")
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("button", name="Not Ada? Log out").click()
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
    page.goto(site.url)
    expect(page.get_by_role("link", name="Iniciar sesión con Clever")).to_be_visible()
    assert "language" not in [cookie["name"] for cookie in page.context.cookies()]
