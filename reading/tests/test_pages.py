"""Tests what teachers and students can do, and what they cannot."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select
from werkzeug.test import TestResponse

from clever_login import Identity, Role, database, log_in, public
from clever_login.testing import browser, login_as
from reading import work
from reading.tables import tasks
from reading.tests.conftest import OTHER_TEACHER, STUDENT, TEACHER, TODAY, School, titles, words


def test_a_student_reads_an_assigned_book_and_undoes_it(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    student = school.browser(STUDENT)
    assert titles(student) == ["The Hare and the Tortoise"]
    assert "The Hare and the Tortoise" in words(student, "/dashboard")
    assert "Slow but steady wins the race." in words(student, "/my-books/1")
    times = set()
    for _ in range(2):  # a double click changes nothing
        assert student.submit("/my-books/1/read").location == "/my-books"
        times.add(task_rows(school))
    assert len(times) == 1
    assert "You read it" in words(student, "/my-books")
    assert "You have read all your books" in words(student, "/dashboard")
    assert student.submit("/my-books/1/unread").location == "/my-books/1"
    assert "You read it" not in words(student, "/my-books")


def task_rows(school: School) -> str:
    """Return all rows of the tasks, with the exact times of reading."""
    with school.app.app_context(), database.read() as connection:
        return repr(connection.execute(select(tasks)).all())


def test_a_student_sees_the_books_to_read_by_their_day_and_then_those_read(school: School) -> None:
    teacher, student = school.browser(TEACHER), school.browser(STUDENT)
    tomorrow = (date.fromisoformat(TODAY) + timedelta(days=1)).isoformat()
    for book, due in (("lion", tomorrow), ("tortoise", TODAY)):
        school.assign(teacher, "Reading Workshop", book=book, due=due)
    lion, tortoise = "The Lion and the Mouse", "The Hare and the Tortoise"
    assert titles(student) == [tortoise, lion]
    student.submit("/my-books/2/read")
    assert titles(student) == [lion, tortoise]


def test_the_teacher_sees_who_has_not_read_the_book_first(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    assert "0 of 12 students have read it" in words(teacher, path)
    school.browser(STUDENT).submit("/my-books/1/read")
    assert "1 of 12 students have read it" in words(teacher, path)
    assert "1 of 12 students have read it" in words(teacher, "/reading")
    rows = BeautifulSoup(teacher.get(path).text, "html5lib").select("tbody tr")
    states = [row.select("td")[-1].get_text().strip()[:1] for row in rows]
    assert states == ["n"] * 11 + ["✓"]
    assert "Moreno" in rows[-1].get_text()


def test_a_book_for_all_classes_is_one_tile_for_a_student_in_two_of_them(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher)
    assert "0 of 16 students" in words(teacher, path)
    assert titles(school.browser(STUDENT)) == ["The Hare and the Tortoise"]


def test_the_same_book_for_another_class_is_another_assignment(school: School) -> None:
    teacher = school.browser(TEACHER)
    first = school.assign(teacher, "Reading Workshop")
    assert school.assign(teacher, "Reading Workshop") == first  # a second click
    assert school.assign(teacher, "Mathematics") != first


def test_another_teacher_gets_a_404(school: School) -> None:
    path = school.assign(school.browser(TEACHER), "Reading Workshop")
    other = school.browser(OTHER_TEACHER)
    other.submit("/role", role="teacher")
    for address in (path, f"{path}.csv", f"{path}/change"):
        assert other.get(address).status_code == 404
    for address in (f"{path}/change", f"{path}/withdraw"):
        assert other.submit(address).status_code == 404
    assert "You haven't assigned any books yet." in words(other, "/reading")


def test_another_student_gets_a_404_and_staff_sees_no_books(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    other = school.browser("talia.thompson")
    assert titles(other) == []
    assert other.get("/my-books/1").status_code == 404
    assert other.submit("/my-books/1/read").status_code == 404
    login_as(other, "staff")
    assert {other.get(path).status_code for path in ("/my-books", "/reading", "/reading/1")} == {
        403
    }


def test_a_teacher_and_a_student_of_another_district_get_a_404(school: School) -> None:
    path = school.assign(school.browser(TEACHER), "Reading Workshop")
    teacher, student = school.browser("hebrew"), school.browser("markup")
    section = school.section("Mathematics").id
    response = teacher.submit("/reading/new", book="lion", section=[section], due=TODAY)
    assert "Choose at least one class." in response.text
    assert {teacher.get(path).status_code, student.get("/my-books/1").status_code} == {404}
    assert teacher.submit(f"{path}/change", section=[section], due=TODAY).status_code == 404


def test_a_role_decides_which_pages_a_user_opens(school: School) -> None:
    user = school.browser(OTHER_TEACHER)
    for role, status in (("teacher", 200), ("staff", 403), ("teacher", 200)):
        user.submit("/role", role=role)
        assert {user.get(path).status_code for path in ("/reading", "/reading/new")} == {status}
        assert user.get("/my-books").status_code == 403


def test_a_user_who_is_no_person_of_a_roster_has_no_books(school: School) -> None:
    @school.app.get("/enter/<role>")
    @public
    def enter(role: str) -> str:
        log_in(Identity(provider="email", subject="p", roles=(Role(role),)), account_id="p")
        return role

    client = browser(school.app)
    client.get("/enter/student")
    assert titles(client) == []
    assert client.get("/my-books/1").status_code == 404
    assert client.submit("/my-books/1/read").status_code == 404
    client.get("/enter/teacher")
    assert "You haven't assigned any books yet." in words(client, "/reading")
    assert client.get("/reading/1").status_code == 404


def test_a_student_may_read_for_an_hour_and_the_page_knows_it(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    student = school.browser(STUDENT)

    def seconds_until_the_page_leaves(path: str) -> int:
        (dialog,) = BeautifulSoup(student.get(path).text, "html5lib").select("dialog")
        return int(str(dialog["data-seconds"]))

    assert seconds_until_the_page_leaves("/my-books") < 3500
    assert 3500 < seconds_until_the_page_leaves("/my-books/1") <= 3601
    assert student.fetch("/still-here", "POST").get_json()["seconds"] > 3500
    assert seconds_until_the_page_leaves("/my-books") < 3500


def test_pages_answer_503_while_the_database_is_down(school: School) -> None:
    teacher, student = school.browser(TEACHER), school.browser(STUDENT)
    path = school.assign(teacher, "Reading Workshop")
    with school.app.app_context():
        Path(str(database.engine().url.database)).write_bytes(b"damaged" * 1000)
    for client, pages in ((teacher, ("/reading", path)), (student, ("/my-books", "/my-books/1"))):
        for page in pages:
            assert client.get(page).status_code == 503
    assert student.submit("/my-books/1/read").status_code == 503
    assert teacher.submit("/reading/new", book="lion", section=["x"], due=TODAY).status_code == 503


def test_an_administrator_who_looks_at_a_students_pages_can_read_but_not_mark(
    school: School,
) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    visitor = school.browser(STUDENT, loginas_by_admin="true")
    assert "Only the student can mark the book." in words(visitor, "/my-books/1")
    for path in ("/my-books/1/read", "/my-books/1/unread"):
        assert_read_only(visitor.submit(path))
    assert "You read it" not in words(visitor, "/my-books")


def test_an_administrator_who_acts_as_a_teacher_can_read_but_not_assign(school: School) -> None:
    path = school.assign(school.browser(TEACHER), "Reading Workshop")
    visitor = school.browser(TEACHER, loginas_by_admin="true")
    for action in ("/reading/new", f"{path}/change", f"{path}/withdraw"):
        assert_read_only(visitor.submit(action, book="lion", due=TODAY))
    assert "0 of 12 students" in words(visitor, path)


def assert_read_only(response: TestResponse) -> None:
    assert response.status_code == 403
    assert "You can only look here" in response.text


def test_a_teacher_changes_the_day_and_the_classes(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    school.browser("mei.bowman")  # only in Mathematics
    due = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    assert school.submit(teacher, f"{path}/change", "Mathematics", due=due).status_code == 303
    assert "0 of 12 students" in words(teacher, path)
    assert titles(school.browser("mei.bowman")) == ["The Hare and the Tortoise"]
    assert titles(school.browser("fatima.mbeki")) == []  # only in the Reading Workshop


def test_a_teacher_changes_the_classes_of_a_book_that_was_due_long_ago(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    with school.app.app_context(), database.begin() as connection:
        work.change(connection, 1, due=date(2020, 1, 1))
    for due, status in (("2020-01-01", 303), ("2020-01-02", 422)):
        response = school.submit(teacher, f"{path}/change", "Mathematics", due=due)
        assert response.status_code == status


def test_a_book_may_be_due_from_yesterday_on(school: School) -> None:
    """In the evening, a teacher in the US still has UTC's yesterday."""
    teacher, today = school.browser(TEACHER), datetime.now(UTC).date()
    for days, status in ((-2, 422), (-1, 303)):
        due = (today + timedelta(days=days)).isoformat()
        response = school.submit(teacher, "/reading/new", book="tortoise", due=due)
        assert response.status_code == status


