"""Tests a session whose link claimed an impersonation: it can read, and change nothing."""

from __future__ import annotations

import json

import pytest
from flask import Flask, request
from flask.typing import ResponseReturnValue

from clever_login import Identity, impersonation_allowed, impersonation_claimed, log_in, public
from clever_login.config import Settings
from clever_login.db.models import HeldRemoval, SyncRun
from tests.conftest import SiteMaker
from tests.support import account_app, existing_app
from tests.support.account_app import database_of, flask_app, run_flask_clever
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.unsafe_requests import UnsafeRequest, unsafe_requests

# What an impersonated session may do besides reading. Each changes only this session.
ALLOWED = {
    "clever_login.end_impersonation",
    "clever_login.logout",
    "clever_login.still_here",
    "clever_login.switch_role",
}
USERS = ("student", "teacher_admin", "district_admin")
EXIT = "Log in again"


def claimed(site: Site, user_name: str) -> Visitor:
    """Log in with a link that claims an impersonation. Anyone can write such a link."""
    return by_button(site, user_name).open("/oauth/callback?code=x&loginas_by_admin=true")


def csrf_token(visitor: Visitor) -> str:
    field = visitor.page.select_one("[name=csrf_token]")
    return str(field["value"]) if field else ""


def code_of(visitor: Visitor, unsafe: UnsafeRequest, token: str) -> str | None:
    """Send a form with a valid token. Return the code of the error, None without one."""
    response = visitor.http.request(
        unsafe.method,
        f"{visitor.app_url}{unsafe.path}",
        data={"csrf_token": token},
        headers={"Origin": visitor.app_url},
        allow_redirects=False,
        timeout=30,
    )
    return str(response.json()["code"]) if "problem+json" in str(response.headers) else None


@pytest.fixture
def school(make_site: SiteMaker) -> Site:
    """An app with every page that changes something."""
    return account_app.make_account_app(make_site, None, ask_preferred_name=True)


def test_every_request_that_may_change_something_is_refused_except_the_listed_ones(
    school: Site,
) -> None:
    unsafe = list(unsafe_requests(flask_app(school)))
    names = {each.endpoint for each in unsafe}
    assert (
        names
        >= {
            *("clever_login.redeem_claim", "clever_login.save_preferred_name"),
            *("clever_login.approve_removals", "clever_login.start_update"),
        }
        | ALLOWED
    )
    for user_name in USERS:
        visitor = claimed(school, user_name)
        token = csrf_token(visitor)
        codes = {
            each.endpoint: code_of(visitor, each, token)
            for each in unsafe
            if each.endpoint not in ALLOWED
        }
        assert codes == dict.fromkeys(names - ALLOWED, "read_only"), user_name
        assert visitor.open("/dashboard").path == "/dashboard"
    with database_of(school).read_session() as session:
        assert [session.query(table).count() for table in (HeldRemoval, SyncRun)] == [0, 0]


def test_the_same_requests_are_not_refused_without_the_mark(school: Site) -> None:
    visitor = by_button(school, "district_admin")
    visitor.open("/dashboard")
    token = csrf_token(visitor)
    for each in unsafe_requests(flask_app(school)):
        if each.endpoint not in {*ALLOWED, "clever_login.start_update"}:  # starts a process
            assert code_of(visitor, each, token) != "read_only", each


def test_a_reader_of_each_role_is_told_why_and_logs_in_again_with_one_click(school: Site) -> None:
    account = run_flask_clever(school, "accounts", "add").strip()
    link = run_flask_clever(school, "accounts", "invite", "--person", account).strip()
    for user_name in ("student", "teacher"):
        visitor = claimed(school, user_name).open(link).press("Yes, both are mine")
        assert (visitor.response.status_code, visitor.code) == (403, "read_only")
        assert visitor.heading == "You can only look here"
        assert "To change something, log in again." in visitor.text
        assert "Nothing can be changed here." in visitor.text
        visitor.press(EXIT)
        assert visitor.path == "/preferred-name"
        assert visitor.page.select_one(".by-admin") is None


def test_a_forged_mark_costs_one_click_and_the_user_is_back_at_the_claim(school: Site) -> None:
    account = run_flask_clever(school, "accounts", "add").strip()
    link = run_flask_clever(school, "accounts", "invite", "--person", account).strip()
    visitor = claimed(school, "student")
    visitor.open(link).press(EXIT).press("Skip")
    assert visitor.path == "/claim"
    visitor.press("Yes, both are mine")
    assert account_app.account_id(visitor) == account


