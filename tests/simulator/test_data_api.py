"""Tests the simulator's data API: every list, record, and relation in all six versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clever_simulator.config import Config, default_config
from clever_simulator.server import RunningSimulator
from tests.support.browser_client import send_request
from tests.support.simulator_client import (
    APP_URL,
    CLIENT_SECRET,
    callback_query,
    exchange_code,
    log_in,
    log_in_and_exchange,
    read_endpoint,
)
from tests.support.simulators import run_in_background

VERSIONS = ["v1.1", "v1.2", "v2.0", "v2.1", "v3.0", "v3.1"]
OLD, NEW = VERSIONS[:4], VERSIONS[4:]


@pytest.fixture(scope="module")
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def district_tokens(clever: RunningSimulator, client_id: str = "simulator") -> list[str]:
    """Return the tokens of all districts, with the first district's token first."""
    url = f"{clever.url}/oauth/tokens?owner_type=district"
    token_records = send_request(url, auth=(client_id, CLIENT_SECRET)).json()["data"]
    return [str(record["access_token"]) for record in token_records]


def district_token(clever: RunningSimulator, client_id: str = "simulator") -> str:
    """Return the token of the first district."""
    return district_tokens(clever, client_id)[0]


def get(clever: RunningSimulator, path: str, bearer: str | None = None) -> Any:
    """Return the JSON that a district token reads at a path. Asserts status 200."""
    response = read_endpoint(clever, path, bearer or district_token(clever))
    assert response.status_code == 200, (path, response.text)
    return response.json()


def ids(page: Any) -> list[str]:
    return [row["data"]["id"] for row in page["data"]]


def link(page: Any, rel: str) -> str | None:
    return next((str(link["uri"]) for link in page["links"] if link["rel"] == rel), None)


def all_pages(clever: RunningSimulator, path: str) -> list[Any]:
    """Return every page of a list, following the next links."""
    pages, uri = [], path
    while True:
        pages.append(get(clever, uri))
        following = link(pages[-1], "next")
        if following is None:
            return pages
        uri = following


# Lists and pages


@pytest.mark.parametrize("version", VERSIONS)
def test_a_district_token_reads_every_student_once_ordered_by_id(
    clever: RunningSimulator, version: str
) -> None:
    path = f"/{version}/students?" if version in OLD else f"/{version}/users?role=student&"
    pages = all_pages(clever, f"{path}limit=30")
    found_ids = [record_id for page in pages for record_id in ids(page)]
    district = clever.people.districts[0]
    students = [p for p in clever.people.people if "student" in p.roles and p.district == district]
    assert found_ids == sorted(person.id for person in students)
    assert {len(page["data"]) for page in pages[:-1]} == {30}
    assert link(pages[-1], "next") is None


def test_a_page_has_a_hundred_records_by_default_each_with_its_uri(
    clever: RunningSimulator,
) -> None:
    page = get(clever, "/v3.0/users")
    assert len(page["data"]) == 100
    for row in page["data"]:
        assert row["uri"] == f"/v3.0/users/{row['data']['id']}"
    assert get(clever, page["data"][0]["uri"])["data"] == page["data"][0]["data"]


def test_a_page_links_back_and_ending_before_last_finds_the_last_page(
    clever: RunningSimulator,
) -> None:
    all_ids = ids(get(clever, "/v3.0/users?limit=10000"))
    first = get(clever, "/v3.0/users?limit=20")
    second = get(clever, str(link(first, "next")))
    assert ids(get(clever, str(link(second, "prev")))) == ids(first) == all_ids[:20]
    assert ids(get(clever, "/v3.0/users?limit=7&ending_before=last")) == all_ids[-7:]
    assert link(first, "prev") is None


def test_the_last_page_has_no_next_link_even_when_it_is_full(clever: RunningSimulator) -> None:
    all_ids = ids(get(clever, "/v3.0/schools"))
    assert link(get(clever, f"/v3.0/schools?limit={len(all_ids)}"), "next") is None
    empty = get(clever, f"/v3.0/schools?starting_after={all_ids[-1]}")
    assert (empty["data"], link(empty, "next")) == ([], None)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=10001", 413),
        ("limit=99999999999999999999", 413),
        ("limit=0", 400),
        ("limit=-1", 400),
        ("limit=ten", 400),
        ("limit=", 400),
        ("starting_after=a&ending_before=b", 400),
        ("role=wizard", 400),
    ],
)
def test_an_invalid_query_is_refused(clever: RunningSimulator, query: str, status: int) -> None:
    response = read_endpoint(clever, f"/v3.0/users?{query}", district_token(clever))
    assert response.status_code == status
    assert response.json()["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_has_a_count_where_the_version_supports_it(
    clever: RunningSimulator, version: str
) -> None:
    page = get(clever, f"/{version}/sections?count=true&limit=2")
    counts = version not in ("v1.1", "v1.2", "v2.0")
    assert ("count" in page) == counts
    if counts:
        assert page["count"] == len(ids(get(clever, f"/{version}/sections?limit=10000")))


