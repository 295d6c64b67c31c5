"""A teacher's pages: assign a book to classes, see who has read it, change it, take it back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import Row

from clever_login import Role, current_user, database, roles_required, rosters
from reading import work
from reading.books import BOOKS, book
from reading.tables import tasks, teachers

bp = Blueprint("reading", __name__, url_prefix="/reading", template_folder="templates")
ROWS = 200  # per query of a roster
MAX_DAYS = 366  # from today to the due date
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a name


class Teaching:
    """The classes and students of a teacher, by default the logged-in one, read once."""

    def __init__(self, viewer: rosters.Viewer | None = None) -> None:
        self.viewer = viewer

    @cached_property
    def sections(self) -> dict[str, rosters.Section]:
        """The teacher's classes, by id."""
        return {section.id: section for section in _all_pages(rosters.sections, viewer=self.viewer)}

    @cached_property
    def students(self) -> dict[str, rosters.Person]:
        """The students of these classes, by id and in the order of their names."""
        return {person.id: person for person in _all_pages(rosters.people, role=Role.STUDENT)}

    def students_of(self, section_ids: set[str]) -> set[str]:
        """Return the ids of the students of some classes."""
        return {
            person.id
            for section_id in section_ids
            for person in _all_pages(rosters.students, section_id, viewer=self.viewer)
        }

    def assignments(self) -> list[Row[Any]]:
        """Return the teacher's assignments with the numbers of students."""
        if (teacher_id := _teacher_id()) is None:
            return []
        with database.read() as connection:
            return work.assignments_of_teacher(
                connection, teacher_id, self.sections.keys(), self.students.keys()
            )

    def assignment(self, assignment_id: int) -> Row[Any]:
        """Return one of these assignments. Another teacher's is a 404."""
        own = [row for row in self.assignments() if row.id == assignment_id]
        return own[0] if own else abort(404)


@dataclass(frozen=True)
class Form:
    """What a teacher has submitted, and what is wrong with it."""

    book_id: str
    due: date | None
    section_ids: set[str]
    errors: tuple[str, ...] = ()


@bp.get("")
@roles_required(Role.TEACHER)
def show_all() -> ResponseReturnValue:
    """Show the teacher's assignments."""
    return render_template(
        "reading/assignments.html", assignments=Teaching().assignments(), book=book
    )


@bp.route("/new", methods=["GET", "POST"])
@roles_required(Role.TEACHER)
def assign() -> ResponseReturnValue:
    """Assign a book."""
    teaching = Teaching()
    if request.method == "GET":
        due = _today() + timedelta(days=7)
        return _show_form(teaching, Form(book_id="", due=due, section_ids=set(teaching.sections)))
    form = _read_form(teaching)
    teacher_id = _teacher_id()
    if form.errors or form.due is None or teacher_id is None:
        return _show_form(teaching, form)
    with database.begin() as connection:
        # First the classes: a student whom a sync adds to a class from now on gets the book.
        assignment_id = work.create(
            connection, teacher_id, form.book_id, form.due, form.section_ids
        )
    _give(teaching, assignment_id, form.section_ids)
    return redirect(url_for("reading.show", assignment_id=assignment_id), 303)


@bp.get("/<int:assignment_id>")
@roles_required(Role.TEACHER)
def show(assignment_id: int) -> ResponseReturnValue:
    """Show who has read the book: first the students who have not."""
    teaching = Teaching()
    assignment = teaching.assignment(assignment_id)
    rows = _progress(teaching, assignment_id)
    return render_template(
        "reading/assignment.html", assignment=assignment, book=book(assignment.book), rows=rows
    )


@bp.get("/<int:assignment_id>.csv")
@roles_required(Role.TEACHER)
def as_csv(assignment_id: int) -> ResponseReturnValue:
    """Download the same list as a spreadsheet."""
    teaching = Teaching()
    assignment = teaching.assignment(assignment_id)
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow([_("Last name"), _("First name"), _("Read on")])
    for person, read_at in _progress(teaching, assignment_id):
        day = read_at.date().isoformat() if read_at else ""
        writer.writerow([_plain(person.last_name), _plain(person.first_name), day])
    headers = {"Content-Disposition": f'attachment; filename="{assignment.book}.csv"'}
    # Excel reads a CSV file as UTF-8 only with a byte order mark.
    return "\ufeff" + output.getvalue(), {"Content-Type": "text/csv; charset=utf-8", **headers}


