"""A student's books: one tile each, a page to read, and a button that says "I have read it"."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Row

from clever_login import CurrentUser, Role, current_user, database, idle_minutes, roles_required
from reading import work
from reading.books import Book, book

MINUTES_TO_READ = 60
bp = Blueprint("my_books", __name__, "static", url_prefix="/my-books", template_folder="templates")


@bp.get("")
@roles_required(Role.STUDENT)
def show_all() -> ResponseReturnValue:
    """Show the student's books."""
    return render_template("reading/books.html")


@bp.get("/all.json")
@roles_required(Role.STUDENT)
def as_json() -> ResponseReturnValue:
    """Return the student's books as JSON."""
    return {
        "books": [
            {
                "id": task.id,
                "title": task_book.title,
                "due": task.due.isoformat(),
                "read_at": _iso(task.read_at),
            }
            for task, task_book in student_books()
        ]
    }


@bp.get("/<int:assignment_id>")
@roles_required(Role.STUDENT)
@idle_minutes(MINUTES_TO_READ)
def read(assignment_id: int) -> ResponseReturnValue:
    """Show a book. The session stays open while the student reads."""
    task, task_book = _own_task(assignment_id)
    return render_template("reading/book.html", task=task, book=task_book)


@bp.post("/<int:assignment_id>/read")
@roles_required(Role.STUDENT)
def mark_read(assignment_id: int) -> ResponseReturnValue:
    """Mark a book as read."""
    return _mark(assignment_id, read=True)


@bp.post("/<int:assignment_id>/unread")
@roles_required(Role.STUDENT)
def mark_unread(assignment_id: int) -> ResponseReturnValue:
    """Undo it."""
    return _mark(assignment_id, read=False)


@bp.app_context_processor
def _template_names() -> dict[str, Any]:
    return {"student_books": student_books}


def student_books() -> list[tuple[Row[Any], Book]]:
    """Return the logged-in student's assignments, each with its book. Empty for others."""
    user = current_user()
    if user is None or user.role is not Role.STUDENT or not user.person_id:
        return []
    with database.read() as connection:
        return [
            (task, book(task.book)) for task in work.tasks_of_student(connection, user.person_id)
        ]


def _own_task(assignment_id: int) -> tuple[Row[Any], Book]:
    """Return an assignment of the student. Another student's is a 404."""
    own = [pair for pair in student_books() if pair[0].id == assignment_id]
    return own[0] if own else abort(404)


def _mark(assignment_id: int, *, read: bool) -> ResponseReturnValue:
    _own_task(assignment_id)
    user: CurrentUser | None = current_user()
    if user is None or not user.person_id:
        abort(403)
    with database.begin() as connection:
        work.mark(connection, assignment_id, user.person_id, read=read)
    if read:
        return redirect(url_for("my_books.show_all"), 303)
    return redirect(url_for("my_books.read", assignment_id=assignment_id), 303)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
