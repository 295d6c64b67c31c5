"""Tests that edits made while bin/dev runs take effect immediately."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
import requests

from tests.support import fresh_checkout
from tests.support.browser_client import Visitor, send_request
from tests.support.fresh_checkout import Dev

pytestmark = pytest.mark.servers

BASE = "clever_login/templates/clever_login/base.html"
SPANISH = "translations/es/LC_MESSAGES/messages.po"
ITALIAN = """msgid ""
msgstr ""
"Language: it\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Need help? Ask your teacher."
msgstr "Chiedi al tuo insegnante."
"""


@pytest.fixture(scope="module")
def student(dev: Dev) -> Visitor:
    """A student who logged in before all edits."""
    visitor = Visitor(dev.url).open("/").click("Log in with Clever").click("Harrow Creek")
    visitor.press("Log in", username="student", password="clever")
    assert visitor.heading == "Hi, Ada!"
    return visitor


def a_class(student: Visitor) -> Visitor:
    """Open the page of one of the student's classes."""
    student.open("/dashboard")
    return student.follow(student.page.find_all("a", href=re.compile("^/classes/"))[0])


def test_the_next_page_shows_an_edited_template(dev: Dev) -> None:
    assert "Welcome to" in dev.page()
    with dev.edited("templates/home.html", "Welcome to", "Good morning from"):
        assert "Good morning from" in dev.page()
    assert "Welcome to" in dev.page()


def test_the_next_page_shows_an_edited_template_of_the_library(dev: Dev, student: Visitor) -> None:
    page = a_class(student)
    assert "edited-in-place" not in page.response.text
    name = "clever_login/templates/clever_login/class.html"
    with dev.edited(name, "{% block content %}", "{% block content %}<p>edited-in-place</p>"):
        assert "edited-in-place" in page.open(page.url).response.text


def test_a_new_app_template_overrides_the_librarys_template(dev: Dev, student: Visitor) -> None:
    page = a_class(student)
    heading = "{% block heading %}Our own class page{% endblock %}"
    own = f'{{% extends "clever_login/base.html" %}}{heading}'
    with dev.added("templates/clever_login/class.html", own):
        dev.until(lambda: page.open(page.url).heading == "Our own class page")
    dev.until(lambda: page.open(page.url).heading != "Our own class page")


def test_a_broken_template_is_explained_and_works_again_once_corrected(dev: Dev) -> None:
    with dev.edited("templates/home.html", "{{ log_in(next) }}", "{{ log_in(next }}"):
        assert "templates/home.html, line " in dev.page()
        assert "{{ log_in(next }}" in dev.page()
    assert "Log in with Clever" in dev.page()


def test_a_template_error_on_the_error_page_is_explained(dev: Dev) -> None:
    with dev.edited(BASE, "{% endblock %}", "{% endblok %}"):
        assert f"{BASE}, line " in dev.page("/no-such-page")
        assert "endblok" in dev.page()
    assert "Log in with Clever" in dev.page()


def test_a_missing_template_is_named_with_the_template_that_uses_it(dev: Dev) -> None:
    path = dev.copy / "templates" / "home.html"
    text = path.read_text()
    path.unlink()
    try:
        dev.until(lambda: "TemplateNotFound: home.html" in dev.page())
        assert "app.py, line" in dev.page()
    finally:
        path.write_text(text)
    dev.until(lambda: "Log in with Clever" in dev.page())


def test_the_next_page_shows_an_edited_translation(dev: Dev) -> None:
    with dev.edited(SPANISH, "Pídesela a tu maestra o maestro", "Pídesela a tu tortuga"):
        dev.until(lambda: "Pídesela a tu tortuga" in dev.page("/?language=es"))
    dev.until(lambda: "Pídesela a tu maestra o maestro" in dev.page("/?language=es"))


def test_a_new_language_is_offered(dev: Dev) -> None:
    with dev.added("translations/it/LC_MESSAGES/messages.po", ITALIAN):
        dev.until(lambda: "Italiano" in dev.page())
        assert "Chiedi al tuo insegnante." in dev.page("/?language=it")
    dev.until(lambda: "Italiano" not in dev.page())


def test_a_broken_translation_is_explained_and_works_again_once_corrected(dev: Dev) -> None:
    with dev.edited(SPANISH, 'msgid "About you"', 'no line of such a file\nmsgid "About you"'):
        dev.until(lambda: "The app cannot start." in dev.page())
        assert "es/LC_MESSAGES/messages.po cannot be read" in dev.page("/dashboard")
    dev.until(lambda: "Log in with Clever" in dev.page())


def test_the_next_page_uses_a_changed_static_file(dev: Dev) -> None:
    def stylesheet() -> str:
        match = re.search(r'href="(/static/style[^"]*)"', dev.page())
        return dev.page(match[1]) if match else ""

    style = dev.copy / "static" / "style.css"
    before = style.read_text()
    style.write_text(f"{before}\n.edited-in-place {{ color: red }}\n")
    try:
        dev.until(lambda: "edited-in-place" in stylesheet())
    finally:
        style.write_text(before)
    dev.until(lambda: "edited-in-place" not in stylesheet())


def test_a_new_static_file_gets_a_content_hash(dev: Dev) -> None:
    link = "<link rel=\"stylesheet\" href=\"{{ url_for('static', filename='more/new.css') }}\">"
    with (
        dev.added("static/more/new.css", "h1 { color: red }"),
        dev.edited(BASE, "</head>", f"{link}</head>"),
    ):
        dev.until(lambda: re.search(r"/static/more/new\.[0-9a-f]{12}\.css", dev.page()) is not None)


