"""Tests a new secret key while users log in: what the previous key has signed stays valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask, session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from clever_login import CleverLogin, Settings, end_sessions
from clever_login.sessions.end_sessions import by_clever_id
from tests.conftest import SiteMaker
from tests.support.account_app import account_id
from tests.support.browser_client import NAVIGATION_HEADERS, Visitor, send_request
from tests.support.existing_app import ExistingApp, start
from tests.support.login_flows import by_button, log_in_at_clever
from tests.support.reference_app.app import create_app
from tests.support.running_app import Site

OLD, NEW = "a1b2c3d4" * 8, "e5f6a7b8" * 8


def rotate_key(site: Site, make_app: Callable[[Settings], Flask] = create_app) -> Flask:
    """Replace the app by one with a new SECRET_KEY, whose fallback is the previous one."""
    assert site.app is not None
    previous = site.settings.secrets
    settings = replace(site.settings, secret_key=NEW, secret_key_fallbacks=previous)
    app = make_app(settings)
    site.app.wsgi_app = app.wsgi_app  # type: ignore[method-assign]
    return app


def test_a_login_that_waits_at_clever_ends_under_the_new_key(site: Site) -> None:
    visitor = site.visitor().open("/").click("Log in with Clever")
    visitor.click(site.person("student").district.name)
    rotate_key(site)
    assert log_in_at_clever(visitor, "student").path == "/dashboard"


def test_a_form_from_before_the_rotation_is_accepted(site: Site) -> None:
    visitor = by_button(site, "student")
    rotate_key(site)
    assert visitor.press("Log out").path == "/logged-out"


def test_a_link_that_waits_for_a_yes_is_confirmed_under_the_new_key(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing, linking=True)
    visitor = Visitor(site.url, checks_pages=False)
    visitor.http.post(f"{site.url}/password/grandma", timeout=30)
    visitor.open("/").press("Connect Clever").click(site.person("teacher").district.name)
    log_in_at_clever(visitor, "teacher")
    rotate_key(site, lambda settings: existing.create(settings, linking=True))
    assert visitor.open(visitor.url).press("Yes, this is me").heading == "Hello grandma"
    assert [account for account, _ in existing.linked] == ["grandma"]


@pytest.mark.parametrize("by", ["person", "district", "account"])
def test_sessions_from_before_the_rotation_can_be_ended(site: Site, by: str) -> None:
    visitor, person = by_button(site, "student"), site.person("student")
    session_url, cookies = f"{site.url}/session", dict(visitor.http.cookies)
    account = send_request(session_url, cookies=cookies).json()["user"]["account_id"]
    with rotate_key(site).app_context():
        ended = {
            "person": lambda: by_clever_id(people=[person.id]),
            "district": lambda: by_clever_id(district_id=person.district.id),
            "account": lambda: end_sessions(account_id=account),
        }[by]()
    assert (ended, visitor.open("/dashboard").path) == (1, "/")


def test_a_single_session_ends_those_from_before_the_rotation(make_site: SiteMaker) -> None:
    site = make_site(session_single=True)
    school = by_button(site, "student")
    rotate_key(site)
    assert account_id(by_button(site, "student"))
    assert school.open("/dashboard").path == "/"


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FlaskClient]:
    """Create an app that reads its settings from the environment, and return a browser of it."""

    def make(environ: dict[str, str], **config: Any) -> FlaskClient:
        for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS"):
            monkeypatch.delenv(name, raising=False)
        needed = {"APP_ENV": "development", "CLEVER_CLIENT_ID": "a", "CLEVER_CLIENT_SECRET": "b"}
        for name, value in (needed | environ).items():
            monkeypatch.setenv(name, value)
        app = Flask("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
        app.config.update(config)
        CleverLogin(app, on_login=lambda _: None)
        app.add_url_rule("/cart", "cart", lambda: str(session.setdefault("cart", app.secret_key)))
        return app.test_client(use_cookies=False)

    return make


@pytest.mark.parametrize("as_bytes", [False, True])
def test_fallbacks_of_the_apps_own_key_are_those_of_the_login(
    make_app: Callable[..., FlaskClient], as_bytes: bool
) -> None:
    """An app that has no SECRET_KEY in its environment rotates Flask's own."""
    old, new = (OLD.encode(), NEW.encode()) if as_bytes else (OLD, NEW)
    before = make_app({}, SECRET_KEY=old)
    after = make_app({}, SECRET_KEY=new, SECRET_KEY_FALLBACKS=[old])
    unrelated = make_app({}, SECRET_KEY=new)
    assert cancelled_elsewhere(before, after) == "login_cancelled"
    assert cancelled_elsewhere(before, unrelated) == "login_expired"


def cancelled_elsewhere(before: FlaskClient, after: FlaskClient) -> str:
    """Start a login in one app, cancel it, and return the error code of the other app."""
    redirect = before.get("/clever/login")
    (state,) = parse_qs(urlsplit(redirect.headers["Location"]).query)["state"]
    page = after.get(
        f"/clever/oauth/callback?error=access_denied&state={state}",
        headers=NAVIGATION_HEADERS | cookie_of(redirect),
    )
    code = BeautifulSoup(page.text, "html5lib").select_one(".adult code")
    assert code is not None
    return code.get_text()


def cookie_of(response: TestResponse) -> dict[str, str]:
    return {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}


def test_the_fallbacks_of_the_environment_open_flasks_own_session(
    make_app: Callable[..., FlaskClient],
) -> None:
    """An app without a key of its own gets SECRET_KEY, and with it the fallbacks."""
    before, after = (
        make_app({"SECRET_KEY": OLD}),
        make_app({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": OLD}),
    )
    assert after.get("/cart", headers=cookie_of(before.get("/cart"))).text == OLD