def test_the_exit_ends_the_session_before_the_login(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = claimed(site, "student")
    stolen = dict(visitor.http.cookies)
    visitor.stop_at = "/oauth/callback"
    visitor.press(EXIT)
    assert visitor.url.startswith(f"{site.url}/oauth/callback?")
    visitor.stop_at = None
    assert visitor.open("/dashboard").path == "/"  # the login is not complete
    assert Visitor(site.url).open("/dashboard", Cookie=cookie_header(stolen)).path == "/"
    assert '"event": "logout"' in capfd.readouterr().err


def cookie_header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def test_the_login_after_the_exit_is_at_the_district_of_the_user(site: Site) -> None:
    visitor = claimed(site, "student")
    visitor.stop_at = "/oauth/authorize"
    visitor.press(EXIT)
    assert f"&district_id={site.person('student').district.id}" in visitor.url


def test_the_exit_needs_the_token_of_a_session_and_no_token_without_one(site: Site) -> None:
    visitor = claimed(site, "student")
    url = f"{site.url}/log-in-as-myself"
    refused = visitor.http.post(url, allow_redirects=False, timeout=30)
    assert refused.status_code == 400
    assert visitor.open("/dashboard").path == "/dashboard"
    over = send_request(url, "POST")
    assert (over.status_code, over.headers["Location"]) == (303, "/login")


def test_the_login_and_each_refusal_are_logged(
    product: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = claimed(product, "student")
    code_of(visitor, UnsafeRequest("save", "POST", "/save"), csrf_token(visitor))
    lines = capfd.readouterr().err.splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert [e["impersonation_claimed"] for e in events if e["event"] == "login"] == [False, True]
    (refusal,) = [event for event in events if event["event"] == "failure"]
    assert (refusal["code"], refusal["endpoint"]) == ("read_only", "save")


def test_an_impersonated_login_is_not_asked_for_a_name(school: Site) -> None:
    assert by_button(school, "student").path == "/preferred-name"
    assert claimed(school, "student").path == "/dashboard"


# The views of a product


def add_views(app: Flask) -> None:
    def save() -> ResponseReturnValue:
        return f"saved, {impersonation_claimed()}", {"Content-Type": "text/plain"}

    @public
    def staff_looks() -> ResponseReturnValue:
        staff = Identity(provider="staff", subject="1", impersonated="as" in request.args)
        log_in(staff, account_id="1")
        return "in", {"Content-Type": "text/plain"}

    app.add_url_rule("/save", "save", save, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])

    @impersonation_allowed
    def search() -> ResponseReturnValue:
        return save()

    app.add_url_rule("/search", "search", search, methods=["POST"])
    app.add_url_rule("/staff", "staff_looks", staff_looks)


@pytest.fixture
def product(make_site: SiteMaker) -> Site:
    return make_site(extend=add_views)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_products_own_views_are_refused_unless_they_are_marked(
    product: Site, method: str
) -> None:
    visitor = claimed(product, "teacher")
    token = csrf_token(visitor)
    assert code_of(visitor, UnsafeRequest("save", method, "/save"), token) == "read_only"
    assert code_of(visitor, UnsafeRequest("search", "POST", "/search"), token) is None
    assert visitor.open("/save").response.text == "saved, True"


def test_a_product_can_make_a_login_of_its_own_read_only(product: Site) -> None:
    for query, code in (("?as", "read_only"), ("", None)):
        visitor = product.visitor().open(f"/staff{query}").open("/nothing-here")
        token = csrf_token(visitor)
        assert code_of(visitor, UnsafeRequest("save", "POST", "/save"), token) == code


def test_an_app_with_its_own_sessions_asks_for_the_mark_itself(make_site: SiteMaker) -> None:
    app = existing_app.ExistingApp()

    def make(settings: Settings) -> Flask:
        flask = app.create(settings, linking=True)
        add_views(flask)
        return flask

    site = make_site(make_app=make)
    existing_app.register_callback_with_prefix(site)
    visitor = Visitor(site.url, checks_pages=False)
    visitor.open(f"/clever/login?district_id={site.person('student').district.id}")
    visitor.press("Log in", username="student", password="clever")
    assert visitor.open("/save").response.text == "saved, False"
    visitor.open("/clever/oauth/callback?code=x&loginas_by_admin=true")
    assert visitor.heading == "Hello Ada"
    assert visitor.open("/save").response.text == "saved, True"
    for path in ("/clever/link", "/clever/link/confirm", "/clever/role"):
        code = code_of(visitor, UnsafeRequest("", "POST", path), "")
        assert code == ("http_403" if path.endswith("role") else "read_only"), path
    assert app.linked == []
    assert code_of(visitor, UnsafeRequest("save", "POST", "/save"), "") is None
    visitor.http.post(f"{site.url}/clever/log-in-as-myself", timeout=30)
    assert visitor.open("/save").response.text == "saved, False"
