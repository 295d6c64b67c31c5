"""Tests the languages of your pages: those that have a file in translations/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from bs4 import BeautifulSoup

from clever_login import Role
from clever_login.testing import Browser, login_as
from tests.app.conftest import words

Page = Callable[..., BeautifulSoup]
ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "translations").glob("*/LC_MESSAGES/messages.po"))
LANGUAGES = [path.parts[-3] for path in FILES if path.parts[-3] != "en"]  # such as es or pt_BR
METHODS = [("*.py", "python"), ("templates/**.html", "jinja2")]
WHAT_TO_DO = "run bin/translate, then translate the empty texts of the files in translations/"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_browser_gets_its_language(page: Page, language: str) -> None:
    tags = ["en", language.replace("_", "-")]
    english, other = (page("/", **{"Accept-Language": tag}) for tag in tags)
    assert [each.html["lang"] for each in (english, other) if each.html] == tags
    assert words(english, "h1") != words(other, "h1"), WHAT_TO_DO


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_can_choose_the_language(page: Page, language: str) -> None:
    by_browser = page("/", **{"Accept-Language": language.replace("_", "-")})
    assert words(page(f"/?language={language}"), "h1") == words(by_browser, "h1")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", Role)
def test_each_dashboard_is_translated(
    client: Browser, page: Page, role: Role, language: str
) -> None:
    login_as(client, role)
    tags = ["en", language.replace("_", "-")]
    english, other = (page(**{"Accept-Language": tag}) for tag in tags)
    assert words(english, ".lead") != words(other, ".lead"), WHAT_TO_DO


def has_your_texts(folder: str) -> bool:
    return (ROOT / "templates") in (Path(folder), *Path(folder).parents)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parts[-3])
def test_every_text_of_your_pages_is_translated(path: Path) -> None:
    found = extract_from_dir(ROOT, METHODS, directory_filter=has_your_texts)
    texts = {text[0] if isinstance(text, tuple) else text for _, _, text, _, _ in found}
    catalogs = [read_catalog(each) for each in (path, of_the_library(path)) if each.is_file()]
    assert texts
    translated = {
        text for text in texts if any(is_translated(catalog, text) for catalog in catalogs)
    }
    assert texts - translated == set(), WHAT_TO_DO


def of_the_library(path: Path) -> Path:
    """Return the library's file of the same language. A copy of its template has its texts."""
    return ROOT / "clever_login" / path.relative_to(ROOT)


def read_catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def is_translated(catalog: Catalog, text: str) -> bool:
    """Whether the file has the text, in each of its plural forms."""
    message = catalog.get(text)
    if message is None:
        return False
    return all((message.string,) if isinstance(message.string, str) else message.string or ("",))
