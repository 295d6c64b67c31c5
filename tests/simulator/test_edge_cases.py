"""Tests the simulator's unusual people: each can log in and is read in every version."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import PIPE
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clever_simulator.config import Config, default_config
from clever_simulator.directory import edge_cases
from clever_simulator.directory.models import District, Person, School
from clever_simulator.server import RunningSimulator
from tests.support.browser_client import Visitor, send_request
from tests.support.running_app import ROOT
from tests.support.simulators import run_in_background

APP_URL = "https://app.example"
REDIRECT_URI = f"{APP_URL}/oauth/callback"
VERSIONS = ["v1.1", "v1.2", "v2.0", "v2.1", "v3.0", "v3.1"]
USER_NAMES = [case.user_name for case in edge_cases.EDGE_CASES]


@pytest.fixture(scope="module")
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def token(clever: RunningSimulator, user_name: str, shortname: str = "odd-corner") -> str:
    district = clever.people.portal(shortname)
    assert district is not None
    return token_at(clever.url, district.id, user_name)


def token_at(clever_url: str, district_id: str, user_name: str) -> str:
    """Log in with user name and password, and exchange the code."""
    query = {
        "response_type": "code",
        "client_id": "simulator",
        "redirect_uri": REDIRECT_URI,
        "district_id": district_id,
    }
    link = requests.Request("GET", f"{clever_url}/oauth/authorize", params=query).prepare().url
    visitor = Visitor(APP_URL)
    visitor.stop_at = "/oauth/callback"
    visitor.open(str(link)).press("Log in", username=user_name, password="clever")
    code = parse_qs(urlsplit(visitor.url).query)["code"][0]
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI, "code": code}
    basic = ("simulator", "simulator-secret")
    response = send_request(f"{clever_url}/oauth/tokens", "POST", data=form, auth=basic)
    return str(response.json()["access_token"])


def read(clever: RunningSimulator, path: str, bearer: str) -> dict[str, Any]:
    response = send_request(f"{clever.url}{path}", headers={"Authorization": f"Bearer {bearer}"})
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


def record(
    clever: RunningSimulator, user_name: str, version: str = "v3.0", shortname: str = "odd-corner"
) -> dict[str, Any]:
    """Return a person's own record after a login."""
    bearer = token(clever, user_name, shortname)
    me = read(clever, f"/{version}/me", bearer)
    canonical = next(link["uri"] for link in me["links"] if link["rel"] == "canonical")
    data: dict[str, Any] = read(clever, canonical, bearer)["data"]
    return data


def read_list(
    clever: RunningSimulator, shortname: str, version: str, collection: str
) -> list[dict[str, Any]]:
    """Return a complete list of a district, read with the district's token."""
    district = clever.people.portal(shortname)
    assert district is not None
    tokens = f"{clever.url}/oauth/tokens?owner_type=district&district={district.id}"
    [owned] = send_request(tokens, auth=("simulator", "simulator-secret")).json()["data"]
    rows = read(clever, f"/{version}/{collection}?limit=10000", owned["access_token"])["data"]
    return [row["data"] for row in rows]


def unusual_person(clever: RunningSimulator, user_name: str) -> Person:
    district = clever.people.portal("odd-corner")
    matches = [
        p for p in clever.people.people if (p.district, p.user_name) == (district, user_name)
    ]
    assert len(matches) == 1
    return matches[0]


@pytest.mark.parametrize("user_name", USER_NAMES)
def test_every_unusual_person_can_log_in_and_is_read_in_every_version(
    clever: RunningSimulator, user_name: str
) -> None:
    bearer, person = token(clever, user_name), unusual_person(clever, user_name)
    assert read(clever, "/userinfo", bearer)["sub"] == person.id
    for version in VERSIONS:
        links = read(clever, f"/{version}/me", bearer)["links"]
        canonical = next(link["uri"] for link in links if link["rel"] == "canonical")
        data = read(clever, canonical, bearer)["data"]
        assert data["name"]["last"] == person.name.last
        assert data["email"] == person.email


