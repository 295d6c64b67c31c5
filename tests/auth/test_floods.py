"""Tests what visitors who are not logged in make the session store keep, and for how long."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from tests.conftest import SiteMaker
from tests.support import session_file
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import by_button, code_of, stop_before_callback, with_code
from tests.support.running_app import Site

MINUTE = 60
NOTHING: dict[str, int] = {}
A_CODE = {"code": 2 * MINUTE}  # Clever's codes are valid for one minute
A_FAILED_LOGIN = A_CODE | {"state": 12 * MINUTE, "ended": 20}
PAGES = ("/", "/login", "/logged-out", "/away", "/session", "/nothing-here", "/dashboard")


def back_from_clever(site: Site, **changes: str | None) -> None:
    """Start a login, and come back from Clever with these changes of the query."""
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    state = visitor.open("/login").url.partition("state=")[2].partition("&")[0]
    visitor.stop_at = None
    query = {"code": secrets.token_hex(20), "state": state} | changes
    visitor.open("/oauth/callback?" + "&".join(f"{k}={v}" for k, v in query.items() if v))


def open_pages(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    for path in PAGES:
        visitor.open(path)


def submit_forms(site: Site) -> None:
    for path in ("/logout", "/role", "/still-here", "/oauth/callback", "/nothing-here"):
        send_request(f"{site.url}{path}", "POST", data={"role": "teacher"})


def come_late(site: Site) -> None:
    with time_machine.travel("2027-01-01T08:00:00Z", tick=False) as clock:
        visitor = site.visitor()
        visitor.stop_at = "/oauth/authorize"
        state = visitor.open("/login").url.partition("state=")[2].partition("&")[0]
        clock.shift(timedelta(minutes=11))
        assert visitor.open(f"/oauth/callback?error=x&state={state}").path == "/oauth/authorize"


def follow(site: Site, path: str) -> None:
    send_request(f"{site.url}{path}")


def malformed(query: str) -> Callable[[Site], None]:
    return lambda site: follow(site, f"/oauth/callback?{query}")


FLOODS: dict[str, tuple[Callable[[Site], None], dict[str, int]]] = {
    "pages": (open_pages, NOTHING),
    "forms": (submit_forms, NOTHING),
    "a callback without a query": (malformed(""), NOTHING),
    "a forged state": (malformed("state=forged"), NOTHING),
    "an error without a state": (malformed("error=access_denied"), NOTHING),
    "an error with a forged state": (malformed("error=access_denied&state=forged"), NOTHING),
    "a repeated state": (malformed("state=a&state=b"), NOTHING),
    "a repeated login": (lambda site: follow(site, "/login/again?login=forged"), NOTHING),
    "an error": (lambda site: back_from_clever(site, code=None, error="server_error"), NOTHING),
    "a refusal": (lambda site: back_from_clever(site, code=None, error="access_denied"), NOTHING),
    "neither error nor code": (lambda site: back_from_clever(site, code=None), NOTHING),
    "a login that has expired": (come_late, NOTHING),
    "another issuer": (lambda site: back_from_clever(site, iss="https://x.test"), A_CODE),
    "an error beside a code": (lambda site: back_from_clever(site, error="x"), A_CODE),
    "a code without a state": (malformed("code=forged"), A_CODE),
    "a code with a forged state": (malformed("code=forged&state=forged"), A_CODE),
    "a code that Clever refuses": (back_from_clever, A_FAILED_LOGIN),
}


@pytest.mark.parametrize("name", FLOODS)
def test_an_anonymous_visitor_leaves_what_can_still_be_used_and_nothing_else(
    site: Site, name: str
) -> None:
    flood, kept = FLOODS[name]
    flood(site)
    left = {key.partition("-")[0]: left for key, left in session_file.seconds_left(site).items()}
    assert left.keys() == kept.keys()
    for kind, seconds in left.items():
        assert seconds <= kept[kind], kind
    assert sum(map(len, session_file.values(site).values())) <= 100  # bytes, without the keys


def test_a_state_is_remembered_only_as_long_as_its_login_can_return(site: Site) -> None:
    with time_machine.travel("2027-01-01T08:00:00Z", tick=False) as clock:
        visitor = stop_before_callback(site, "student")
        clock.shift(timedelta(minutes=9))
        visitor.open(visitor.url)
        (seconds,) = (
            left for key, left in session_file.seconds_left(site).items() if "state-" in key
        )
        assert seconds == 3 * MINUTE  # one of the login, and two for the clocks of other machines


def refuse(visitor: Visitor) -> Visitor:
    """Come back from Clever with an error instead of the code."""
    return visitor.open(f"{with_code(visitor.url, '')}&error=access_denied")


def test_a_user_who_refuses_and_goes_back_can_still_agree(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    agreed = visitor.url
    assert refuse(visitor).code == "login_cancelled"
    assert visitor.open(agreed).role == "student"
    assert len([hop for hop in visitor.hops if "/oauth/callback" in hop.url]) == 1


def test_a_refusal_logs_out_the_user_who_was_logged_in_before(site: Site) -> None:
    visitor = by_button(site, "teacher")
    stop_before_callback(site, "student", visitor)
    assert refuse(visitor).code == "login_cancelled"
    assert visitor.open("/dashboard").path == "/"
    assert session_file.values(site, "session-*") == {}


def test_going_back_to_an_earlier_refusal_does_not_log_out(site: Site) -> None:
    with time_machine.travel("2027-01-01T08:00:00Z", tick=False) as clock:
        visitor = stop_before_callback(site, "student")
        refused = f"{with_code(visitor.url, '')}&error=access_denied"
        assert visitor.open(refused).code == "login_cancelled"
        clock.shift(timedelta(seconds=30))
        assert visitor.open("/login").role == "student"
        assert visitor.open(refused).path == "/dashboard"
        assert visitor.role == "student"


def test_the_code_beside_an_error_is_useless_in_another_browser(make_site: SiteMaker) -> None:
    site = make_site()
    visitor = stop_before_callback(site, "student")
    code = code_of(visitor.url)
    visitor.open(f"{visitor.url}&error=access_denied")
    thief = stop_before_callback(site, "teacher")
    assert thief.open(with_code(thief.url, code)).role == "teacher"
