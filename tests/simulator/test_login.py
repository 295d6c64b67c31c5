"""Tests who may log in at the simulator: Library users, unshared users, admins as other users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clever_simulator.config import Config, default_config
from clever_simulator.credentials.consents import Consents
from clever_simulator.directory.models import Person
from clever_simulator.server import RunningSimulator
from tests.support.browser_client import Visitor, send_request
from tests.support.simulator_client import (
    APP_URL,
    CLIENT_SECRET,
    REDIRECT_URI,
    authorize,
    callback_query,
    exchange_code,
    log_in,
    log_in_and_exchange,
    read_endpoint,
)
from tests.support.simulators import run_in_background

LIBRARY = "simulator-library"
VERSIONS = ["v1.1", "v1.2", "v2.0", "v2.1", "v3.0", "v3.1"]


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def consent(clever: RunningSimulator, user_name: str = "teacher") -> str:
    """Log a teacher in to the Library app for the first time. Returns the access token."""
    visitor = log_in(clever, LIBRARY, user_name).press("Yes")
    code = callback_query(visitor)["code"]
    return str(exchange_code(clever, LIBRARY, code).json()["access_token"])


def student_of(clever: RunningSimulator, user_name: str) -> Person:
    """Return a student of this teacher who has an email."""
    students = [
        student
        for section in clever.people.sections
        for student in section.students
        if section.teacher.user_name == user_name and student.email
    ]
    return students[0]


def student_without_teacher(clever: RunningSimulator, user_name: str) -> Person:
    own_student_ids = {
        student.id
        for section in clever.people.sections
        for student in section.students
        if section.teacher.user_name == user_name
    }
    district = clever.people.districts[0]
    return next(
        person
        for person in clever.people.people
        if person.id not in own_student_ids
        and person.roles == ("student",)
        and person.district == district
    )


# Clever Library


def test_a_library_teacher_is_asked_for_consent_once(clever: RunningSimulator) -> None:
    visitor = log_in(clever, LIBRARY, "teacher")
    assert "would like" in visitor.text
    assert callback_query(visitor.press("Yes"))["state"] == "a state"
    second_visit = visitor.open(authorize(clever, LIBRARY))
    assert callback_query(second_visit)["code"]
    clever.reset()
    assert visitor.open(authorize(clever, LIBRARY)).url.startswith(clever.url)
    assert "would like" in visitor.text


def test_a_library_teacher_who_declines_stays_at_clever_and_is_asked_again(
    clever: RunningSimulator,
) -> None:
    visitor = log_in(clever, LIBRARY, "teacher").press("No")
    assert visitor.url.startswith(clever.url)
    assert visitor.heading == "Nothing was shared"
    assert "would like" in visitor.open(authorize(clever, LIBRARY)).text


@pytest.mark.parametrize("user_name", ["school_admin", "district_admin"])
def test_only_teachers_and_students_can_use_the_library(
    clever: RunningSimulator, user_name: str
) -> None:
    visitor = log_in(clever, LIBRARY, user_name)
    assert visitor.response.status_code == 400
    assert "not shared" in visitor.text


def test_a_teacher_who_is_also_an_admin_enters_the_library_as_a_teacher(
    clever: RunningSimulator,
) -> None:
    info = read_endpoint(clever, "/userinfo", consent(clever, "teacher_admin")).json()
    assert info["user_type"] == "teacher"


def test_a_consent_is_for_one_app_and_one_teacher(clever: RunningSimulator) -> None:
    consents, (app, other_app) = Consents(), default_config(APP_URL).apps[:2]
    teacher, other_teacher = map(clever.people.person, ("teacher", "teacher2"))
    consents.add(app, teacher)
    assert [
        consents.has_consent(*pair)
        for pair in ((app, teacher), (other_app, teacher), (app, other_teacher))
    ] == [True, False, False]


def test_a_student_can_log_in_after_a_teacher_has_consented(clever: RunningSimulator) -> None:
    student, stranger = student_of(clever, "teacher"), student_without_teacher(clever, "teacher")
    assert log_in(clever, LIBRARY, student.user_name).response.status_code == 400
    consent(clever)
    assert callback_query(log_in(clever, LIBRARY, student.user_name))["code"]
    assert log_in(clever, LIBRARY, stranger.user_name).response.status_code == 400


@pytest.mark.parametrize("version", VERSIONS)
def test_the_me_response_of_a_library_login_names_no_district(
    clever: RunningSimulator, version: str
) -> None:
    me = read_endpoint(clever, f"/{version}/me", consent(clever)).json()
    assert "district" not in me["data"]
    assert [link["rel"] for link in me["links"]] == ["self", "canonical"]
    authorized_by = me["data"].get("authorized_by")
    assert authorized_by == (None if version < "v2.1" else "teacher")


def test_userinfo_of_a_library_login_hides_a_students_last_name_and_email(
    clever: RunningSimulator,
) -> None:
    info = read_endpoint(clever, "/userinfo", consent(clever)).json()
    teacher = clever.people.person("teacher")
    assert info["authorized_by"] == "teacher"
    assert info["name"]["last"] == info["family_name"] == teacher.name.last
    assert not {"district", "district_id"} & set(info)
    student = student_of(clever, "teacher")
    tokens = log_in_and_exchange(clever, LIBRARY, student.user_name)
    info = read_endpoint(clever, "/userinfo", tokens["access_token"]).json()
    assert info["name"]["last"] == info["family_name"] == student.name.last[0]
    assert "email" not in info
    assert info["given_name"] == student.name.first
    assert not {"district", "district_id", "id_token"} & {*info, *tokens}


def test_instant_login_links_do_not_work_for_the_library(clever: RunningSimulator) -> None:
    district = clever.people.districts[0].id
    link = f"{clever.url}/oauth/instant-login?client_id={LIBRARY}&district_id={district}"
    response = send_request(link)
    assert response.status_code == 400
    assert "Library" in response.text


def test_a_library_app_can_be_installed_from_the_portal(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/in/{clever.people.districts[0].shortname}")
    visitor.press("Log in", username="teacher", password="clever")
    portal = visitor.url
    visitor.stop_at = "/oauth/callback"
    query = callback_query(visitor.click("Install").press("Yes"))
    assert query["code"]
    assert "state" not in query
    assert "Install" not in visitor.open(portal).text


def test_the_portal_shows_no_tile_for_an_app_that_is_not_shared(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/in/{clever.people.districts[0].shortname}")
    visitor.press("Log in", username="district_admin", password="clever")
    assert "simulator-oidc" in visitor.text
    assert LIBRARY not in visitor.text


def test_a_library_app_has_no_district_tokens(clever: RunningSimulator) -> None:
    response = send_request(
        f"{clever.url}/oauth/tokens?owner_type=district", auth=(LIBRARY, CLIENT_SECRET)
    )
    assert response.json()["data"] == []


def test_people_keep_their_ids_when_a_district_connects_a_library_app(
    clever: RunningSimulator,
) -> None:
    before = read_endpoint(clever, "/userinfo", consent(clever)).json()
    apps = {app.client_id: app for app in default_config(APP_URL).apps}
    clever.configure(Config(apps=(replace(apps[LIBRARY], tier="sso"),)))
    bearer = log_in_and_exchange(clever, LIBRARY, "teacher")["access_token"]
    after = read_endpoint(clever, "/userinfo", bearer).json()
    assert after["sub"] == before["sub"]
    assert after["authorized_by"] == "district"
    assert after["district"] == clever.people.districts[0].id


# Unshared users


def with_sample(**changes: Any) -> Config:
    """Return the first sample app with these changes."""
    return Config(apps=(replace(default_config(APP_URL).apps[0], **changes),))


@pytest.mark.parametrize(
    "changes", [{"user_types": ("teacher", "staff")}, {"unshared": ("student",)}]
)
def test_an_unshared_person_ends_on_clevers_page_unless_return_unshared_is_set(
    clever: RunningSimulator, changes: dict[str, Any]
) -> None:
    clever.configure(with_sample(**changes))
    visitor = log_in(clever, "simulator")
    assert visitor.response.status_code == 400
    assert "not shared" in visitor.text
    callback = callback_query(log_in(clever, "simulator", return_unshared="true"))
    assert callback == {"error": "unauthorized-user", "state": "a state"}
    assert "code" in callback_query(log_in(clever, "simulator", "teacher", return_unshared="true"))


def test_a_student_whose_teachers_have_not_consented_is_reported_as_unshared(
    clever: RunningSimulator,
) -> None:
    student = student_of(clever, "teacher").user_name
    callback = callback_query(log_in(clever, LIBRARY, student, return_unshared="true", state=None))
    assert callback == {"error": "unauthorized-user"}


def test_a_person_with_two_roles_logs_in_with_a_role_that_the_app_supports(
    clever: RunningSimulator,
) -> None:
    clever.configure(with_sample(user_types=("staff",)))
    bearer = log_in_and_exchange(clever, "simulator", "teacher_admin")["access_token"]
    assert read_endpoint(clever, "/userinfo", bearer).json()["user_type"] == "staff"


# District admins who act as another user


def act_as(clever: RunningSimulator, user_name: str = "student") -> Visitor:
    """Return a district admin's browser, in the portal as another user."""
    visitor = Visitor(APP_URL).open(f"{clever.url}/in/{clever.people.districts[0].shortname}")
    visitor.press("Log in", username="district_admin", password="clever").click("Log in as")
    visitor.press(clever.people.person(user_name).name.full)
    visitor.stop_at = "/oauth/callback"
    return visitor


