"""A district pauses, leaves and comes back, and an app of the Library gets a district."""

from __future__ import annotations

import pytest

from clever_simulator.changes import ChangeError
from clever_simulator.server import Running
from tests.clever_client import APP_URL, SECRET, arrived, exchange, log_in, read, tokens
from tests.simulated_year import (
    CHILD,
    LIBRARY,
    VERSIONS,
    clever,
    refused_at_clever,
    touched,
)
from tests.test_simulator_data import district_tokens, get
from tests.test_simulator_events import types
from tests.visitor import ask

__all__ = ["clever"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_paused_district_says_so_and_does_not_change_until_it_goes_on(
    clever: Running, version: str
) -> None:
    district = clever.people.districts[0]
    before = get(clever, f"/{version}/districts/{district.id}")["data"]
    assert touched(clever.year("pause"), "paused")[0]["id"] == district.id
    now = get(clever, f"/{version}/districts/{district.id}")["data"]
    assert (before["state"], now["state"]) == ("success", "paused")
    assert now["pause_start"]
    assert tokens(clever, "simulator", CHILD)["access_token"]
    for step in ("new_teacher", "rollover", "pause"):
        with pytest.raises(ChangeError, match="paused"):
            clever.year(step)
    with pytest.raises(ChangeError, match="paused"):
        clever.change("name", CHILD, first="Tali")
    student = clever.people.person(CHILD)
    for name in ("unshared", "back"):  # a paused district may change its sharing
        clever.change(name, CHILD)
        assert clever.people.by_id(student.id)
    told = types(clever, version)
    assert {each.partition(".")[2] for each in told[1:]} >= {"created", "deleted"}
    clever.year("unpause")
    assert get(clever, f"/{version}/districts/{district.id}")["data"] == before
    assert types(clever, version)[len(told) :] == ["districts.updated"]
    clever.year("new_teacher")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_district_that_leaves_takes_its_token_and_its_people_with_it(
    clever: Running, version: str
) -> None:
    listed = district_tokens(clever)
    person = tokens(clever, "simulator", CHILD)["access_token"]
    clever.year("leave")
    assert district_tokens(clever) == listed[1:]
    for bearer in (listed[0], person):
        assert read(clever, f"/{version}/me", bearer).status_code == 401
    assert refused_at_clever(log_in(clever, "simulator", CHILD))
    other = clever.people.districts[1]
    assert tokens(clever, "simulator", "student2", district_id=other.id)["access_token"]
    clever.year("rejoin")
    again = district_tokens(clever)
    assert (again[1:], again[0] in listed) == (listed[1:], False)
    assert tokens(clever, "simulator", CHILD)["access_token"]


def test_a_teacher_of_the_library_is_the_same_person_when_the_district_connects(
    clever: Running,
) -> None:
    def of_library(user_name: str) -> str:
        visitor = log_in(clever, LIBRARY, user_name)
        if not visitor.url.startswith(APP_URL):
            visitor.press("Yes")
        answer = exchange(clever, LIBRARY, arrived(visitor)["code"])
        return str(answer.json()["access_token"])

    before = get(clever, "/v3.0/me", of_library("teacher"))["data"]
    url = f"{clever.url}/oauth/tokens?owner_type=district"
    assert ask(url, auth=(LIBRARY, SECRET)).json()["data"] == []
    (change,) = clever.year("library_to_district")["touched"]
    assert (change["id"], change["before"], change["after"]) == (LIBRARY, "library", "secure_sync")
    after = get(clever, "/v3.0/me", of_library("teacher"))["data"]
    assert after["id"] == before["id"]
    assert (before["authorized_by"], after["authorized_by"]) == ("teacher", "district")
    assert ("district" in before, "district" in after) == (False, True)
    assert len(ask(url, auth=(LIBRARY, SECRET)).json()["data"]) == len(clever.people.districts)
    clever.reset()
    assert ask(url, auth=(LIBRARY, SECRET)).json()["data"] == []
