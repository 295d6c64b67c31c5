"""Tests school year steps for a section and a student: a new teacher, school, or id."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import OLD, district_token, get, ids
from tests.simulator.test_events import list_events, types
from tests.support.school_year import (
    DAY_SECONDS,
    STUDENT_USER_NAME,
    VERSIONS,
    changes_of,
    clever,
    find_student,
    guardian_ids,
    is_refused_at_clever,
    people_collection,
    read_all,
    read_record,
    section_ids,
    student_data,
)
from tests.support.simulator_client import (
    callback_query,
    exchange_code,
    log_in,
    log_in_and_exchange,
    read_endpoint,
)

__all__ = ["clever"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_section_can_change_its_teacher(clever: RunningSimulator, version: str) -> None:
    (change,) = clever.make_step("new_teacher")["touched"]
    section = get(clever, f"/{version}/sections/{change['id']}")["data"]
    old, new = (clever.people.person(change[key]) for key in ("before", "after"))
    now_id = new.role_assignment("teacher").legacy_id if version in OLD else new.id
    assert (section["teacher"], section["teachers"]) == (now_id, [now_id])
    assert find_student(clever).id in section["students"]
    assert old.schools == new.schools
    (event,) = list_events(clever, version)
    assert (event["type"], event["data"]["object"]) == ("sections.updated", section)
    previous = event["data"]["previous_attributes"]
    assert previous["teacher"] == (
        old.role_assignment("teacher").legacy_id if version in OLD else old.id
    )
    kind = "teachers" if version in OLD else "users"
    section_ids_of_teacher = ids(get(clever, f"/{version}/{kind}/{now_id}/sections"))
    assert section["id"] in section_ids_of_teacher


@pytest.mark.parametrize("version", VERSIONS)
def test_a_student_can_change_school_and_all_sections(
    clever: RunningSimulator, version: str
) -> None:
    person = find_student(clever)
    before, old = section_ids(clever, version, person.id), person.schools[0]
    (change,) = clever.make_step("new_school")["touched"]
    assert (change["user_name"], change["before"]) == (STUDENT_USER_NAME, old.name)
    now = student_data(version, read_record(clever, version, person.id))
    (school,) = now["schools"]
    assert now["school"] == school != old.id
    assert change["after"] == get(clever, f"/{version}/schools/{school}")["data"]["name"]
    assert now["grade"] == person.role_assignment("student").grade
    assert [enrollment["school"] for enrollment in now.get("enrollments", [])] == [school]
    after = section_ids(clever, version, person.id)
    assert after
    assert not set(before) & set(after)
    for section_id in after:
        assert get(clever, f"/{version}/sections/{section_id}")["data"]["school"] == school
    event_types = types(clever, version)
    changed = len(before + after)
    assert Counter(event_types) == {
        f"{people_collection(version)}.updated": 1,
        "sections.updated": changed,
    }
    token = log_in_and_exchange(clever, "simulator", STUDENT_USER_NAME)["access_token"]
    if version not in OLD:
        own = student_data(version, get(clever, f"/{version}/users/{person.id}", token)["data"])
        assert own == {name: value for name, value in now.items() if name in own}
        assert own["school"] == school


@pytest.mark.parametrize("step", ["unshared", "deleted"])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_unshared_or_deleted_student_cannot_reach_the_app_until_restored(
    clever: RunningSimulator, version: str, step: str
) -> None:
    person = find_student(clever)
    before, old_classes = (
        read_record(clever, version, person.id),
        section_ids(clever, version, person.id),
    )
    assert clever.make_step(step)["touched"][0]["user_name"] == STUDENT_USER_NAME
    bearer = district_token(clever)
    assert (
        read_endpoint(
            clever, f"/{version}/{people_collection(version)}/{person.id}", bearer
        ).status_code
        == 404
    )
    assert is_refused_at_clever(log_in(clever, "simulator", STUDENT_USER_NAME))
    (change,) = clever.make_step("back")["touched"]
    assert change["id"] == person.id
    assert read_record(clever, version, person.id) == before
    assert section_ids(clever, version, person.id) == old_classes
    me = get(
        clever,
        f"/{version}/me",
        log_in_and_exchange(clever, "simulator", STUDENT_USER_NAME)["access_token"],
    )
    assert me["data"]["id"] == person.id
    own = [
        event_type
        for event_type in types(clever, version)
        if event_type.startswith(people_collection(version))
    ]
    assert [event_type for event_type in own if "updated" not in event_type] == [
        f"{people_collection(version)}.deleted",
        f"{people_collection(version)}.created",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_student_who_returns_after_three_hundred_days_has_a_new_id(
    clever: RunningSimulator, version: str
) -> None:
    old = find_student(clever)
    before, old_classes = read_record(clever, version, old.id), section_ids(clever, version, old.id)
    family = guardian_ids(clever, version, old.id)
    cursor = clever.change_roster("name", STUDENT_USER_NAME, first="Tali")[0]["id"]
    step = clever.make_step("new_id")
    new = find_student(clever)
    (change,) = step["touched"]
    assert (change["before"], change["after"]) == (old.id, new.id)
    assert (change["id"], old.id == new.id) == (new.id, False)
    now = read_record(clever, version, new.id)
    assert student_data(version, now)["sis_id"] == student_data(version, before)["sis_id"]
    assert now["name"]["last"] == before["name"]["last"]
    assert now["created"] > before["created"]
    assert section_ids(clever, version, new.id) == old_classes
    bearer = district_token(clever)
    assert (
        read_endpoint(
            clever, f"/{version}/{people_collection(version)}/{old.id}", bearer
        ).status_code
        == 404
    )
    assert old.id not in str(read_all(clever, f"/{version}/sections?limit=100"))
    assert guardian_ids(clever, version, new.id) == family != []
    contacts = "contacts" if version in OLD else "users"
    assert old.id not in str(read_all(clever, f"/{version}/{contacts}"))
    # Only the student's return is less than thirty days old, so an old cursor has expired.
    assert types(clever, version)[0] == f"{people_collection(version)}.created"
    expired = f"/v3.1/events?starting_after={cursor}"
    assert read_endpoint(clever, expired, bearer).status_code == 404
    assert [event["type"] for event in step["events"]].count("users.deleted") == 1
    me = get(
        clever,
        f"/{version}/me",
        log_in_and_exchange(clever, "simulator", STUDENT_USER_NAME)["access_token"],
    )
    assert me["data"]["id"] == new.id


def test_a_school_year_step_does_not_shift_the_time_in_id_tokens(
    clever: RunningSimulator,
) -> None:
    began = datetime.now(UTC).timestamp()
    step = clever.make_step("new_id")
    passed = datetime.fromisoformat(step["time"]).timestamp() - began
    assert 300 * DAY_SECONDS <= passed < 301 * DAY_SECONDS
    response = exchange_code(
        clever,
        "simulator-oidc",
        callback_query(log_in(clever, "simulator-oidc", STUDENT_USER_NAME))["code"],
    )
    body = response.json()["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert began - 5 < claims["iat"] < began + DAY_SECONDS
    assert claims["sub"] == find_student(clever).id


def test_a_step_can_name_the_person_it_changes(clever: RunningSimulator) -> None:
    step = clever.make_step("unshared", person="teacher2")
    assert changes_of(step, "unshared")[0]["user_name"] == "teacher2"
    assert step["district"] == clever.people.districts[1].id
    assert is_refused_at_clever(
        log_in(clever, "simulator", "teacher2", district_id=step["district"])
    )
    assert clever.make_step("new_school", district="lantern-bay")["district"] == step["district"]