def test_the_edge_case_district_offers_one_click_logins(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/in/odd-corner")
    for person in clever.people.named(clever.people.portal("odd-corner")):
        assert " ".join(person.name.full.split()) in visitor.text
    visitor.press("Zoë Ñandú-O'Connor")
    assert visitor.heading == "Hello, Zoë"


def test_names_with_markup_are_escaped(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/in/odd-corner")
    visitor.press("<script>alert(1)</script> {{7*7}} & <b>Bold</b>")
    assert visitor.heading == "Hello, <script>alert(1)</script>"
    assert not visitor.page.find("script")


def test_the_sample_districts_are_unchanged_by_the_edge_cases(clever: RunningSimulator) -> None:
    shortnames = [district.shortname for district in clever.people.districts]
    assert shortnames == ["harrow-creek", "lantern-bay", "odd-corner"]
    assert clever.people.person("student").name.full == "Ada Moreno"
    assert clever.people.named(clever.people.districts[0])[0].user_name == "student"


def test_some_people_have_names_longer_than_any_column(clever: RunningSimulator) -> None:
    data = record(clever, edge_cases.LONG_USER_NAME)
    credentials = data["roles"]["student"]["credentials"]
    assert len(credentials["district_username"]) > 255
    assert len(data["name"]["last"]) > 255


def test_a_person_without_a_user_name_logs_in_with_their_number(
    clever: RunningSimulator,
) -> None:
    data = record(clever, "240017")
    assert data["roles"]["student"]["student_number"] == "240017"
    assert "credentials" not in data["roles"]["student"]


def test_some_people_have_emails_that_are_not_valid_addresses(clever: RunningSimulator) -> None:
    assert '"' in record(clever, "email_quotes")["email"]
    assert "'" in record(clever, "email_quotes")["email"]
    assert "@" not in record(clever, "email_no_at")["email"]


def test_some_staff_and_students_belong_to_several_schools(clever: RunningSimulator) -> None:
    assert len(record(clever, "many_schools")["roles"]["staff"]["schools"]) == 3
    student = record(clever, "two_schools")["roles"]["student"]
    assert student["schools"][0] == student["school"]
    assert len(set(student["schools"])) == 2


def test_people_with_three_roles_no_role_and_an_unknown_role_exist(
    clever: RunningSimulator,
) -> None:
    assert set(record(clever, "three_roles")["roles"]) == {"teacher", "staff", "district_admin"}
    assert record(clever, "no_role")["roles"] == {}
    assert set(record(clever, "unknown_role")["roles"]) == {"librarian"}
    assert read(clever, "/userinfo", token(clever, "unknown_role"))["user_type"] == "librarian"


def test_before_v3_a_person_with_three_roles_chooses_one_of_three_accounts() -> None:
    with run_in_background(default_config(APP_URL, "v2.1")) as clever:
        visitor = Visitor(APP_URL).open(f"{clever.url}/in/odd-corner").press("Trudy Threehats")
        visitor.click("Reading Room")
        assert visitor.heading == "Which account?"
        assert len(visitor.page.select("main form")) == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_some_sections_have_blank_or_unusual_names(clever: RunningSimulator, version: str) -> None:
    names = [section["name"] for section in read_list(clever, "odd-corner", version, "sections")]
    assert any(not name.strip() for name in names)
    assert any(len(name) > 255 for name in names)
    assert any("<b" in name for name in names)
    assert any("🦊" in name for name in names)
    assert len(set(names)) < len(names)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_district_token_reads_every_unusual_person(
    clever: RunningSimulator, version: str
) -> None:
    kinds = ["users"] if version > "v3" else ["students", "teachers", "school_admins"]
    people = [
        record_data
        for kind in kinds
        for record_data in read_list(clever, "odd-corner", version, kind)
    ]
    last_names = {record_data["name"]["last"] for record_data in people}
    assert last_names >= {case.name.last for case in edge_cases.EDGE_CASES}


def test_some_teachers_have_no_section_and_some_students_many_teachers(
    clever: RunningSimulator,
) -> None:
    people = clever.people
    teacher, student = (
        unusual_person(clever, "no_sections"),
        unusual_person(clever, "many_teachers"),
    )
    assert not people.sections_of(teacher)
    assert not people.students_of(teacher)
    assert len(people.teachers_of(student)) > 3
    for own_teacher in people.teachers_of(student):
        assert student in people.students_of(own_teacher)


def test_two_people_share_an_email_and_two_districts_share_a_user_name(
    clever: RunningSimulator,
) -> None:
    first, second = record(clever, "same_email_1"), record(clever, "same_email_2")
    assert first["email"] == second["email"]
    assert first["id"] != second["id"]
    broad, harrow = record(clever, "student"), record(clever, "student", shortname="harrow-creek")
    assert broad["id"] != harrow["id"]
    assert broad["name"]["first"] == "Stu"
    assert harrow["name"]["first"] == "Ada"


def config(**changes: Any) -> Config:
    return replace(default_config(APP_URL), **changes)


def test_a_person_can_return_with_the_same_user_name_and_another_id() -> None:
    with run_in_background(config()) as clever:
        before, other = record(clever, "new_id"), record(clever, "accents")
        clever.configure(config(new_ids=frozenset({"new_id"})))
        after = record(clever, "new_id")
        assert after["id"] != before["id"]
        assert after["roles"]["student"]["legacy_id"] == after["id"]
        assert (after["name"], after["email"]) == (before["name"], before["email"])
        assert record(clever, "accents") == other
        [section] = {
            candidate
            for candidate in clever.people.sections
            if candidate.name == "مقدمة في الأحياء"
        }
        assert {person.id for person in section.students} & {before["id"], after["id"]} == {
            after["id"]
        }


@contextmanager
def command_line(*options: str) -> Iterator[str]:
    """Start a simulator on the command line, and yield its URL."""
    command = [sys.executable, "-m", "clever_simulator", "--port", "0", "--app-url", APP_URL]
    with subprocess.Popen([*command, *options], cwd=ROOT, stdout=PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().split()[-1]
        finally:
            child.terminate()


def test_the_new_id_option_gives_a_person_another_id(clever: RunningSimulator) -> None:
    person = unusual_person(clever, "new_id")
    with command_line("--new-id", "new_id") as url:
        bearer = token_at(url, person.district.id, "new_id")
        info = send_request(f"{url}/userinfo", headers={"Authorization": f"Bearer {bearer}"}).json()
    assert info["given_name"] == person.name.first
    assert info["sub"] != person.id


# A district of any size


@pytest.fixture(scope="module")
def large() -> Iterator[RunningSimulator]:
    with run_in_background(config(students=1000)) as started:
        yield started


def test_a_large_district_has_exactly_the_requested_number_of_students(
    large: RunningSimulator,
) -> None:
    people = large.people
    for students in (1, 2, 12, 13, 14, 999):
        with run_in_background(config(students=students)) as other:
            assert len(pupils(other)) == students
            assert all(other.people.sections_of(student) for student in pupils(other))
    assert len(pupils(large)) == 1000
    for student in pupils(large):
        assert len(people.sections_of(student)) == 6
        assert {section.school for section in people.sections_of(student)} == set(student.schools)


@pytest.mark.parametrize("schools", [3, 4, 5, 40])
def test_a_large_district_has_exactly_the_requested_number_of_schools(schools: int) -> None:
    with run_in_background(config(students=200, schools=schools)) as clever:
        district = clever.people.portal("broad-plains")
        assert district is not None
        levels = Counter(school.high_grade for school in clever.people.schools_of(district))
        assert sum(levels.values()) == schools
        assert levels.keys() == {"5", "8", "12"}
        assert len(pupils(clever)) == 200


def pupils(clever: RunningSimulator) -> list[Person]:
    district = clever.people.portal("broad-plains")
    assert district is not None
    return [person for person in clever.people.people_of(district) if "student" in person.roles]


def test_a_large_district_has_realistic_proportions(large: RunningSimulator) -> None:
    people, district = large.people, large.people.portal("broad-plains")
    assert district is not None
    roles = Counter(person.roles[0] for person in people.people_of(district))
    assert roles["teacher"] in range(60, 70)
    assert roles["staff"] == 2 * len(people.schools_of(district))
    assert {school.high_grade for school in people.schools_of(district)} == {"5", "8", "12"}
    assert all(1 <= len(section.students) <= 25 for section in people.sections_of(district))
    grades = Counter(person.role_assignment("student").grade for person in pupils(large))
    assert len(grades) == 13
    assert max(grades.values()) - min(grades.values()) <= 1


def test_the_same_seed_gives_the_same_large_district(large: RunningSimulator) -> None:
    with (
        run_in_background(config(students=1000)) as repeated,
        run_in_background(config(students=1000, seed=2)) as other,
    ):
        assert repeated.people == large.people
        assert {student.id for student in pupils(other)}.isdisjoint(
            student.id for student in pupils(large)
        )


def test_people_in_a_large_district_are_found_by_id_and_listed_in_ascending_order(
    large: RunningSimulator,
) -> None:
    people = large.people
    for person in people.people:
        assert people.by_id(person.id) is person
    places: list[District | School] = [*people.districts, *people.schools]
    for place in places:
        for records in (people.people_of(place), people.sections_of(place)):
            ids = [record.id for record in records]
            assert ids == sorted(set(ids))
    assert len({person.id for person in people.people}) == len(people.people)
    assert sum(len(people.people_of(district)) for district in people.districts) == len(
        people.people
    )


@pytest.mark.parametrize("number", ["1000001", "1001000", "2000001", "3000001", "4000001"])
def test_people_of_a_large_district_log_in_with_their_number(
    large: RunningSimulator, number: str
) -> None:
    person = large.people.person(number)
    data = record(large, number, shortname="broad-plains")
    assert data["id"] == person.id
    assert set(data["roles"]) == set(person.roles)


def test_the_sample_people_exist_beside_a_large_district(
    clever: RunningSimulator, large: RunningSimulator
) -> None:
    assert large.people.people[: len(clever.people.people)] == clever.people.people


@pytest.mark.parametrize("number", ["0", "-1", "200001", "many", ""])
def test_an_invalid_district_size_is_refused_with_one_sentence(number: str) -> None:
    command = [sys.executable, "-m", "clever_simulator", f"--students={number}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "expected a number from 1 to 200000" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_students_option_adds_a_district_of_that_size(large: RunningSimulator) -> None:
    with command_line("--students", "1000") as url:
        page = Visitor(APP_URL).open(f"{url}/in/broad-plains")
        page.press("Log in", username="1001000", password="clever")
    assert page.heading == f"Hello, {large.people.person('1001000').name.first}"
