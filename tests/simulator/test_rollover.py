"""Tests the rollover in August: everybody is in the next grade, and all sections are new."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import OLD, get
from tests.simulator.test_events import types
from tests.support.school_year import (
    VERSIONS,
    changes_of,
    clever,
    find_student,
    is_refused_at_clever,
    next_grade,
    people_collection,
    read_all,
    read_record,
    read_students,
    replay_events,
    section_ids,
    student_data,
)
from tests.support.simulator_client import log_in, log_in_and_exchange

__all__ = ["clever"]


@pytest.mark.parametrize("version", VERSIONS)
def test_rollover_moves_everyone_up_a_grade_and_recreates_every_section(
    clever: RunningSimulator, version: str
) -> None:
    old_students, old_sections = (
        read_students(clever, version),
        read_all(clever, f"/{version}/sections"),
    )
    old_terms = read_all(clever, f"/{version}/terms")
    step = clever.make_step("rollover")
    now_students, sections = (
        read_students(clever, version),
        read_all(clever, f"/{version}/sections"),
    )
    grades = {
        one_id: student_data(version, record).get("grade")
        for one_id, record in old_students.items()
    }
    graduates = {change["id"] for change in changes_of(step, "left after the last grade")}
    new = {change["id"] for change in changes_of(step, "new in kindergarten")}
    assert graduates == {one_id for one_id, grade in grades.items() if grade == "12"} != set()
    assert set(now_students) == (set(old_students) - graduates) | new
    assert {student_data(version, now_students[one_id])["grade"] for one_id in new} == {
        "Kindergarten"
    }
    for change in changes_of(step, "next grade"):
        grade = student_data(version, now_students[change["id"]])["grade"]
        assert (grades[change["id"]], grade) == (change["before"], change["after"])
        assert grade == next_grade(change["before"])
    assert set(old_sections) == {change["id"] for change in changes_of(step, "class ended")}
    assert set(sections) == {change["id"] for change in changes_of(step, "new class")}
    assert not set(sections) & set(old_sections)
    assert not set(read_all(clever, f"/{version}/terms")) & set(old_terms)
    assert not graduates & {
        student_id for section in sections.values() for student_id in section["students"]
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_after_rollover_each_student_is_at_a_school_with_their_grade_and_in_its_classes(
    clever: RunningSimulator, version: str
) -> None:
    step = clever.make_step("rollover")
    schools = read_all(clever, f"/{version}/schools")
    terms = read_all(clever, f"/{version}/terms")
    august = datetime.fromisoformat(step["time"])
    assert (august.month, august.day) == (8, 16)
    assert f"{august.year}-08-16" in {term["start_date"] for term in terms.values()}
    order = ["Kindergarten", *map(str, range(1, 13))]
    for section in read_all(clever, f"/{version}/sections").values():
        assert section["term_id"] in terms
        assert section["students"]
    for student_id, student in read_students(clever, version).items():
        if "schools" not in student_data(version, student):
            continue  # records with only the guaranteed fields
        school = schools[student_data(version, student)["school"]]
        grade = order.index(student_data(version, student)["grade"])
        assert order.index(school["low_grade"]) <= grade <= order.index(school["high_grade"])
        for section_id in section_ids(clever, version, student_id)[:1]:
            assert (
                get(clever, f"/{version}/sections/{section_id}")["data"]["school"] == school["id"]
            )
    assert section_ids(clever, version, find_student(clever).id)


@pytest.mark.parametrize("version", VERSIONS)
def test_applying_the_events_of_a_rollover_gives_the_same_data_as_the_lists(
    clever: RunningSimulator, version: str
) -> None:
    paths = {
        "contacts" if version in OLD else "resources": f"/{version}/"
        f"{'contacts' if version in OLD else 'resources'}?limit=1000",
        people_collection(version): f"/{version}/{people_collection(version)}?limit=1000",
        "sections": f"/{version}/sections?limit=1000",
        "terms": f"/{version}/terms?limit=1000",
        "courses": f"/{version}/courses?limit=1000",
    }
    before = {name: read_all(clever, path) for name, path in paths.items()}
    for step in ("rollover", "new_school", "deleted", "new_teacher", "back"):
        clever.make_step(step, **({"person": "student"} if step == "new_teacher" else {}))
    for name, path in paths.items():
        assert replay_events(clever, version, before[name], name) == read_all(clever, path)


@pytest.mark.parametrize("version", VERSIONS)
def test_rollover_events_create_references_first_and_delete_them_last(
    clever: RunningSimulator, version: str
) -> None:
    clever.make_step("rollover")
    event_types = types(clever, version)
    last = {name: place for place, name in enumerate(event_types)}
    first = {name: place for place, name in reversed(list(enumerate(event_types)))}
    assert last["terms.created"] < first[f"{people_collection(version)}.created"]
    assert last[f"{people_collection(version)}.created"] < first["sections.created"]
    assert (
        last["sections.created"]
        < first[f"{people_collection(version)}.updated"]
        < first["sections.deleted"]
    )
    assert (
        last["sections.deleted"]
        < first[f"{people_collection(version)}.deleted"]
        < first["terms.deleted"]
    )


def test_after_rollover_a_new_student_can_log_in_and_a_graduate_cannot(
    clever: RunningSimulator,
) -> None:
    step = clever.make_step("rollover")
    new, graduate = (
        changes_of(step, change)[0]
        for change in ("new in kindergarten", "left after the last grade")
    )
    me = get(
        clever,
        "/v3.0/me",
        log_in_and_exchange(clever, "simulator", new["user_name"])["access_token"],
    )
    assert me["data"]["id"] == new["id"]
    assert is_refused_at_clever(log_in(clever, "simulator", graduate["user_name"]))


def test_a_student_removed_during_rollover_returns_a_grade_higher_in_the_new_sections(
    clever: RunningSimulator,
) -> None:
    grade = find_student(clever).role_assignment("student").grade
    clever.make_step("deleted")
    clever.make_step("rollover")
    clever.make_step("back")
    now = find_student(clever).role_assignment("student").grade
    assert now == next_grade(grade)
    assert section_ids(clever, "v3.0", find_student(clever).id)


def test_rollover_keeps_birthdays_and_graduation_years(clever: RunningSimulator) -> None:
    before = read_record(clever, "v3.1", find_student(clever).id)["roles"]["student"]
    clever.make_step("rollover")
    after = read_record(clever, "v3.1", find_student(clever).id)["roles"]["student"]
    for name in ("dob", "graduation_year", "sis_id", "school"):
        assert after[name] == before[name]
    assert after["enrollments"] != before["enrollments"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_semester_replaces_every_section_and_keeps_its_members(
    clever: RunningSimulator, version: str
) -> None:
    before = read_all(clever, f"/{version}/sections")
    students = set(read_students(clever, version))
    clever.make_step("semester")
    sections = read_all(clever, f"/{version}/sections")
    assert not set(sections) & set(before)
    assert set(read_students(clever, version)) == students

    def members(all_sections: dict[str, Any]) -> list[list[str]]:
        groups = ([*section["teachers"], *section["students"]] for section in all_sections.values())
        return sorted(sorted(group) for group in groups)

    assert members(sections) == members(before)
