"""Checks every page that a test fetches: structure, no inline code, safe headers."""

from __future__ import annotations

import re
from collections import Counter

import requests
from bs4 import BeautifulSoup, Tag

REQUIRED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
REQUIRED_CSP = ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")
APP_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_page(response: requests.Response, *, app: bool) -> BeautifulSoup:
    """Return the parsed page. Raises AssertionError when it lacks something every page must have.

    `app` is True for the app's pages and False for the simulator's.
    """
    page = BeautifulSoup(response.text, "html.parser")
    _check_nesting(response.text, page)
    _check_headers(response, app=app)
    _check_structure(page)
    _check_nothing_inline(page)
    if not app:
        assert "not Clever" in page.get_text(), "a simulator's page without its banner"
    return page


_checked_nestings: set[tuple[str, ...]] = set()


def _check_nesting(text: str, page: BeautifulSoup) -> None:
    """Check that a browser nests the page's elements as they are written.

    Browsers move or close elements that are nested incorrectly. html5lib does the same, but takes
    three times as long as Python's parser, so each sequence of elements is checked once.
    """
    elements = tuple(element.name for element in page.find_all(True))
    if elements not in _checked_nestings:
        in_browser = BeautifulSoup(text, "html5lib")
        assert _nesting(page) == _nesting(in_browser), "a browser would nest elements differently"
        _checked_nestings.add(elements)


def _nesting(page: BeautifulSoup) -> list[tuple[str, ...]]:
    return [
        (element.name, *(parent.name for parent in element.parents))
        for element in page.find_all(True)
    ]


def _check_headers(response: requests.Response, *, app: bool) -> None:
    wanted = REQUIRED_HEADERS | (APP_HEADERS if app else {})
    for name, value in wanted.items():
        assert response.headers.get(name) == value, f"{name} is {response.headers.get(name)}"
    if app:
        assert "Cookie" in response.headers["Vary"]
    policy = response.headers["Content-Security-Policy"]
    for rule in REQUIRED_CSP:
        assert rule in policy, f"{rule} is not in {policy}"
    assert "unsafe" not in policy
    assert "Access-Control-Allow-Origin" not in response.headers


def _check_structure(page: BeautifulSoup) -> None:
    headings = page.find_all("h1")
    assert len(headings) == 1, f"{len(headings)} h1 on a page"
    heading = _normalized_text(headings[0].get_text())
    assert heading, "an empty h1"
    title = _normalized_text(page.title.get_text() if page.title else "")
    assert title.startswith(heading), f"the title {title!r} does not start with {heading!r}"
    assert isinstance(page.html, Tag)
    assert page.html.get("lang")
    assert page.find("main"), "no main landmark"
    counts = Counter(tag["id"] for tag in page.find_all(id=True))
    assert not [element_id for element_id, count in counts.items() if count > 1], "an id twice"
    for image in page.find_all("img"):
        assert image.has_attr("alt"), "an image without alt"
    for field in page.find_all(["input", "select", "textarea"]):
        assert field.get("type") == "hidden" or _is_labelled(page, field), f"no label: {field}"


def _is_labelled(page: BeautifulSoup, field: Tag) -> bool:
    return bool(
        field.get("aria-label")
        or field.find_parent("label")
        or (field.get("id") and page.find("label", attrs={"for": field["id"]}))
    )


def _check_nothing_inline(page: BeautifulSoup) -> None:
    assert not page.find_all("style"), "a style element"
    assert not page.find_all("script", src=False), "an inline script"
    for tag in page.find_all(True):
        for name in tag.attrs:
            assert name != "style", f"a style attribute on {tag.name}"
            assert not re.match(r"on[a-z]+$", name), f"{name} on {tag.name}"
        for name in ("src", "href"):
            if tag.name != "a" and tag.has_attr(name):
                assert str(tag[name]).startswith("/"), f"{tag[name]} is from elsewhere"


def _normalized_text(text: str) -> str:
    return " ".join(text.split())
