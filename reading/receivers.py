"""Keeps the tables right when classes and people change. Each receiver may be called again.

Nothing happens when a student leaves a class: the work stays the student's. Teachers see only
students who are in their classes now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask
from sqlalchemy import Connection, delete, func, select, update

from clever_login import Identity, Role, database, rosters, signals
from reading import work
from reading.books import book
from reading.tables import assignments, tasks, teachers


def connect(app: Flask) -> None:
    """Connect the receivers to the signals of this app."""
    signals.enrollments_added.connect(joined, sender=app)
    signals.people_merged.connect(merged, sender=app)
    signals.people_forgotten.connect(forgotten, sender=app)
    signals.person_exported.connect(exported, sender=app)
    signals.logged_in.connect(library_teacher_logged_in, sender=app)


def joined(
    _app: Flask, *, connection: Connection, rows: Sequence[signals.EnrollmentRow], **_: object
) -> None:
    """Give a student who joins a class its books, and a teacher who joins it the assignments."""
    assigned = work.assignments_of_classes(connection, {row.section_id for row in rows})
    for assignment_id, section_ids in assigned.items():
        joining = [row for row in rows if row.section_id in section_ids]
        for table, role in ((tasks, Role.STUDENT), (teachers, Role.TEACHER)):
            ids = [row.person_id for row in joining if row.role == role]
            work.add_missing(connection, table, assignment_id, person_id=ids)


def merged(
    _app: Flask, *, connection: Connection, rows: Sequence[signals.PersonMerge], **_: object
) -> None:
    """Move the work of a duplicate to the survivor. A book that either has read is read."""
    for row in rows:
        pair = (row.survivor_id, row.duplicate_id)
        for table in (tasks, teachers):
            _move(connection, table, row, pair)


def _move(
    connection: Connection, table: Any, row: signals.PersonMerge, pair: tuple[str, str]
) -> None:
    both = (
        select(table.c.assignment_id)
        .where(table.c.person_id.in_(pair))
        .group_by(table.c.assignment_id)
        .having(func.count() > 1)
    )
    shared = list(connection.scalars(both))
    if table is tasks:
        for assignment_id in shared:
            first = select(func.min(tasks.c.read_at)).where(
                tasks.c.assignment_id == assignment_id, tasks.c.person_id.in_(pair)
            )
            kept = (tasks.c.assignment_id == assignment_id) & (tasks.c.person_id == row.survivor_id)
            read_at = connection.scalar(first)
            connection.execute(update(tasks).where(kept).values(read_at=read_at))
    duplicates = table.c.person_id == row.duplicate_id
    connection.execute(delete(table).where(duplicates, table.c.assignment_id.in_(shared)))
    connection.execute(update(table).where(duplicates).values(person_id=row.survivor_id))


def forgotten(
    _app: Flask, *, connection: Connection, rows: Sequence[signals.PersonRow], **_: object
) -> dict[str, int]:
    """Delete the rows of these people, and count them for the receipt."""
    ids = [row.person_id for row in rows]
    return {
        table.name: connection.execute(delete(table).where(table.c.person_id.in_(ids))).rowcount
        for table in (tasks, teachers)
    }


def exported(
    _app: Flask, *, connection: Connection, person_id: str, **_: object
) -> dict[str, list[dict[str, str | None]]]:
    """Return a student's and a teacher's books for the export of their data."""
    given = select(assignments.c.book, assignments.c.due, tasks.c.read_at).join(tasks)
    assigned = select(assignments.c.book, assignments.c.due).join(teachers)
    return {
        "books": [
            _exported_book(row) | {"read_at": row.read_at.isoformat() if row.read_at else None}
            for row in connection.execute(given.where(tasks.c.person_id == person_id))
        ],
        "assigned_books": [
            _exported_book(row)
            for row in connection.execute(assigned.where(teachers.c.person_id == person_id))
        ],
    }


def _exported_book(row: Any) -> dict[str, str | None]:
    return {"title": book(row.book).title, "due": row.due.isoformat()}


def library_teacher_logged_in(_app: Flask, *, identity: Identity, **_: object) -> None:
    """Give the books to new students of a Clever Library teacher, whose classes send no signals.

    Clever shares these classes at the teacher's login only.
    """
    if not (identity.library and identity.person_id and Role.TEACHER in identity.roles):
        return
    viewer = rosters.viewer(identity.person_id, Role.TEACHER)
    students = {
        section.id: [person.id for person in rosters.students(section.id, viewer=viewer, size=200)]
        for section in rosters.sections(viewer=viewer, size=200)
    }
    with database.begin() as connection:
        assigned = work.assignments_of_classes(connection, students)
        for assignment_id, section_ids in assigned.items():
            ids = [person_id for section_id in section_ids for person_id in students[section_id]]
            work.add_missing(connection, tasks, assignment_id, person_id=ids)