@pytest.mark.parametrize("version", ["v1.1", "v1.2"])
def test_v1_lists_can_be_filtered_by_field_values(clever: RunningSimulator, version: str) -> None:
    condition = '{"name.first": "Ada", "grade": "%s"}'
    ada = clever.people.person("student")
    page = get(clever, f"/{version}/students?where={condition % ada.role_assignments[0].grade}")
    assert ids(page) == [ada.id]
    assert get(clever, f"/{version}/students?where={condition % 'none'}")["data"] == []
    for broken in ("{", "[]", "a", '{"grade": {"$gt": "3"}}', '{"$or": []}', '{"grade": ["3"]}'):
        response = read_endpoint(
            clever, f"/{version}/students?where={broken}", district_token(clever)
        )
        assert response.status_code == 400


def test_versions_without_filters_ignore_them(clever: RunningSimulator) -> None:
    assert len(get(clever, "/v2.0/students?where={")["data"]) > 1


# Relations


@pytest.mark.parametrize("version", OLD)
def test_before_v3_each_role_has_its_own_endpoint(clever: RunningSimulator, version: str) -> None:
    person = clever.people.person("teacher_admin")
    for plural, role in (("teachers", "teacher"), ("school_admins", "staff")):
        legacy = person.role_assignment(role).legacy_id  # type: ignore[arg-type] # both are roles
        record = get(clever, f"/{version}/{plural}/{legacy}")["data"]
        assert (record["id"], record["name"]["last"]) == (legacy, person.name.last)
    sections = get(clever, f"/{version}/teachers/{legacy_of(person)}/sections")
    assert all(row["data"]["teacher"] == legacy_of(person) for row in sections["data"])


def legacy_of(person: Any) -> str:
    return str(person.role_assignment("teacher").legacy_id)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_students_sections_and_teachers_are_consistent(
    clever: RunningSimulator, version: str
) -> None:
    ada, old = clever.people.person("student"), version in OLD
    own = f"/{version}/{'students' if old else 'users'}/{ada.id}"
    sections = get(clever, f"{own}/sections")["data"]
    assert sections
    for section in sections:
        assert ada.id in section["data"]["students"]
        people = f"{section['uri']}/{'students' if old else 'users?role=student'}"
        assert set(ids(get(clever, people))) == set(section["data"]["students"])
    teachers = ids(get(clever, f"{own}/{'teachers' if old else 'myteachers'}"))
    assert set(teachers) == {
        teacher_id for section in sections for teacher_id in section["data"]["teachers"]
    }
    teacher = f"/{version}/{'teachers' if old else 'users'}/{teachers[0]}"
    students = f"{teacher}/{'students' if old else 'mystudents'}?limit=10000"
    assert ada.id in ids(get(clever, students))


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_a_section_refers_to_a_course_and_a_term_from_v2_on(
    clever: RunningSimulator, version: str
) -> None:
    section = get(clever, f"/{version}/sections?limit=1")["data"][0]
    for name, field in (("course", "course"), ("term", "term_id")):
        record_data = get(clever, f"{section['uri']}/{name}")["data"]
        assert record_data["id"] == section["data"][field]
        below = get(clever, f"/{version}/{name}s/{record_data['id']}/sections?limit=10000")
        assert section["data"]["id"] in ids(below)


@pytest.mark.parametrize("version", ["v1.1", "v1.2"])
def test_in_v1_course_and_term_are_part_of_the_section(
    clever: RunningSimulator, version: str
) -> None:
    section = get(clever, f"/{version}/sections?limit=1")["data"][0]["data"]
    assert section["course_name"]
    assert section["term"]["start_date"] < section["term"]["end_date"]
    assert "term_id" not in section


