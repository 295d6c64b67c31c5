"""Tests the user as JSON for front ends, and which clients get errors as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from flask import Flask, session
from flask.typing import ResponseReturnValue

from clever_login.errors import AccountRefused
from clever_login.web.routing import public
from tests.conftest import SiteMaker
from tests.support import account_app, page_checks, session_file
from tests.support.browser_client import NAVIGATION_HEADERS, Visitor, send_request
from tests.support.failing_store import FailingStore
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.running_app import Site
from tests.support.starter import make_starter

START = "2026-10-01T08:00:00Z"
FETCH_HEADERS = {
    "Accept": "*/*",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
}
NOT_FOR_PAGES: dict[str, dict[str, str | None]] = {
    "fetch": {**FETCH_HEADERS},
    "a JSON client": {"Accept": "application/json, text/plain, */*"},
    "no Accept": {"Accept": None},
    "anything": {"Accept": "*/*"},
    "no HTML": {"Accept": "text/html;q=0, */*"},
    "an image": {"Accept": "image/avif,image/webp,*/*;q=0.8", "Sec-Fetch-Dest": "image"},
}
FOR_PAGES = {
    "a navigation": NAVIGATION_HEADERS,
    "an old browser": {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
    "a script that loads pages": FETCH_HEADERS | {"Accept": "text/html, application/xhtml+xml"},
    "capitals": {"Accept": "Text/HTML; charset=utf-8"},
    "a document without Accept": {"Sec-Fetch-Dest": "document"},
}


def fetch(visitor: Visitor, path: str, method: str = "GET", **headers: str) -> requests.Response:
    """Send a request as a script on the app's own page does."""
    return visitor.http.request(
        method,
        f"{visitor.app_url}{path}",
        headers=FETCH_HEADERS | headers,
        allow_redirects=False,
        timeout=10,
    )


def problem_details(response: requests.Response) -> dict[str, Any]:
    """Return the problem details in a response."""
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert list(body) == ["type", "title", "status", "detail", "code", "reference"]
    assert (body["type"], body["status"]) == ("about:blank", response.status_code)
    return body


def vary(response: requests.Response) -> set[str]:
    """Return the names in the Vary header."""
    return {name.strip() for name in response.headers["Vary"].split(",")}


def test_a_front_end_reads_who_is_logged_in(site: Site) -> None:
    visitor = by_button(site, "three_roles")
    person = site.person("three_roles")
    response = fetch(visitor, "/session")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert set(response.json()) == {"user", "csrf_token"}
    user = response.json()["user"]
    assert user.pop("account_id")
    assert user == {
        "name": person.name.full,
        "first_name": person.name.first,
        "last_name": person.name.last,
        "roles": ["teacher", "staff", "district_admin"],
        "role": visitor.role,
        "district": person.district.name,
        "as_of": None,
        "impersonation_claimed": False,
    }
    assert person.id not in response.text
    assert "@" not in response.text


def test_a_front_end_reads_the_preferred_name(make_site: SiteMaker) -> None:
    site = account_app.make_account_app(make_site, None, ask_preferred_name=True)
    visitor = by_button(site, "student")
    assert fetch(visitor, "/session").json()["user"]["name"] == site.person("student").name.full
    visitor.open("/preferred-name").press("Use this name", name="Countess")
    user = fetch(visitor, "/session").json()["user"]
    assert (user["name"], user["first_name"]) == ("Countess", site.person("student").name.first)


