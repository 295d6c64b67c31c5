"""Reads the cookies that an app sets."""

from __future__ import annotations

from http.cookies import Morsel, SimpleCookie

import requests

from tests.support.running_app import Site


def set_cookies(site: Site, hops: list[requests.Response]) -> list[Morsel[str]]:
    """Return every cookie that the app's responses set or expire."""
    own = [hop for hop in hops if hop.url.startswith(f"{site.url}/")]
    lines = [line for hop in own for line in hop.raw.headers.getlist("Set-Cookie")]
    return [cookie for line in lines for cookie in SimpleCookie(line).values()]


def assert_host_only(cookie: Morsel[str]) -> None:
    """Assert that only this host gets a cookie, only over https, and never a script."""
    assert cookie.key.startswith("__Host-"), cookie
    assert cookie["secure"], cookie
    assert cookie["httponly"], cookie
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", ""), cookie