def test_some_students_have_a_guardian_and_some_guardians_have_two_students(
    clever: RunningSimulator,
) -> None:
    v1 = get(clever, "/v1.2/contacts?limit=10000")["data"]
    v2 = get(clever, "/v2.1/contacts?limit=10000")["data"]
    v3 = get(clever, "/v3.0/users?role=contact&limit=10000")["data"]
    assert len(v1) > len(v2) == len(v3) > 10
    assert {len(contact["data"]["students"]) for contact in v2} == {1, 2}
    contact = v3[0]["data"]
    relations = contact["roles"]["contact"]["student_relationships"]
    student = relations[0]["student"]
    assert ids(get(clever, f"/v3.0/users/{student}/mycontacts")) == [contact["id"]]
    legacy = contact["roles"]["contact"]["legacy_id"]
    assert ids(get(clever, f"/v2.1/students/{student}/contacts")) == [legacy]
    assert student in ids(get(clever, f"/v2.1/contacts/{legacy}/students"))
    for contact in v1:
        path = f"/v1.2/students/{contact['data']['student']}/contacts"
        assert contact["data"] in get(clever, path)["data"]


@pytest.mark.parametrize("version", NEW)
def test_users_are_listed_by_role_and_by_primary_school(
    clever: RunningSimulator, version: str
) -> None:
    school = get(clever, f"/{version}/schools")["data"][2]["uri"]
    users = get(clever, f"{school}/users?limit=10000")["data"]
    for role in ("student", "teacher", "staff"):
        user_ids = ids(get(clever, f"{school}/users?limit=10000&role={role}"))
        assert user_ids == [e["data"]["id"] for e in users if role in e["data"]["roles"]]
        assert user_ids
    person = clever.people.person("teacher_admin")
    for own_school in person.schools:
        primary = ids(
            get(clever, f"/{version}/schools/{own_school.id}/users?limit=999&primary=true")
        )
        assert (person.id in primary) == (own_school == person.schools[0])
    assert len(get(clever, f"/{version}/users/{person.id}/schools")["data"]) == 2
    first = get(clever, f"/{version}/users/{person.id}/schools?primary=true")
    assert ids(first) == [person.schools[0].id]


@pytest.mark.parametrize("version", NEW)
def test_a_resource_is_for_the_people_of_its_courses(
    clever: RunningSimulator, version: str
) -> None:
    practice, guide = sorted(
        get(clever, f"/{version}/resources")["data"], key=lambda row: -len(row["data"]["roles"])
    )
    users = get(clever, f"{practice['uri']}/users?limit=10000&role=student")
    assert users["data"]
    own = get(clever, f"{users['data'][0]['uri']}/resources")
    assert practice["data"]["id"] in ids(own)
    assert guide["data"]["id"] not in ids(own)
    assert get(clever, f"{guide['uri']}/users?limit=10000&role=student")["data"] == []
    course = get(clever, f"{practice['uri']}/courses")["data"][0]
    assert practice["data"]["id"] in ids(get(clever, f"{course['uri']}/resources"))


def test_the_location_of_the_district_status_depends_on_the_version(
    clever: RunningSimulator,
) -> None:
    district = clever.people.districts[0].id
    for version in ("v1.1", "v1.2"):
        status = get(clever, f"/{version}/districts/{district}/status")["data"][0]["data"]
        assert (status["state"], bool(status["sis_type"])) == ("running", True)
        assert ("launch_date" in status) == (version == "v1.2")
        assert "state" not in get(clever, f"/{version}/districts/{district}")["data"]
    for version in VERSIONS[2:]:
        record = get(clever, f"/{version}/districts/{district}")["data"]
        assert {"state", "sis_type", "last_sync", "launch_date", "pause_start"} <= set(record)
        bearer = district_token(clever)
        path = f"/{version}/districts/{district}/status"
        assert read_endpoint(clever, path, bearer).status_code == 404


# Permissions


def test_without_secure_sync_a_district_token_reads_only_the_district(
    clever: RunningSimulator,
) -> None:
    bearer = district_token(clever, "simulator-sso")
    district = clever.people.districts[0]
    for version in VERSIONS:
        assert ids(get(clever, f"/{version}/districts", bearer)) == [district.id]
        record = get(clever, f"/{version}/districts/{district.id}", bearer)["data"]
        assert set(record) == {"id", "name"}
        for path in ("schools", "sections", f"districts/{district.id}/schools"):
            assert read_endpoint(clever, f"/{version}/{path}", bearer).status_code == 404
        status = read_endpoint(clever, f"/{version}/districts/{district.id}/status", bearer)
        assert status.status_code == (200 if version in {"v1.1", "v1.2"} else 404)


