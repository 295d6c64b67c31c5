"""Every failure has words: for a child, and for the adult who is asked for help."""

from __future__ import annotations

import pytest
from flask import Flask, abort, render_template_string
from flask.typing import ResponseReturnValue

from clever_login import errors
from clever_login.access import public
from clever_login.error_causes import CAUSES
from clever_login.error_texts import PAGES
from clever_login.errors import LoginError
from clever_login.settings import DEVELOPMENT, PRODUCTION
from tests import school
from tests.conftest import SiteMaker
from tests.entries import by_button, to_the_callback
from tests.sites import Site
from tests.visitor import ask

BY_NAME = {
    name: each
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, LoginError)
}


def test_every_failure_has_words_for_a_child_and_for_an_adult() -> None:
    assert {each.code for each in BY_NAME.values()} <= set(PAGES)
    assert set(PAGES) | {"in_a_frame"} == set(CAUSES)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_login_that_fails_says_what_happened_what_to_do_and_whom_to_ask(
    make_site: SiteMaker, name: str
) -> None:
    @public
    def fail() -> str:
        raise BY_NAME[name]("a sentence for the log")

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    visitor = site.visitor().open("/fail")
    error = BY_NAME[name]
    assert (visitor.code, visitor.response.status_code) == (error.code, error.status)
    assert [each.get_text() for each in visitor.page.select("details h2")] == [
        "What happened",
        "What to check",
        "Who can mend it",
    ]
    assert visitor.heading == str(PAGES[error.code].title)
    button = visitor.page.select_one("main a.button, main a.clever-button")
    assert button is not None
    assert visitor.page.select_one(".reference")
    if name != "AccountRefused":
        assert "a sentence for the log" not in visitor.text


@pytest.mark.parametrize("app_env", [DEVELOPMENT, PRODUCTION])
def test_only_in_development_a_page_says_what_is_wrong_in_a_template(
    make_site: SiteMaker, app_env: str
) -> None:
    @public
    def broken() -> str:
        return render_template_string("<h1>{% our_own_tag %}</h1>")

    def extend(app: Flask) -> None:
        app.add_url_rule("/broken", "broken", broken)

    answer = ask(f"{make_site(extend=extend, app_env=app_env).url}/broken")
    assert answer.status_code == 500
    assert ("our_own_tag" in answer.text) == (app_env == DEVELOPMENT)
    assert ("http_500" in answer.text) == (app_env == PRODUCTION)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 500])
def test_every_status_of_ours_has_words_of_its_own(make_site: SiteMaker, status: int) -> None:
    @public
    def fail() -> ResponseReturnValue:
        abort(status)

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    visitor = site.visitor().open("/fail")
    assert (visitor.code, visitor.response.status_code) == (f"http_{status}", status)
    assert visitor.heading == str(PAGES[f"http_{status}"].title)


@pytest.mark.parametrize(
    ("status", "words"), [(418, "http_400"), (429, "http_400"), (502, "http_500")]
)
def test_a_status_of_your_own_has_the_words_of_the_nearest(
    make_site: SiteMaker, status: int, words: str
) -> None:
    @public
    def fail() -> ResponseReturnValue:
        abort(status)

    site = make_site(extend=lambda app: app.add_url_rule("/fail", "fail", fail))
    visitor = site.visitor().open("/fail")
    assert visitor.code == f"http_{status}"
    assert visitor.heading == str(PAGES[words].title)


def test_an_error_leads_whoever_is_logged_in_back_to_their_page(site: Site) -> None:
    visitor = by_button(site, "student").open("/nothing-here").click("Go to my page")
    assert visitor.path == "/dashboard"
    assert site.visitor().open("/nothing-here").click("Go to the first page").path == "/"


def test_a_browser_that_comes_from_clever_without_a_cookie_is_told_of_cookies(site: Site) -> None:
    url = to_the_callback(site, "student").url
    answers = {
        site_it_says: ask(url, headers={"Accept": "text/html", "Sec-Fetch-Site": site_it_says})
        for site_it_says in ("cross-site", "none")
    }
    assert "cookies_blocked" in answers["cross-site"].text
    assert "login_expired" in answers["none"].text  # a bookmark: nothing is known of cookies
    kept = ask(url, headers={"Sec-Fetch-Site": "cross-site"}, cookies={"language": "en"})
    assert "login_expired" in kept.text


def test_who_is_in_a_paused_district_gets_in_as_ever(make_site: SiteMaker) -> None:
    """Clever freezes the district's data and lets its people in: so do we."""
    site = school.make(make_site, None)
    site.clever.year("pause", district=site.person("student").district.id)
    school.flask_clever(site, "sync")
    visitor = by_button(site, "student")
    assert visitor.path == "/dashboard"
    assert "Ada" in visitor.heading
