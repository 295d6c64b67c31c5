"""Tests that changes in a district appear both in its data and in its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clever_simulator.config import default_config
from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import OLD, VERSIONS, all_pages, district_token, get, ids, link
from tests.support.browser_client import send_request
from tests.support.simulator_client import APP_URL, log_in, log_in_and_exchange, read_endpoint
from tests.support.simulators import run_in_background

DAY = 24 * 60 * 60


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def list_events(clever: RunningSimulator, version: str = "v3.0", query: str = "") -> list[Any]:
    """Return the events of the first district, oldest first."""
    pages = all_pages(clever, f"/{version}/events?{query}")
    return [row["data"] for page in pages for row in page["data"]]


def types(clever: RunningSimulator, version: str = "v3.0", query: str = "") -> list[str]:
    return [event["type"] for event in list_events(clever, version, query)]


def section_without(clever: RunningSimulator, user_name: str) -> Any:
    person = clever.people.person(user_name)
    return next(
        section
        for section in clever.people.sections
        if person not in section.students and section.school.district == person.district
    )


def test_a_new_simulator_has_no_events(clever: RunningSimulator) -> None:
    for version in VERSIONS:
        assert get(clever, f"/{version}/events?ending_before=last&limit=1")["data"] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_renamed_person_appears_in_the_data_and_in_an_event_with_the_old_name(
    clever: RunningSimulator, version: str
) -> None:
    ada = clever.people.person("student")
    clever.change_roster("name", "student", first="Adele", last="Ñandú")
    (event,) = list_events(clever, version)
    assert event["type"] == ("students.updated" if version in OLD else "users.updated")
    path = f"/{version}/{'students' if version in OLD else 'users'}/{ada.id}"
    assert event["data"]["object"] == get(clever, path)["data"]
    assert event["data"]["object"]["name"]["first"] == "Adele"
    assert event["data"]["previous_attributes"]["name"]["first"] == "Ada"
    changed = {"name", "last_modified"} | ({"roles"} if version == "v3.1" else set())
    assert set(event["data"]["previous_attributes"]) == changed  # v3.1 has a preferred name
    assert get(clever, f"/{version}/events/{event['id']}")["data"] == event


def test_before_v3_each_role_of_a_person_has_its_own_event(clever: RunningSimulator) -> None:
    clever.change_roster("name", "teacher_admin", last="Oye")
    assert types(clever, "v3.1") == ["users.updated"]
    assert types(clever, "v2.1") == types(clever, "v1.1")
    assert set(types(clever, "v2.1")) == {"teachers.updated", "schooladmins.updated"}
    clever.change_roster("name", "district_admin", last="Or")
    assert types(clever, "v2.0")[-1] == "districtadmins.updated"
    assert "districtadmins.updated" not in types(clever, "v1.2")  # v1 has no such events


@pytest.mark.parametrize("version", VERSIONS)
def test_a_change_of_class_is_a_section_updated_event(
    clever: RunningSimulator, version: str
) -> None:
    section, ada = section_without(clever, "student"), clever.people.person("student")
    for enrolled in (True, False):
        clever.change_roster("class", "student", section=section.id, enrolled=enrolled)
        event = list_events(clever, version)[-1]
        assert event["type"] == "sections.updated"
        now = get(clever, f"/{version}/sections/{section.id}")["data"]
        assert event["data"]["object"] == now
        assert (ada.id in now["students"]) == enrolled
        assert (ada.id in event["data"]["previous_attributes"]["students"]) != enrolled
        own = f"/{version}/{'students' if version in OLD else 'users'}/{ada.id}/sections"
        assert (section.id in ids(get(clever, own))) == enrolled


@pytest.mark.parametrize("change", ["unshared", "deleted"])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_unshared_or_deleted_person_is_missing_until_restored(
    clever: RunningSimulator, version: str, change: str
) -> None:
    ada = clever.people.person("student")
    kind = "students" if version in OLD else "users"
    before = get(clever, f"/{version}/{kind}/{ada.id}")["data"]
    classes = ids(get(clever, f"/{version}/{kind}/{ada.id}/sections"))
    clever.change_roster(change, "student")
    bearer = district_token(clever)
    assert read_endpoint(clever, f"/{version}/{kind}/{ada.id}", bearer).status_code == 404
    for page in all_pages(clever, f"/{version}/sections"):
        assert ada.id not in str(page)
    clever.change_roster("back", "student")
    assert get(clever, f"/{version}/{kind}/{ada.id}")["data"] == before
    event_types = [
        event_type
        for event_type in types(clever, version)
        if not event_type.endswith("contacts.updated")
    ]
    updates = ["sections.updated"] * len(classes)
    about_person = [
        event_type
        for event_type in event_types
        if "contacts" not in event_type and f"{kind}." in event_type
    ]
    assert about_person == [f"{kind}.deleted", f"{kind}.created"]
    assert [
        event_type for event_type in event_types if event_type == "sections.updated"
    ] == updates * 2


@pytest.mark.parametrize("version", VERSIONS)
def test_an_app_sees_no_event_of_a_person_who_is_not_shared_with_it(
    clever: RunningSimulator, version: str
) -> None:
    config = default_config(APP_URL)
    apps = tuple(replace(app, unshared=("teacher_admin",)) for app in config.apps)
    clever.configure(replace(config, apps=apps))
    clever.change_roster("name", "teacher_admin", last="Canary")
    clever.change_roster("name", "student", last="Seen")
    (event,) = list_events(clever, version)
    assert event["data"]["object"]["name"]["last"] == "Seen"


def test_an_unshared_person_cannot_reach_the_app_and_a_deleted_one_cannot_enter_clever(
    clever: RunningSimulator,
) -> None:
    clever.change_roster("unshared", "student")
    assert log_in(clever, "simulator").url.startswith(clever.url)
    clever.change_roster("back", "student")
    assert log_in_and_exchange(clever, "simulator")["access_token"]
    clever.change_roster("deleted", "student")
    assert "password" in log_in(clever, "simulator").text.lower()


def test_an_existing_user_token_shows_the_new_name(clever: RunningSimulator) -> None:
    ada = clever.people.person("student")
    bearer = log_in_and_exchange(clever, "simulator")["access_token"]
    clever.change_roster("name", ada.id, first="Adele")
    assert get(clever, f"/v3.0/users/{ada.id}", bearer)["data"]["name"]["first"] == "Adele"
    assert get(clever, "/userinfo", bearer)["given_name"] == "Adele"


def test_a_batch_makes_every_change_and_its_event(clever: RunningSimulator) -> None:
    ada = clever.people.person("student")
    section = section_without(clever, "student")
    url = f"{clever.url}/_simulator/events"
    changes = [
        {"change": "name", "person": "student", "first": "Adele"},
        {"change": "name", "person": ada.id, "last": "Adler"},
        {"change": "class", "person": "student", "section": section.id},
        {"change": "deleted", "person": "teacher"},
    ]
    response = send_request(url, "POST", json=changes)
    assert response.status_code == 201
    event_types = [event["type"] for event in response.json()["events"]]
    assert (event_types.count("users.updated"), event_types.count("users.deleted")) == (1, 1)
    name = get(clever, f"/v3.0/users/{ada.id}")["data"]["name"]
    assert (name["first"], name["last"]) == ("Adele", "Adler")
    assert ada.id in get(clever, f"/v3.0/sections/{section.id}")["data"]["students"]


def test_a_batch_with_an_error_reports_the_changes_made_before_it(clever: RunningSimulator) -> None:
    with pytest.raises(ValueError, match="first, last"):
        clever.changes(
            [
                {"change": "name", "person": "student", "first": "Adele"},
                {"change": "name", "person": "teacher", "first": 7},
            ]
        )
    assert types(clever) == ["users.updated"]


def test_a_batch_must_be_about_one_district(clever: RunningSimulator) -> None:
    first, second, *_ = clever.people.districts
    people = [clever.people.people_of(district)[0].id for district in (first, second)]
    for changes in ([], [{"change": "unshared", "person": person} for person in people]):
        with pytest.raises(ValueError, match="one district"):
            clever.changes(changes)
    assert types(clever) == []


# The list of events


def test_events_after_a_cursor_come_oldest_first_and_once(clever: RunningSimulator) -> None:
    for number in range(7):
        clever.change_roster("name", "student", first=f"Ada {number}")
    newest = get(clever, "/v3.0/events?ending_before=last&limit=1")
    assert newest["data"][0]["data"]["data"]["object"]["name"]["first"] == "Ada 6"
    names = [
        event["data"]["object"]["name"]["first"] for event in list_events(clever, query="limit=3")
    ]
    assert names == [f"Ada {number}" for number in range(7)]
    cursor = newest["data"][0]["data"]["id"]
    clever.change_roster("name", "student", first="Ada 7")
    (after,) = list_events(clever, query=f"starting_after={cursor}")
    assert after["data"]["object"]["name"]["first"] == "Ada 7"
    last = get(clever, f"/v3.0/events?starting_after={after['id']}")
    assert (last["data"], link(last, "next")) == ([], None)


@pytest.mark.parametrize("version", VERSIONS)
def test_events_and_their_cursors_expire_after_thirty_days(
    clever: RunningSimulator, version: str
) -> None:
    clever.change_roster("name", "student", first="Old")
    cursor = list_events(clever, version)[0]["id"]
    clever.advance(29 * DAY)
    clever.change_roster("name", "student", first="New")
    assert len(list_events(clever, version, f"starting_after={cursor}")) == 1
    clever.advance(1 * DAY + 1)
    assert len(list_events(clever, version)) == 1
    bearer = district_token(clever)
    for path in (f"events?starting_after={cursor}", f"events/{cursor}"):
        response = read_endpoint(clever, f"/{version}/{path}", bearer)
        assert response.status_code == 404
        assert response.json()["message"]


def test_events_are_filtered_by_record_type_and_by_school(clever: RunningSimulator) -> None:
    section = section_without(clever, "student")
    clever.change_roster("class", "student", section=section.id)
    clever.change_roster("name", "student", first="Adele")
    clever.change_roster("name", "district_admin", first="Mei")
    assert types(clever, query="record_type=sections") == ["sections.updated"]
    event_types = types(clever, query="record_type=sections&record_type=users&limit=1")
    assert event_types == ["sections.updated", "users.updated", "users.updated"]
    school = clever.people.person("student").schools[0].id
    own = types(clever, "v2.1", f"school={school}&record_type=students")
    assert own == ["students.updated"]
    assert types(clever, query=f"school={section.school.id}")[0] == "sections.updated"


@pytest.mark.parametrize("version", ["v1.1", "v1.2"])
def test_in_v1_each_record_has_its_own_event_list(clever: RunningSimulator, version: str) -> None:
    section, ada = section_without(clever, "student"), clever.people.person("student")
    clever.change_roster("class", "student", section=section.id)
    clever.change_roster("name", "student", first="Adele")
    clever.change_roster("name", "teacher", first="Gracie")
    teacher = clever.people.person("teacher").role_assignment("teacher").legacy_id
    for path, expected in (
        (f"students/{ada.id}", ["students.updated"]),
        (f"teachers/{teacher}", ["teachers.updated"]),
        (f"sections/{section.id}", ["sections.updated"]),
    ):
        page = get(clever, f"/{version}/{path}/events")
        assert [row["data"]["type"] for row in page["data"]] == expected
    at_school = get(clever, f"/{version}/schools/{ada.schools[0].id}/events")
    assert "students.updated" in [row["data"]["type"] for row in at_school["data"]]
    missing = read_endpoint(clever, f"/{version}/students/nobody/events", district_token(clever))
    assert missing.status_code == 404


def test_only_a_district_token_at_secure_sync_reads_events(clever: RunningSimulator) -> None:
    person = log_in_and_exchange(clever, "simulator")["access_token"]
    for bearer in (person, district_token(clever, "simulator-sso")):
        assert read_endpoint(clever, "/v3.0/events", bearer).status_code == 404
    assert read_endpoint(clever, "/v3.0/events", "wrong").status_code == 401


def test_events_are_not_visible_to_another_district(clever: RunningSimulator) -> None:
    clever.change_roster("name", "student2", first="Rosalind")
    assert list_events(clever) == []


def test_a_fault_can_target_only_the_events_endpoint(clever: RunningSimulator) -> None:
    clever.add_fault("events", status=503)
    bearer = district_token(clever)
    assert read_endpoint(clever, "/v3.0/users", bearer).status_code == 200
    statuses = [read_endpoint(clever, "/v3.0/events", bearer).status_code for _ in range(2)]
    assert statuses == [503, 200]


# Making changes


def test_changes_can_be_made_over_http(clever: RunningSimulator) -> None:
    url = f"{clever.url}/_simulator/events"
    response = send_request(url, "POST", json={"change": "deleted", "person": "student"})
    assert response.status_code == 201
    assert "users.deleted" in [event["type"] for event in response.json()["events"]]
    assert [event["id"] for event in response.json()["events"]] == [
        event["id"] for event in list_events(clever, "v3.1")
    ]


@pytest.mark.parametrize(
    "change",
    [
        [],
        {},
        {"change": "hatched", "person": "student"},
        {"change": "name", "person": "nobody"},
        {"change": "name", "person": "student", "first": 1},
        {"change": "class", "person": "student", "section": "none"},
        {"change": "class", "person": "teacher", "section": "none"},
        {"change": "class", "person": "student", "enrolled": "yes"},
    ],
)
def test_an_invalid_change_is_refused_with_the_name_of_the_field(
    clever: RunningSimulator, change: object
) -> None:
    response = send_request(f"{clever.url}/_simulator/events", "POST", json=change)
    assert response.status_code == 400
    assert response.json()["message"]
    assert list_events(clever) == []


def test_another_site_cannot_make_a_change(clever: RunningSimulator) -> None:
    url, headers = f"{clever.url}/_simulator/events", {"Origin": "https://evil.test"}
    form = {"change": "deleted", "person": "student"}
    assert send_request(url, "POST", data=form, headers=headers).status_code == 403
    assert list_events(clever) == []


def test_a_reset_undoes_every_change(clever: RunningSimulator) -> None:
    before = clever.people
    clever.change_roster("name", "student", first="Adele")
    clever.change_roster("deleted", "teacher")
    clever.reset()
    assert clever.people == before
    assert list_events(clever) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_values_of_a_record_can_be_overridden_everywhere(
    clever: RunningSimulator, version: str
) -> None:
    section = clever.people.sections[0]
    override = {"id": section.id, "fields": {"grade": 5, "ext.House": ["x"]}, "drop": ["period"]}
    assert (
        send_request(f"{clever.url}/_simulator/records", "POST", json=override).status_code == 201
    )
    (event,) = [
        event for event in list_events(clever, version) if event["type"] == "sections.updated"
    ]
    record = get(clever, f"/{version}/sections/{section.id}")["data"]
    assert (record["grade"], record["ext"]["House"]) == (5, ["x"])
    assert "period" not in record
    assert event["data"]["object"] == record
    clever.reset()
    assert get(clever, f"/{version}/sections/{section.id}")["data"]["grade"] == section.grade


@pytest.mark.parametrize(
    "override",
    [[], {"id": 7}, {"id": "nobody"}, {"id": "x", "fields": []}, {"id": "x", "drop": [7]}],
)
def test_an_invalid_record_override_is_refused(clever: RunningSimulator, override: object) -> None:
    response = send_request(f"{clever.url}/_simulator/records", "POST", json=override)
    assert response.status_code == 400
    assert response.json()["message"]