def user_id(clever: RunningSimulator, query: dict[str, str]) -> str:
    bearer = exchange_code(clever, "simulator", query["code"]).json()["access_token"]
    return str(read_endpoint(clever, "/userinfo", bearer).json()["sub"])


def test_the_app_receives_loginas_by_admin_when_an_admin_acts_as_the_person(
    clever: RunningSimulator,
) -> None:
    visitor = act_as(clever)
    query = callback_query(visitor.follow(visitor.page.select("a.tile")[0]))
    assert query["loginas_by_admin"] == "true"
    assert user_id(clever, query) == clever.people.person("student").id
    district = clever.people.districts[0].id
    link = f"{clever.url}/oauth/instant-login?client_id=simulator&district_id={district}"
    assert callback_query(visitor.open(link))["loginas_by_admin"] == "true"


@pytest.mark.parametrize("repeats", [False, True])
def test_loginas_by_admin_is_repeated_on_app_started_logins_only_if_configured(
    clever: RunningSimulator, repeats: bool
) -> None:
    clever.configure(with_sample(loginas_repeats=repeats))
    query = callback_query(act_as(clever).open(authorize(clever, "simulator")))
    assert query.get("loginas_by_admin") == ("true" if repeats else None)
    assert user_id(clever, query) == clever.people.person("student").id


