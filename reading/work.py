"""Reads and writes the tables. Each function runs in the transaction of its `connection`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from clever_login.database import PERSON_ID, SECTION_ID
from reading.tables import assignments, classes, tasks, teachers

# Built once, because each dashboard of a student runs it.
_TASKS_OF_STUDENT = (
    select(assignments, tasks.c.read_at)
    .join(tasks, tasks.c.assignment_id == assignments.c.id)
    .where(tasks.c.person_id == bindparam("person_id"), assignments.c.withdrawn.is_(False))
    .order_by(tasks.c.read_at.is_not(None), assignments.c.due, assignments.c.id)
)


def create(
    connection: Connection, teacher_id: str, book_id: str, due: date, section_ids: set[str]
) -> int:
    """Assign a book to classes. Return the id of the assignment, which no student has yet.

    For a second click, return the assignment of the first one.
    """
    myself = select(PERSON_ID).where(PERSON_ID.in_([teacher_id]))
    connection.execute(myself.with_for_update(key_share=True))  # two clicks: one after the other
    values = {"book": book_id, "due": due, "withdrawn": False}
    mine = select(assignments.c.id).join(teachers).where(teachers.c.person_id == teacher_id)
    same = and_(*(assignments.c[name] == value for name, value in values.items()))
    for assignment_id in connection.scalars(mine.where(same)).all():
        if classes_of(connection, assignment_id) == section_ids:
            return int(assignment_id)
    new = insert(assignments).values(**values).returning(assignments.c.id)
    assignment_id = connection.execute(new).scalar_one()
    add_missing(connection, teachers, assignment_id, person_id=[teacher_id])
    add_classes(connection, assignment_id, section_ids)
    return int(assignment_id)


def add_classes(connection: Connection, assignment_id: int, section_ids: Iterable[str]) -> None:
    """Add classes. From then on, a student or teacher who joins them gets the assignment."""
    add_missing(connection, classes, assignment_id, section_id=section_ids)


def remove_classes(
    connection: Connection, assignment_id: int, section_ids: Collection[str], students: set[str]
) -> None:
    """Remove classes, and the book from these students if they have not read it."""
    connection.execute(
        delete(classes).where(
            classes.c.assignment_id == assignment_id, classes.c.section_id.in_(section_ids)
        )
    )
    connection.execute(
        delete(tasks).where(
            tasks.c.assignment_id == assignment_id,
            tasks.c.person_id.in_(students),
            tasks.c.read_at.is_(None),
        )
    )


def add_missing(
    connection: Connection, table: Table, assignment_id: int, **values: Iterable[str]
) -> None:
    """Insert a row for each value of one column, unless it exists."""
    ((column, entries),) = values.items()
    rows = [{"assignment_id": assignment_id, column: entry} for entry in sorted(set(entries))]
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    if rows:
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def change(connection: Connection, assignment_id: int, **values: object) -> None:
    """Set columns of an assignment."""
    connection.execute(
        update(assignments).where(assignments.c.id == assignment_id).values(**values)
    )


def assignments_of_classes(
    connection: Connection, section_ids: Collection[str]
) -> dict[int, set[str]]:
    """Return the ids of the assignments of these classes, each with its classes.

    Until the end of the transaction, nobody can add these classes to an assignment: otherwise a
    student who joins a class while its teacher assigns a book would not get the book.
    """
    these = select(SECTION_ID).where(SECTION_ID.in_(section_ids)).order_by(SECTION_ID)
    connection.execute(these.with_for_update())
    found: dict[int, set[str]] = {}
    query = select(classes).where(classes.c.section_id.in_(section_ids))
    for row in connection.execute(query.order_by(classes.c.assignment_id)):
        found.setdefault(row.assignment_id, set()).add(row.section_id)
    return found


def classes_of(connection: Connection, assignment_id: int) -> set[str]:
    """Return the ids of the classes of an assignment."""
    query = select(classes.c.section_id).where(classes.c.assignment_id == assignment_id)
    return set(connection.scalars(query))


def teachers_of(connection: Connection, assignment_id: int) -> list[str]:
    """Return the ids of those who taught a class of the assignment at any time."""
    query = select(teachers.c.person_id).where(teachers.c.assignment_id == assignment_id)
    return list(connection.scalars(query))


def assignments_of_teacher(
    connection: Connection, person_id: str, sections: Collection[str], students: Collection[str]
) -> list[Row[Any]]:
    """Return a teacher's assignments with `given` and `read`: how many of these students.

    `sections` and `students` are those whom the teacher teaches now. An assignment in which none of
    them is left is not the teacher's anymore. The newest due date is first.
    """
    own = select(teachers.c.assignment_id).where(teachers.c.person_id == person_id)
    in_class = select(classes.c.assignment_id).where(classes.c.section_id.in_(sections))
    given = func.count(tasks.c.person_id).label("given")
    read = func.count(tasks.c.read_at).label("read")
    theirs = (tasks.c.assignment_id == assignments.c.id) & tasks.c.person_id.in_(students)
    query = (
        select(assignments, given, read)
        .outerjoin(tasks, theirs)
        .where(assignments.c.id.in_(own))
        .group_by(assignments.c.id)
        .having(or_(given > 0, assignments.c.id.in_(in_class)))
        .order_by(assignments.c.due.desc(), assignments.c.id.desc())
    )
    return list(connection.execute(query))


def readers(
    connection: Connection, assignment_id: int, students: Collection[str]
) -> dict[str, datetime | None]:
    """Return when each of these students has read the book: None if not yet."""
    query = select(tasks.c.person_id, tasks.c.read_at).where(
        tasks.c.assignment_id == assignment_id, tasks.c.person_id.in_(students)
    )
    return {row.person_id: row.read_at for row in connection.execute(query)}


def tasks_of_student(connection: Connection, person_id: str) -> list[Row[Any]]:
    """Return a student's books: those to read by due date, then those already read."""
    return list(connection.execute(_TASKS_OF_STUDENT, {"person_id": person_id}))


def mark(connection: Connection, assignment_id: int, person_id: str, *, read: bool) -> None:
    """Mark a student's book as read now, or as not read. A second click changes nothing."""
    mine = (tasks.c.assignment_id == assignment_id) & (tasks.c.person_id == person_id)
    if read:
        unread = mine & tasks.c.read_at.is_(None)
        connection.execute(update(tasks).where(unread).values(read_at=datetime.now(UTC)))
    else:
        connection.execute(update(tasks).where(mine).values(read_at=None))