@bp.route("/<int:assignment_id>/change", methods=["GET", "POST"])
@roles_required(Role.TEACHER)
def change(assignment_id: int) -> ResponseReturnValue:
    """Change the due date and the classes."""
    teaching = Teaching()
    assignment = teaching.assignment(assignment_id)
    with database.read() as connection:
        former = work.classes_of(connection, assignment_id) & teaching.sections.keys()
    if request.method == "GET":
        form = Form(book_id=assignment.book, due=assignment.due, section_ids=former)
        return _show_form(teaching, form, assignment)
    form = _read_form(teaching, assignment)
    if form.errors or form.due is None:
        return _show_form(teaching, form, assignment)
    with database.begin() as connection:
        work.change(connection, assignment_id, due=form.due)
        work.add_classes(connection, assignment_id, form.section_ids)
    _give(teaching, assignment_id, form.section_ids)
    _take_from(teaching, assignment_id, former - form.section_ids)
    return redirect(url_for("reading.show", assignment_id=assignment_id), 303)


@bp.post("/<int:assignment_id>/withdraw")
@roles_required(Role.TEACHER)
def withdraw(assignment_id: int) -> ResponseReturnValue:
    """Take the book off the students' pages, or put it back. Nothing is lost."""
    Teaching().assignment(assignment_id)
    with database.begin() as connection:
        work.change(connection, assignment_id, withdrawn="back" not in request.form)
    return redirect(url_for("reading.show", assignment_id=assignment_id), 303)


@bp.get("/books/<book_id>")
@roles_required(Role.TEACHER)
def preview(book_id: str) -> ResponseReturnValue:
    """Show a book as students see it."""
    if book_id not in BOOKS:
        abort(404)
    return render_template("reading/book.html", book=BOOKS[book_id], task=None)


def _give(teaching: Teaching, assignment_id: int, section_ids: set[str]) -> None:
    """Give the book to the students of the classes, and the assignment to their teachers."""
    students = teaching.students_of(section_ids)
    colleagues = rosters.teachers_by_section(sorted(section_ids)).values()
    with database.begin() as connection:
        work.add_missing(connection, tasks, assignment_id, person_id=students)
        ids = [teacher.id for group in colleagues for teacher in group]
        work.add_missing(connection, teachers, assignment_id, person_id=ids)


def _take_from(teaching: Teaching, assignment_id: int, removed: set[str]) -> None:
    """Remove classes, and the book from their students who are in no other class of it."""
    if not removed:
        return
    with database.read() as connection:
        left = work.classes_of(connection, assignment_id) - removed
        teacher_ids = work.teachers_of(connection, assignment_id)
    without = teaching.students_of(removed)
    for teacher_id in teacher_ids:  # a colleague's other class may have the book, too
        colleague = Teaching(rosters.viewer(teacher_id, Role.TEACHER))
        without -= colleague.students_of(left & colleague.sections.keys())
    with database.begin() as connection:
        work.remove_classes(connection, assignment_id, removed, without)


def _progress(teaching: Teaching, assignment_id: int) -> list[tuple[rosters.Person, Any]]:
    """Return the students with the time of reading: first those who have not read the book."""
    with database.read() as connection:
        read = work.readers(connection, assignment_id, teaching.students.keys())
    rows = [(person, read[person.id]) for person in teaching.students.values() if person.id in read]
    return sorted(rows, key=lambda row: row[1] is not None)


def _read_form(teaching: Teaching, assignment: Row[Any] | None = None) -> Form:
    book_id = assignment.book if assignment else request.form.get("book", "")
    section_ids = set(request.form.getlist("section")) & teaching.sections.keys()
    errors = []
    if assignment is None and book_id not in BOOKS:
        errors.append(_("Choose a book."))
    if not section_ids:
        errors.append(_("Choose at least one class."))
    due = _read_date(request.form.get("due", ""), assignment.due if assignment else None)
    if due is None:
        errors.append(_("Choose a day between today and a year from now."))
    return Form(book_id=book_id, due=due, section_ids=section_ids, errors=tuple(errors))


def _read_date(text: str, unchanged: date | None) -> date | None:
    try:
        due = date.fromisoformat(text)
    except ValueError:
        return None
    today = _today()
    # In the evening, a teacher in the US still has UTC's yesterday.
    possible = today - timedelta(days=1) <= due <= today + timedelta(days=MAX_DAYS)
    return due if possible or due == unchanged else None


def _today() -> date:
    return datetime.now(UTC).date()


def _show_form(
    teaching: Teaching, form: Form, assignment: Row[Any] | None = None
) -> ResponseReturnValue:
    page = render_template(
        "reading/form.html",
        form=form,
        assignment=assignment,
        book=book,
        books=BOOKS.values(),
        sections=teaching.sections.values(),
    )
    return page, 422 if form.errors else 200


def _all_pages(query: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
    """Yield the rows of all pages of a query of `rosters`."""
    number, pages = 1, 1
    while number <= pages:
        page = query(*arguments, page=number, size=ROWS, **named)
        yield from page
        number, pages = number + 1, page.pages


def _teacher_id() -> str | None:
    """Return the teacher's row. A user who has not logged in with Clever may have none."""
    user = current_user()
    return user.person_id if user else None


def _plain(name: str) -> str:
    return f"'{name}" if name.startswith(FORMULA_STARTS) else name