def test_a_district_token_reads_nothing_of_another_district(clever: RunningSimulator) -> None:
    bearer = district_token(clever)
    other_district = clever.people.districts[1]
    school = next(
        candidate for candidate in clever.people.schools if candidate.district == other_district
    )
    person = next(
        candidate for candidate in clever.people.people if candidate.district == other_district
    )
    for path in (
        f"districts/{other_district.id}",
        f"schools/{school.id}",
        f"schools/{school.id}/users",
        f"users/{person.id}",
    ):
        assert read_endpoint(clever, f"/v3.0/{path}", bearer).status_code == 404
    assert ids(get(clever, "/v3.0/districts", bearer)) == [clever.people.districts[0].id]
    assert other_district.id not in str(get(clever, "/v3.0/users?limit=10000", bearer))


@pytest.mark.parametrize("version", ["v1.1", "v1.2", "v2.0", "v2.1"])
def test_before_v3_a_user_token_reads_only_the_users_sections(
    clever: RunningSimulator, version: str
) -> None:
    ada = clever.people.person("student")
    bearer = log_in_and_exchange(clever, "simulator")["access_token"]
    own = f"/{version}/students/{ada.id}"
    sections = get(clever, f"{own}/sections", bearer)["data"]
    assert sections
    assert get(clever, sections[0]["uri"], bearer)["data"] == sections[0]["data"]
    all_sections = get(clever, f"/{version}/sections?limit=10000")["data"]
    foreign = next(section for section in all_sections if ada.id not in section["data"]["students"])
    assert read_endpoint(clever, foreign["uri"], bearer).status_code == 404
    assert get(clever, f"{own}/district", bearer)["data"]["id"] == ada.district.id
    for closed in (f"/{version}/sections", f"{own}/teachers"):
        assert read_endpoint(clever, closed, bearer).status_code == 404


@pytest.mark.parametrize("version", OLD)
def test_before_v3_a_user_token_reads_only_the_record_of_its_own_role(
    clever: RunningSimulator, version: str
) -> None:
    person = clever.people.person("teacher_admin")
    bearer = log_in_and_exchange(clever, "simulator", person.user_name)["access_token"]
    role = get(clever, f"/{version}/me", bearer)["type"]
    statuses = {
        api_role: read_endpoint(
            clever, f"/{version}/{api_role}s/{post.legacy_id}", bearer
        ).status_code
        for post, api_role in (
            (person.role_assignment("teacher"), "teacher"),
            (person.role_assignment("staff"), "school_admin"),
        )
    }
    assert statuses == {"teacher": 404, "school_admin": 404} | {role: 200}


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_from_v3_on_a_user_token_reads_no_sections_and_no_demographics(
    clever: RunningSimulator, version: str
) -> None:
    ada = clever.people.person("student")
    bearer = log_in_and_exchange(clever, "simulator")["access_token"]
    own = f"/{version}/users/{ada.id}"
    section = ids(get(clever, f"{own}/sections"))[0]
    for closed in ("sections", "users", f"sections/{section}"):
        assert read_endpoint(clever, f"/{version}/{closed}", bearer).status_code == 404
    for closed in ("sections", "myteachers", "mystudents"):
        assert read_endpoint(clever, f"{own}/{closed}", bearer).status_code == 404
    seen, all_fields = (
        set(get(clever, own, *tokens)["data"]["roles"]["student"]) for tokens in ((bearer,), ())
    )
    assert all_fields - seen >= {"dob", "gender", "race", "ell_status", "location"}
    assert seen >= {"grade", "school", "schools", "legacy_id"}


def test_a_user_token_cannot_use_paging_parameters(clever: RunningSimulator) -> None:
    bearer = log_in_and_exchange(clever, "simulator")["access_token"]
    path = f"/v2.1/students/{clever.people.person('student').id}/sections"
    for query in ("limit=1", "starting_after=0", "ending_before=last", "count=true"):
        response = read_endpoint(clever, f"{path}?{query}", bearer)
        assert response.status_code == 400
        assert response.json()["message"]


def test_at_the_sso_tier_a_user_token_reads_only_name_and_district(
    clever: RunningSimulator,
) -> None:
    person = clever.people.person("teacher")
    bearer = log_in_and_exchange(clever, "simulator-sso", "teacher")["access_token"]
    user = get(clever, f"/v3.0/users/{person.id}", bearer)["data"]
    assert set(user["roles"]["teacher"]) == {"legacy_id", "schools"}
    assert user["roles"]["teacher"]["schools"] == []
    get(clever, f"/v3.0/users/{person.id}/district", bearer)
    for path in (f"users/{person.id}/sections", f"schools/{person.schools[0].id}"):
        assert read_endpoint(clever, f"/v3.0/{path}", bearer).status_code == 404


