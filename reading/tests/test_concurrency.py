"""Tests what happens when two people, or a teacher and a sync, write at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from threading import Barrier, BrokenBarrierError
from time import monotonic
from typing import Any

from sqlalchemy import event

from clever_login import database, signals
from clever_login.testing import Browser
from reading.tests.conftest import BOTH_DATABASES, STUDENT, TEACHER, TODAY, School, titles, words

pytestmark = BOTH_DATABASES
SECONDS = 1  # long enough for a teacher's click, if nothing holds it up


@contextmanager
def during_the_sync(
    school: School, work: Any, patience: float = SECONDS
) -> Iterator[list[Future[Any]]]:
    """Start `work` after the feature's receiver has run, before the sync commits."""
    started: list[Future[Any]] = []
    with ThreadPoolExecutor() as threads:

        def joined(*_: object, **__: object) -> None:
            started.append(threads.submit(work))
            wait(started, patience)

        with signals.enrollments_added.connected_to(joined, sender=school.app):
            yield started


def at_once(*clients: Browser, path: str, **fields: Any) -> list[int]:
    """Submit a form in several browsers at the same time. Return the statuses."""
    barrier = Barrier(len(clients))

    def click(client: Browser) -> int:
        token = client.csrf_token()
        barrier.wait()
        return client.post(path, data={"csrf_token": token, **fields}).status_code

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(click, clients))


def test_a_student_whom_a_sync_adds_while_the_teacher_assigns_gets_the_book(school: School) -> None:
    teacher, section = school.browser(TEACHER), school.section("Reading Workshop").id
    school.clever.simulator.change_roster("class", "mei.bowman", section=section, enrolled=True)
    with during_the_sync(school, lambda: school.assign(teacher, "Reading Workshop")) as clicks:
        school.sync()
    assert [click.result(30) for click in clicks] == ["/reading/1"]
    assert titles(school.browser("mei.bowman")) == ["The Hare and the Tortoise"]


def test_pages_do_not_wait_for_a_sync(school: School) -> None:
    teacher, student = school.browser(TEACHER), school.browser(STUDENT)
    path, section = school.assign(teacher), school.section("Reading Workshop").id
    school.clever.simulator.change_roster("class", "mei.bowman", section=section, enrolled=True)
    pages = [(student, page) for page in ("/my-books", "/my-books/1")]
    pages += [(teacher, page) for page in ("/reading", path, f"{path}/change")]
    seconds: list[float] = []

    def open_pages() -> None:
        started = monotonic()
        assert {client.get(page).status_code for client, page in pages} == {200}
        seconds.append(monotonic() - started)

    with during_the_sync(school, open_pages, patience=9) as visits:
        school.sync()
    assert [visit.result(30) for visit in visits] == [None]
    assert seconds[0] < 8


@contextmanager
def wait_for_each_other(school: School, statement: str, clicks: int) -> Iterator[None]:
    """Hold all clicks before this statement until all are there, or SECONDS are over."""
    barrier = Barrier(clicks)

    def wait_here(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        if sql.startswith(statement):
            with suppress(BrokenBarrierError):
                barrier.wait(SECONDS)

    with school.app.test_request_context():
        engine = database.engine()
    event.listen(engine, "before_cursor_execute", wait_here)
    yield
    event.remove(engine, "before_cursor_execute", wait_here)


def test_two_clicks_at_once_assign_one_book(school: School) -> None:
    clients = [school.browser(TEACHER) for _ in range(3)]
    form = {"book": "lion", "due": TODAY, "section": [school.section("Mathematics").id]}
    with wait_for_each_other(school, "INSERT INTO reading_assignments", len(clients)):
        assert at_once(*clients, path="/reading/new", **form) == [303] * 3
    assert titles(school.browser(STUDENT)) == ["The Lion and the Mouse"]


def test_two_changes_at_once_both_succeed(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    clients = [school.browser(TEACHER) for _ in range(3)]
    form = {"due": TODAY, "section": [school.section("Mathematics").id]}
    assert at_once(*clients, path=f"{path}/change", **form) == [303] * 3
    assert "0 of 12 students" in words(teacher, path)


def test_a_click_at_once_in_two_browsers_marks_a_book(school: School) -> None:
    school.assign(school.browser(TEACHER), "Reading Workshop")
    clients = [school.browser(STUDENT) for _ in range(3)]
    assert at_once(*clients, path="/my-books/1/read") == [303] * 3


def test_a_receiver_that_is_called_again_changes_nothing(school: School) -> None:
    teacher = school.browser(TEACHER)
    path = school.assign(teacher, "Reading Workshop")
    school.browser(STUDENT).submit("/my-books/1/read")
    before, section = words(teacher, path), school.section("Reading Workshop").id
    people = ((STUDENT, "student"), ("fatima.mbeki", "student"), (TEACHER, "teacher"))
    rows: Sequence[signals.EnrollmentRow] = [
        signals.EnrollmentRow(section_id=section, person_id=school.person_id(name), role=role)
        for name, role in people
    ]
    with school.app.app_context(), database.begin() as connection:
        for _ in range(2):
            signals.enrollments_added.send(
                school.app, connection=connection, district_id=None, rows=rows
            )
    assert words(teacher, path) == before
