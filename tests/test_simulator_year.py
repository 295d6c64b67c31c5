"""A school year at Clever: what each step does to the data, to the events and to who may log in."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from clever_simulator.changes import ChangeError
from clever_simulator.config import default_config
from clever_simulator.people import Person
from clever_simulator.server import Running, running
from tests.clever_client import APP_URL, SECRET, arrived, exchange, log_in, read, tokens
from tests.test_simulator_data import OLD, all_pages, district_token, district_tokens, get, ids
from tests.test_simulator_events import told, types
from tests.visitor import Visitor, ask

VERSIONS = ["v2.1", "v3.0", "v3.1"]
CHILD = "talia.thompson"
LIBRARY = "simulator-library"
DAY = 24 * 60 * 60


@pytest.fixture
def clever() -> Iterator[Running]:
    with running(default_config(APP_URL)) as started:
        yield started


def people(version: str) -> str:
    return "students" if version in OLD else "users"


def child(clever: Running) -> Person:
    return clever.people.person(CHILD)


def record(clever: Running, version: str, one_id: str) -> Any:
    return get(clever, f"/{version}/{people(version)}/{one_id}")["data"]


def role(version: str, data: Any) -> Any:
    """What a record says of somebody as a student."""
    return data if version in OLD else data["roles"]["student"]


def classes(clever: Running, version: str, one_id: str) -> list[str]:
    return ids(get(clever, f"/{version}/{people(version)}/{one_id}/sections"))


def guardians(clever: Running, version: str, one_id: str) -> list[str]:
    below = "contacts" if version in OLD else "mycontacts"
    return ids(get(clever, f"/{version}/{people(version)}/{one_id}/{below}"))


def all_of(clever: Running, path: str) -> dict[str, Any]:
    return {
        each["data"]["id"]: each["data"]
        for page in all_pages(clever, path)
        for each in page["data"]
    }


def students(clever: Running, version: str) -> dict[str, Any]:
    return all_of(
        clever, f"/{version}/{'students?' if version in OLD else 'users?role=student&'}limit=50"
    )


def a_grade_after(grade: str) -> str:
    return "1" if grade == "Kindergarten" else str(int(grade) + 1)


def touched(step: dict[str, Any], what: str) -> list[dict[str, str]]:
    return [each for each in step["touched"] if each["what"] == what]


def refused_at_clever(visitor: Visitor) -> bool:
    """Whether Clever has kept somebody on a page of its own, with nothing for the app."""
    return not visitor.url.startswith(APP_URL) and visitor.response.status_code in (400, 403)


def replayed(clever: Running, version: str, before: dict[str, Any], collection: str) -> Any:
    """What an app that applies the events one by one now holds of one collection."""
    held = dict(before)
    for event in told(clever, version):
        kind, _, verb = event["type"].partition(".")
        one = event["data"]["object"]
        if kind != collection:
            continue
        assert (verb == "created") == (one["id"] not in held), event["type"]
        held[one["id"]] = one
        if verb == "deleted":
            del held[one["id"]]
    return held


# A class and a child


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


# Rollover


@pytest.mark.parametrize("version", VERSIONS)
def test_in_august_everybody_is_a_grade_further_and_every_class_is_new(
    clever: Running, version: str
) -> None:
    old_students, old_sections = students(clever, version), all_of(clever, f"/{version}/sections")
    old_terms = all_of(clever, f"/{version}/terms")
    step = clever.year("rollover")
    now_students, sections = students(clever, version), all_of(clever, f"/{version}/sections")
    grades = {one_id: role(version, one).get("grade") for one_id, one in old_students.items()}
    left = {each["id"] for each in touched(step, "left after the last grade")}
    new = {each["id"] for each in touched(step, "new in Kindergarten")}
    assert left == {one_id for one_id, grade in grades.items() if grade == "12"} != set()
    assert set(now_students) == (set(old_students) - left) | new
    assert {role(version, now_students[one_id])["grade"] for one_id in new} == {"Kindergarten"}
    for change in touched(step, "a grade further"):
        grade = role(version, now_students[change["id"]])["grade"]
        assert (grades[change["id"]], grade) == (change["before"], change["after"])
        assert grade == a_grade_after(change["before"])
    assert set(old_sections) == {each["id"] for each in touched(step, "class ended")}
    assert set(sections) == {each["id"] for each in touched(step, "new class")}
    assert not set(sections) & set(old_sections)
    assert not set(all_of(clever, f"/{version}/terms")) & set(old_terms)
    assert not left & {one for section in sections.values() for one in section["students"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_after_rollover_each_student_is_at_a_school_with_their_grade_and_in_its_classes(
    clever: Running, version: str
) -> None:
    step = clever.year("rollover")
    schools = all_of(clever, f"/{version}/schools")
    terms = all_of(clever, f"/{version}/terms")
    august = datetime.fromisoformat(step["time"])
    assert (august.month, august.day) == (8, 16)
    assert f"{august.year}-08-16" in {one["start_date"] for one in terms.values()}
    order = ["Kindergarten", *map(str, range(1, 13))]
    for one in all_of(clever, f"/{version}/sections").values():
        assert one["term_id"] in terms
        assert one["students"]
    for one_id, one in students(clever, version).items():
        if "schools" not in role(version, one):
            continue  # of whom only the guaranteed is known
        school = schools[role(version, one)["school"]]
        grade = order.index(role(version, one)["grade"])
        assert order.index(school["low_grade"]) <= grade <= order.index(school["high_grade"])
        for section in classes(clever, version, one_id)[:1]:
            assert get(clever, f"/{version}/sections/{section}")["data"]["school"] == school["id"]
    assert classes(clever, version, child(clever).id)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_applies_the_events_of_a_rollover_holds_what_the_lists_say(
    clever: Running, version: str
) -> None:
    paths = {
        "contacts" if version in OLD else "resources": f"/{version}/"
        f"{'contacts' if version in OLD else 'resources'}?limit=1000",
        people(version): f"/{version}/{people(version)}?limit=1000",
        "sections": f"/{version}/sections?limit=1000",
        "terms": f"/{version}/terms?limit=1000",
        "courses": f"/{version}/courses?limit=1000",
    }
    before = {name: all_of(clever, path) for name, path in paths.items()}
    for step in ("rollover", "new_school", "deleted", "new_teacher", "back"):
        clever.year(step, **({"person": "student"} if step == "new_teacher" else {}))
    for name, path in paths.items():
        assert replayed(clever, version, before[name], name) == all_of(clever, path)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_others_refer_to_is_told_before_them_and_goes_after_them(
    clever: Running, version: str
) -> None:
    clever.year("rollover")
    seen = types(clever, version)
    last = {name: place for place, name in enumerate(seen)}
    first = {name: place for place, name in reversed(list(enumerate(seen)))}
    assert last["terms.created"] < first[f"{people(version)}.created"]
    assert last[f"{people(version)}.created"] < first["sections.created"]
    assert (
        last["sections.created"] < first[f"{people(version)}.updated"] < first["sections.deleted"]
    )
    assert last["sections.deleted"] < first[f"{people(version)}.deleted"] < first["terms.deleted"]


def test_a_new_child_logs_in_and_a_senior_does_not(clever: Running) -> None:
    step = clever.year("rollover")
    new, left = (
        touched(step, what)[0] for what in ("new in Kindergarten", "left after the last grade")
    )
    me = get(clever, "/v3.0/me", tokens(clever, "simulator", new["user_name"])["access_token"])
    assert me["data"]["id"] == new["id"]
    assert refused_at_clever(log_in(clever, "simulator", left["user_name"]))


def test_who_is_away_during_rollover_returns_a_grade_further_into_the_new_classes(
    clever: Running,
) -> None:
    grade = child(clever).post("student").grade
    clever.year("deleted")
    clever.year("rollover")
    clever.year("back")
    now = child(clever).post("student").grade
    assert now == a_grade_after(grade)
    assert classes(clever, "v3.0", child(clever).id)


def test_birthdays_and_the_year_of_graduation_stay(clever: Running) -> None:
    before = record(clever, "v3.1", child(clever).id)["roles"]["student"]
    clever.year("rollover")
    after = record(clever, "v3.1", child(clever).id)["roles"]["student"]
    for name in ("dob", "graduation_year", "sis_id", "school"):
        assert after[name] == before[name]
    assert after["enrollments"] != before["enrollments"]


# A district


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
    clever.year("unpause")
    assert get(clever, f"/{version}/districts/{district.id}")["data"] == before
    assert types(clever, version) == ["districts.updated"] * 2
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


# How a step is asked for


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