def test_a_student_keeps_a_book_that_they_have_read_when_the_class_is_removed(
    school: School,
) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    school.browser("fatima.mbeki").submit("/my-books/1/read")
    school.submit(teacher, f"{path}/change", "Mathematics")
    assert "You read it" in words(school.browser("fatima.mbeki"), "/my-books")


def test_a_teacher_takes_a_book_back_and_undoes_it(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    student = school.browser(STUDENT)
    student.submit("/my-books/1/read")
    for _ in range(2):  # a double click, or a colleague at the same time
        assert teacher.submit(f"{path}/withdraw").location == path
    assert titles(student) == []
    assert student.get("/my-books/1").status_code == 404
    assert "unassigned" in words(teacher, "/reading")
    teacher.submit(f"{path}/withdraw", back="")
    assert "You read it" in words(student, "/my-books")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"book": ""}, "Choose a book."),
        ({"book": "unknown"}, "Choose a book."),
        ({"section": []}, "Choose at least one class."),
        ({"section": ["of-another-teacher"]}, "Choose at least one class."),
        ({"due": ""}, "Choose a day between today and a year from now."),
        ({"due": "2001-01-01"}, "Choose a day between today and a year from now."),
        ({"due": "9999-12-31"}, "Choose a day between today and a year from now."),
        ({"due": "tomorrow"}, "Choose a day between today and a year from now."),
    ],
)
def test_an_incomplete_form_says_what_is_missing(
    school: School, fields: dict[str, Any], message: str
) -> None:
    teacher = school.browser(TEACHER)
    section = school.section("Mathematics").id
    form: dict[str, Any] = {"book": "lion", "section": [section], "due": TODAY}
    response = teacher.submit("/reading/new", **(form | fields))
    assert response.status_code == 422
    assert message in response.text
    assert "You haven't assigned any books yet." in words(teacher, "/reading")