def test_an_admin_can_stop_acting_as_another_person(clever: RunningSimulator) -> None:
    visitor = act_as(clever).press("Stop acting")
    assert clever.people.person("district_admin").name.first in visitor.heading
    query = callback_query(visitor.follow(visitor.page.select("a.tile")[0]))
    assert "loginas_by_admin" not in query
    assert user_id(clever, query) == clever.people.person("district_admin").id


def test_an_admin_can_act_only_as_people_of_their_district(clever: RunningSimulator) -> None:
    visitor = act_as(clever)
    visitor.stop_at = None
    other_student = clever.people.person("student2")
    visitor.open(f"{clever.url}/as")
    assert other_student.name.full not in visitor.text
    name = clever.people.person("teacher").name.full
    assert visitor.press(name, person=other_student.id).response.status_code == 404


def test_only_a_district_admin_can_act_as_another_person(clever: RunningSimulator) -> None:
    visitor = log_in(clever, "simulator", "teacher")
    visitor.stop_at = None
    assert visitor.open(f"{clever.url}/as").response.status_code == 403
    portal = visitor.open(f"{clever.url}/in/{clever.people.districts[0].shortname}")
    assert "Log in as" not in portal.text


# A client that sends its secret in the body


def test_a_client_secret_in_the_body_is_accepted_only_where_configured(
    clever: RunningSimulator,
) -> None:
    in_body = {"client_id": "simulator", "client_secret": CLIENT_SECRET}
    for allowed, secret, status in (
        (False, CLIENT_SECRET, 401),
        (True, "wrong", 401),
        (True, "\ud800", 401),
        (True, CLIENT_SECRET, 200),
    ):
        clever.configure(with_sample(secret_in_body=allowed))
        code = callback_query(log_in(clever, "simulator"))["code"]
        fields = {
            "grant_type": "authorization_code",
            "redirect_uri": REDIRECT_URI,
            "code": code,
            **in_body,
            "client_secret": secret,
        }
        response = exchange_code(clever, "simulator", code, auth=None, data=None, json=fields)
        assert response.status_code == status


def test_only_a_student_who_was_logged_in_already_is_asked_to_confirm(
    clever: RunningSimulator,
) -> None:
    visitor = log_in(clever, "simulator", confirmed="false")
    assert callback_query(visitor)["code"]  # the password was entered just now
    for _ in range(2):
        visitor.open(authorize(clever, "simulator", confirmed="false"))
        assert visitor.heading.startswith("Is this you?")
        visitor.press("Yes")
        assert callback_query(visitor)["code"]
