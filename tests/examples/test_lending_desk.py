"""Tests the example of an existing app with the simulator: all that Clever adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clever_login.testing import NotLoggedIn, login_as
from clever_simulator.testing import SimulatedClever, run_simulator
from tests.support import lending_desk
from tests.support.lending_desk import CALLBACK, LendingDesk, submit

ADA = {"email": "ada@example.org", "password": "difference engine"}
BLOCKED = "Your account is blocked. Please ask at the desk."
NOBODY = "/log-in?next=%2Floans"


@pytest.fixture(scope="module")
def clever() -> Iterator[SimulatedClever]:
    with run_simulator(callback=CALLBACK) as clever:
        yield clever


@pytest.fixture
def desk(clever: SimulatedClever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LendingDesk:
    return lending_desk.start(clever, tmp_path, monkeypatch)


@pytest.mark.parametrize("user_name", ["student", "teacher", "school_admin", "district_admin"])
def test_each_role_logs_in_with_clever_and_borrows(desk: LendingDesk, user_name: str) -> None:
    client, person = desk.browser(), desk.clever.person(user_name)
    assert f"{person.name.first} loans" in desk.log_in(client, user_name).text
    assert "Camera (Art club)" in submit(client, "/items/1", purpose="Art club", days="7").text
    assert [(user.name, user.clever_id) for user in desk.users()] == [
        (person.name.first, person.id)
    ]


def test_a_second_login_in_another_browser_opens_the_same_account(desk: LendingDesk) -> None:
    first, second = desk.browser(), desk.browser()
    desk.log_in(first, "student")
    submit(first, "/items/1", purpose="Art club", days="7")
    desk.log_in(second, "student")
    assert "Camera (Art club)" in second.get("/loans").text
    assert len(desk.users()) == 1


def test_the_apps_own_login_still_works_and_is_never_matched_by_email(desk: LendingDesk) -> None:
    client, student = desk.browser(), desk.clever.person("student")
    assert student.email
    own = {"email": student.email, "password": "difference engine"}
    assert "Ada loans" in submit(client, "/sign-up", name="Ada", **own).text
    submit(client, "/", to="/log-out")
    assert "Ada loans" in submit(client, "/log-in", **own).text
    desk.log_in(desk.browser(), "student")
    assert [user.clever_id for user in desk.users()] == [None, student.id]


@pytest.mark.parametrize("button", ["/log-out", "/clever/logout"])
def test_a_logout_ends_both_logins_and_clever_asks_who_is_next(
    desk: LendingDesk, button: str
) -> None:
    client = desk.browser()
    desk.log_in(client, "student")
    submit(client, "/loans", to=button)
    assert client.get("/loans").location == NOBODY
    assert (
        client.get("/clever/logged-out").status_code == 200
    )  # it redirects users who are logged in
    at_clever = client.get("/clever/login")
    assert "confirmed=false" in at_clever.location
    assert "loans" in desk.log_in_at(client, at_clever, "student").text


def test_the_librarys_logout_ends_a_login_with_a_password_too(desk: LendingDesk) -> None:
    client = desk.browser()
    submit(client, "/sign-up", name="Ada", **ADA)
    submit(client, "/loans", to="/clever/logout")
    assert client.get("/loans").location == NOBODY


def test_the_librarys_logout_needs_the_token_of_the_apps_forms(desk: LendingDesk) -> None:
    client = desk.browser()
    desk.log_in(client, "student")
    assert client.post("/clever/logout").status_code == 400
    assert client.get("/loans").status_code == 200


def test_another_person_at_the_same_computer_gets_an_empty_session(desk: LendingDesk) -> None:
    client = desk.browser()
    submit(client, "/sign-up", name="Grandma", **ADA)
    with client.session_transaction() as session:
        session["search"] = "novels for Grandma"
    page = desk.log_in(client, "teacher").text
    assert f"{desk.clever.person('teacher').name.first} loans" in page
    with client.session_transaction() as session:
        assert "search" not in session


def test_a_user_whom_the_app_refuses_reads_its_sentence_and_stays_out(desk: LendingDesk) -> None:
    desk.log_in(desk.browser(), "student")
    desk.block(desk.users()[0])
    client = desk.browser()
    refused = desk.log_in(client, "student")
    assert refused.status_code == 403
    assert BLOCKED in refused.text
    assert client.get("/loans").location == NOBODY
    assert "loans" in desk.log_in(client, "teacher").text  # the same browser, another person


def test_the_app_can_be_tested_without_the_simulator(desk: LendingDesk) -> None:
    client = desk.browser()
    login_as(client, "student", first_name="Grace")
    assert "Grace loans" in client.get("/").text
    desk.block(desk.users()[0])
    with pytest.raises(NotLoggedIn, match=BLOCKED):
        login_as(client, "student", first_name="Grace")