def test_the_spreadsheet_has_the_same_rows_and_starts_no_formula(school: School) -> None:
    school.clever.simulator.change_roster("name", STUDENT, last="=1+1")
    school.sync()
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    response = teacher.get(f"{path}.csv")
    assert response.mimetype == "text/csv"
    rows = list(csv.reader(response.text.removeprefix("\ufeff").splitlines()))
    assert rows[0] == ["Last name", "First name", "Read on"]
    assert len(rows) == 13
    assert ["'=1+1", "Ada", ""] in rows


def test_names_and_titles_are_shown_as_text(school: School) -> None:
    school.clever.simulator.change_roster("name", STUDENT, first="<i>Ada", last="{{ 7 * 7 }}")
    section = school.section("Reading Workshop")
    school.clever.simulator.override(section.id, name='"><script>alert(1)</script>')
    school.sync()
    teacher = school.browser(TEACHER)
    path = school.assign(teacher)
    assert "{{ 7 * 7 }} <i>Ada" in words(teacher, path)
    assert '"><script>alert(1)</script>' in words(teacher, f"{path}/change")


def test_an_id_that_does_not_exist_is_a_404(school: School) -> None:
    teacher, student = school.browser(TEACHER), school.browser(STUDENT)
    for number in ("0", "-1", "99", str(10**30), "9" * 5000, "1.5", "x"):
        for path in (f"/reading/{number}", f"/reading/{number}.csv", f"/reading/{number}/change"):
            assert teacher.get(path).status_code == 404
        assert teacher.submit(f"/reading/{number}/withdraw").status_code == 404
        assert student.get(f"/my-books/{number}").status_code == 404
        assert student.submit(f"/my-books/{number}/read").status_code == 404


def test_a_book_that_is_no_longer_in_the_data_file_stays_with_its_students(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    with school.app.app_context(), database.begin() as connection:
        work.change(connection, 1, book="gone")
    student = school.browser(STUDENT)
    assert "gone" in words(student, "/dashboard")
    assert "This book is no longer available." in words(student, "/my-books/1")
    assert student.submit("/my-books/1/read").status_code == 303
    assert "1 of 12 students have read it" in words(teacher, path)
    assert school.submit(teacher, f"{path}/change", "Mathematics").status_code == 303


def test_a_students_books_are_available_as_json(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    student = school.browser(STUDENT)
    student.submit("/my-books/1/read")
    (book,) = json.loads(student.fetch("/my-books/all.json").text)["books"]
    assert (book["id"], book["title"]) == (1, "The Hare and the Tortoise")
    assert book["read_at"]


def test_pages_need_a_login_and_forms_a_token(school: School) -> None:
    student = school.browser(STUDENT)
    assert student.post("/my-books/1/read").status_code == 400
    data, other = {"csrf_token": student.csrf_token()}, {"Origin": "https://example.com"}
    other["Sec-Fetch-Site"] = "cross-site"
    assert student.post("/my-books/1/read", data=data, headers=other).status_code == 403
    student.submit("/logout")
    assert student.get("/my-books").location == "/?next=/my-books"
    assert student.get("/reading").location == "/?next=/reading"


def test_a_large_class_needs_as_many_queries_as_a_small_one(
    school: School, statements: list[str]
) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")

    def count(address: str) -> int:
        statements.clear()
        assert teacher.get(address).status_code == 200
        return len(statements)

    before = [count(path), count("/reading"), count("/dashboard")]
    school.submit(teacher, f"{path}/change", "Reading Workshop", "Mathematics")
    school.assign(teacher, book="lion")
    assert [count(path), count("/reading"), count("/dashboard")] == before