def test_people_not_shared_with_an_app_are_in_none_of_its_lists() -> None:
    sample = default_config(APP_URL).apps[0]
    apps = (sample, replace(sample, client_id="picky", unshared=("student",)))
    with run_in_background(Config(apps=apps)) as clever:
        ada, bearer = clever.people.person("student"), district_token(clever, "picky")
        assert read_endpoint(clever, f"/v3.0/users/{ada.id}", bearer).status_code == 404
        for path in ("users", "sections", "schools"):
            assert ada.id not in str(get(clever, f"/v3.0/{path}?limit=10000", bearer))
        clever.change_roster("name", "student", first="Adele")
        assert get(clever, "/v3.0/events", bearer)["data"] == []
        get(clever, f"/v3.0/users/{ada.id}")  # the other app has her


def test_the_limit_of_1200_calls_per_minute_applies_to_each_token(clever: RunningSimulator) -> None:
    bearer, other = district_token(clever), district_token(clever, "simulator-sso")
    clever.advance(60)
    remaining_calls = [
        int(read_endpoint(clever, "/v3.0/schools?limit=1", bearer).headers["X-RateLimit-Remaining"])
        for _ in range(2)
    ]
    assert remaining_calls in ([1199, 1198], [1199, 1199], [1198, 1199])
    assert (
        int(read_endpoint(clever, "/v3.0/districts", other).headers["X-RateLimit-Remaining"])
        == 1199
    )


# Clever Library


def library_token(clever: RunningSimulator, user_name: str) -> str:
    """Return the token of a Clever Library login, in which a teacher consents."""
    visitor = log_in(clever, "simulator-library", user_name)
    if visitor.url.startswith(clever.url):
        visitor.press("Yes")
    code = callback_query(visitor)["code"]
    return str(exchange_code(clever, "simulator-library", code).json()["access_token"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_library_teachers_token_reads_their_sections_and_students(
    clever: RunningSimulator, version: str
) -> None:
    grace, old = clever.people.person("teacher"), version in OLD
    bearer = library_token(clever, "teacher")
    own_id = grace.role_assignment("teacher").legacy_id if old else grace.id
    own = f"/{version}/{'teachers' if old else 'users'}/{own_id}"
    record = get(clever, own, bearer)["data"]
    assert (record["name"]["last"], record["email"]) == (grace.name.last, grace.email)
    sections = get(clever, f"{own}/sections", bearer)["data"]
    own_section_ids = {section.id for section in clever.people.sections if section.teacher == grace}
    assert {section["data"]["id"] for section in sections} == own_section_ids
    students = []
    for section in sections:
        assert get(clever, section["uri"], bearer)["data"] == section["data"]
        people = f"{section['uri']}/{'students' if old else 'users?role=student'}"
        rows = get(clever, people, bearer)["data"]
        assert {row["data"]["id"] for row in rows} == set(section["data"]["students"])
        students += [row["data"] for row in rows]
    for student in students:
        assert len(student["name"]["last"]) == 1
        assert "email" not in student
        assert get(clever, f"/{version}/{'students' if old else 'users'}/{student['id']}", bearer)
    assert grace.district.id not in str([record, sections, students])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_library_teachers_token_cannot_read_districts_schools_or_other_teachers(
    clever: RunningSimulator, version: str
) -> None:
    grace, bearer = clever.people.person("teacher"), library_token(clever, "teacher")
    own_student_ids = {
        student.id for section in clever.people.sections_of(grace) for student in section.students
    }
    kind = "students" if version in OLD else "users"
    people = clever.people.people_of(grace.district)
    stranger = next(p for p in people if p.roles == ("student",) and p.id not in own_student_ids)
    foreign = next(section for section in clever.people.sections if section.teacher != grace)
    for path in (
        "districts",
        f"districts/{grace.district.id}",
        "schools",
        f"schools/{grace.schools[0].id}",
        "sections",
        f"sections/{foreign.id}",
        f"sections/{foreign.id}/{kind}",
        f"{kind}/{stranger.id}",
        "events",
    ):
        assert read_endpoint(clever, f"/{version}/{path}", bearer).status_code == 404, path


def test_a_library_students_token_reads_only_the_student(clever: RunningSimulator) -> None:
    library_token(clever, "teacher")
    ada = clever.people.person("student")
    bearer = library_token(clever, "student")
    record = get(clever, f"/v3.0/users/{ada.id}", bearer)["data"]
    assert record["name"] == {"first": "Ada", "last": "M", "middle": ""}
    assert {"email", "district"}.isdisjoint(record)
    assert read_endpoint(clever, f"/v3.0/users/{ada.id}/sections", bearer).status_code == 404