def test_edited_code_takes_effect_and_an_error_in_it_is_explained(dev: Dev) -> None:
    with dev.edited("app.py", '"Reading Room"', '"Turtle Room"'):
        dev.until(lambda: "Turtle Room" in dev.page())
    with dev.edited("app.py", '"Reading Room"', '"Reading Room'):
        dev.until(lambda: "The app cannot start." in dev.page())
        assert "SyntaxError" in dev.page()
    dev.until(lambda: "Reading Room" in dev.page())


def test_two_edits_of_equal_length_in_one_second_both_take_effect(dev: Dev) -> None:
    app = dev.copy / "app.py"
    before = app.read_text()
    when = int(app.stat().st_mtime) + 1
    try:
        for nanosecond, name in enumerate(("Turtle", "Monkey")):
            app.write_text(before.replace('"Reading Room"', f'"{name} Room"'))
            # Both edits get the same second, so that the test does not depend on the clock.
            os.utime(app, ns=(0, when * 10**9 + nanosecond))
            dev.until_page_contains(f"{name} Room")
    finally:
        app.write_text(before)
    dev.until(lambda: "Reading Room" in dev.page())


def test_a_changed_env_file_takes_effect_unless_it_has_an_error(dev: Dev) -> None:
    dotenv = dev.copy / ".env"
    try:
        dotenv.write_text("CLEVER_LIBRARY=on\n")
        dev.until(lambda: "Sign up with Clever" in dev.page())
        dotenv.write_text("CLEVER_LIBRARY=on\nthis is no variable\n")
        dev.until(lambda: "Line 2 of .env is not KEY=VALUE" in dev.log_text())
        assert "Sign up with Clever" in dev.page()
        dotenv.write_text("SESSION_IDLE_MINUTES=soon\n")
        dev.until(lambda: "SESSION_IDLE_MINUTES" in dev.page())
        assert "The app cannot start." in dev.page()
    finally:
        dotenv.unlink()
    dev.until(lambda: "Log in with Clever" in dev.page())
    assert "Sign up with Clever" not in dev.page()


def test_restarts_keep_people_logged_in_and_the_simulators_state(
    dev: Dev, student: Visitor
) -> None:
    faults = f"{dev.clever_url}/_simulator/faults"
    send_request(faults, "POST", json={"endpoint": "token", "status": 503, "times": 7})
    faults_left = send_request(faults).json()["faults"]
    assert [fault["times"] for fault in faults_left] == [7]
    try:
        with dev.edited("app.py", '"Reading Room"', '"Turtle Room"'):
            dev.until(lambda: "Turtle Room" in dev.page())
            assert student.open("/dashboard").heading == "Hi, Ada!"
            assert send_request(faults).json()["faults"] == faults_left
    finally:
        send_request(faults, "DELETE")
    dev.until(lambda: "Reading Room" in dev.page())


def test_a_request_during_a_restart_waits_and_is_answered(dev: Dev) -> None:
    with dev.edited("app.py", '"Reading Room"', '"Turtle Room"'):
        pages = [dev.page()]
        while "Turtle Room" not in pages[-1]:
            pages.append(dev.page())  # a refused connection raises
            time.sleep(0.02)
    assert all("Log in with Clever" in page for page in pages)


def test_a_client_id_in_the_env_file_switches_to_the_real_clever_and_back(dev: Dev) -> None:
    dotenv, ready = dev.copy / ".env", "The Clever simulator is ready"
    started = dev.log_text().count(ready)
    try:
        dotenv.write_text("CLEVER_CLIENT_ID=from-env\nCLEVER_CLIENT_SECRET=s\n")
        dev.until(lambda: "(with the real Clever)" in dev.log_text())
        leads_to = send_request(f"{dev.url}/login").headers["Location"]
        assert leads_to.startswith("https://clever.com/oauth/authorize?")
        assert "client_id=from-env" in leads_to
        with pytest.raises(requests.ConnectionError):
            send_request(dev.clever_url)
    finally:
        dotenv.unlink()
    dev.until(lambda: dev.log_text().count(ready) == started + 1)
    dev.until(
        lambda: send_request(f"{dev.url}/login").headers["Location"].startswith(dev.clever_url)
    )
    dev.until(lambda: dev.clever_url.rpartition(":")[2] in dev.published())


def test_an_api_version_in_the_env_file_reaches_the_simulator(dev: Dev) -> None:
    dotenv, ready = dev.copy / ".env", "The Clever simulator is ready"
    started = dev.log_text().count(ready)
    try:
        dotenv.write_text("CLEVER_API_VERSION=v9\n")
        dev.until(lambda: "bin/dev tries again when .env changes" in dev.log_text())
        dotenv.write_text("CLEVER_API_VERSION=v3.1\n")
        dev.until(lambda: dev.log_text().count(ready) == started + 1)
        visitor = Visitor(dev.url).open("/").click("Log in with Clever").click("Harrow Creek")
        assert visitor.press("Log in", username="teacher", password="clever").role == "teacher"
    finally:
        dotenv.unlink()
    dev.until(lambda: dev.log_text().count(ready) == started + 2)


def test_outside_bin_dev_a_template_is_read_once(tmp_path: Path) -> None:
    folder = fresh_checkout.copy_app(tmp_path)
    with fresh_checkout.run_copied_app(folder, tmp_path / "log") as url:
        assert "Welcome to" in send_request(url).text
        home = folder / "templates" / "home.html"
        home.write_text(home.read_text().replace("Welcome to", "Good morning from"))
        assert "Welcome to" in send_request(url).text
