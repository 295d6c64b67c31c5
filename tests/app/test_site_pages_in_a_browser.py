"""Tests the pages about this site in a real Chromium, with axe-core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from app import create_app
from tests.support.chromium import run_chromium
from tests.support.page_tour import AXE_RULES
from tests.support.running_app import Site, run_in_process

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with run_in_process(folder, make_app=create_app, support_email="help@example.org") as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@pytest.mark.parametrize("path", ["/", "/privacy", "/help", "/accessibility"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 1280)])
def test_axe_finds_no_problem_and_nothing_is_wider_than_the_screen(
    site: Site, chromium: Browser, path: str, scheme: str, width: int
) -> None:
    page = chromium.new_page(
        color_scheme=scheme,  # type: ignore[arg-type] # one of two words
        viewport={"width": width, "height": 700},
    )
    page.goto(f"{site.url}{path}")
    assert Axe().run(page, options={"runOnly": AXE_RULES}).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
