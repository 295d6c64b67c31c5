"""Tests sessions: server-side, encrypted, rotated at login, limited in time, ended by log out."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import time_machine
from flask import Flask, session
from flask.typing import ResponseReturnValue

from clever_login import log_out
from tests.conftest import SiteMaker
from tests.support import session_file
from tests.support.browser_client import Visitor, send_request
from tests.support.failing_store import FailingStore
from tests.support.login_flows import by_button, by_portal, log_in_at_clever, stop_before_callback
from tests.support.page_source import without_random_values
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter

START = "2026-10-01T08:00:00Z"


def cookie(visitor: Visitor) -> str:
    """Return this browser's session id."""
    return visitor.http.cookies.get("session", domain="localhost.local") or ""


def opens_dashboard(site: Site, session_id: str) -> bool:
    """Return whether a copied session cookie is logged in."""
    response = send_request(f"{site.url}/dashboard", cookies={"session": session_id})
    return response.status_code == 200


def test_every_login_changes_the_session_id_and_invalidates_the_old_one(
    any_site: SiteMaker,
) -> None:
    site = any_site()
    visitor = by_button(site, "student")
    first = cookie(visitor)
    visitor.open("/login")
    assert visitor.path == "/dashboard"
    assert cookie(visitor) != first
    assert opens_dashboard(site, cookie(visitor))
    assert not opens_dashboard(site, first)


def test_a_planted_session_id_never_becomes_logged_in(any_site: SiteMaker) -> None:
    site = any_site()
    visitor = site.visitor()
    visitor.http.cookies.set("session", "planted" * 6, domain="localhost.local", path="/")
    visitor.open("/login").click(site.person("student").district.name)
    visitor.press("Log in", username="student", password="clever")
    assert visitor.path == "/dashboard"
    assert not opens_dashboard(site, "planted" * 6)


def test_a_copied_session_cookie_is_invalid_after_log_out(any_site: SiteMaker) -> None:
    site = any_site()
    visitor = by_button(site, "student")
    copied = cookie(visitor)
    assert opens_dashboard(site, copied)
    visitor.press("Log out")
    assert cookie(visitor) == ""
    assert not opens_dashboard(site, copied)


def test_anonymous_requests_leave_nothing_in_the_store(site: Site) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    for path in ("/", "/login", "/logged-out", "/nothing-here", "/dashboard"):
        visitor.open(path)
    assert session_file.values(site) == {}
    assert cookie(visitor) == ""


def test_the_store_holds_no_name_no_email_no_token_and_no_session_id(site: Site) -> None:
    visitor = by_button(site, "student")
    person = site.person("student")
    assert (
        len(session_file.values(site)) == 4
    )  # the session, the used state, the ended session, and the used code
    for name, value in session_file.values(site).items():
        for secret in (person.name.first, person.name.last, person.id, "il", cookie(visitor)):
            assert secret not in name
        for secret in (person.name.last, str(person.email), person.id, cookie(visitor)):
            assert secret.encode() not in value


def test_a_pickle_in_the_store_is_ignored_and_not_executed(site: Site, tmp_path: Path) -> None:
    visitor = by_button(site, "student")
    proof = tmp_path / "executed"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(proof),)

    for key in session_file.values(site, "session-*"):
        session_file.put(site, key, pickle.dumps(Bomb()))
    assert visitor.open("/dashboard").path == "/"
    assert not proof.exists()


