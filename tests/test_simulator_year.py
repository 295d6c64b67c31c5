"""How a step of the school year is asked for, and what is told of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clever_simulator.config import default_config
from clever_simulator.server import Running, running
from tests.clever_client import APP_URL
from tests.simulated_year import CHILD, DAY, child, clever
from tests.test_simulator_data import district_tokens, get
from tests.test_simulator_events import told
from tests.visitor import Visitor, ask

__all__ = ["clever"]


def test_a_step_over_http_tells_whom_it_changed_and_its_events(clever: Running) -> None:
    answer = ask(f"{clever.url}/_simulator/year", "POST", json={"step": "unshared"})
    assert answer.status_code == 201
    (change,) = answer.json()["touched"]
    assert (change["kind"], change["user_name"], change["id"]) == (
        "person",
        CHILD,
        child(clever).id,
    )
    assert [each["id"] for each in answer.json()["events"]] == [
        each["id"] for each in told(clever, "v3.1")
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
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
def test_a_step_that_cannot_be_made_is_refused_with_the_field(
    clever: Running, asked: object, field: str
) -> None:
    answer = ask(f"{clever.url}/_simulator/year", "POST", json=asked)
    assert answer.status_code == 400
    assert field in answer.json()["message"]
    assert told(clever) == []


def test_no_other_site_can_make_a_step(clever: Running) -> None:
    url, headers = f"{clever.url}/_simulator/year", {"Origin": "https://evil.test"}
    assert ask(url, "POST", data={"step": "leave"}, headers=headers).status_code == 403
    assert len(district_tokens(clever)) == len(clever.people.districts)


def test_the_page_has_a_button_for_each_step_and_tells_what_has_happened(clever: Running) -> None:
    visitor = Visitor(APP_URL)
    visitor.open(f"{clever.url}/_simulator/year")
    assert CHILD in visitor.text
    visitor.press("A student changes school")
    assert visitor.heading == "A school year"
    assert f"Talia Thompson ( {CHILD} )" in visitor.text
    visitor.press("The district pauses").press("A class changes teacher")
    assert visitor.response.status_code == 400
    assert "is paused" in visitor.text


def test_two_simulators_make_the_same_year(clever: Running) -> None:
    def year(one: Running) -> list[Any]:
        steps = ("new_teacher", "new_school", "new_id", "rollover", "rollover")
        return [one.year(step)["touched"] for step in steps]

    with running(default_config(APP_URL)) as other:
        assert year(clever) == year(other)


def test_a_reset_forgets_the_year(clever: Running) -> None:
    before, listed = clever.people, district_tokens(clever)
    for step in ("new_id", "rollover", "pause", "leave"):
        clever.year(step)
    clever.reset()
    assert clever.people == before
    assert len(district_tokens(clever)) == len(listed)
    assert told(clever) == []
    district = get(clever, f"/v3.0/districts/{before.districts[0].id}")["data"]
    assert district["state"] == "success"
    clever.change("name", CHILD, first="Tali")
    (event,) = told(clever)
    age = datetime.now(UTC) - datetime.fromisoformat(event["created"])
    assert abs(age.total_seconds()) < DAY
    assert "Nothing yet" in Visitor(APP_URL).open(f"{clever.url}/_simulator/year").text
