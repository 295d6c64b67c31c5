"""Tests a Clever Library teacher, who has no district and whose classes send no signals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import create_app
from clever_login.testing import browser, sample_settings
from reading.tests.conftest import STUDENT, TEACHER, School, titles, words


@pytest.fixture
def library(tmp_path: Path) -> Iterator[School]:
    """An app that teachers have installed from Clever Library. There is no sync."""
    from clever_simulator.testing import run_simulator

    with run_simulator() as clever:
        clever.environment["CLEVER_CLIENT_ID"] = "simulator-library"
        settings = sample_settings(tmp_path, **clever.settings)
        yield School(app=create_app(settings), clever=clever)


def test_a_library_teacher_assigns_a_book_that_a_student_reads(library: School) -> None:
    teacher = library.browser(TEACHER)
    path = library.assign(teacher, "Reading Workshop")
    assert "0 of 12 students have read it" in words(teacher, path)
    student = library.browser(STUDENT)
    assert titles(student) == ["The Hare and the Tortoise"]
    student.submit("/my-books/1/read")
    assert "1 of 12 students have read it" in words(teacher, path)


def test_a_new_student_of_a_library_teacher_gets_the_book_at_the_teachers_next_login(
    library: School,
) -> None:
    teacher = library.browser(TEACHER)
    path = library.assign(teacher, "Reading Workshop")
    section = library.section("Reading Workshop").id
    library.clever.simulator.change_roster("class", "mei.bowman", section=section, enrolled=True)
    assert "0 of 13 students have read it" in words(library.browser(TEACHER), path)
    assert titles(library.browser("mei.bowman")) == ["The Hare and the Tortoise"]


def test_a_login_of_a_districts_teacher_reads_no_books(
    school: School, statements: list[str]
) -> None:
    """The sync has told the app who joined, so a login need not look."""
    school.assign(school.browser(TEACHER))
    statements.clear()
    client = browser(school.app)
    client.get(school.clever.log_in(client.get("/login").location, TEACHER))
    assert statements
    assert not [statement for statement in statements if "reading_" in statement]
