"""Tests the page for visitors who are not logged in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup

from clever_login.testing import Browser, browser, login_as, sample_settings
from tests.app.conftest import words

Page = Callable[..., BeautifulSoup]


def test_the_first_page_names_the_product_and_offers_the_login(page: Page) -> None:
    home = page("/")
    assert words(home, ".brand")
    assert words(home, "title").endswith(words(home, ".brand"))
    assert home.select_one("a.clever-button[href^='/login']")
    assert len(home.select("h1")) == 1


def test_the_login_returns_to_the_page_that_was_asked_for(client: Browser) -> None:
    redirected = client.get("/dashboard")
    assert redirected.location == "/?next=/dashboard"
    assert "/login?next=" in client.get(redirected.location).text


def test_the_first_page_sends_a_logged_in_user_to_the_dashboard(client: Browser) -> None:
    login_as(client, "student")
    assert client.get("/").location == "/dashboard"


def test_the_first_page_shows_no_user(page: Page) -> None:
    home = page("/")
    assert not home.select("[data-role]")
    assert not home.select("form[action$='/logout']")


def test_teachers_can_sign_up_where_the_app_is_in_the_clever_library(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from app import create_app

    links = []
    for library in (False, True):
        folder = tmp_path_factory.mktemp("library")
        app = create_app(sample_settings(folder, clever_library=library))
        home = BeautifulSoup(browser(app).get("/").text, "html5lib")
        links.append(len(home.select("main a[href^='/login']")))
    assert links == [1, 2]


def test_the_first_page_loads_the_styles_of_the_app_after_those_of_the_library(
    client: Browser, page: Page
) -> None:
    sheets = [str(link["href"]) for link in page("/").select("link[rel=stylesheet]")]
    assert ["clever" in sheet for sheet in sheets] == [True, False]
    for sheet in sheets:
        assert client.get(sheet).content_type.startswith("text/css")


def test_every_image_of_the_first_page_exists(client: Browser, page: Page) -> None:
    images = [str(image["src"]) for image in page("/").select("img")]
    assert images
    assert {client.get(image).status_code for image in images} == {200}


def test_an_unknown_address_shows_a_page_in_the_look_of_the_app(page: Page) -> None:
    missing, home = page("/nothing-here", status=404), page("/")
    assert words(missing, ".brand") == words(home, ".brand")
    assert missing.select("link[rel=stylesheet]") == home.select("link[rel=stylesheet]")
