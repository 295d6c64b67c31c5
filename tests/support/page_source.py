"""The source of a page, without the values that are random.

A CSRF token has about 90 random letters, so it contains a word like "Ada" once in some thousand
pages.
"""

from __future__ import annotations

from bs4 import BeautifulSoup


def without_random_values(html: str) -> str:
    """Return the source without CSRF tokens and nonces."""
    page = BeautifulSoup(html, "html5lib")
    for tag in page.select("[name=csrf_token]"):
        del tag["value"]
    for tag in page.select("[nonce]"):
        del tag["nonce"]
    return str(page)
