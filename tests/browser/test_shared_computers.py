"""Tests in Chromium that a student's data is not on the screen after the student has left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.browser.test_login import by_portal, go_back
from tests.conftest import SiteMaker
from tests.support import session_file
from tests.support.chromium import launch_chromium, run_chromium
from tests.support.running_app import Site

pytestmark = pytest.mark.browser
IDLE = 30 * 60  # seconds, the default setting
MINUTE = 60_000  # milliseconds, for the browser's clock


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@contextmanager
def unattended_browser(
    browser: Browser, site: Site, *, script: bool = True
) -> Iterator[BrowserContext]:
    """Log Ada in, and yield the browser context with her page open and a fake clock."""
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    if script:
        context.clock.install()
    by_portal(page, site, "student")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
    page.wait_for_load_state()  # its script must read the clock before a test changes it
    yield context
    context.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    with unattended_browser(browser, site) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.pages[0]


def idle_question(page: Page) -> Locator:
    return page.get_by_role("alertdialog", name="Are you still here?")


def expect_nothing_of_ada(page: Page) -> None:
    expect(page.get_by_role("heading", name="You were away")).to_be_visible()
    expect(page.get_by_role("link", name="Log in again with Clever")).to_be_visible()
    expect(page.get_by_text("Ada")).to_have_count(0)


def end_session(site: Site) -> None:
    """Remove the session, as the store does after the idle limit."""
    session_file.remove(site, "session-*")


def test_an_idle_page_warns_first_and_is_replaced_when_nobody_answers(
    site: Site, page: Page
) -> None:
    page.clock.run_for((IDLE - 130) * 1000)
    expect(idle_question(page)).to_have_count(0)
    page.clock.run_for(12_000)  # two minutes before the end
    expect(idle_question(page)).to_be_visible()
    expect(page.get_by_role("button", name="I'm still here")).to_be_focused()
    end_session(site)
    page.clock.run_for(2 * MINUTE)
    expect_nothing_of_ada(page)


def test_answering_the_idle_warning_by_keyboard_extends_the_session(
    page: Page,
) -> None:
    page.clock.run_for((IDLE - 60) * 1000)
    expect(idle_question(page)).to_be_visible()
    with page.expect_response("**/still-here") as response:
        page.keyboard.press("Enter")
    assert response.value.json()["seconds"] > IDLE - 5
    expect(idle_question(page)).to_have_count(0)
    page.clock.run_for((IDLE - 130) * 1000)
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
    expect(idle_question(page)).to_have_count(0)


def test_escape_also_answers_the_idle_warning(page: Page) -> None:
    page.clock.run_for((IDLE - 60) * 1000)
    expect(idle_question(page)).to_be_visible()
    with page.expect_response("**/still-here"):
        page.keyboard.press("Escape")
    expect(idle_question(page)).to_have_count(0)


def no_network(route: Route) -> None:
    route.abort()


def store_down(route: Route) -> None:
    route.fulfill(status=503, json={"status": 503, "code": "store_unavailable"})


@pytest.mark.parametrize("fail", [no_network, store_down])
def test_a_failed_answer_to_the_idle_warning_is_reported_and_can_be_retried(
    page: Page, fail: Callable[[Route], None]
) -> None:
    page.route("**/still-here", fail)
    page.reload()  # an open page may miss a new route
    page.clock.run_for((IDLE - 60) * 1000)
    expect(idle_question(page)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("That did not work")).to_be_visible()
    page.unroute("**/still-here", fail)
    page.keyboard.press("Enter")
    expect(idle_question(page)).to_have_count(0)


def test_answering_the_idle_warning_after_the_session_has_ended_shows_no_data(
    site: Site, page: Page
) -> None:
    page.clock.run_for((IDLE - 60) * 1000)
    expect(idle_question(page)).to_be_visible()
    end_session(site)
    page.keyboard.press("Enter")
    expect_nothing_of_ada(page)


def test_the_page_says_what_to_do_when_the_maximum_session_time_is_reached(
    make_site: SiteMaker, browser: Browser
) -> None:
    site = make_site(session_idle_minutes=24 * 60, session_max_hours=1)
    with (
        time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock,
        unattended_browser(browser, site) as context,
    ):
        page = context.pages[0]
        clock.shift(timedelta(minutes=59))
        page.clock.run_for(59 * MINUTE)
        page.get_by_role("button", name="I'm still here").click()
        expect(page.get_by_text("Time is nearly up")).to_be_visible()


def test_a_laptop_that_slept_past_the_session_end_shows_no_data_on_waking(
    site: Site, page: Page
) -> None:
    end_session(site)
    hidden = page.evaluate(
        """() => {
          const now = Date.now;
          Date.now = () => now() + 3600 * 1000;
          dispatchEvent(new Event("focus"));
          return document.documentElement.hidden;
        }"""
    )
    assert hidden
    expect_nothing_of_ada(page)


SET_BACK = "() => { const now = Date.now; Date.now = () => now() - 3600 * 1000; }"


def test_a_page_is_replaced_in_time_if_the_clock_is_set_back(site: Site, page: Page) -> None:
    page.clock.run_for(5 * MINUTE)
    page.evaluate(SET_BACK)
    page.clock.run_for((IDLE - 6 * 60) * 1000)
    expect(idle_question(page)).to_be_visible()
    end_session(site)
    page.clock.run_for(2 * MINUTE)
    expect_nothing_of_ada(page)


def test_answers_in_another_tab_extend_a_page_by_the_same_time_if_the_clock_is_set_back(
    site: Site, context: BrowserContext
) -> None:
    idle_tab, used_tab = context.pages[0], context.new_page()
    used_tab.goto(f"{site.url}/dashboard")
    used_tab.wait_for_load_state()
    for tab in (idle_tab, used_tab):
        tab.evaluate(SET_BACK)
    context.clock.run_for((IDLE - 60) * 1000)
    used_tab.get_by_role("button", name="I'm still here").click()
    expect(idle_question(idle_tab)).to_have_count(0)
    context.clock.run_for((IDLE - 60) * 1000)
    for tab in (idle_tab, used_tab):
        expect(idle_question(tab)).to_be_visible()
    end_session(site)
    context.clock.run_for(2 * MINUTE)
    for tab in (idle_tab, used_tab):
        expect_nothing_of_ada(tab)


@pytest.mark.parametrize("message", ["end: Date.now() + 9e6", "seconds: 9e6, end: 0", "end: 'x'"])
def test_a_message_of_another_tab_without_a_time_left_extends_nothing(
    site: Site, page: Page, message: str
) -> None:
    page.evaluate(
        f"""() => {{
          const {{ login }} = document.querySelector("dialog").dataset;
          new BroadcastChannel("login").postMessage({{ login, {message} }});
        }}"""
    )
    end_session(site)
    page.clock.run_for(IDLE * 1000 + MINUTE)
    expect_nothing_of_ada(page)


def test_using_one_tab_keeps_the_session_of_another_tab_alive(
    site: Site, context: BrowserContext
) -> None:
    idle_tab, used_tab = context.pages[0], context.new_page()
    used_tab.goto(f"{site.url}/dashboard")
    context.clock.run_for((IDLE - 60) * 1000)
    expect(idle_question(idle_tab)).to_be_visible()
    used_tab.get_by_role("button", name="I'm still here").click()
    expect(idle_question(idle_tab)).to_have_count(0)
    context.clock.run_for(2 * MINUTE)
    expect(idle_tab.get_by_role("heading", name="Hi, Ada!")).to_be_visible()


def test_logging_out_in_one_tab_logs_out_the_other_tabs(
    site: Site, context: BrowserContext
) -> None:
    idle_tab, used_tab = context.pages[0], context.new_page()
    used_tab.goto(f"{site.url}/dashboard")
    used_tab.get_by_role("button", name="Not Ada? Log out").click()
    for tab in (used_tab, idle_tab):
        expect(tab.get_by_role("heading", name="You are logged out")).to_be_visible()


def test_another_persons_login_replaces_the_first_persons_open_page(
    site: Site, context: BrowserContext
) -> None:
    idle_tab, used_tab = context.pages[0], context.new_page()
    used_tab.goto(f"{site.clever.url}/in/{site.person('student').district.shortname}")
    used_tab.get_by_role("button", name="Log out of Clever").click()
    by_portal(used_tab, site, "teacher")
    expect(used_tab.get_by_role("heading", name="Welcome, Grace Whitaker")).to_be_visible()
    expect(idle_tab.get_by_role("heading", name="Welcome, Grace Whitaker")).to_be_visible()


def test_without_javascript_an_idle_page_is_replaced_by_the_browser(
    make_site: SiteMaker, browser: Browser
) -> None:
    site = make_site(session_idle_minutes=60, session_max_hours=1)
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        by_portal(page, site, "student")
        clock.shift(timedelta(minutes=59, seconds=55))
        page.goto(f"{site.url}/dashboard")
        expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
        clock.shift(timedelta(seconds=6))
        expect(page.get_by_role("heading", name="You were away")).to_be_visible(timeout=20_000)
        expect(page.get_by_text("Ada")).to_have_count(0)
        context.close()


def test_back_to_a_cached_page_shows_no_data_after_the_session_has_ended(
    site: Site, browser: Browser
) -> None:
    remembering = launch_chromium(browser.browser_type, ignored=["--disable-back-forward-cache"])
    with unattended_browser(remembering, site) as context:
        page = context.pages[0]
        page.goto(f"{site.clever.url}/")
        end_session(site)
        go_back(page)
        expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
        expect(page.get_by_text("Ada")).to_have_count(0)
    remembering.close()


def test_a_page_restored_from_the_back_forward_cache_is_hidden_and_reloaded(
    site: Site, page: Page
) -> None:
    """Simulate Back to a page in the back/forward cache, whichever pages a browser caches."""
    end_session(site)
    hidden = page.evaluate(
        """() => {
          dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
          const hidden = document.documentElement.hidden;
          dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
          return hidden;
        }"""
    )
    assert hidden
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(page.get_by_text("Ada")).to_have_count(0)


def test_no_idle_timer_runs_on_a_public_page(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "window.timers = 0; const real = setInterval;"
        "window.setInterval = (...given) => { timers += 1; return real(...given); };"
    )
    page.goto(site.url)
    page.wait_for_load_state()
    assert page.evaluate("window.timers") == 0
    by_portal(page, site, "student")
    expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_visible()
    assert page.evaluate("window.timers") == 1
    context.close()
