"""Tests the pages about this site, and the files that browsers ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from app import create_app
from clever_login.testing import Browser, browser, login_as, sample_settings
from tests.app.conftest import words

Page = Callable[..., BeautifulSoup]
PAGES = ("/privacy", "/help", "/accessibility")


@pytest.fixture(scope="module")
def supported(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The app with a support team."""
    settings = sample_settings(tmp_path_factory.mktemp("supported"))
    return create_app(replace(settings, support_email="help@example.org"))


@pytest.mark.parametrize("path", PAGES)
def test_anybody_can_open_the_pages_about_this_site(client: Browser, page: Page, path: str) -> None:
    assert words(page(path), "h1")
    login_as(client, "student")
    assert words(page(path), "h1")


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_about_this_site_are_in_spanish_too(page: Page, path: str) -> None:
    spanish = page(path, **{"Accept-Language": "es"})
    assert spanish.html
    assert spanish.html["lang"] == "es"
    assert words(spanish, "h1") != words(page(path), "h1")


@pytest.mark.parametrize("path", ["/", *PAGES])
def test_each_page_links_to_help_privacy_and_accessibility(page: Page, path: str) -> None:
    links = {link["href"] for link in page(path).select("footer a")}
    assert links >= set(PAGES)


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_name_the_support_team(supported: Flask, path: str) -> None:
    text = browser(supported).get(path).text
    assert 'href="mailto:help@example.org"' in text


def test_search_engines_may_read_the_first_page_and_no_dashboard(client: Browser) -> None:
    response = client.get("/robots.txt")
    assert response.mimetype == "text/plain"
    lines = response.text.splitlines()
    assert lines[0] == "User-agent: *"
    assert "Allow: /$" in lines
    assert lines[-1] == "Disallow: /"


def test_security_txt_has_a_contact_and_a_day_in_the_future(
    supported: Flask, client: Browser
) -> None:
    response = browser(supported).get("/.well-known/security.txt")
    assert response.mimetype == "text/plain"
    fields = dict(line.split(": ", 1) for line in response.text.splitlines())
    assert fields["Contact"] == "mailto:help@example.org"
    days = (datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)).days
    assert 150 < days < 365
    assert client.get("/.well-known/security.txt").status_code == 404  # nobody to contact


def test_the_icons_that_a_page_and_its_manifest_name_exist(client: Browser, page: Page) -> None:
    home = page("/")
    manifest = home.select_one("link[rel=manifest]")
    assert manifest
    content = json.loads(client.get(str(manifest["href"])).text)
    assert content["name"] == words(home, ".brand")
    paths = [icon["src"] for icon in content["icons"]]
    paths += [
        str(link["href"]) for link in home.select("link[rel~=icon], link[rel=apple-touch-icon]")
    ]
    for path in [*paths, "/favicon.ico"]:
        response = client.get(path)
        assert (response.status_code, str(response.mimetype).partition("/")[0]) == (200, "image"), (
            path
        )


def test_each_icon_has_the_size_of_its_name() -> None:
    for path in Path("static/icons").glob("icon-*.png"):
        size = int(path.stem.rpartition("-")[2])
        assert int.from_bytes(path.read_bytes()[16:20]) == size
