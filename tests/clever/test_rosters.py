"""Tests reading a district's roster with its token: complete, in every version, rate-limited."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clever_login.api_versions import VERSIONS, RecordKind
from clever_login.clever.district_api.district_client import DistrictTokens
from clever_login.clever.district_api.pagination import MAX_EMPTY_PAGES
from clever_login.clever.district_api.roster_client import Roster
from clever_login.clever.http import ResponseLimits
from clever_login.clever.people import PersonRole
from clever_login.errors import (
    CleverMisconfigured,
    CleverUnavailable,
    CleverUnexpected,
    DistrictDisconnected,
    NoSecureSync,
)
from clever_simulator.server import RunningSimulator
from tests.support.roster_job import make_job, simulator_config
from tests.support.simulators import run_in_background

ALL = tuple(VERSIONS)
PEOPLE = (RecordKind.STUDENTS, RecordKind.TEACHERS, RecordKind.STAFF, RecordKind.DISTRICT_ADMINS)
ROLE = {
    RecordKind.STUDENTS: "student",
    RecordKind.TEACHERS: "teacher",
    RecordKind.STAFF: "staff",
    RecordKind.DISTRICT_ADMINS: "district_admin",
}


@pytest.fixture(scope="module")
def one_clever() -> Iterator[RunningSimulator]:
    with run_in_background(simulator_config()) as started:
        yield started


@pytest.fixture
def clever(one_clever: RunningSimulator) -> RunningSimulator:
    one_clever.configure(simulator_config())
    one_clever.reset()
    return one_clever


def expected_ids(clever: RunningSimulator, version: str, kind: RecordKind) -> set[str]:
    """Return the ids that must be found: one per person from v3 on, one per role before."""
    role, district = ROLE[kind], clever.people.districts[0].id
    posts = (
        (person, post)
        for person in clever.people.people
        for post in person.role_assignments
        if person.district.id == district and post.role == role
    )
    one_id = VERSIONS[version].one_id
    return {person.id if one_id else post.legacy_id for person, post in posts}


# Content


@pytest.mark.parametrize("version", ALL)
def test_every_list_of_people_is_read_completely(clever: RunningSimulator, version: str) -> None:
    roster = make_job(clever, version).roster
    for kind in PEOPLE:
        people = list(roster.people(kind))
        assert {person.id for person in people} == expected_ids(clever, version, kind)
        assert len(people) == len({person.id for person in people})
        assert all(ROLE[kind] in person.roles for person in people)


@pytest.mark.parametrize("version", ALL)
def test_reading_everybody_includes_contacts(clever: RunningSimulator, version: str) -> None:
    roster = make_job(clever, version).roster
    ids = {person.id for person in roster.everybody()}
    expected = set().union(*(expected_ids(clever, version, kind) for kind in PEOPLE))
    contacts = {person.id for person in roster.people(RecordKind.CONTACTS)}
    assert contacts
    assert ids == expected | contacts


@pytest.mark.parametrize("version", ALL)
def test_only_the_districts_schools_and_sections_are_read(
    clever: RunningSimulator, version: str
) -> None:
    roster, own = make_job(clever, version).roster, clever.people.districts[0].id
    schools = {school.id: school for school in clever.people.schools if school.district.id == own}
    read = {school.id: school for school in roster.schools()}
    assert read.keys() == schools.keys()
    assert all(read[school_id].name == expected.name for school_id, expected in schools.items())
    assert all(record.principal_name and record.city and record.created for record in read.values())
    sections = {
        section.id: section for section in clever.people.sections if section.school.id in schools
    }
    read_sections = {section.id: section for section in roster.sections()}
    assert read_sections.keys() == sections.keys()
    one_id = VERSIONS[version].one_id
    for section_id, section in sections.items():
        teacher = section.teacher
        expected = teacher.id if one_id else teacher.role_assignment("teacher").legacy_id
        assert read_sections[section_id].teacher_ids[0] == expected
        assert set(read_sections[section_id].student_ids) == {
            student.id for student in section.students
        }
        assert read_sections[section_id].school_id == section.school.id


@pytest.mark.parametrize("version", ALL)
def test_courses_and_terms_are_read_in_every_version(
    clever: RunningSimulator, version: str
) -> None:
    roster = make_job(clever, version).roster
    sections = list(roster.sections())
    if VERSIONS[version].courses_in_sections:
        assert all(section.course and section.course.name for section in sections)
        assert all(
            section.term and section.term.name and section.term.start_date for section in sections
        )
        assert not list(roster.courses())
        assert not list(roster.terms())
        return
    courses = {course.id: course for course in roster.courses()}
    terms = {term.id: term for term in roster.terms()}
    assert {section.course_id for section in sections} <= courses.keys()
    assert {section.term_id for section in sections} <= terms.keys()
    assert all(course.name and course.number for course in courses.values())
    assert all(term.name and term.start_date and term.end_date for term in terms.values())


@pytest.mark.parametrize("version", ALL)
def test_resources_are_available_from_v3_on(clever: RunningSimulator, version: str) -> None:
    resources = list(make_job(clever, version).roster.resources())
    assert bool(resources) == version.startswith("v3")
    assert all(resource.title and resource.roles for resource in resources)


@pytest.mark.parametrize("version", ALL)
def test_the_district_status_is_read_in_every_version(
    clever: RunningSimulator, version: str
) -> None:
    reader = make_job(clever, version)
    district = reader.roster.district()
    assert district.name == clever.people.districts[0].name
    assert district.state in {"running", "success"}
    assert district.last_sync
    assert district.last_sync.tzinfo
    assert bool(district.launch_date) == VERSIONS[version].pauses
    assert any(path.endswith("/status") for path in reader.requested_paths()) == version.startswith(
        "v1"
    )


@pytest.mark.parametrize("version", ALL)
def test_a_contact_names_its_students_and_has_a_full_name(
    clever: RunningSimulator, version: str
) -> None:
    roster = make_job(clever, version).roster
    students = {person.id for person in roster.people(RecordKind.STUDENTS)}
    for person in roster.people(RecordKind.CONTACTS):
        post = person.post(PersonRole.CONTACT)
        assert post
        assert post.contact
        assert post.contact.phone
        assert {relationship.student_id for relationship in post.contact.relationships} <= students
        assert post.contact.relationships[0].type
        assert person.last_name


@pytest.mark.parametrize("version", ALL)
def test_a_student_has_the_fields_of_the_api_version(
    clever: RunningSimulator, version: str
) -> None:
    ada = clever.people.person("student")
    student = next(
        p for p in make_job(clever, version).roster.people(RecordKind.STUDENTS) if p.id == ada.id
    )
    post = student.post(PersonRole.STUDENT)
    assert post
    assert post.student
    assert (student.first_name, student.email) == (ada.name.first, ada.email)
    assert post.school_ids == tuple(school.id for school in ada.schools)
    assert post.user_name == "student"
    assert post.student.grade == ada.role_assignment("student").grade
    assert (post.legacy_id == ada.id) == version.startswith("v3")
    assert (post.student.home_language == "English") == (version == "v3.1")


@pytest.mark.parametrize("version", ALL)
def test_a_districts_extension_fields_are_passed_through_unchanged(
    clever: RunningSimulator, version: str
) -> None:
    own = {"id": "5f" * 12, "ext": {"House": "Otter", "Points": 7}}
    for read in (Roster.sections, Roster.schools):
        clever.add_fault("data", body=page(own))
        (record,) = read(make_job(clever, version).roster)
        assert record.ext == own["ext"]
        assert hash(record)
    assert "Otter" not in repr(record)


@pytest.mark.parametrize("version", ["v2.1", "v3.0", "v3.1"])
def test_a_district_names_its_contact_person(clever: RunningSimulator, version: str) -> None:
    district = make_job(clever, version).roster.district()
    assert district.contact_name
    assert district.contact_email
    assert district.portal_url
    assert district.login_methods


def test_a_person_with_only_the_guaranteed_fields_is_read(clever: RunningSimulator) -> None:
    sparse = clever.people.person("sparse")
    person = next(p for p in make_job(clever).roster.people(RecordKind.USERS) if p.id == sparse.id)
    assert (person.first_name, person.last_name) == (sparse.name.first, sparse.name.last)
    assert (person.email, person.middle_name) == (None, None)
    assert all(post.school_ids == () and post.number is None for post in person.role_assignments)


@pytest.mark.parametrize("version", ALL)
def test_a_district_full_of_edge_cases_is_read_completely(
    clever: RunningSimulator, version: str
) -> None:
    odd = next(district.id for district in clever.people.districts if "Odd" in district.name)
    roster = make_job(clever, version, district=odd).roster
    expected = {p.id for p in clever.people.people if p.district.id == odd}
    assert len(list(roster.everybody())) >= len(expected)
    assert list(roster.sections())


def test_a_person_with_two_roles_is_one_record_from_v3_on_and_two_before(
    clever: RunningSimulator,
) -> None:
    person = clever.people.person("teacher_admin")
    now = next(p for p in make_job(clever).roster.everybody() if p.id == person.id)
    assert len(now.roles) == len(person.role_assignments) > 1
    legacy = {post.legacy_id for post in now.role_assignments}
    before = [p for p in make_job(clever, "v2.1").roster.everybody() if p.id in legacy]
    assert len(before) == len(person.role_assignments)


@pytest.mark.parametrize("version", ALL)
def test_a_count_is_available_where_the_version_supports_it(
    clever: RunningSimulator, version: str
) -> None:
    roster = make_job(clever, version).roster
    for kind in VERSIONS[version].lists:
        count = roster.count(kind)
        listing = VERSIONS[version].lists[kind]
        assert (count is None) == ("count" not in listing.parameters or bool(listing.role))
        if count is not None:
            assert count == len(list(roster.read(kind)))


@pytest.mark.parametrize("version", ALL)
def test_a_where_filter_is_sent_in_v1_and_rejected_locally_in_later_versions(
    clever: RunningSimulator, version: str
) -> None:
    reader = make_job(clever, version)
    grade = clever.people.person("student").role_assignment("student").grade
    if not version.startswith("v1"):
        with pytest.raises(ValueError, match="where"):
            reader.roster.people(RecordKind.STUDENTS, where={"grade": grade})
        assert reader.requested_paths() == []
        return
    students = list(reader.roster.people(RecordKind.STUDENTS, where={"grade": grade}))
    grades = [post.student.grade for p in students for post in p.role_assignments if post.student]
    assert set(grades) == {grade}
    assert len(students) < len(expected_ids(clever, version, RecordKind.STUDENTS))


@pytest.mark.parametrize(
    ("version", "kind"),
    [("v2.1", RecordKind.USERS), ("v2.1", RecordKind.SECTIONS), ("v3.0", RecordKind.SCHOOLS)],
)
def test_reading_people_from_a_list_without_people_is_an_error(
    clever: RunningSimulator, version: str, kind: RecordKind
) -> None:
    with pytest.raises(ValueError, match=f"{version} has no list of people"):
        make_job(clever, version).roster.people(kind)


# Pages


@pytest.mark.parametrize("version", ALL)
def test_small_pages_give_the_same_records_as_one_large_page(
    clever: RunningSimulator, version: str
) -> None:
    large, small = make_job(clever, version), make_job(clever, version, page_size=7)
    for kind in VERSIONS[version].lists:
        large_ids = [record["id"] for record in large.roster.read(kind)]
        many = [record["id"] for record in small.roster.read(kind)]
        assert large_ids == many


def test_pages_of_ten_thousand_records_are_requested_with_one_call_each(
    clever: RunningSimulator,
) -> None:
    reader = make_job(clever)
    list(reader.roster.people(RecordKind.STUDENTS))
    user_requests = [
        request for request in clever.received_requests() if request["path"] == "/v3.0/users"
    ]
    assert len(user_requests) == 1
    assert user_requests[0]["query"] == "role=student&limit=10000"


def test_no_request_is_sent_before_the_first_record_is_read(clever: RunningSimulator) -> None:
    reader = make_job(clever, page_size=5)
    sections = reader.roster.sections()
    assert reader.requested_paths() == []
    next(sections)
    assert reader.requested_paths() == ["/v3.0/sections"]


@pytest.mark.parametrize("version", ALL)
def test_reading_resumes_after_the_last_processed_record(
    clever: RunningSimulator, version: str
) -> None:
    roster = make_job(clever, version, page_size=5).roster
    all_ids = [person.id for person in roster.people(RecordKind.STUDENTS)]
    first_ids = [
        person.id for person, _ in zip(roster.people(RecordKind.STUDENTS), range(8), strict=False)
    ]
    later_ids = [person.id for person in roster.people(RecordKind.STUDENTS, after=first_ids[-1])]
    assert first_ids + later_ids == all_ids


def page(*records: dict[str, Any], following: str | None = None, **fields: Any) -> str:
    links = [{"rel": "self", "uri": "/x"}]
    links += [{"rel": "next", "uri": following}] if following else []
    return json.dumps({"data": [{"data": record} for record in records], "links": links} | fields)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/v3.0/sections",
        "//evil.test/v3.0/sections",
        "http://127.0.0.1:9/v3.0/sections",
        "ftp://127.0.0.1/v3.0/sections",
        "/v2.1/sections",
        "/v3.0/../v2.1/sections",
        "/v3.0/%2e%2e/v2.1/sections",
        "/v3.0/sections/%2E%2E%2F%2E%2E/v2.1/me",
        "http://[/v3.0/sections",
    ],
)
def test_a_next_link_to_another_host_or_path_is_not_followed(
    clever: RunningSimulator, link: str
) -> None:
    reader = make_job(clever)
    clever.add_fault("data", body=page({"id": "5f" * 12}, following=link))
    with pytest.raises(CleverUnexpected, match="continues at another address"):
        list(reader.roster.sections())
    assert reader.requested_paths() == ["/v3.0/sections"]


def test_an_empty_page_with_a_next_link_is_not_the_end(clever: RunningSimulator) -> None:
    for place in ("a", "b"):
        clever.add_fault("data", body=page(following=f"/v3.0/sections?limit=10000&page={place}"))
    clever.add_fault("data", body=page({"id": "5f" * 12}, following="/v3.0/sections?page=c"))
    clever.add_fault("data", body=page())
    reader = make_job(clever)
    assert [section.id for section in reader.roster.sections()] == ["5f" * 12]
    assert len(reader.requested_paths()) == 4


def test_endless_empty_pages_are_an_error(clever: RunningSimulator) -> None:
    for number in range(MAX_EMPTY_PAGES + 5):
        clever.add_fault("data", body=page(following=f"/v3.0/sections?page={number}"))
    reader = make_job(clever)
    with pytest.raises(CleverUnexpected, match="empty pages in a row"):
        list(reader.roster.sections())
    assert len(reader.requested_paths()) == MAX_EMPTY_PAGES + 1


def test_pages_that_link_to_each_other_raise_an_error(
    clever: RunningSimulator,
) -> None:
    for following in ("/v3.0/sections?page=2", "/v3.0/sections?limit=10000"):
        clever.add_fault("data", body=page({"id": "5f" * 12}, following=following))
    with pytest.raises(CleverUnexpected, match="already read"):
        list(make_job(clever).roster.sections())


def test_a_page_that_links_to_itself_raises_an_error(clever: RunningSimulator) -> None:
    clever.add_fault(
        "data", times=0, body=page({"id": "5f" * 12}, following="/v3.0/sections?limit=10000")
    )
    with pytest.raises(CleverUnexpected, match="already read"):
        list(make_job(clever).roster.sections())


def test_responses_without_links_are_paged_by_the_last_id(clever: RunningSimulator) -> None:
    ids = [f"5f{number:022x}" for number in range(3)]
    for record_id in ids:
        clever.add_fault("data", body=json.dumps({"data": [{"data": {"id": record_id}}]}))
    clever.add_fault("data", body=json.dumps({"data": []}))
    section_ids = [
        section.id for section in make_job(clever, "v1.2", page_size=1).roster.sections()
    ]
    assert section_ids == ids
    queries = [request["query"] for request in clever.received_requests()][-4:]
    assert queries == ["limit=1", *(f"limit=1&starting_after={record_id}" for record_id in ids)]


# Malformed records, and new fields


@pytest.mark.parametrize(("grade", "read"), [(5, "5"), (5.0, "5"), (True, None), (10**400, None)])
def test_a_number_is_accepted_where_its_meaning_is_unambiguous(
    clever: RunningSimulator, grade: object, read: str | None
) -> None:
    clever.add_fault("data", body=page({"id": "5f" * 12, "grade": grade, "sis_id": 7}))
    (section,) = make_job(clever).roster.sections()
    assert (section.grade, section.sis_id) == (read, None)


def test_clevers_example_records_are_parsed(clever: RunningSimulator) -> None:
    own = {"school": "5d" * 12, "start_date": "2025-08-18"}
    student = {"enrollments": own, "dob": "8/15/2019", "ext": {}}
    clever.add_fault("data", body=page({"id": "5f" * 12, "roles": {"student": student}}))
    roster = make_job(clever).roster
    (person,) = roster.people(RecordKind.USERS)
    post = person.post(PersonRole.STUDENT)
    assert post
    assert post.student
    assert [enrollment.school_id for enrollment in post.student.enrollments] == ["5d" * 12]
    contact = {"id": clever.people.districts[0].id, "name": "Harrow", "district_contact": "5c" * 12}
    clever.add_fault("district", body=json.dumps({"data": contact}))
    assert roster.district().contact_name is None
    assert roster.report.sentences() == []


@pytest.mark.parametrize("body", ['{"data": {}}', '{"data": null}', "{}", "[]"])
def test_a_response_that_is_not_a_list_raises_an_error(clever: RunningSimulator, body: str) -> None:
    clever.add_fault("data", body=body)
    with pytest.raises(CleverUnexpected):
        list(make_job(clever).roster.sections())


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 7, "x", [], {"data": None}, {"data": 7}, {"data": {}}),
        *(
            {"data": {"id": record_id}}
            for record_id in (None, "", "../me", 7, "x" * 65, ["5f" * 12])
        ),
    ],
)
def test_an_entry_without_a_usable_id_is_skipped_and_counted(
    clever: RunningSimulator, entry: object
) -> None:
    good = {"data": {"id": "5f" * 12}}
    clever.add_fault("data", body=json.dumps({"data": [entry, good, entry], "links": []}))
    roster = make_job(clever).roster
    assert [section.id for section in roster.sections()] == ["5f" * 12]
    assert roster.report.sentences() == [
        "2 records were skipped: sections without a usable id (2)."
    ]


def test_an_oversized_number_affects_only_its_field(clever: RunningSimulator) -> None:
    body = page({"id": "5f" * 12, "name": "A class", "ext": {"x": 7}}).replace("7", "7" * 5000)
    clever.add_fault("data", body=body)
    (section,) = make_job(clever).roster.sections()
    assert section.name == "A class"


def test_unknown_fields_and_roles_are_ignored(clever: RunningSimulator) -> None:
    roles = {"volunteer": [], "staff": {"x": 1}, "district_admin": 7, "teacher": True}
    new = {"id": "5f" * 12, "mood": {"today": 7}, "roles": roles}
    clever.add_fault("data", body=page(new, paging={"new": True}))
    (person,) = make_job(clever).roster.people(RecordKind.USERS)
    assert person.roles == ("staff",)


def test_the_repr_of_a_record_shows_only_its_id(clever: RunningSimulator) -> None:
    reader = make_job(clever)
    for person in reader.roster.everybody():
        assert repr(person) == f"Person({person.id})"
    for section in reader.roster.sections():
        assert repr(section) == f"Section({section.id})"
    ada = next(p for p in reader.roster.everybody() if p.first_name == "Ada")
    assert "Ada" not in repr(ada) + repr(ada.role_assignments)


# Clever's rate limit


@pytest.mark.parametrize("ahead", [0, 120, -120])
def test_after_a_429_the_client_waits_for_the_rate_limit_reset(
    clever: RunningSimulator, ahead: int
) -> None:
    reader = make_job(clever)
    reader.time.ahead = ahead
    reset = int(time.time()) + 40
    clever.add_fault("data", status=429, headers={"X-RateLimit-Reset": str(reset)})
    assert list(reader.roster.sections())
    (slept,) = reader.time.slept
    assert 35 < slept <= 40


@pytest.mark.parametrize("ahead", [0, 120, -120])
def test_the_client_waits_when_no_calls_remain_in_the_rate_window(
    clever: RunningSimulator, ahead: int
) -> None:
    reader = make_job(clever, page_size=10)
    reader.time.ahead = ahead
    reset = str(int(time.time()) + 30)
    clever.add_fault("data", headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})
    students = list(reader.roster.people(RecordKind.STUDENTS))
    assert {student.id for student in students} == expected_ids(clever, "v3.0", RecordKind.STUDENTS)
    (slept,) = reader.time.slept
    assert 25 < slept <= 30


def test_the_limit_of_1200_calls_per_minute_is_kept_without_a_429(clever: RunningSimulator) -> None:
    seconds = clever.app.extensions["clever_simulator"].clock.now() % 60
    clever.advance(61 - seconds)  # otherwise a new minute could allow 1,200 more
    reader = make_job(clever)
    for _ in range(1250):
        reader.roster.district()
    statuses = [
        request["status"]
        for request in clever.received_requests()
        if request["path"].startswith("/v3.0")
    ]
    assert len(statuses) == 1250
    assert set(statuses) == {200}
    assert len(reader.time.slept) == 1


@pytest.mark.parametrize("word", ["soon", "-1", "99999999999", "0"])
def test_an_invalid_reset_header_means_waiting_at_most_a_minute(
    clever: RunningSimulator, word: str
) -> None:
    reader = make_job(clever)
    clever.add_fault("data", status=429, headers={"X-RateLimit-Reset": word})
    assert list(reader.roster.sections())
    assert 1 <= sum(reader.time.slept) <= 61


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_retried_with_growing_pauses(
    clever: RunningSimulator, status: int
) -> None:
    reader = make_job(clever)
    clever.add_fault("data", status=status, times=5)
    assert list(reader.roster.sections())
    assert reader.time.slept == [1, 2, 4, 8, 16]


def test_after_five_retries_the_error_is_raised(clever: RunningSimulator) -> None:
    reader = make_job(clever)
    clever.add_fault("data", status=503, times=0)
    with pytest.raises(CleverUnavailable, match="503"):
        list(reader.roster.sections())
    assert len(reader.requested_paths()) == 6


def test_a_broken_connection_is_retried(clever: RunningSimulator) -> None:
    reader = make_job(clever)
    clever.add_fault("data", drop="before", times=2)
    assert list(reader.roster.sections())
    assert reader.time.slept == [1, 2]


@pytest.mark.parametrize("status", [400, 413])
def test_a_client_error_response_is_never_retried(clever: RunningSimulator, status: int) -> None:
    reader = make_job(clever)
    clever.add_fault("data", status=status)
    with pytest.raises(CleverUnexpected, match=str(status)):
        list(reader.roster.sections())
    assert reader.requested_paths() == ["/v3.0/sections"]
    assert reader.time.slept == []


def test_lists_have_a_larger_response_limit_than_logins(
    clever: RunningSimulator,
) -> None:
    large = page({"id": "5f" * 12, "padding": "x" * 3_000_000})
    clever.add_fault("data", body=large, times=2)
    assert len(list(make_job(clever).roster.sections())) == 1
    small = make_job(clever, bounds=ResponseLimits(largest_body=2_000_000, retry=False))
    with pytest.raises(CleverUnexpected, match="larger than 2000000"):
        list(small.roster.sections())


# Tokens


def test_districts_are_the_ones_that_authorized_the_app(clever: RunningSimulator) -> None:
    tokens = make_job(clever).client.tokens
    assert isinstance(tokens, DistrictTokens)
    assert set(tokens.districts()) == {district.id for district in clever.people.districts}


def test_districts_on_several_pages_and_in_large_responses_are_all_found(
    clever: RunningSimulator,
) -> None:
    def entries(start: int, *links: dict[str, str]) -> str:
        ids = (f"5f{number:022x}" for number in range(start, start + 8000))
        data = [
            {
                "owner": {"type": "district", "id": record_id},
                "access_token": "x" * 40,
                "scopes": ["y" * 80],
            }
            for record_id in ids
        ]
        return json.dumps({"data": data, "links": links})

    following = "/oauth/tokens?owner_type=district&starting_after=1"
    clever.add_fault("token", body=entries(0, {"rel": "next", "uri": following}))
    clever.add_fault("token", body=entries(8000))
    tokens = make_job(clever).client.tokens
    assert isinstance(tokens, DistrictTokens)
    assert len(tokens.districts()) == 16_000


def test_the_client_secret_is_never_sent_to_another_host(clever: RunningSimulator) -> None:
    entry = {"owner": {"type": "district", "id": "5f" * 12}, "access_token": "x" * 40}
    links = [{"rel": "next", "uri": "http://127.0.0.1:9/oauth/tokens"}]
    clever.add_fault("token", body=json.dumps({"data": [entry], "links": links}))
    with pytest.raises(CleverUnexpected, match="at another address"):
        list(make_job(clever, district="5f" * 12).roster.schools())


UNUSABLE_ENTRIES = (
    {"owner": {"id": "5f" * 12}},
    {"access_token": "x" * 40},
    {"owner": {"id": "../me"}, "access_token": "x" * 40},
    {"owner": {"id": "5f" * 12}, "access_token": 7},
    {"owner": {"id": "5f" * 12}, "access_token": "a\r\nHost: evil"},
    None,
)


def test_an_unusable_entry_of_the_token_list_is_skipped_and_logged(
    clever: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    usable = {"owner": {"type": "district", "id": "6a" * 12}, "access_token": "y" * 40}
    clever.add_fault("token", body=json.dumps({"data": [*UNUSABLE_ENTRIES, usable]}))
    tokens = make_job(clever).client.tokens
    assert isinstance(tokens, DistrictTokens)
    assert tokens.districts() == ("6a" * 12,)
    (record,) = [one for one in caplog.records if one.getMessage() == "district_tokens_skipped"]
    assert record.__dict__["fields"] == {"entries": len(UNUSABLE_ENTRIES)}


@pytest.mark.parametrize("entry", UNUSABLE_ENTRIES)
def test_a_token_entry_without_owner_or_token_raises_an_error_that_shows_no_token(
    clever: RunningSimulator, entry: dict[str, Any]
) -> None:
    clever.add_fault("token", body=json.dumps({"data": [entry]}))
    with pytest.raises(CleverUnexpected, match="no owner or no token") as error:
        list(make_job(clever).roster.schools())
    assert "xxx" not in str(error.value)


def test_a_district_token_is_looked_up_once_and_never_shown(
    clever: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    reader = make_job(clever)
    list(reader.roster.sections())
    list(reader.roster.schools())
    assert [request["path"] for request in clever.received_requests()].count("/oauth/tokens") == 1
    token = reader.client.tokens.token(reader.client.district_id)
    for text in (repr(reader), repr(reader.roster), repr(reader.client.tokens), caplog.text):
        assert token not in text
        assert "simulator-secret" not in text


def test_a_refused_district_token_is_looked_up_again_once(clever: RunningSimulator) -> None:
    reader = make_job(clever)
    list(reader.roster.schools())
    clever.reset()  # replaces every token
    assert list(reader.roster.schools())
    paths = [request["path"] for request in clever.received_requests()]
    assert paths == ["/v3.0/schools", "/oauth/tokens", "/v3.0/schools"]


def test_a_district_token_refused_twice_means_the_district_is_disconnected(
    clever: RunningSimulator,
) -> None:
    clever.add_fault("data", status=401, times=0)
    reader = make_job(clever)
    with pytest.raises(DistrictDisconnected, match="has disconnected this app"):
        list(reader.roster.schools())
    assert len(reader.requested_paths()) == 2


def test_the_token_of_a_district_that_has_left_is_not_used_again(clever: RunningSimulator) -> None:
    client = make_job(clever).client
    assert client.tokens.token(client.district_id)
    clever.add_fault("token", body='{"data": [], "links": []}', times=0)
    for fresh in (True, False):
        with pytest.raises(DistrictDisconnected):
            client.tokens.token(client.district_id, fresh=fresh)


def test_a_district_that_clever_does_not_list_is_disconnected(clever: RunningSimulator) -> None:
    with pytest.raises(DistrictDisconnected, match="no token for the district 5f5f"):
        list(make_job(clever, district="5f" * 12).roster.schools())


def test_unknown_client_credentials_are_named_as_the_cause(clever: RunningSimulator) -> None:
    with pytest.raises(CleverMisconfigured, match="client id and secret"):
        list(make_job(clever, app="somebody").roster.schools())


@pytest.mark.parametrize("status", [400, 401, 403])
def test_every_refusal_of_the_apps_credentials_names_them_as_the_cause(
    clever: RunningSimulator, status: int
) -> None:
    clever.add_fault("token", status=status, times=0)
    with pytest.raises(CleverMisconfigured, match="client id and secret"):
        make_job(clever).client.tokens.token("5f" * 12)


@pytest.mark.parametrize("version", ALL)
def test_without_secure_sync_the_error_says_that_only_districts_can_be_read(
    clever: RunningSimulator, version: str
) -> None:
    reader = make_job(clever, version, app="simulator-sso")
    assert reader.roster.district().name
    for read in (reader.roster.schools, reader.roster.sections, reader.roster.everybody):
        with pytest.raises(NoSecureSync, match="can read only /districts"):
            list(read())


def test_one_refused_list_is_not_mistaken_for_missing_secure_sync(
    clever: RunningSimulator,
) -> None:
    reader = make_job(clever, "v2.1")
    clever.add_fault("data", status=404)
    with pytest.raises(Exception, match="does not share this record") as error:
        list(reader.roster.people(RecordKind.CONTACTS))
    assert not isinstance(error.value, NoSecureSync)
