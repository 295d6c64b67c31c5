"""In August everybody is a grade further, and every class is new."""

from __future__ import annotations

from datetime import datetime

import pytest

from clever_simulator.server import Running
from tests.clever_client import log_in, tokens
from tests.simulated_year import (
    VERSIONS,
    a_grade_after,
    all_of,
    child,
    classes,
    clever,
    people,
    record,
    refused_at_clever,
    replayed,
    role,
    students,
    touched,
)
from tests.test_simulator_data import OLD, get
from tests.test_simulator_events import types

__all__ = ["clever"]


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
