"""Tests the login alone, in an app that has its own users, sessions, and passwords."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from clever_login import CleverLogin, Role, parts
from tests.conftest import SiteMaker
from tests.support import certificates
from tests.support.account_app import run_flask_clever
from tests.support.browser_client import NAVIGATION_HEADERS, Visitor, send_request
from tests.support.existing_app import ExistingApp, start
from tests.support.login_flows import by_button, exchanges, log_in_at_clever
from tests.support.running_app import Site
from tests.support.set_cookies import assert_host_only, set_cookies


def new_browser(site: Site) -> Visitor:
    """Return a browser. The pages of this app have their own headers."""
    return Visitor(site.url, checks_pages=False)


def log_in(site: Site, user_name: str, visitor: Visitor | None = None) -> Visitor:
    """Log in with Clever, from the start, in this browser."""
    visitor = visitor or new_browser(site)
    visitor.open(f"/clever/login?district_id={site.person(user_name).district.id}")
    return log_in_at_clever(visitor, user_name) if not visitor.at_app else visitor


def session_of(visitor: Visitor) -> dict[str, object]:
    """Return the data in Flask's signed cookie, which the browser's user can read."""
    payload = visitor.http.cookies["session"]
    data = payload.lstrip(".").split(".")[0]
    raw = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    text = zlib.decompress(raw) if payload.startswith(".") else raw
    decoded: dict[str, object] = json.loads(text)
    return decoded


@pytest.mark.parametrize("user_name", ["student", "teacher", "district_admin"])
def test_users_of_clever_log_in_to_an_app_with_its_own_sessions(
    make_site: SiteMaker, user_name: str
) -> None:
    existing = ExistingApp()
    site = start(make_site, existing)
    visitor = log_in(site, user_name)
    person = site.person(user_name)
    assert visitor.heading == f"Hello {person.name.first}"
    (identity,) = existing.identities
    assert (identity.provider, identity.subject) == ("clever", person.id)
    assert identity.district_id == person.district.id


def test_the_session_has_one_more_key_and_no_name_email_or_token(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    visitor = log_in(site, "student")
    keys = session_of(visitor)
    assert {name for name in keys if name != "_fresh"} == {"_user_id", "_id", "_clever"}
    student = site.person("student")
    key = keys["_clever"]
    assert isinstance(key, dict)
    assert key["subject"] == student.id
    assert set(key) == {  # PRIVACY.md names them
        *("provider", "app", "subject", "district_id", "roles", "role", "person_id"),
        *("logged_in_at", "state", "impersonation_claimed", "account_id"),
    }
    # The account's id is the app's, which uses names for ids in this test.
    stored = json.dumps({**key, "account_id": None})
    for personal in (student.name.first, student.name.last, student.email):
        assert personal
        assert personal not in stored


def test_a_login_gives_a_session_of_flask_session_a_new_id(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    assert site.app is not None
    interface: Any = site.app.session_interface
    renewed: list[object] = []
    interface.regenerate = renewed.append  # Flask-Session's method
    log_in(site, "student")
    assert len(renewed) == 1


def test_the_same_person_keeps_their_session_when_they_log_in_again(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    visitor = log_in(site, "student")
    visitor.open("/cart/atlas")
    assert "Cart: atlas" in log_in(site, "student", visitor).text


def test_the_session_has_no_data_of_the_previous_user(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing)
    visitor = log_in(site, "student")
    visitor.open("/cart/atlas")
    visitor.http.post(f"{site.clever.url}/logout", timeout=30)
    log_in(site, "teacher", visitor)
    assert visitor.heading == f"Hello {site.person('teacher').name.first}"
    assert "Cart: empty" in visitor.text
    assert existing.logouts == 1


def test_a_person_who_logged_in_with_a_password_is_logged_out_by_a_login_with_clever(
    make_site: SiteMaker,
) -> None:
    site = start(make_site, ExistingApp())
    visitor = new_browser(site).open("/")
    visitor.http.post(f"{site.url}/password/grandma", timeout=30)
    assert visitor.open("/cart/novel").heading == "Hello grandma"
    log_in(site, "student", visitor)
    assert visitor.heading == "Hello Ada"
    assert "Cart: empty" in visitor.text


def test_an_app_with_flask_login_need_not_say_who_is_logged_in(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), on_logout=None, current_account=None)
    visitor = by_password(site, "grandma").open("/cart/novel")
    log_in(site, "student", visitor)
    assert (visitor.heading, "Cart: empty" in visitor.text) == ("Hello Ada", True)
    visitor.press("Log out")
    assert visitor.open("/").heading == "Hello"


@pytest.mark.parametrize("arguments", [{}, {"on_logout": None, "current_account": None}])
def test_a_user_whom_the_app_does_not_log_in_is_refused(
    make_site: SiteMaker, arguments: dict[str, None]
) -> None:
    existing = ExistingApp()
    site = start(make_site, existing, **arguments)
    assert log_in(site, "student").open("/grades").text == "A+"
    existing.users["Ada"].blocked = True
    visitor = log_in(site, "student")
    assert (visitor.response.status_code, visitor.code) == (403, "account_refused")
    assert "Show this to your teacher." in visitor.text
    assert visitor.open("/").heading == "Hello"
    assert visitor.open("/grades").response.status_code == 403


def test_after_the_apps_own_logout_nobody_is_logged_in_and_clever_asks_who_it_is(
    make_site: SiteMaker,
) -> None:
    site = start(make_site, ExistingApp())
    visitor = log_in(site, "student")
    visitor.http.post(f"{site.url}/log-out", timeout=30)
    assert visitor.open("/grades").response.status_code == 403
    visitor.open("/clever/login")
    assert site.person("student").name.first in visitor.heading  # Clever's session is still open
    assert visitor.press("Yes").heading == "Hello Ada"
    assert visitor.open("/clever/login").heading == "Hello Ada"  # asked only once


def test_the_session_of_a_user_whom_the_app_logged_out_ends_with_the_next_login(
    make_site: SiteMaker,
) -> None:
    site = start(make_site, ExistingApp())
    visitor = log_in(site, "student").open("/cart/atlas")
    visitor.http.post(f"{site.url}/log-out", timeout=30)
    assert "Cart: atlas" in visitor.open("/").text  # Flask-Login leaves the session as it is
    visitor.http.post(f"{site.clever.url}/logout", timeout=30)
    assert "Cart: empty" in log_in(site, "teacher", visitor).text


@pytest.mark.parametrize("on_the_list", [True, False])
def test_a_user_of_a_district_that_was_taken_off_the_list_is_nobody(
    make_site: SiteMaker, on_the_list: bool
) -> None:
    existing = ExistingApp()
    site = start(make_site, existing)
    visitor = log_in(site, "student")
    district = site.person("student").district.id if on_the_list else "another"
    app = existing.create(replace(site.settings, clever_district_ids=(district,)))
    response = app.test_client(use_cookies=False).get(
        "/grades",
        base_url=site.url,
        headers={"Cookie": f"session={visitor.http.cookies['session']}"},
    )
    assert response.status_code == (200 if on_the_list else 403)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # Flask-Login
def test_the_function_that_logs_out_logs_out_of_the_app(make_site: SiteMaker) -> None:
    existing = ExistingApp(remembers=True)
    site = start(make_site, existing)
    visitor = log_in(site, "student").open("/cart/atlas")
    visitor.http.post(f"{site.url}/log-out?all", timeout=30)
    home = visitor.open("/")
    assert (home.heading, "Cart: empty" in home.text, existing.logouts) == ("Hello", True, 1)


def test_selected_session_keys_survive_a_change_of_user(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), keep_session=("cart",))
    visitor = log_in(site, "student")
    visitor.open("/cart/atlas")
    visitor.http.post(f"{site.clever.url}/logout", timeout=30)
    assert "Cart: atlas" in log_in(site, "teacher", visitor).text


def test_a_user_of_the_apps_own_login_can_log_out_by_the_librarys_view(
    make_site: SiteMaker,
) -> None:
    existing = ExistingApp()
    visitor = by_password(start(make_site, existing), "grandma").press("Log out")
    assert (visitor.open("/").heading, existing.logouts) == ("Hello", 1)


def test_logging_out_ends_the_apps_login_too(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing)
    visitor = log_in(site, "student")
    visitor.open("/cart/atlas").press("Log out")
    assert visitor.path == "/clever/logged-out"
    assert visitor.heading == "You are logged out"
    assert existing.logouts == 1
    home = visitor.open("/")
    assert (home.heading, "Cart: empty" in home.text) == ("Hello", True)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # Flask-Login
def test_a_cookie_that_remembers_the_user_ends_with_the_logout(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(remembers=True))
    visitor = log_in(site, "student")
    assert "remember_token" in visitor.http.cookies
    visitor.press("Log out")
    assert "remember_token" not in visitor.http.cookies
    assert visitor.open("/").heading == "Hello"


def test_another_site_cannot_log_a_user_out(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing)
    visitor = log_in(site, "student")
    response = visitor.http.post(
        f"{site.url}/clever/logout",
        headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        timeout=30,
        allow_redirects=False,
    )
    assert (response.status_code, existing.logouts) == (403, 0)
    assert visitor.open("/").heading == "Hello Ada"


def test_a_user_refused_by_the_app_sees_its_message_and_is_not_logged_in(
    make_site: SiteMaker,
) -> None:
    site = start(make_site, ExistingApp())
    visitor = log_in(site, "school_admin")
    assert "This shop is for students and teachers." in visitor.text
    assert visitor.response.status_code == 403
    assert visitor.open("/").heading == "Hello"


def test_a_failed_login_logs_the_current_user_out(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    visitor = log_in(site, "student")
    visitor.open("/cart/atlas")
    site.clever.add_fault("me", times=20, status=500)
    log_in(site, "student", visitor)
    assert visitor.response.status_code == 503
    home = visitor.open("/")
    assert (home.heading, "Cart: empty" in home.text) == ("Hello", True)


def test_errors_outside_the_login_use_the_apps_own_pages(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    response = send_request(f"{site.url}/no/such/page", headers=NAVIGATION_HEADERS)
    assert response.status_code == 404
    assert "The requested URL was not found on the server" in response.text
    assert "Content-Security-Policy" not in response.headers
    assert "Content-Language" not in response.headers
    assert "Cache-Control" not in send_request(f"{site.url}/").headers


def test_the_library_adds_no_names_to_the_apps_templates(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), product="Reading Room")
    assert "Names: the shop's own," in new_browser(site).open("/").text
    assert new_browser(site).open("/").page.find_all("p")[1].get_text() == "Names: the shop's own, "


def test_errors_of_the_login_use_the_librarys_page(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    visitor = new_browser(site).open("/clever/oauth/callback?state=unknown&code=unknown")
    assert visitor.code == "login_expired"
    assert visitor.response.headers["Cache-Control"] == "no-store"
    assert visitor.page.title
    assert visitor.page.title.get_text() == "Please log in again"
    assert visitor.click("Go to the first page").heading == "Hello"  # the app has no product name
    spanish = new_browser(site).open(
        "/clever/oauth/callback?state=unknown&code=unknown", **{"Accept-Language": "es"}
    )
    assert spanish.response.headers["Content-Language"] == "es"


@pytest.mark.parametrize("user_name", ["student", "teacher"])
def test_an_app_with_its_own_sessions_can_read_the_classes_of_its_user(
    make_site: SiteMaker, user_name: str
) -> None:
    with_our_pages = make_site()
    run_flask_clever(with_our_pages, "sync")
    dashboard = by_button(with_our_pages, user_name).open("/dashboard")
    site = start(make_site, ExistingApp(), parts=[parts.Rosters(pages=False)])
    run_flask_clever(site, "sync")
    names = log_in(site, user_name).open("/classes").response.json()["names"]
    assert len(names) == len(dashboard.page.select("a.tile, a[href^='/classes/']"))
    assert [name for name in names if name not in dashboard.text] == []
    assert send_request(f"{site.url}/classes").status_code == 401
    assert send_request(f"{site.url}/clever/district").status_code == 404


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs on_login or parts.Sessions"),
        ({"find_or_create": lambda _: "1"}, "find_or_create without parts.Sessions"),
        (
            {"on_login": lambda _: None, "on_link": lambda *_: None},
            "on_link without current_account",
        ),
        (
            {"parts": [parts.Sessions()], "on_logout": lambda: None},
            "both on_logout and parts.Sessions",
        ),
        (
            {"parts": [parts.Sessions()], "current_account": lambda: None},
            "both current_account and parts.Sessions",
        ),
        (
            {"parts": [parts.Sessions()], "keep_session": ["cart"]},
            "both keep_session and parts.Sessions",
        ),
        (
            {"parts": [parts.Sessions(), parts.Accounts()], "on_link": lambda *_: None},
            "both on_link and parts.Accounts",
        ),
    ],
)
def test_an_error_names_arguments_that_exclude_each_other(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        CleverLogin(**arguments)  # type: ignore[arg-type]


def by_password(site: Site, name: str) -> Visitor:
    visitor = new_browser(site).open("/")
    visitor.http.post(f"{site.url}/password/{name}", timeout=30)
    return visitor.open("/")


def connect(site: Site, visitor: Visitor, user_name: str) -> Visitor:
    """Press the app's button, log in at Clever, and stop at the question."""
    visitor.press("Connect Clever")
    if not visitor.at_app:
        visitor.click(site.person(user_name).district.name)
        log_in_at_clever(visitor, user_name)
    return visitor


