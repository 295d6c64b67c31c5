"""The tables: which book is assigned to which classes, and what each student has read.

A task belongs to a student, not to a class: some student information systems replace every class in
January. `teachers` are those who taught a class of the assignment at any time.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

from clever_login.database import PERSON_ID, SECTION_ID

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite returns it without a zone, PostgreSQL in the zone of its server."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 # SQLAlchemy passes it
        """Add the zone, or convert the time to UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


assignments = Table(
    "reading_assignments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("book", String(40), nullable=False),  # an id in books.json
    Column("due", Date, nullable=False),
    Column("withdrawn", Boolean, nullable=False, default=False),
)
ASSIGNMENT_ID = assignments.c.id
classes = Table(
    "reading_classes",
    metadata,
    Column("assignment_id", ForeignKey(ASSIGNMENT_ID, ondelete="CASCADE"), primary_key=True),
    Column("section_id", ForeignKey(SECTION_ID, ondelete="CASCADE"), primary_key=True, index=True),
)
teachers = Table(
    "reading_teachers",
    metadata,
    Column("assignment_id", ForeignKey(ASSIGNMENT_ID, ondelete="CASCADE"), primary_key=True),
    Column("person_id", ForeignKey(PERSON_ID, ondelete="CASCADE"), primary_key=True, index=True),
)
tasks = Table(
    "reading_tasks",
    metadata,
    Column("assignment_id", ForeignKey(ASSIGNMENT_ID, ondelete="CASCADE"), primary_key=True),
    Column("person_id", ForeignKey(PERSON_ID, ondelete="CASCADE"), primary_key=True, index=True),
    Column("read_at", UtcDateTime),  # None until the student has read the book
)
