"""Tests that every error page has text for a student, and for the adult who is asked for help."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from flask import Flask, abort, render_template_string
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import TooManyRequests

from clever_login import errors
from clever_login.config import DEVELOPMENT, PRODUCTION
from clever_login.errors import LoginError
from clever_login.web.messages.error_messages import ADULT_MESSAGES, CHILD_MESSAGES
from clever_login.web.messages.operator_hints import OPERATOR_HINTS
from clever_login.web.routing import public
from docs import write_errors
from tests.conftest import SiteMaker
from tests.support import account_app
from tests.support.browser_client import NAVIGATION_HEADERS, send_request
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.running_app import Site
from tests.support.starter import make_starter

BY_NAME = {
    name: error
    for name, error in vars(errors).items()
    if isinstance(error, type) and issubclass(error, LoginError)
}


COMMANDS = re.compile(r"[`/]|[A-Z]+_[A-Z]+|flask|doctor|README", re.ASCII)


def test_every_error_code_has_text_for_students_adults_and_operators() -> None:
    assert {error.code for error in BY_NAME.values()} <= set(CHILD_MESSAGES)
    assert set(CHILD_MESSAGES) | {"in_a_frame"} == set(ADULT_MESSAGES)
    assert set(CHILD_MESSAGES) == set(OPERATOR_HINTS)


def test_no_text_for_teachers_has_a_command_a_path_or_a_setting() -> None:
    for code, message in ADULT_MESSAGES.items():
        for text in (message.cause, message.action, message.helper.value, message.at_clever or ""):
            assert not COMMANDS.search(str(text)), (code, str(text))


def test_docs_errors_lists_every_code() -> None:
    assert write_errors.PAGE.read_text(encoding="utf-8") == write_errors.text(), (
        "run python -m docs.write_errors"
    )


@pytest.mark.parametrize("path", ["/no-such-page", "/oauth/callback?code=x&state=y"])
@pytest.mark.parametrize("framed", [False, True], ids=["page", "framed"])
def test_error_pages_say_how_to_reach_support(
    make_site: SiteMaker, path: str, framed: bool
) -> None:
    site = make_site(support_email="help@example.org", support_url="https://example.org/help")
    destination = {"Sec-Fetch-Dest": "iframe"} if framed else {}
    response = send_request(f"{site.url}{path}", headers=NAVIGATION_HEADERS | destination)
    page = BeautifulSoup(response.text, "html5lib")
    mail, link = page.select("details a")
    assert mail.get_text() == "help@example.org"
    address, _, query = str(mail["href"]).partition("?")
    assert address == "mailto:help@example.org"
    if not framed:
        (reference,) = page.select(".reference")
        code = page.select("details code")[0]
        assert query == f"subject={code.get_text()}%20{reference.get_text()}"
    assert (link["href"], link.get_text()) == ("https://example.org/help", "example.org/help")


def test_error_pages_name_no_support_that_is_not_set(site: Site) -> None:
    assert "Support:" not in site.visitor().open("/no-such-page").text


@pytest.mark.parametrize("app_env", [DEVELOPMENT, PRODUCTION])
def test_the_hint_for_operators_is_shown_only_in_development(
    make_site: SiteMaker, app_env: str
) -> None:
    site = make_site(app_env=app_env)
    page = site.visitor().open("/oauth/callback?code=x&state=y").text
    assert ("SECRET_KEY" in page) == (app_env == DEVELOPMENT)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_failed_login_says_what_happened_what_to_do_and_whom_to_ask(
    make_site: SiteMaker, name: str
) -> None:
    @public
    def fail() -> str:
        raise BY_NAME[name]("a sentence for the log")

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    visitor = site.visitor().open("/fail")
    error = BY_NAME[name]
    assert (visitor.code, visitor.response.status_code) == (error.code, error.status)
    for_clever = ["For your district's Clever administrator"]
    assert [heading.get_text() for heading in visitor.page.select("details h2")] == [
        "What happened",
        "What you can do",
        *(for_clever if ADULT_MESSAGES[error.code].at_clever else []),
        "Who can fix it",
    ]
    assert visitor.heading == str(CHILD_MESSAGES[error.code].title)
    button = visitor.page.select_one("main a.button, main a.clever-button")
    assert button is not None
    assert visitor.page.select_one(".reference")
    if name != "AccountRefused":
        assert "a sentence for the log" not in visitor.text


@pytest.mark.parametrize("app_env", [DEVELOPMENT, PRODUCTION])
def test_template_errors_are_shown_only_in_development(make_site: SiteMaker, app_env: str) -> None:
    @public
    def broken() -> str:
        return render_template_string("<h1>{% our_own_tag %}</h1>")

    def extend(app: Flask) -> None:
        app.add_url_rule("/broken", "broken", broken)

    site = make_site(extend=extend, app_env=app_env)
    response = send_request(f"{site.url}/broken", headers=NAVIGATION_HEADERS)
    assert response.status_code == 500
    assert ("our_own_tag" in response.text) == (app_env == DEVELOPMENT)
    assert ("http_500" in response.text) == (app_env == PRODUCTION)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 500])
def test_every_http_status_we_use_has_its_own_text(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    @public
    def fail() -> ResponseReturnValue:
        abort(status)

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    visitor = site.visitor().open("/fail")
    assert (visitor.code, visitor.response.status_code) == (f"http_{status}", status)
    assert visitor.heading == str(CHILD_MESSAGES[f"http_{status}"].title)
    level = "error" if status >= 500 else "warning"
    assert f'"level": "{level}", "event": "failure"' in capfd.readouterr().err


@pytest.mark.parametrize(
    ("status", "words"), [(418, "http_400"), (429, "http_400"), (502, "http_500")]
)
def test_an_added_http_status_uses_the_text_of_the_nearest_one(
    make_site: SiteMaker, status: int, words: str
) -> None:
    @public
    def fail() -> ResponseReturnValue:
        abort(status)

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    visitor = site.visitor().open("/fail")
    assert visitor.code == f"http_{status}"
    assert visitor.heading == str(CHILD_MESSAGES[words].title)


def test_an_error_says_when_to_come_back_if_the_app_does(make_site: SiteMaker) -> None:
    @public
    def fail() -> ResponseReturnValue:
        raise TooManyRequests(retry_after=7)

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    assert site.visitor().open("/fail").response.headers["Retry-After"] == "7"


def test_an_error_page_links_a_logged_in_user_to_their_dashboard(site: Site) -> None:
    visitor = by_button(site, "student").open("/nothing-here").click("Go to my page")
    assert visitor.path == "/dashboard"
    assert site.visitor().open("/nothing-here").click("Go to the first page").path == "/"


def test_a_browser_that_returns_from_clever_without_a_cookie_sees_cookie_help(site: Site) -> None:
    url = stop_before_callback(site, "student").url
    responses = {
        site_it_says: send_request(
            url, headers={"Accept": "text/html", "Sec-Fetch-Site": site_it_says}
        )
        for site_it_says in ("cross-site", "none")
    }
    assert "cookies_blocked" in responses["cross-site"].text
    assert (
        "login_expired" in responses["none"].text
    )  # a bookmark, so nothing is known about cookies
    with_cookie = send_request(
        url, headers={"Sec-Fetch-Site": "cross-site"}, cookies={"language": "en"}
    )
    assert "login_expired" in with_cookie.text


def test_users_in_a_paused_district_can_log_in(make_site: SiteMaker) -> None:
    """Clever freezes a paused district's data, but its users can still log in."""
    site = account_app.make_account_app(make_site, None)
    site.clever.make_step("pause", district=site.person("student").district.id)
    account_app.run_flask_clever(site, "sync")
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert "Ada" in visitor.heading


def test_without_the_idle_timeout_pages_and_errors_are_shown_to_users(
    make_site: SiteMaker,
) -> None:
    site = make_site(make_app=lambda settings: make_starter(settings, without=("IdleTimeout",)))
    student = by_button(site, "student")
    assert (student.path, student.response.status_code) == ("/dashboard", 200)
    assert student.open("/no-such-page").code == "http_404"
    assert student.page.select(".still-here, meta[http-equiv]") == []
