"""Tests what a callback does with a valid state, without a state, and with a foreign state."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex, token_urlsafe
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from clever_login.auth import pending_logins
from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from tests.conftest import SiteMaker
from tests.support.browser_client import NAVIGATION_HEADERS, send_request
from tests.support.fake_time import fake_time
from tests.support.login_flows import (
    by_button,
    by_portal,
    exchanges,
    launch_tile,
    log_in_at_clever,
    stop_before_callback,
)
from tests.support.running_app import Site

FORGED = "/oauth/callback?code=abc&state=forged"


# No state: the login was started by Clever


def test_a_login_that_clever_started_is_restarted_with_a_state(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    visitor.open("/oauth/callback?code=from-the-portal&scope=read%3Auser_id")
    query = parse_qs(urlsplit(visitor.url).query)
    assert visitor.response.status_code == 302
    assert query["client_id"] == ["simulator"]
    assert query["redirect_uri"] == [f"{site.url}/oauth/callback"]
    assert query["response_type"] == ["code"]
    assert len(query["state"][0]) >= 22  # 128 bits in base64
    assert set(query) == {"client_id", "redirect_uri", "response_type", "state", "nonce"}
    assert exchanges(site) == 0


def test_a_login_from_a_browser_without_sec_fetch_headers_is_restarted_too(site: Site) -> None:
    response = send_request(f"{site.url}/oauth/callback?code=x", headers={"Accept": "text/html"})
    assert response.status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Accept": "*/*"},
    ],
    ids=["image", "script", "probe"],
)
def test_a_code_without_a_state_is_refused_unless_it_is_a_top_level_navigation(
    site: Site, headers: dict[str, str]
) -> None:
    response = send_request(f"{site.url}/oauth/callback?code=x", headers=headers)
    assert response.status_code == 400
    assert "Set-Cookie" not in response.headers
    assert exchanges(site) == 0


@pytest.mark.parametrize("destination", ["iframe", "frame", "embed", "object"])
def test_a_callback_in_a_frame_shows_only_a_link_that_opens_a_tab(
    site: Site, destination: str
) -> None:
    for path in ("/oauth/callback?code=x", "/oauth/callback?code=x&state=y", "/", "/login"):
        response = send_request(
            f"{site.url}{path}",
            headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": destination},
        )
        assert response.status_code == 200
        assert "Open a new tab" in response.text
        assert "clever-button" not in response.text
        assert "frame-ancestors *" in response.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in response.headers
    assert exchanges(site) == 0


def test_a_callback_without_parameters_redirects_to_the_home_page(site: Site) -> None:
    assert site.visitor().open("/oauth/callback").path == "/"


def test_a_browser_without_cookies_gets_an_error_page_instead_of_a_redirect_loop(
    site: Site,
) -> None:
    visitor = by_portal(site, "student")  # logged in at Clever
    clever_cookies = {
        c.name: c.value or "" for c in visitor.http.cookies if c.domain == "127.0.0.1"
    }
    url, hops = f"{site.url}/oauth/callback?code=x", 0
    headers = {"Accept": "text/html"}
    while True:
        cookies = {} if url.startswith(site.url) else clever_cookies
        response = send_request(url, headers=headers, cookies=cookies)
        if not response.is_redirect:
            break
        url, hops = response.headers["Location"], hops + 1
        assert hops <= 3
    assert response.status_code == 400
    assert "cookies_blocked" in response.text


# An unknown state


@pytest.mark.parametrize("query", ["code=a&state=forged", "error=access_denied&state=forged"])
def test_a_forged_state_never_logs_a_user_in(site: Site, query: str) -> None:
    visitor = site.visitor().open(f"/oauth/callback?{query}")
    assert (visitor.response.status_code, visitor.code) == (400, "login_expired")
    assert exchanges(site) == 0


def test_a_forged_state_does_not_affect_a_logged_in_user(site: Site) -> None:
    visitor = by_button(site, "student")
    before = exchanges(site)
    assert visitor.open(FORGED).path == "/dashboard"
    assert exchanges(site) == before


def test_a_code_and_state_from_another_browser_log_nobody_in(site: Site) -> None:
    attacker = stop_before_callback(site, "teacher")
    victim = site.visitor().open(attacker.url)
    assert victim.code == "login_expired"
    assert victim.open("/dashboard").path == "/"
    assert exchanges(site) == 0


def test_the_cookie_of_one_login_is_not_valid_for_another(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    (own,) = [cookie for cookie in visitor.http.cookies if cookie.name.startswith("login-")]
    other = stop_before_callback(site, "teacher")
    state = parse_qs(urlsplit(other.url).query)["state"][0]
    name = f"login-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
    response = send_request(
        other.url, cookies={name: own.value or ""}, headers={"Accept": "text/html"}
    )
    assert "login_expired" in response.text
    assert exchanges(site) == 0


def test_an_empty_state_counts_as_a_missing_state(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    assert visitor.open("/oauth/callback?code=x&state=").path == "/oauth/authorize"
    assert exchanges(site) == 0


# A valid state


def test_every_state_is_long_and_unique(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    states = {parse_qs(urlsplit(visitor.open("/login").url).query)["state"][0] for _ in range(50)}
    assert len(states) == 50
    assert min(len(state) for state in states) >= 43


def test_logins_in_five_tabs_of_one_browser_all_finish(site: Site) -> None:
    visitor = site.visitor()
    callbacks = [stop_before_callback(site, "student", visitor).url for _ in range(5)]
    for url in reversed(callbacks):
        assert visitor.open(url).path == "/dashboard"
    assert exchanges(site) == 5


def test_one_browser_has_at_most_ten_pending_logins(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        for _ in range(13):
            visitor.open("/login")
            clock.shift(1)
        pending = [cookie for cookie in visitor.http.cookies if cookie.name.startswith("login-")]
        assert len(pending) == 10
        visitor.stop_at = None
        newest = visitor.open("/login")
        newest.click(site.person("student").district.name)
        newest.press("Log in", username="student", password="clever")
        assert newest.path == "/dashboard"


def test_a_pending_login_older_than_ten_minutes_is_restarted_silently(site: Site) -> None:
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        visitor = stop_before_callback(site, "student")
        clock.shift(60 * 60)
        request_count = len(site.clever.received_requests())
        assert visitor.open(visitor.url).path == "/dashboard"
        assert (
            site.clever.received_requests()[request_count]["path"] == "/oauth/authorize"
        )  # before any exchange


@pytest.mark.parametrize("seconds", [1, 119])
def test_a_login_started_on_a_machine_with_a_fast_clock_continues(site: Site, seconds: int) -> None:
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        visitor = stop_before_callback(site, "student")
        clock.shift(-seconds)
        request_count = len(site.clever.received_requests())
        assert visitor.open(visitor.url).path == "/dashboard"
        assert site.clever.received_requests()[request_count]["path"] == "/oauth/tokens"


def test_a_login_started_on_a_machine_with_a_wrong_clock_is_restarted(
    site: Site,
) -> None:
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        visitor = stop_before_callback(site, "student")
        clock.shift(-MAX_CLOCK_DIFFERENCE_SECONDS - 1)
        assert visitor.open(visitor.url).path == "/oauth/authorize"
        assert log_in_at_clever(visitor, "student").path == "/dashboard"


def test_a_state_that_a_machine_with_a_slow_clock_has_used_stays_used(site: Site) -> None:
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        visitor = stop_before_callback(site, "student")
        url, cookies = visitor.url, dict(visitor.http.cookies)
        clock.shift(-MAX_CLOCK_DIFFERENCE_SECONDS)
        assert visitor.open(url).path == "/dashboard"
        clock.shift(MAX_CLOCK_DIFFERENCE_SECONDS + pending_logins.VALIDITY_SECONDS)
        repeated = send_request(url, cookies=cookies, headers={"Accept": "text/html"})
        assert repeated.headers["Location"].startswith("/login/again?")
        assert exchanges(site) == 1


class EndlessLogin:
    """A store in which the first callback of a login never ends. Counts how often it is asked."""

    asked = 0

    def get(self, _key: str) -> None:
        self.asked += 1


def test_each_second_callback_waits_two_seconds_for_the_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, store = fake_time(monkeypatch, pending_logins), EndlessLogin()
    pending = pending_logins.PendingLogins(site.settings, store)  # type: ignore[arg-type]
    for _ in range(pending_logins.MAX_WAITING_REPEATS + 1):
        began, before = clock.monotonic(), store.asked
        pending.wait("0" * 64)
        assert clock.monotonic() - began == pytest.approx(2, abs=0.1)
        assert store.asked > before


def test_a_used_callback_redirects_a_logged_in_user_to_the_dashboard(
    any_site: SiteMaker,
) -> None:
    site = any_site()
    visitor = stop_before_callback(site, "student")
    url = visitor.url
    assert visitor.open(url).path == "/dashboard"
    assert visitor.open(url).path == "/dashboard"
    assert exchanges(site) == 1


def test_a_used_callback_whose_cookie_remains_is_not_exchanged_twice(any_site: SiteMaker) -> None:
    site = any_site()
    visitor = stop_before_callback(site, "student")
    url, cookies = visitor.url, dict(visitor.http.cookies)
    visitor.open(url)
    headers = {"Accept": "text/html"}
    repeated = send_request(url, cookies=cookies, headers=headers)
    assert repeated.headers["Location"].startswith("/login/again?")
    assert "Set-Cookie" not in repeated.headers
    restarted = send_request(
        site.url + repeated.headers["Location"], cookies=cookies, headers=headers
    )
    assert urlsplit(restarted.headers["Location"]).path == "/oauth/authorize"  # without a click
    assert exchanges(site) == 1


def test_twenty_concurrent_callbacks_make_one_exchange_and_one_login(
    any_site: SiteMaker,
) -> None:
    site = any_site()
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault("me", delay_s=0.5)
    url, cookies = visitor.url, dict(visitor.http.cookies)
    with ThreadPoolExecutor(20) as threads:
        responses = list(threads.map(lambda _: send_request(url, cookies=cookies), range(20)))
    winners = [response for response in responses if "session=" in str(response.raw.headers)]
    assert len(winners) == 1
    assert winners[0].status_code == 303
    assert exchanges(site) == 1
    for loser in (response for response in responses if response is not winners[0]):
        assert loser.status_code in {302, 503}
        assert "Set-Cookie" not in loser.headers
    jar = {"session": winners[0].cookies["session"]}
    loser = next(response for response in responses if response.status_code == 302)
    after = send_request(site.url + loser.headers["Location"], cookies=cookies | jar)
    assert after.headers["Location"] == "/dashboard"


def test_a_double_click_on_the_callback_never_shows_the_previous_user(
    site: Site,
) -> None:
    visitor = by_button(site, "student")
    visitor.open(f"{site.clever.url}/in/{site.person('teacher').district.shortname}")
    visitor.press("Log out of Clever")
    stop_before_callback(site, "teacher", visitor)
    site.clever.add_fault("me", delay_s=4)  # longer than the second click waits
    with ThreadPoolExecutor() as threads:
        first = threads.submit(send_request, visitor.url, cookies=dict(visitor.http.cookies))
        while exchanges(site) < 2:
            time.sleep(0.02)
        visitor.open(visitor.url)
        assert visitor.role == "teacher"
        assert site.person("student").name.first not in visitor.text
        assert first.result().status_code == 303


def test_a_login_is_restarted_only_once_and_keeps_its_next_path(site: Site) -> None:
    visitor = site.visitor()
    district = site.person("student").district.id
    visitor.stop_at = "/oauth/callback"
    visitor.open(f"/login?district_id={district}&next=/dashboard%3Fa=b")
    visitor.press("Log in", username="student", password="clever")
    cookies = dict(visitor.http.cookies)
    headers = {"Accept": "text/html"}
    send_request(
        visitor.url, cookies=cookies, headers=headers
    )  # the first request of a double click, whose response is lost
    visitor.stop_at = None
    visitor.open(visitor.url)
    assert visitor.url == f"{site.url}/dashboard?a=b"


def test_a_restarted_login_with_a_used_code_shows_an_error_page_instead_of_looping(
    site: Site,
) -> None:
    visitor = stop_before_callback(site, "student")
    headers = {"Accept": "text/html"}
    for _ in range(2):
        send_request(
            visitor.url, cookies=dict(visitor.http.cookies), headers=headers
        )  # used by another request
        visitor.stop_at = "/oauth/callback"
        visitor.open(visitor.url)
        if visitor.path != "/oauth/callback" or visitor.code:
            break
    assert visitor.code == "code_used"
    assert exchanges(site) == 2


def test_a_repeated_callback_never_shows_the_previous_users_page(
    site: Site,
) -> None:
    visitor = by_button(site, "student")
    visitor.open(f"{site.clever.url}/in/{site.person('teacher').district.shortname}")
    visitor.press("Log out of Clever")
    stop_before_callback(site, "teacher", visitor)
    send_request(
        visitor.url, cookies=dict(visitor.http.cookies)
    )  # the first request of a double click: lost
    visitor.open(visitor.url)
    assert visitor.role == "teacher"
    assert site.person("student").name.first not in visitor.text


def test_pending_login_cookies_never_exceed_the_header_limit(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    visitor.open(f"/login?district_id={'a' * 3000}&next=/{'b' * 199}")
    assert "district_id" not in visitor.url
    for _ in range(12):  # random, because the cookies are compressed
        visitor.open(f"/login?district_id={token_hex(32)}&next=/{token_urlsafe(148)}")
    size = sum(len(cookie.name) + len(cookie.value or "") for cookie in visitor.http.cookies)
    assert size < 4600


def test_unknown_pending_login_cookies_are_dropped_a_few_at_a_time(site: Site) -> None:
    cookies = {f"login-{number:016x}": "x" for number in range(300)}
    response = send_request(f"{site.url}/login", cookies=cookies)
    assert response.status_code == 302
    assert len(response.raw.headers.getlist("Set-Cookie")) <= 21


def test_unknown_cookies_are_dropped_before_those_of_a_pending_login(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    visitor.open("/login")
    pending = dict(visitor.http.cookies)
    unknown = {f"login-{number:016x}": "x" for number in range(10)}
    response = send_request(f"{site.url}/login", cookies=pending | unknown)
    headers = response.raw.headers.getlist("Set-Cookie")
    dropped = {header.partition("=")[0] for header in headers if "Max-Age=0" in header}
    assert len(dropped) == 2
    assert dropped < unknown.keys()


def test_a_callback_from_another_issuer_is_refused_and_its_code_is_not_exchanged(
    site: Site,
) -> None:
    visitor = stop_before_callback(site, "student")
    assert visitor.open(f"{visitor.url}&iss=https://evil.test").code == "bad_callback"
    assert exchanges(site) == 0
    second = stop_before_callback(site, "student")
    assert second.open(f"{second.url}&iss={site.clever.url}").path == "/dashboard"


def test_a_failed_login_consumes_its_state(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    url, cookies = visitor.url, dict(visitor.http.cookies)
    site.clever.add_fault("token", times=2, status=500)  # the app restarts the login once
    assert visitor.open(url).code == "clever_unavailable"
    repeated = send_request(url, cookies=cookies, headers={"Accept": "text/html"})
    assert repeated.headers["Location"].startswith("/login/again?")
    assert exchanges(site) == 2


def test_an_abandoned_login_does_not_break_the_next_portal_launch(site: Site) -> None:
    visitor = site.visitor().open("/login")  # abandoned at Clever
    visitor.open(f"{site.clever.url}/in/{site.person('student').district.shortname}")
    visitor.press("Log in", username="student", password="clever")
    assert launch_tile(visitor, site).path == "/dashboard"


def test_a_whole_school_behind_one_ip_address_can_log_in(site: Site) -> None:
    statuses = {send_request(f"{site.url}/login").status_code for _ in range(300)}
    assert statuses == {302}


def test_a_code_that_clever_rejects_shows_an_error_page(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    site.clever.advance(61)
    visitor.open(visitor.url)
    assert (visitor.response.status_code, visitor.code) == (400, "code_used")
    assert "Try again with Clever" in visitor.text
    assert visitor.click("Try again with Clever").path == "/dashboard"


def test_a_cancelled_login_shows_its_own_page(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    visitor.open(visitor.url.replace("code=", "error=access_denied&was="))
    assert visitor.code == "login_cancelled"


def test_a_person_without_access_to_the_app_gets_an_error_page(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    visitor.open(visitor.url.replace("code=", "error=unauthorized-user&was="))
    assert (visitor.response.status_code, visitor.code) == (403, "login_refused")


def test_a_valid_state_without_a_code_shows_an_error_page(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    visitor.open(visitor.url.replace("code=", "cod="))
    assert visitor.code == "bad_callback"


@pytest.mark.parametrize("name", ["error", "error_description", "code", "state", "other"])
def test_error_pages_never_repeat_request_parameters(site: Site, name: str) -> None:
    payload = "<script>canary</script>"
    for query in ({name: payload}, {"state": "s", "code": "c", name: payload}):
        response = send_request(
            f"{site.url}/oauth/callback",
            params=query,
            headers={"Accept": "text/html"},
        )
        assert response.status_code < 500
        assert "canary" not in response.text + str(response.headers)


@pytest.mark.parametrize("query", ["code=a&code=b", "state=a&state=b&code=c", f"code={'x' * 2001}"])
def test_repeated_or_oversized_parameters_are_refused(site: Site, query: str) -> None:
    assert site.visitor().open(f"/oauth/callback?{query}").code == "bad_callback"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("OPTIONS", {}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Sec-Purpose": "prefetch"}),
        ("GET", {"Purpose": "prefetch"}),
    ],
)
def test_prefetch_and_head_requests_do_not_consume_a_code(
    site: Site, method: str, headers: dict[str, str]
) -> None:
    visitor = stop_before_callback(site, "student")
    looked = visitor.http.request(method, visitor.url, headers=headers, allow_redirects=False)
    assert "Set-Cookie" not in looked.headers
    assert exchanges(site) == 0
    request_count = len(site.clever.received_requests())
    assert visitor.open(visitor.url).path == "/dashboard"
    assert (
        site.clever.received_requests()[request_count]["path"] == "/oauth/tokens"
    )  # and no restart


# The user who was logged in before


def test_a_second_students_login_replaces_all_data_of_the_first(any_site: SiteMaker) -> None:
    site = any_site()
    visitor = by_button(site, "student")
    first = visitor.http.cookies.get("session", domain="localhost.local")
    visitor.open(f"{site.clever.url}/in/{site.person('sparse').district.shortname}")
    visitor.press("Log out of Clever")
    stop_before_callback(site, "sparse", visitor)
    visitor.open(visitor.url)
    assert site.person("sparse").name.full in visitor.text
    assert site.person("student").name.first not in visitor.text
    assert visitor.http.cookies.get("session", domain="localhost.local") != first
    cookies = {"session": first or ""}
    old = send_request(f"{site.url}/dashboard", cookies=cookies, headers=NAVIGATION_HEADERS)
    assert old.status_code == 302


def test_a_failed_login_leaves_nobody_logged_in(site: Site) -> None:
    visitor = by_button(site, "student")
    stop_before_callback(site, "student", visitor)
    site.clever.add_fault("me", times=2, status=500)  # the app retries a GET once
    assert visitor.open(visitor.url).code == "clever_unavailable"
    assert visitor.open("/dashboard").path == "/"
