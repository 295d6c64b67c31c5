"""Tests how school year steps are requested, and how they are reported."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clever_simulator.config import default_config
from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import district_tokens, get
from tests.simulator.test_events import list_events
from tests.support.browser_client import Visitor, send_request
from tests.support.school_year import DAY_SECONDS, STUDENT_USER_NAME, clever, find_student
from tests.support.simulator_client import APP_URL
from tests.support.simulators import run_in_background

__all__ = ["clever"]


def test_a_school_year_step_over_http_returns_the_changed_people_and_events(
    clever: RunningSimulator,
) -> None:
    response = send_request(f"{clever.url}/_simulator/year", "POST", json={"step": "unshared"})
    assert response.status_code == 201
    (change,) = response.json()["touched"]
    assert (change["kind"], change["user_name"], change["id"]) == (
        "person",
        STUDENT_USER_NAME,
        find_student(clever).id,
    )
    assert [event["id"] for event in response.json()["events"]] == [
        event["id"] for event in list_events(clever, "v3.1")
    ]


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ([], "step"),
        ({}, "step"),
        ({"step": "holidays"}, "step"),
        ({"step": "unshared", "person": "nobody"}, "person"),
        ({"step": "new_school", "person": "teacher"}, "person"),
        ({"step": "back"}, "person"),
        ({"step": "new_teacher", "section": "none"}, "section"),
        ({"step": "pause", "district": "none"}, "district"),
        ({"step": "unpause"}, "district"),
        ({"step": "rejoin"}, "district"),
        ({"step": "library_to_district", "client_id": "simulator"}, "client_id"),
    ],
)
def test_an_invalid_school_year_step_is_refused_with_the_name_of_the_field(
    clever: RunningSimulator, step: object, field: str
) -> None:
    response = send_request(f"{clever.url}/_simulator/year", "POST", json=step)
    assert response.status_code == 400
    assert field in response.json()["message"]
    assert list_events(clever) == []


def test_another_site_cannot_make_a_school_year_step(clever: RunningSimulator) -> None:
    url, headers = f"{clever.url}/_simulator/year", {"Origin": "https://evil.test"}
    assert send_request(url, "POST", data={"step": "leave"}, headers=headers).status_code == 403
    assert len(district_tokens(clever)) == len(clever.people.districts)


def test_the_school_year_page_has_a_button_for_each_step_and_a_history(
    clever: RunningSimulator,
) -> None:
    visitor = Visitor(APP_URL)
    visitor.open(f"{clever.url}/_simulator/year")
    assert STUDENT_USER_NAME in visitor.text
    visitor.press("A student changes school")
    assert visitor.heading == "A school year"
    assert f"Talia Thompson ( {STUDENT_USER_NAME} )" in visitor.text
    visitor.press("The district pauses").press("A class gets another teacher")
    assert visitor.response.status_code == 400
    assert "is paused" in visitor.text


def test_two_simulators_produce_the_same_school_year(clever: RunningSimulator) -> None:
    def year(simulator: RunningSimulator) -> list[Any]:
        steps = ("new_teacher", "new_school", "new_id", "rollover", "rollover")
        return [simulator.make_step(step)["touched"] for step in steps]

    with run_in_background(default_config(APP_URL)) as other:
        assert year(clever) == year(other)


def test_a_reset_undoes_the_school_year(clever: RunningSimulator) -> None:
    before, tokens = clever.people, district_tokens(clever)
    for step in ("new_id", "rollover", "pause", "leave"):
        clever.make_step(step)
    clever.reset()
    assert clever.people == before
    assert len(district_tokens(clever)) == len(tokens)
    assert list_events(clever) == []
    district = get(clever, f"/v3.0/districts/{before.districts[0].id}")["data"]
    assert district["state"] == "success"
    clever.change_roster("name", STUDENT_USER_NAME, first="Tali")
    (event,) = list_events(clever)
    age = datetime.now(UTC) - datetime.fromisoformat(event["created"])
    assert abs(age.total_seconds()) < DAY_SECONDS
    assert "Nothing yet" in Visitor(APP_URL).open(f"{clever.url}/_simulator/year").text


def test_a_person_who_returns_keeps_a_user_name_that_another_district_has_too(
    clever: RunningSimulator,
) -> None:
    student = clever.people.person("student")
    assert len([person for person in clever.people.people if person.user_name == "student"]) > 1
    clever.change_roster("deleted", "student")
    clever.change_roster("back", student.id)
    assert clever.people.person("student").id == student.id