def test_a_front_end_reads_that_an_impersonation_is_claimed(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    visitor.open(f"{visitor.url}&loginas_by_admin=true")
    assert fetch(visitor, "/session").json()["user"]["impersonation_claimed"] is True


def test_a_front_end_sends_the_csrf_token_in_a_header(site: Site) -> None:
    visitor = by_button(site, "student")
    token = fetch(visitor, "/session").json()["csrf_token"]
    assert problem_details(fetch(visitor, "/still-here", "POST"))["code"] == "form_expired"
    response = fetch(visitor, "/still-here", "POST", **{"X-CSRFToken": token, "Origin": site.url})
    assert response.json()["seconds"] > 0


def test_without_a_login_the_session_is_null_and_none_is_created(site: Site) -> None:
    for cookies in ({}, {"session": "unknown" * 6}):
        response = send_request(f"{site.url}/session", headers=FETCH_HEADERS, cookies=cookies)
        assert (response.status_code, response.json()) == (200, {"user": None})
        assert "Set-Cookie" not in response.headers
    assert session_file.values(site) == {}


def test_reading_the_session_does_not_extend_it(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        before = session_file.values(site)
        for _ in range(2):
            clock.shift(timedelta(minutes=14))
            assert fetch(visitor, "/session").json()["user"]["name"]
            assert session_file.values(site) == before
        clock.shift(timedelta(minutes=3))
        assert fetch(visitor, "/session").json() == {"user": None}


def test_the_session_is_never_cached(site: Site, make_site: SiteMaker) -> None:
    without = ("SecurityHeaders", "StaticFiles")
    bare = make_site(make_app=lambda settings: make_starter(settings, without=without))
    for visitor in (bare.visitor(), site.visitor(), by_button(site, "student")):
        response = fetch(visitor, "/session")
        assert response.headers["Cache-Control"] == "no-store"
        assert "Cookie" in vary(response)


def test_the_session_has_the_url_prefix_of_the_login(make_site: SiteMaker) -> None:
    site = make_site(make_app=lambda settings: make_starter(settings, url_prefix="/clever"))
    assert fetch(site.visitor(), "/clever/session").json() == {"user": None}
    assert fetch(site.visitor(), "/session").status_code == 404


@pytest.mark.parametrize("headers", NOT_FOR_PAGES.values(), ids=NOT_FOR_PAGES)
def test_an_error_is_json_for_clients_that_do_not_ask_for_a_page(
    site: Site, headers: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    response = send_request(f"{site.url}/nothing-here", headers=headers)
    body = problem_details(response)
    assert (response.status_code, body["title"], body["code"]) == (404, "Not Found", "http_404")
    assert body["detail"] == "There is no page at this address, or this person may not see it."
    assert f'"reference": "{body["reference"]}"' in capfd.readouterr().err
    assert response.headers["Cache-Control"] == "no-store"
    assert {"Accept", "Sec-Fetch-Dest", "Cookie", "Accept-Language"} <= vary(response)


@pytest.mark.parametrize("headers", FOR_PAGES.values(), ids=FOR_PAGES)
def test_an_error_is_a_page_for_every_browser_navigation(
    site: Site, headers: dict[str, str]
) -> None:
    response = send_request(f"{site.url}/nothing-here", headers=headers)
    page_checks.check_page(response, app=True)
    assert response.headers["Content-Type"].startswith("text/html")
    assert {"Accept", "Sec-Fetch-Dest", "Cookie", "Accept-Language"} <= vary(response)


def test_an_error_in_a_frame_is_a_page(make_site: SiteMaker) -> None:
    """With SecurityHeaders, every request of a frame gets the page that opens a tab."""
    without = ("SecurityHeaders", "StaticFiles")
    site = make_site(make_app=lambda settings: make_starter(settings, without=without))
    response = send_request(f"{site.url}/nothing-here", headers={"Sec-Fetch-Dest": "iframe"})
    assert (response.status_code, "<h1" in response.text) == (404, True)


def test_an_error_in_json_keeps_its_headers_and_is_in_the_clients_language(site: Site) -> None:
    response = send_request(
        f"{site.url}/logout", headers={"Accept": "application/json", "Accept-Language": "es"}
    )
    assert problem_details(response)["detail"] == "Esta dirección no acepta este tipo de solicitud."
    assert response.headers["Content-Language"] == "es"
    assert "POST" in response.headers["Allow"]


def test_a_refused_account_has_its_message_and_other_messages_stay_in_the_log(
    make_site: SiteMaker,
) -> None:
    @public
    def refuse() -> str:
        raise AccountRefused("Your class starts on Monday.")

    @public
    def crash() -> str:
        raise RuntimeError("Ada's record")

    def extend(app: Flask) -> None:
        app.add_url_rule("/refuse", "refuse", refuse)
        app.add_url_rule("/crash", "crash", crash)

    site = make_site(extend=extend, app_env="production")
    refused = problem_details(send_request(f"{site.url}/refuse"))
    assert (refused["status"], refused["code"]) == (403, "account_refused")
    assert refused["detail"] == "Your class starts on Monday."
    crashed = send_request(f"{site.url}/crash")
    assert (problem_details(crashed)["code"], crashed.status_code) == ("http_500", 500)
    assert "Ada" not in str(problem_details(crashed))


@pytest.mark.parametrize("headers", NOT_FOR_PAGES.values(), ids=NOT_FOR_PAGES)
def test_without_a_login_a_script_gets_401_and_no_redirect(
    site: Site, headers: dict[str, str]
) -> None:
    response = send_request(f"{site.url}/dashboard", headers=headers)
    assert problem_details(response)["code"] == "http_401"
    assert response.status_code == 401
    assert "Location" not in response.headers
    assert {"Accept", "Sec-Fetch-Dest", "Cookie"} <= vary(response)


@pytest.mark.parametrize("headers", FOR_PAGES.values(), ids=FOR_PAGES)
def test_without_a_login_a_page_request_is_redirected_to_the_home_page(
    site: Site, headers: dict[str, str]
) -> None:
    response = send_request(f"{site.url}/dashboard", headers=headers)
    assert (response.status_code, response.headers["Location"]) == (302, "/?next=/dashboard")
    assert {"Accept", "Sec-Fetch-Dest", "Cookie"} <= vary(response)


def test_a_response_whose_session_cannot_be_saved_is_replaced_by_json_for_a_script(
    make_site: SiteMaker,
) -> None:
    def note() -> ResponseReturnValue:
        session["note"] = "of Ada"
        return {"note": "of Ada"}

    site = make_site(extend=lambda app: app.add_url_rule("/note", "note", note))
    visitor = by_button(site, "student")
    assert site.app is not None
    interface: Any = site.app.session_interface
    interface._store = FailingStore(interface._store, 2)
    response = fetch(visitor, "/note", **{"Accept-Language": "es"})
    assert (problem_details(response)["code"], response.status_code) == ("store_unavailable", 503)
    assert "Ada" not in str(problem_details(response))
    assert response.headers["Retry-After"] == "5"
    assert response.headers["Content-Language"] == "es"
    assert {"Accept", "Sec-Fetch-Dest", "Cookie", "Accept-Language"} <= vary(response)


def test_while_the_store_is_down_the_session_is_an_error_and_not_null(site: Site) -> None:
    visitor = by_button(site, "student")
    assert site.app is not None
    interface: Any = site.app.session_interface
    interface._store = FailingStore(interface._store, 1)
    assert problem_details(fetch(visitor, "/session"))["code"] == "store_unavailable"


def test_no_other_site_may_read_a_response(site: Site) -> None:
    visitor = by_button(site, "student")
    headers = {
        "Origin": "https://evil.test",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "X-CSRFToken",
        "Sec-Fetch-Site": "cross-site",
    }
    for method, path in (
        ("GET", "/session"),
        ("OPTIONS", "/session"),
        ("GET", "/nothing-here"),
        ("GET", "/dashboard"),
        ("POST", "/still-here"),
        ("OPTIONS", "/still-here"),
    ):
        response = fetch(visitor, path, method, **headers)
        assert not [name for name in response.headers if name.lower().startswith("access-control")]
