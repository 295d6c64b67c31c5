"""Tests that a school year loses no work: the books belong to students, not to classes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from clever_login import database
from reading.tables import tasks
from reading.tests.conftest import (
    BOTH_DATABASES,
    POSTGRESQL_IS_LONG,
    STUDENT,
    TEACHER,
    School,
    titles,
    words,
)

CO_TEACHER = "linh.lindqvist"
BOOK = ["The Hare and the Tortoise"]
READ = "You read it"


def books_in_export(school: School, name: str) -> dict[str, list[str]]:
    """Return the titles of the books that a person has to read, and of those they assigned."""
    exported = json.loads(school.command("export", "--user", school.clever.person(name).id))
    return {key: [book["title"] for book in books] for key, books in exported["app"].items()}


@BOTH_DATABASES
def test_a_semester_with_new_classes_loses_nothing(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    school.browser(STUDENT).submit("/my-books/1/read")
    school.clever.simulator.make_step("semester")
    school.sync()
    assert READ in words(school.browser(STUDENT), "/my-books")
    assert titles(school.browser("fatima.mbeki")) == BOOK
    assert "1 of 12 students have read it" in words(teacher, path)


def test_a_student_who_joins_a_class_gets_its_books(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    section = school.section("Reading Workshop").id
    school.clever.simulator.change_roster("class", "mei.bowman", section=section, enrolled=True)
    school.sync()
    assert titles(school.browser("mei.bowman")) == BOOK
    assert "0 of 13 students have read it" in words(teacher, path)
    assert books_in_export(school, "mei.bowman") == {"books": BOOK, "assigned_books": []}


@POSTGRESQL_IS_LONG
def test_a_teacher_who_takes_over_a_class_sees_its_books(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    section = school.section("Reading Workshop").id
    step = school.clever.simulator.make_step("new_teacher", section=section)
    school.sync()
    successor = school.browser(step["touched"][0]["after"])
    successor.submit("/role", role="teacher")
    assert "0 of 12 students have read it" in words(successor, "/reading/1")
    former = school.browser(TEACHER)
    assert "of 12 students" not in words(former, "/reading")
    books = books_in_export(school, step["touched"][0]["after"])
    assert books == {"books": [], "assigned_books": BOOK}


@POSTGRESQL_IS_LONG
def test_a_teacher_without_the_classes_and_their_students_sees_no_book(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher)
    for name in ("Reading Workshop", "Mathematics"):
        section, new = school.section(name).id, school.clever.person(CO_TEACHER).id
        school.clever.simulator.override(section, teacher=new, teachers=[new])
    school.sync()
    assert "You haven't assigned any books yet." in words(teacher, "/reading")
    for address in (path, f"{path}.csv", f"{path}/change"):
        assert teacher.get(address).status_code == 404
    assert "0 of 16 students have read it" in words(school.browser(CO_TEACHER), path)


@POSTGRESQL_IS_LONG
def test_a_co_teacher_sees_the_same(school: School) -> None:
    section, other = school.section("Reading Workshop"), school.clever.person(CO_TEACHER)
    teachers = [school.clever.person(TEACHER).id, other.id]
    school.clever.simulator.override(section.id, teachers=teachers)
    school.sync()
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    colleague = school.browser(CO_TEACHER)
    assert words(colleague, path) == words(teacher, path)
    assert colleague.submit(f"{path}/withdraw").status_code == 303
    assert "unassigned" in words(teacher, "/reading")


@POSTGRESQL_IS_LONG
def test_a_student_keeps_the_book_of_a_colleagues_class_when_the_common_class_is_removed(
    school: School,
) -> None:
    change, section = school.clever.simulator.override, school.section("Reading Workshop")
    change(section.id, teachers=[school.clever.person(name).id for name in (TEACHER, CO_TEACHER)])
    own = school.section("Mathematics", CO_TEACHER)
    change(own.id, students=[school.clever.person("fatima.mbeki").id])
    school.sync()
    path = school.assign(school.browser(CO_TEACHER))
    school.submit(school.browser(TEACHER), f"{path}/change", "Mathematics")
    assert titles(school.browser("fatima.mbeki")) == BOOK


@POSTGRESQL_IS_LONG
def test_a_student_who_leaves_a_class_and_returns_has_the_work(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    school.browser("fatima.mbeki").submit("/my-books/1/read")
    section = school.section("Reading Workshop").id
    change = school.clever.simulator.change_roster
    change("class", "fatima.mbeki", section=section, enrolled=False)
    school.sync()
    assert READ in words(school.browser("fatima.mbeki"), "/my-books")
    assert "0 of 11 students have read it" in words(teacher, path)
    change("class", "fatima.mbeki", section=section, enrolled=True)
    school.sync()
    assert "1 of 12 students have read it" in words(teacher, path)


@pytest.mark.parametrize("away", ["unshared", "deleted"])
@POSTGRESQL_IS_LONG
def test_a_student_who_is_away_for_a_while_has_the_work(school: School, away: str) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    school.browser(STUDENT).submit("/my-books/1/read")
    school.clever.simulator.change_roster(away, STUDENT)
    school.sync()
    school.clever.simulator.change_roster("back", STUDENT)
    school.sync()
    assert READ in words(school.browser(STUDENT), "/my-books")


@BOTH_DATABASES
def test_a_merged_account_has_the_work_of_both(school: School, merge: object) -> None:
    teacher = school.browser(TEACHER)
    school.assign(teacher, "Reading Workshop")
    school.assign(teacher, "Reading Workshop", book="lion")
    school.assign(teacher, "Mathematics", book="crow")
    first, second = (school.browser(name) for name in ("fatima.mbeki", "mei.bowman"))
    first.submit("/my-books/1/read")
    school.clever.simulator.change_roster(
        "class", "mei.bowman", section=school.section("Reading Workshop").id, enrolled=True
    )
    school.sync()
    for number in (1, 2, 3):
        second.submit(f"/my-books/{number}/read")
    first_id = school.person_id("fatima.mbeki")
    with school.app.app_context(), database.begin() as connection:
        is_first = (tasks.c.assignment_id == 1) & (tasks.c.person_id == first_id)
        earlier = datetime(2026, 1, 31, 12, tzinfo=UTC)
        connection.execute(update(tasks).where(is_first).values(read_at=earlier))
    assert callable(merge)
    merge(survivor="fatima.mbeki", duplicate="mei.bowman")
    page = words(school.browser("fatima.mbeki"), "/my-books")
    assert page.count(READ) == 3
    assert "January 31, 2026" in words(teacher, "/reading/1")
    assert titles(school.browser("mei.bowman")) == []


@BOTH_DATABASES
def test_a_persons_books_are_in_their_export(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    school.browser(STUDENT).submit("/my-books/1/read")
    exported = json.loads(school.command("export", "--user", school.clever.person(STUDENT).id))
    (book,) = exported["app"]["books"]
    assert book["title"] == BOOK[0]
    assert datetime.fromisoformat(book["read_at"]).utcoffset() == timedelta(0)
    exported = json.loads(school.command("export", "--user", school.clever.person(TEACHER).id))
    assert [book["title"] for book in exported["app"]["assigned_books"]] == BOOK


@BOTH_DATABASES
def test_the_days_of_reading_are_those_of_utc(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    with school.app.test_request_context(), database.begin() as connection:
        late = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
        connection.execute(update(tasks).values(read_at=late))
        if connection.dialect.name == "postgresql":  # as if its server were in another zone
            name = connection.engine.url.database
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone TO 'Asia/Tokyo'")
    with school.app.test_request_context():
        database.engine().dispose()
    assert "January 31, 2026" in words(teacher, path)
    assert "2026-01-31" in teacher.get(f"{path}.csv").text


@BOTH_DATABASES
def test_a_forgotten_persons_books_are_deleted_and_on_the_receipt(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    receipt = school.command("forget", "--user", school.clever.person(STUDENT).id)
    counts = dict(line.split() for line in receipt.splitlines() if line.startswith("reading_"))
    assert counts == {"reading_tasks": "1", "reading_teachers": "0"}
    assert "0 of 11 students" in words(teacher, path)
