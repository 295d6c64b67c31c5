"""Tests the recipe of an inline script in Chromium: which scripts the policy lets run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, render_template_string
from playwright.sync_api import Browser, Page, Route

from clever_login import Settings
from clever_login.testing import browser as browse
from clever_login.testing import login_as
from recipes import inline_script
from tests.conftest import SiteMaker
from tests.support.chromium import run_chromium
from tests.support.recipe_app import make_app
from tests.support.running_app import Site

pytestmark = pytest.mark.browser
OTHER_CDN = "https://other-cdn.example.com"
SCRIPT = """function drawChart(place, books) {
  document.querySelector(place).textContent = Object.values(books).join(", ");
}
"""
NONCE = ' nonce="{{ csp_nonce() }}"'
HANDLER = """<button onclick="document.title = 'ran'">Run</button>{% endblock %}"""
# Changes of the recipe's page that the policy must stop.
CHANGED = {
    "no-nonce": inline_script.PAGE.replace(NONCE, ""),
    "wrong-nonce": inline_script.PAGE.replace(NONCE, ' nonce="x{{ csp_nonce() }}"'),
    "other-cdn": inline_script.PAGE.replace("{{ cdn }}", OTHER_CDN),
    "handler": HANDLER.join(inline_script.PAGE.rsplit("{% endblock %}", 1)),
}


def make_chart_app(settings: Settings) -> Flask:
    """Create the app of the recipe, with the changed pages beside the recipe's."""
    app = make_app(settings, inline_script.HEADERS)
    inline_script.init_app(app)
    values = {"cdn": inline_script.CDN, "integrity": inline_script.INTEGRITY, "books": {"a": 1}}

    @app.get("/<path:name>")
    def show(name: str) -> str:
        return render_template_string(CHANGED[name], **values)

    return app


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    return make_site(make_app=make_chart_app)


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page of a logged-in user, where both CDNs answer with the script."""
    assert site.app
    client = browse(site.app)
    login_as(client, "teacher")
    cookie = client.get_cookie("session")
    assert cookie
    context = chromium.new_context()
    context.add_cookies([{"name": "session", "value": cookie.value, "url": site.url}])
    serve_cdns(context.new_page(), SCRIPT)
    yield context.pages[0]
    context.close()


def serve_cdns(page: Page, script: str) -> None:
    """Answer requests for the script at both CDNs."""

    def send_script(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript"}
        route.fulfill(body=script, headers=headers)

    for cdn in (inline_script.CDN, OTHER_CDN):
        page.route(f"{cdn}/**", send_script)


def chart(page: Page, site: Site, path: str) -> tuple[str, list[str]]:
    """Open a page and return the text of its chart, and the requests that left the app."""
    requested: list[str] = []
    page.on("requestfinished", lambda request: requested.append(request.url))
    page.goto(f"{site.url}{path}", wait_until="load")
    assert page.get_by_role("heading", name="Books this week").is_visible()
    external_urls = [url for url in requested if not url.startswith(site.url)]
    return page.locator("#chart").inner_text(), external_urls


def test_the_script_of_the_cdn_and_the_inline_script_with_the_nonce_run(
    page: Page, site: Site
) -> None:
    assert chart(page, site, "/chart") == ("3, 5", [f"{inline_script.CDN}/chart-4.5.js"])


@pytest.mark.parametrize("path", ["/no-nonce", "/wrong-nonce"])
def test_an_inline_script_without_the_nonce_does_not_run(page: Page, site: Site, path: str) -> None:
    assert chart(page, site, path) == ("", [f"{inline_script.CDN}/chart-4.5.js"])
    assert page.evaluate("typeof drawChart") == "function"


def test_a_script_of_another_cdn_is_not_even_requested(page: Page, site: Site) -> None:
    assert chart(page, site, "/other-cdn") == ("", [])


def test_a_changed_script_of_the_cdn_does_not_run(page: Page, site: Site) -> None:
    serve_cdns(page, f"{SCRIPT}// changed")
    assert chart(page, site, "/chart")[0] == ""
    assert page.evaluate("typeof drawChart") == "undefined"


def test_an_event_handler_in_the_markup_does_not_run(page: Page, site: Site) -> None:
    assert chart(page, site, "/handler")[0] == "1"
    page.get_by_role("button", name="Run").click()
    assert page.title() != "ran"