def test_an_account_is_connected_to_clever_after_its_owner_confirms(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing, linking=True)
    visitor = connect(site, by_password(site, "grandma"), "teacher")
    assert "Grace Whitaker" in visitor.text
    assert existing.linked == []
    visitor.press("Yes, this is me")
    assert visitor.heading == "Hello grandma"
    ((account_id, identity),) = existing.linked
    assert (account_id, identity.subject) == ("grandma", site.person("teacher").id)
    assert identity.role is Role.TEACHER
    assert log_in(site, "teacher").heading == "Hello grandma"


def test_an_unconfirmed_link_changes_nothing(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing, linking=True)
    visitor = connect(site, by_password(site, "grandma"), "teacher").click("No, go back")
    assert (visitor.heading, existing.linked) == ("Hello grandma", [])


def test_the_cookie_of_a_link_is_encrypted_and_lasts_ten_minutes(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), linking=True)
    visitor = connect(site, by_password(site, "grandma"), "teacher")
    lines = [line for hop in visitor.hops for line in hop.raw.headers.getlist("Set-Cookie")]
    (cookie,) = [line for line in lines if line.startswith("link=")]
    assert "; HttpOnly;" in cookie
    assert "; Max-Age=600;" in cookie
    sealed = cookie.removeprefix("link=").partition(";")[0]
    person = site.person("teacher")
    for said in (person.id, person.name.first, person.name.last, str(person.email)):
        assert said.encode() not in base64.urlsafe_b64decode(sealed)


