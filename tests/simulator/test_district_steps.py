"""Tests districts that pause, disconnect, return, or connect a Library app."""

from __future__ import annotations

import pytest

from clever_simulator.history.changes import ChangeError
from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import district_tokens, get
from tests.simulator.test_events import types
from tests.support.browser_client import send_request
from tests.support.school_year import (
    LIBRARY_CLIENT_ID,
    STUDENT_USER_NAME,
    VERSIONS,
    changes_of,
    clever,
    is_refused_at_clever,
)
from tests.support.simulator_client import (
    APP_URL,
    CLIENT_SECRET,
    callback_query,
    exchange_code,
    log_in,
    log_in_and_exchange,
    read_endpoint,
)

__all__ = ["clever"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_paused_district_reports_its_state_and_stays_unchanged_until_resumed(
    clever: RunningSimulator, version: str
) -> None:
    district = clever.people.districts[0]
    before = get(clever, f"/{version}/districts/{district.id}")["data"]
    assert changes_of(clever.make_step("pause"), "paused")[0]["id"] == district.id
    now = get(clever, f"/{version}/districts/{district.id}")["data"]
    assert (before["state"], now["state"]) == ("success", "paused")
    assert now["pause_start"]
    assert log_in_and_exchange(clever, "simulator", STUDENT_USER_NAME)["access_token"]
    for step in ("new_teacher", "rollover", "pause"):
        with pytest.raises(ChangeError, match="paused"):
            clever.make_step(step)
    with pytest.raises(ChangeError, match="paused"):
        clever.change_roster("name", STUDENT_USER_NAME, first="Tali")
    student = clever.people.person(STUDENT_USER_NAME)
    for name in ("unshared", "back"):  # a paused district may change its sharing
        clever.change_roster(name, STUDENT_USER_NAME)
        assert clever.people.by_id(student.id)
    event_types = types(clever, version)
    assert {event_type.partition(".")[2] for event_type in event_types[1:]} >= {
        "created",
        "deleted",
    }
    clever.make_step("unpause")
    assert get(clever, f"/{version}/districts/{district.id}")["data"] == before
    assert types(clever, version)[len(event_types) :] == ["districts.updated"]
    clever.make_step("new_teacher")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_disconnected_district_loses_its_token_and_its_logins(
    clever: RunningSimulator, version: str
) -> None:
    tokens = district_tokens(clever)
    person = log_in_and_exchange(clever, "simulator", STUDENT_USER_NAME)["access_token"]
    clever.make_step("leave")
    assert district_tokens(clever) == tokens[1:]
    for bearer in (tokens[0], person):
        assert read_endpoint(clever, f"/{version}/me", bearer).status_code == 401
    assert is_refused_at_clever(log_in(clever, "simulator", STUDENT_USER_NAME))
    other = clever.people.districts[1]
    assert log_in_and_exchange(clever, "simulator", "student2", district_id=other.id)[
        "access_token"
    ]
    clever.make_step("rejoin")
    new_tokens = district_tokens(clever)
    assert (new_tokens[1:], new_tokens[0] in tokens) == (tokens[1:], False)
    assert log_in_and_exchange(clever, "simulator", STUDENT_USER_NAME)["access_token"]


def test_a_library_teacher_keeps_their_id_when_the_district_connects(
    clever: RunningSimulator,
) -> None:
    def of_library(user_name: str) -> str:
        visitor = log_in(clever, LIBRARY_CLIENT_ID, user_name)
        if not visitor.url.startswith(APP_URL):
            visitor.press("Yes")
        response = exchange_code(clever, LIBRARY_CLIENT_ID, callback_query(visitor)["code"])
        return str(response.json()["access_token"])

    before = get(clever, "/v3.0/me", of_library("teacher"))["data"]
    url = f"{clever.url}/oauth/tokens?owner_type=district"
    assert send_request(url, auth=(LIBRARY_CLIENT_ID, CLIENT_SECRET)).json()["data"] == []
    (change,) = clever.make_step("library_to_district")["touched"]
    assert (change["id"], change["before"], change["after"]) == (
        LIBRARY_CLIENT_ID,
        "library",
        "secure_sync",
    )
    after = get(clever, "/v3.0/me", of_library("teacher"))["data"]
    assert after["id"] == before["id"]
    assert (before["authorized_by"], after["authorized_by"]) == ("teacher", "district")
    assert ("district" in before, "district" in after) == (False, True)
    assert len(send_request(url, auth=(LIBRARY_CLIENT_ID, CLIENT_SECRET)).json()["data"]) == len(
        clever.people.districts
    )
    clever.reset()
    assert send_request(url, auth=(LIBRARY_CLIENT_ID, CLIENT_SECRET)).json()["data"] == []
