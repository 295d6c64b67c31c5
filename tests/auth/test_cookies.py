"""Tests every cookie of the app: its attributes, its content, and its entry in PRIVACY.md."""

from __future__ import annotations

import re
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import requests
from itsdangerous import URLSafeTimedSerializer

from clever_login.errors import StoreUnavailable
from tests.conftest import SiteMaker
from tests.support import certificates
from tests.support.browser_client import Visitor
from tests.support.running_app import ROOT, Site
from tests.support.set_cookies import assert_host_only, set_cookies

IN_A_PENDING_LOGIN = {
    *("age", "district_id", "impersonation_claimed", "link", "next", "restarts", "state"),
}


def make_https_site(make_site: SiteMaker, folder: Path) -> tuple[Site, Visitor]:
    certificate = certificates.make_certificate(folder)
    site = make_site(certificate=certificate)
    visitor = site.visitor()
    visitor.http.verify = str(certificate.certificate)
    return site, visitor


def use_every_cookie(site: Site, visitor: Visitor) -> list[requests.Response]:
    """Use a shared computer, and return all responses that set a cookie."""
    hops = visitor.open("/language/es").hops
    hops += visitor.open(f"/login?next=/dashboard&district_id={district_of(site)}").hops
    hops += visitor.press("Log in", username="student", password="clever").hops
    hops += visitor.open("/oauth/callback?code=x&loginas_by_admin=true").hops
    hops += visitor.open("/oauth/callback?state=forged").hops
    hops += visitor.press("Cerrar sesión").hops
    hops += visitor.open("/away?language=es").hops
    hops += visitor.open("/login").press("Yes").hops
    return hops


def district_of(site: Site) -> str:
    return site.person("student").district.id


def test_over_https_every_cookie_is_host_only_and_http_only(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    site, visitor = make_https_site(make_site, tmp_path)
    cookies = set_cookies(site, use_every_cookie(site, visitor))
    assert {cookie.key[7:].partition("-")[0] for cookie in cookies} == named_in_privacy_md()
    assert {cookie.key[7:].partition("-")[0] for cookie in cookies if not cookie.value} == {
        *("session", "login", "confirm", "language"),  # each is also expired once
    }
    for cookie in cookies:
        assert_host_only(cookie)


def named_in_privacy_md() -> set[str]:
    text = (ROOT / "PRIVACY.md").read_text().partition("## Sessions")[2].partition("\n## ")[0]
    return {name.partition("-")[0] for name in re.findall(r"^- `([\w.-]+)`: ", text, re.M)}


def test_every_cookie_contains_and_lasts_what_privacy_md_says(site: Site) -> None:
    cookies = set_cookies(site, use_every_cookie(site, site.visitor()))
    for cookie in cookies:  # over http, too, no script reads one and no other site sends one
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax"), cookie
        assert (cookie["path"], cookie["domain"], cookie["secure"]) == ("/", "", ""), cookie
    by_name: dict[str, list[Morsel[str]]] = {}
    for cookie in [cookie for cookie in cookies if cookie.value]:
        by_name.setdefault(cookie.key.partition("-")[0], []).append(cookie)
    for cookie in by_name["session"]:
        assert re.fullmatch(r"([0-9a-f]{16}\.){4}[\w-]{43}", cookie.value)
    assert {cookie.value for cookie in by_name["confirm"]} == {"1"}
    assert {cookie.value for cookie in by_name["language"]} == {"es"}
    for cookie in by_name.pop("login"):
        _, pending = URLSafeTimedSerializer("").loads_unsafe(cookie.value)
        assert set(pending) == IN_A_PENDING_LOGIN
        assert cookie["max-age"] == str(12 * 60 * 60)
    for cookie in [cookie for group in by_name.values() for cookie in group]:
        assert (cookie["max-age"], cookie["expires"]) == ("", ""), cookie


class FullStore:
    """A store that accepts no more values."""

    def __init__(self, working: Any) -> None:
        self._working = working

    def __getattr__(self, name: str) -> Any:
        return getattr(self._working, name)

    def set(self, *_args: object, **_parts: object) -> None:
        raise StoreUnavailable("full")


def test_a_login_that_cannot_be_saved_sets_no_cookie_and_can_be_retried(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    site, visitor = make_https_site(make_site, tmp_path)
    visitor.open("/language/es").stop_at = "/oauth/callback"
    visitor.open(f"/login?district_id={district_of(site)}")
    visitor.press("Log in", username="student", password="clever").stop_at = None
    assert site.app
    interface: Any = site.app.session_interface
    working, interface._store = interface._store, FullStore(interface._store)
    visitor.open(visitor.url)
    interface._store = working
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
    stored = [cookie.key for cookie in set_cookies(site, visitor.hops) if cookie.value]
    expired = {cookie.key for cookie in set_cookies(site, visitor.hops) if not cookie.value}
    assert (stored, expired) == ([], {"__Host-session"})
    assert "Location" not in visitor.response.headers  # of the redirect that it replaces
    assert visitor.open("/login").path == "/dashboard"
