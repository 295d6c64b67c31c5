"""Tests `idle_minutes`: a page that takes long to read keeps its session for longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask import Blueprint, Flask, render_template

from clever_login import idle_minutes, parts
from clever_login.config import Settings
from tests.conftest import SiteMaker
from tests.support.browser_client import send_request
from tests.support.login_flows import by_button
from tests.support.starter import make_starter, parts_with

START = "2026-10-01T08:00:00Z"


def book() -> str:
    return render_template("dashboard/student.html")


def note() -> str:
    return render_template("dashboard/student.html")


def make_app(settings: Settings) -> Flask:
    """Create an app with a page that takes up to 60 minutes to read, and one that takes 5."""
    app = make_starter(settings, parts=parts_with(parts.Sessions(max_hours=2)))
    app.add_url_rule("/book", view_func=idle_minutes(60)(book), endpoint="b")
    app.register_blueprint(Blueprint("covers", __name__, ".", "/covers"))
    app.add_url_rule("/note", view_func=idle_minutes(5)(note), endpoint="n")
    return app


@pytest.mark.parametrize(("minutes", "is_in"), [(59, True), (61, False)])
def test_a_page_with_idle_minutes_keeps_the_session_for_longer(
    make_site: SiteMaker, minutes: int, is_in: bool
) -> None:
    site = make_site(make_app=make_app)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        visitor.open("/book")
        clock.shift(timedelta(minutes=minutes))
        assert (visitor.open("/dashboard").path == "/dashboard") is is_in


def test_the_next_page_has_the_normal_limit_again(make_site: SiteMaker) -> None:
    site = make_site(make_app=make_app)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        visitor.open("/book")
        visitor.open("/dashboard")
        clock.shift(timedelta(minutes=31))
        assert visitor.open("/dashboard").path == "/"


def test_idle_minutes_below_the_setting_change_nothing(make_site: SiteMaker) -> None:
    site = make_site(make_app=make_app)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        visitor.open("/note")
        clock.shift(timedelta(minutes=29))
        assert visitor.open("/dashboard").path == "/dashboard"


def test_the_maximum_age_of_a_session_ends_a_page_with_idle_minutes(make_site: SiteMaker) -> None:
    site = make_site(make_app=make_app)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        visitor.open("/book")
        for _ in range(2):
            clock.shift(timedelta(minutes=55))
            assert visitor.open("/book").path == "/book"
        clock.shift(timedelta(minutes=15))
        assert visitor.open("/book").path == "/"


def test_the_answer_still_here_keeps_the_limit_of_the_open_page(make_site: SiteMaker) -> None:
    site = make_site(make_app=make_app)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        visitor.open("/book")
        clock.shift(timedelta(minutes=50))
        visitor.press("I'm still here")
        assert visitor.response.json() == {"seconds": 60 * 60 + 1}


def test_a_static_file_of_a_blueprint_keeps_the_limit_of_its_page(make_site: SiteMaker) -> None:
    site = make_site(make_app=make_app)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        visitor.open("/book")
        cookies = dict(visitor.http.cookies)
        file = send_request(f"{site.url}/covers/test_idle_minutes.py", cookies=cookies)
        assert file.status_code == 200
        clock.shift(timedelta(minutes=45))
        assert visitor.open("/dashboard").path == "/dashboard"


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 20), (10, 60), (30, 120)])
def test_a_page_warns_for_a_tenth_of_the_idle_time_from_20_to_120_seconds(
    make_site: SiteMaker, minutes: int, seconds: int
) -> None:
    visitor = by_button(make_site(session_idle_minutes=minutes), "student")
    dialog = visitor.page.select_one("dialog")
    assert dialog
    assert dialog["data-warning"] == str(seconds)