def test_a_session_copied_over_another_one_is_invalid(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    student, teacher = by_button(site, "student"), by_button(site, "teacher")
    of_student, of_teacher = session_file.values(site, "session-*").items()
    session_file.put(site, of_student[0], of_teacher[1])
    assert student.open("/dashboard").path == "/"
    assert '"reason": "another_key"' in capfd.readouterr().err
    assert teacher.open("/dashboard").role == "teacher"
    assert student.open("/login").role == "student"


def test_a_session_in_the_former_format_is_invalid(site: Site) -> None:
    visitor = by_button(site, "student")
    assert site.app is not None
    fernet: Any = site.app.session_interface._fernet  # type: ignore[attr-defined] # the app's own
    ((key, sealed),) = session_file.values(site, "session-*").items()
    data = msgspec.msgpack.decode(fernet.decrypt(sealed))["data"]
    session_file.put(site, key, fernet.encrypt(msgspec.msgpack.encode(data)))
    assert visitor.open("/dashboard").path == "/"
    assert visitor.open("/login").role == "student"


@pytest.mark.parametrize(("field", "value"), [("roles", None), ("logged_in_at", "today")])
def test_a_session_of_another_release_is_invalid(
    site: Site, capfd: pytest.CaptureFixture[str], field: str, value: object
) -> None:
    visitor = by_button(site, "student")
    assert site.app is not None
    fernet: Any = site.app.session_interface._fernet  # type: ignore[attr-defined] # the app's own
    ((key, sealed),) = session_file.values(site, "session-*").items()
    content = msgspec.msgpack.decode(fernet.decrypt(sealed))
    content["data"]["login"][field] = value
    session_file.put(site, key, fernet.encrypt(msgspec.msgpack.encode(content)))
    assert visitor.open("/dashboard").path == "/"
    assert '"reason": "unknown_shape"' in capfd.readouterr().err
    assert session_file.values(site, "session-*") == {}
    assert visitor.open("/login").role == "student"


def test_store_files_are_readable_by_the_owner_only(site: Site) -> None:
    by_button(site, "student")
    folder = session_file.folder_of(site)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*")} == {0o600}


@pytest.mark.parametrize(("minutes", "still_in"), [(29, True), (31, False)])
def test_a_session_ends_after_the_idle_limit(site: Site, minutes: int, still_in: bool) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        clock.shift(timedelta(minutes=minutes))
        assert (visitor.open("/dashboard").path == "/dashboard") is still_in


def test_a_short_idle_limit_does_not_end_an_active_session(
    make_site: SiteMaker,
) -> None:
    site = make_site(session_idle_minutes=5)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        for _ in range(10):
            clock.shift(timedelta(minutes=3))
            assert visitor.open("/dashboard").path == "/dashboard"
        clock.shift(timedelta(minutes=5, seconds=1))
        assert visitor.open("/dashboard").path == "/"


def test_an_active_session_still_ends_after_the_maximum_session_time(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        for _ in range(23):
            clock.shift(timedelta(minutes=20))
            assert visitor.open("/dashboard").path == "/dashboard"
        clock.shift(timedelta(minutes=25))
        assert visitor.open("/dashboard").path == "/"


def test_checking_whether_a_session_has_ended_does_not_extend_it(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        for _ in range(2):
            clock.shift(timedelta(minutes=14))
            assert visitor.open("/away").heading == "Are you still here?"
            assert "Ada" not in without_random_values(visitor.response.text)
        clock.shift(timedelta(minutes=2))
        assert visitor.open("/away").heading == "You were away"
        assert visitor.response.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert visitor.open("/dashboard").path == "/"


def test_a_cross_site_image_request_does_not_extend_a_session(site: Site) -> None:
    as_an_image = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        for _ in range(2):
            clock.shift(timedelta(minutes=20))
            visitor.http.get(f"{site.url}/dashboard", headers=as_an_image, timeout=10)
        assert visitor.open("/dashboard").path == "/"


def test_after_an_idle_timeout_clever_asks_the_next_student_to_confirm(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        clock.shift(timedelta(hours=1))
        visitor.open("/away").click("Log in again with Clever")
    assert "confirmed=false" in visitor.url


def test_still_here_extends_the_session_and_needs_its_csrf_token(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        clock.shift(timedelta(minutes=29))
        assert (
            send_request(f"{site.url}/still-here", "POST", cookies=visitor.http.cookies).status_code
            == 400
        )
        visitor.press("I'm still here")
        assert visitor.response.json() == {"seconds": 30 * 60 + 1}
        clock.shift(timedelta(minutes=29))
        visitor.open("/dashboard")
        end = visitor.page.select_one("dialog")
        assert end is not None
        assert end["data-seconds"] == str(30 * 60 + 1)
        clock.shift(timedelta(minutes=4))  # too short to be worth a write
        end = visitor.open("/dashboard").page.select_one("dialog")
        assert end is not None
        assert end["data-seconds"] == str(26 * 60 + 1)


def test_still_here_does_not_extend_the_maximum_session_time(make_site: SiteMaker) -> None:
    site = make_site(session_idle_minutes=50, session_max_hours=1)
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        clock.shift(timedelta(minutes=45))
        visitor.press("I'm still here")
        assert visitor.response.json() == {"seconds": 15 * 60 + 1}


def test_a_page_of_the_app_that_ends_a_session_varies_by_cookie(make_site: SiteMaker) -> None:
    def bye() -> ResponseReturnValue:
        log_out()
        return "bye", {"Content-Type": "text/plain"}

    without = ("SecurityHeaders", "StaticFiles")
    site = make_site(
        make_app=lambda settings: make_starter(settings, without=without),
        extend=lambda app: app.add_url_rule("/bye", "bye", bye),
    )
    visitor = Visitor(site.url, checks_pages=False)
    visitor.open(f"/login?district_id={site.person('student').district.id}")
    log_in_at_clever(visitor, "student")
    response = send_request(f"{site.url}/bye", cookies=dict(visitor.http.cookies))
    assert "session=;" in response.headers["Set-Cookie"]
    assert "Cookie" in response.headers["Vary"]


def test_logging_out_of_an_ended_session_shows_the_logged_out_page(
    site: Site,
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        clock.shift(timedelta(hours=1))
        visitor.press("Log out")
    assert (visitor.path, visitor.heading) == ("/logged-out", "You are logged out")


def test_the_logged_out_page_redirects_a_logged_in_user_to_the_dashboard(site: Site) -> None:
    assert by_button(site, "student").open("/logged-out").path == "/dashboard"


def test_page_views_do_not_write_the_session_every_time(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        before = session_file.values(site)
        clock.shift(timedelta(minutes=4))
        visitor.open("/dashboard").open("/dashboard")
        assert session_file.values(site) == before
        clock.shift(timedelta(minutes=2))
        visitor.open("/dashboard")
        assert session_file.values(site) != before


def test_a_click_counts_if_the_machine_of_the_last_one_has_a_fast_clock(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        before = session_file.values(site)
        clock.shift(timedelta(minutes=-6))
        visitor.open("/dashboard")
        assert session_file.values(site) != before


@pytest.mark.parametrize(("seconds", "still_in"), [(119, True), (120, False)])
def test_a_session_that_the_store_still_has_ends_at_most_two_minutes_late(
    site: Site, seconds: int, still_in: bool
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        visitor = by_button(site, "student")
        session_file.run(site, "UPDATE entries SET expires = expires + 3600")
        clock.shift(timedelta(minutes=30, seconds=seconds))
        assert (visitor.open("/dashboard").path == "/dashboard") is still_in


def test_expired_values_are_removed_from_the_store(site: Site) -> None:
    with time_machine.travel(START, tick=False) as clock:
        for _ in range(3):
            by_button(site, "student")
        assert len(session_file.values(site)) == 12
        clock.shift(timedelta(hours=13))
        by_button(site, "student")
        assert len(session_file.values(site)) == 4


def test_a_rotated_secret_key_opens_sessions_until_it_is_removed(
    make_site: SiteMaker,
) -> None:
    old, new = "a1b2c3d4" * 8, "e5f6a7b8" * 8
    visitor = by_button(make_site(secret_key=old), "student")
    session_id = cookie(visitor)
    assert opens_dashboard(make_site(secret_key=new, secret_key_fallbacks=(old,)), session_id)
    assert not opens_dashboard(make_site(secret_key=new), session_id)


def test_with_the_store_down_requests_fail_instead_of_guessing_the_user(site: Site) -> None:
    visitor = by_portal(site, "student")
    folder = session_file.folder_of(site)
    folder.rename(folder.with_name("away"))
    folder.write_text("not a folder")
    visitor.open("/dashboard")
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
    assert "Retry-After" in visitor.response.headers
    assert site.person("student").name.last not in visitor.text
    cookies = dict(visitor.http.cookies)
    assert send_request(f"{site.url}/static/style.css", cookies=cookies).status_code == 200
    assert send_request(f"{site.url}/healthz").status_code == 200
    assert send_request(f"{site.url}/readyz").status_code == 503
    stranger = site.visitor().open("/login").click(site.person("teacher").district.name)
    stranger.press("Log in", username="teacher", password="clever")
    assert stranger.response.status_code == 503
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert visitor.open("/dashboard").path == "/dashboard"
    assert send_request(f"{site.url}/readyz").status_code == 200


def end_sessions(site: Site, *arguments: str) -> str:
    """Run `flask clever sessions end` and return its output."""
    assert site.app is not None
    result = site.app.test_cli_runner().invoke(args=["clever", "sessions", "end", *arguments])
    return str(result.stdout or result.stderr)


def test_an_operator_can_end_the_sessions_of_a_person_a_district_or_everybody(site: Site) -> None:
    people = ["student", "teacher", "student2", "teacher2"]
    visitors = {name: by_button(site, name) for name in people}

    def still_in() -> set[str]:
        return {name for name in people if opens_dashboard(site, cookie(visitors[name]))}

    assert "Choose one" in end_sessions(site)
    assert end_sessions(site, "--person", "nobody") == "0 sessions ended.\n"
    assert still_in() == set(people)
    assert end_sessions(site, "--person", site.person("student").id) == "1 session ended.\n"
    assert still_in() == {"teacher", "student2", "teacher2"}
    district = site.person("student2").district.id
    assert end_sessions(site, "--district", district) == "2 sessions ended.\n"
    assert still_in() == {"teacher"}
    assert end_sessions(site, "--all") == "1 session ended.\n"
    assert still_in() == set()


@pytest.mark.parametrize("single", [False, True])
def test_a_new_login_ends_the_persons_other_sessions_only_when_configured(
    make_site: SiteMaker, single: bool
) -> None:
    site = make_site(session_single=single)
    school_browser, home_browser, teacher_browser = (
        by_button(site, user_name) for user_name in ("student", "student", "teacher")
    )
    assert opens_dashboard(site, cookie(school_browser)) is not single
    assert opens_dashboard(site, cookie(home_browser))
    assert opens_dashboard(site, cookie(teacher_browser))


class SlowView:
    """A view that waits for `go_on` and then writes the session."""

    def __init__(self) -> None:
        self.arrived, self.go_on = threading.Event(), threading.Event()

    def view(self) -> ResponseReturnValue:
        self.arrived.set()
        self.go_on.wait(20)
        session["note"] = "of Ada"
        return str(session.get("note")), {"Content-Type": "text/plain"}


def test_a_log_out_during_another_request_is_final(make_site: SiteMaker) -> None:
    slow = SlowView()
    site = make_site(extend=lambda app: app.add_url_rule("/slow", "slow", slow.view))
    visitor = by_button(site, "student")
    copied = cookie(visitor)
    with ThreadPoolExecutor() as threads:
        late = threads.submit(send_request, f"{site.url}/slow", cookies={"session": copied})
        slow.arrived.wait(20)
        visitor.press("Log out")
        slow.go_on.set()
        assert "Set-Cookie" not in late.result().headers
    assert not opens_dashboard(site, copied)
    assert not [name for name in session_file.values(site) if name.startswith("session-")]


def test_a_late_response_to_an_older_request_does_not_undo_a_new_login(
    make_site: SiteMaker,
) -> None:
    slow = SlowView()
    site = make_site(extend=lambda app: app.add_url_rule("/slow", "slow", slow.view))
    visitor = by_button(site, "student")
    with ThreadPoolExecutor() as threads:
        late = threads.submit(
            send_request, f"{site.url}/slow", cookies={"session": cookie(visitor)}
        )
        slow.arrived.wait(20)
        visitor.open("/login")
        slow.go_on.set()
        assert "Set-Cookie" not in late.result().headers
    assert visitor.open("/dashboard").path == "/dashboard"


def test_a_new_login_starts_with_an_empty_session(make_site: SiteMaker) -> None:
    slow = SlowView()
    slow.go_on.set()

    def read() -> ResponseReturnValue:
        return str(session.get("note")), {"Content-Type": "text/plain"}

    def extend(app: Flask) -> None:
        app.add_url_rule("/slow", "slow", slow.view)
        app.add_url_rule("/read", "read", read)

    site = make_site(extend=extend)
    visitor = by_button(site, "student").open("/slow").open("/read")
    assert visitor.response.text == "of Ada"
    assert visitor.open("/login").open("/read").response.text == "None"


def test_the_first_requests_of_a_process_may_come_at_the_same_time(site: Site) -> None:
    visitor = by_button(site, "student")
    command = [
        sys.executable,
        "-m",
        "tests.support.first_requests",
        str(site.settings.instance_path),
    ]
    command += [site.settings.secret_key, cookie(visitor)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.stdout == "0\n", result.stderr  # a process that crashed would add -11


@pytest.mark.parametrize(
    ("failing_call", "status"),
    [
        pytest.param(1, 503, id="read the session"),
        pytest.param(2, 503, id="spend the state"),
        pytest.param(3, 503, id="claim the code"),
        pytest.param(4, 503, id="forget the old session"),
        pytest.param(5, 303, id="tell a second callback"),
        pytest.param(6, 503, id="save the new session"),
        pytest.param(7, 303, id="none"),
    ],
)
def test_a_failed_store_call_during_login_never_leaves_a_user_half_logged_in(
    site: Site, failing_call: int, status: int
) -> None:
    visitor = by_button(site, "student")
    old = cookie(visitor)
    visitor.open(f"{site.clever.url}/in/{site.person('teacher').district.shortname}")
    visitor.press("Log out of Clever")
    stop_before_callback(site, "teacher", visitor)
    assert site.app is not None
    interface: Any = site.app.session_interface
    pending: Any = site.app.extensions["clever_login_pending_logins"]
    codes: Any = site.app.extensions["clever_login_used_codes"]
    working = interface._store
    interface._store = pending._store = codes._store = FailingStore(working, failing_call)
    visitor.stop_at = "/dashboard"
    visitor.open(visitor.url)
    interface._store = pending._store = codes._store = working
    assert visitor.response.status_code == status
    if status == 503:
        assert visitor.code == "store_unavailable"
        assert visitor.page.select_one(".reference")
        visitor.stop_at = None
        assert visitor.open("/dashboard").role in {"", "student"}  # never the teacher
    else:
        assert not opens_dashboard(site, old)
    assert "Whitaker" not in send_request(f"{site.url}/dashboard", cookies={"session": old}).text


def test_a_logout_deletes_the_cookie_even_if_the_store_fails(site: Site) -> None:
    visitor = by_button(site, "student")
    assert site.app is not None
    interface: Any = site.app.session_interface
    interface._store = FailingStore(interface._store, 2)
    visitor.press("Log out")
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
    assert "session" not in visitor.http.cookies


def test_a_page_whose_session_cannot_be_saved_is_replaced_by_a_readable_error_page(
    make_site: SiteMaker,
) -> None:
    """The original page was compressed, and the error page that replaces it is not."""

    def note() -> ResponseReturnValue:
        session["note"] = "of Ada"
        return "<p>of Ada</p>" * 100

    site = make_site(extend=lambda app: app.add_url_rule("/note", "note", note))
    visitor = by_button(site, "student")
    assert site.app is not None
    interface: Any = site.app.session_interface
    interface._store = FailingStore(interface._store, 2)
    visitor.open("/note")
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
