"""Fixtures: the app of app.py, and browsers at it. See docs/testing.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from clever_login.testing import Browser, browser, sample_settings


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The app of app.py, with an empty database."""
    return create_app(sample_settings(tmp_path_factory.mktemp("app")))


@pytest.fixture
def client(app: Flask) -> Browser:
    """A new browser at the app."""
    return browser(app)


@pytest.fixture
def page(client: Browser) -> Callable[..., BeautifulSoup]:
    """Open a page in the browser: `page("/dashboard")`."""

    def open_page(path: str = "/dashboard", status: int = 200, **headers: str) -> BeautifulSoup:
        response: TestResponse = client.get(path, headers=headers)
        assert response.status_code == status
        return BeautifulSoup(response.text, "html5lib")

    return open_page


def words(page: BeautifulSoup, selector: str = "body") -> str:
    """Return the text of the first element that matches, with whitespace collapsed."""
    element = page.select_one(selector)
    assert element, f"no {selector}"
    return " ".join(element.get_text(" ").split())