def test_another_account_cannot_confirm_a_link(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing, linking=True)
    visitor = connect(site, by_password(site, "grandma"), "teacher")
    visitor.http.post(f"{site.url}/password/mallory", timeout=30)
    visitor.press("Yes, this is me")
    assert visitor.code == "login_expired"
    assert existing.linked == []


def test_a_link_that_another_account_started_is_not_offered(make_site: SiteMaker) -> None:
    existing = ExistingApp()
    site = start(make_site, existing, linking=True)
    visitor = by_password(site, "grandma").press("Connect Clever")
    visitor.http.post(f"{site.url}/password/mallory", timeout=30)
    visitor.click(site.person("teacher").district.name)
    log_in_at_clever(visitor, "teacher")
    assert (visitor.code, exchanges(site)) == ("login_expired", 0)
    assert visitor.open("/").heading == "Hello mallory"


def test_a_link_that_clever_refuses_does_not_log_the_account_out(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), linking=True)
    visitor = by_password(site, "grandma")
    visitor.stop_at = "/clever/oauth/callback"
    connect(site, visitor, "teacher")
    visitor.stop_at = None
    (state,) = parse_qs(urlsplit(visitor.url).query)["state"]
    visitor.open(f"/clever/oauth/callback?state={state}&error=access_denied")
    assert visitor.code == "login_cancelled"
    assert visitor.open("/").heading == "Hello grandma"


