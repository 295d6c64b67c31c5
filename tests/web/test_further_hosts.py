"""Tests an app with a second host name: `parts.SecurityHeaders(hosts=...)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect
from flask.typing import ResponseReturnValue

from clever_login import CleverLogin, Identity, current_user, log_in, parts, public
from clever_login.testing import Browser, browser, sample_settings

FIRST, SECOND, THIRD = (f"http://{name}.example.org" for name in ("first", "second", "third"))
PARENT = Identity(provider="email", subject="parent-7", first_name="Pat")


def start(folder: Path, **settings: Any) -> Browser:
    """Return a browser at an app with two hosts, where /parent logs a parent in."""
    app = Flask(__name__)
    chosen = sample_settings(folder, **({"app_url": FIRST} | settings))
    hosts = ("second.example.org",)
    first_parts = (parts.SecurityHeaders(hosts=hosts), parts.Sessions(), parts.ClosedByDefault())
    CleverLogin(
        app, chosen, url_prefix="", parts=(*first_parts, parts.ErrorPages(), parts.Languages())
    )

    @public
    def parent() -> ResponseReturnValue:
        log_in(PARENT)
        return redirect("/name")

    def name() -> ResponseReturnValue:
        user = current_user()
        return user.first_name if user else ""

    app.add_url_rule("/parent", view_func=parent)
    app.add_url_rule("/name", view_func=name, methods=["GET", "POST"])
    return browser(app)


@pytest.mark.parametrize(
    ("page", "target", "status"),
    [
        (SECOND, SECOND, 200),
        (FIRST, FIRST, 200),
        (FIRST, SECOND, 403),
        (SECOND, FIRST, 403),
        (THIRD, SECOND, 403),
        ("https://second.example.org", SECOND, 403),
        ("null", SECOND, 403),
    ],
)
def test_a_host_accepts_only_the_forms_of_its_own_pages(
    tmp_path: Path, page: str, target: str, status: int
) -> None:
    client = start(tmp_path)
    client.get(f"{target}/parent")
    token = (client.get(f"{target}/session", headers={"Accept": "*/*"}).json or {})["csrf_token"]
    form = {"csrf_token": token}
    response = client.post(f"{target}/name", data=form, headers={"Origin": page})
    assert response.status_code == status


def test_each_host_has_its_own_session(tmp_path: Path) -> None:
    client = start(tmp_path)
    client.get(f"{SECOND}/parent")
    assert client.get(f"{SECOND}/name").text == "Pat"
    assert client.get(f"{FIRST}/name").status_code == 302


def test_a_login_with_clever_begins_at_the_host_where_it_ends(tmp_path: Path) -> None:
    client = start(tmp_path)
    moved = client.get(f"{SECOND}/login?next=/name&district_id=5f1")
    assert moved.location == f"{FIRST}/login?next=/name&district_id=5f1"
    assert "Set-Cookie" not in moved.headers
    assert "/oauth/authorize" in client.get(moved.location).location
    assert client.get_cookie("session", "second.example.org") is None


def test_a_host_redirects_to_https_under_its_own_name(tmp_path: Path) -> None:
    client = start(tmp_path, app_url="https://first.example.org", trusted_proxies=1)
    addresses = {SECOND: "https://second.example.org/name", FIRST: "https://first.example.org/name"}
    for host, address in addresses.items():
        response = client.get(f"{host}/name", headers={"X-Forwarded-Proto": "http"})
        assert (response.status_code, response.location) == (308, address)


def test_a_choice_of_a_language_returns_to_the_page_of_its_host(tmp_path: Path) -> None:
    client = start(tmp_path)
    response = client.get(f"{SECOND}/language/es", headers={"Referer": f"{SECOND}/name?a=b"})
    assert response.location == "/name?a=b"


def test_a_host_that_the_app_does_not_name_is_none_of_its_own(tmp_path: Path) -> None:
    app = Flask(__name__)
    settings = sample_settings(tmp_path, app_url=FIRST)
    chosen = (parts.Sessions(), parts.ClosedByDefault())  # nothing checks the host
    CleverLogin(app, settings, url_prefix="", parts=chosen)
    client = browser(app)
    response = client.post(f"{THIRD}/still-here", headers={"Origin": THIRD})
    assert response.status_code == 403
    # Behind a proxy that changes the Host header, a redirect to APP_URL would never end.
    assert "/oauth/authorize" in client.get(f"{THIRD}/login").location
