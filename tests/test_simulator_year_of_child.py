"""A school year brings a new teacher, a new school or a new id to a class and a child."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from clever_simulator.server import Running
from tests.clever_client import arrived, exchange, log_in, read, tokens
from tests.simulated_year import (
    CHILD,
    DAY,
    VERSIONS,
    all_of,
    child,
    classes,
    clever,
    guardians,
    people,
    record,
    refused_at_clever,
    role,
    touched,
)
from tests.test_simulator_data import OLD, district_token, get, ids
from tests.test_simulator_events import told, types

__all__ = ["clever"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_class_changes_teacher(clever: Running, version: str) -> None:
    (change,) = clever.year("new_teacher")["touched"]
    section = get(clever, f"/{version}/sections/{change['id']}")["data"]
    old, new = (clever.people.person(change[each]) for each in ("before", "after"))
    now_id = new.post("teacher").legacy_id if version in OLD else new.id
    assert (section["teacher"], section["teachers"]) == (now_id, [now_id])
    assert child(clever).id in section["students"]
    assert old.schools == new.schools
    (event,) = told(clever, version)
    assert (event["type"], event["data"]["object"]) == ("sections.updated", section)
    previous = event["data"]["previous_attributes"]
    assert previous["teacher"] == (old.post("teacher").legacy_id if version in OLD else old.id)
    kind = "teachers" if version in OLD else "users"
    taught = ids(get(clever, f"/{version}/{kind}/{now_id}/sections"))
    assert section["id"] in taught


@pytest.mark.parametrize("version", VERSIONS)
def test_a_student_changes_school_and_all_classes(clever: Running, version: str) -> None:
    person = child(clever)
    before, old = classes(clever, version, person.id), person.schools[0]
    (change,) = clever.year("new_school")["touched"]
    assert (change["user_name"], change["before"]) == (CHILD, old.name)
    now = role(version, record(clever, version, person.id))
    (school,) = now["schools"]
    assert now["school"] == school != old.id
    assert change["after"] == get(clever, f"/{version}/schools/{school}")["data"]["name"]
    assert now["grade"] == person.post("student").grade
    assert [each["school"] for each in now.get("enrollments", [])] == [school]
    after = classes(clever, version, person.id)
    assert after
    assert not set(before) & set(after)
    for one in after:
        assert get(clever, f"/{version}/sections/{one}")["data"]["school"] == school
    seen = types(clever, version)
    changed = len(before + after)
    assert Counter(seen) == {f"{people(version)}.updated": 1, "sections.updated": changed}
    token = tokens(clever, "simulator", CHILD)["access_token"]
    if version not in OLD:
        assert role(version, get(clever, f"/{version}/users/{person.id}", token)["data"]) == now


@pytest.mark.parametrize("step", ["unshared", "deleted"])
@pytest.mark.parametrize("version", VERSIONS)
def test_who_is_unshared_or_deleted_stays_at_clever_until_they_return(
    clever: Running, version: str, step: str
) -> None:
    person = child(clever)
    before, old_classes = record(clever, version, person.id), classes(clever, version, person.id)
    assert clever.year(step)["touched"][0]["user_name"] == CHILD
    bearer = district_token(clever)
    assert read(clever, f"/{version}/{people(version)}/{person.id}", bearer).status_code == 404
    assert refused_at_clever(log_in(clever, "simulator", CHILD))
    (change,) = clever.year("back")["touched"]
    assert change["id"] == person.id
    assert record(clever, version, person.id) == before
    assert classes(clever, version, person.id) == old_classes
    me = get(clever, f"/{version}/me", tokens(clever, "simulator", CHILD)["access_token"])
    assert me["data"]["id"] == person.id
    own = [one for one in types(clever, version) if one.startswith(people(version))]
    assert [one for one in own if "updated" not in one] == [
        f"{people(version)}.deleted",
        f"{people(version)}.created",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_after_three_hundred_days_the_same_child_has_a_new_id(
    clever: Running, version: str
) -> None:
    old = child(clever)
    before, old_classes = record(clever, version, old.id), classes(clever, version, old.id)
    family = guardians(clever, version, old.id)
    cursor = clever.change("name", CHILD, first="Tali")[0]["id"]
    step = clever.year("new_id")
    new = child(clever)
    (change,) = step["touched"]
    assert (change["before"], change["after"]) == (old.id, new.id)
    assert (change["id"], old.id == new.id) == (new.id, False)
    now = record(clever, version, new.id)
    assert role(version, now)["sis_id"] == role(version, before)["sis_id"]
    assert now["name"]["last"] == before["name"]["last"]
    assert now["created"] > before["created"]
    assert classes(clever, version, new.id) == old_classes
    bearer = district_token(clever)
    assert read(clever, f"/{version}/{people(version)}/{old.id}", bearer).status_code == 404
    assert old.id not in str(all_of(clever, f"/{version}/sections?limit=100"))
    assert guardians(clever, version, new.id) == family != []
    contacts = "contacts" if version in OLD else "users"
    assert old.id not in str(all_of(clever, f"/{version}/{contacts}"))
    # Only the coming back is younger than thirty days, and an old cursor leads nowhere.
    assert types(clever, version)[0] == f"{people(version)}.created"
    gone = f"/v3.1/events?starting_after={cursor}"
    assert read(clever, gone, bearer).status_code == 404
    assert [each["type"] for each in step["events"]].count("users.deleted") == 1
    me = get(clever, f"/{version}/me", tokens(clever, "simulator", CHILD)["access_token"])
    assert me["data"]["id"] == new.id


def test_the_time_of_a_step_passes_at_clever_only_and_an_app_may_trust_the_id_token(
    clever: Running,
) -> None:
    began = datetime.now(UTC).timestamp()
    step = clever.year("new_id")
    passed = datetime.fromisoformat(step["time"]).timestamp() - began
    assert 300 * DAY <= passed < 301 * DAY
    answer = exchange(
        clever, "simulator-oidc", arrived(log_in(clever, "simulator-oidc", CHILD))["code"]
    )
    body = answer.json()["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert began - 5 < claims["iat"] < began + DAY
    assert claims["sub"] == child(clever).id


def test_somebody_else_can_be_named_for_a_step(clever: Running) -> None:
    step = clever.year("unshared", person="teacher2")
    assert touched(step, "unshared")[0]["user_name"] == "teacher2"
    assert step["district"] == clever.people.districts[1].id
    assert refused_at_clever(log_in(clever, "simulator", "teacher2", district_id=step["district"]))
    assert clever.year("new_school", district="lantern-bay")["district"] == step["district"]