def test_the_answer_of_clever_waits_ten_minutes_for_the_confirmation(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), linking=True)
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        visitor = connect(site, by_password(site, "grandma"), "teacher")
        cookies = dict(visitor.http.cookies)  # also once the browser would have deleted one
        for minutes, status in ((10, 200), (11, 400)):
            clock.move_to(f"2026-10-01T08:{minutes}:00Z")
            question = send_request(
                f"{site.url}/clever/link/confirm", cookies=cookies, headers=NAVIGATION_HEADERS
            )
            assert question.status_code == status


def test_over_https_the_cookie_of_a_link_is_host_only_and_http_only(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    site = start(make_site, ExistingApp(), linking=True, certificate=certificate)
    visitor = new_browser(site)
    visitor.http.verify = str(certificate.certificate)
    visitor.http.post(f"{site.url}/password/grandma", timeout=30)
    hops = connect(site, visitor.open("/"), "teacher").hops
    hops += visitor.press("Yes, this is me").hops
    stored, expired = (c for c in set_cookies(site, hops) if c.key == "__Host-link")
    assert (bool(stored.value), stored["max-age"]) == (True, "600")
    assert (expired.value, expired["max-age"]) == ("", "0")
    for cookie in (stored, expired):
        assert_host_only(cookie)


def test_nobody_can_link_without_an_account(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp(), linking=True)
    assert send_request(f"{site.url}/clever/link", "POST").status_code == 401
    assert send_request(f"{site.url}/clever/link/confirm").status_code == 401
