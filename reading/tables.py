"""The tables: which book is assigned to which classes, and what each student has read.

A task belongs to a student, not to a class: some student information systems replace every class in
January. `teachers` are those who taught a class of the assignment at any time.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, DateTime, ForeignKey, Integer, MetaData, String, Table

from clever_login.database import PERSON_ID, SECTION_ID

metadata = MetaData()

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
    Column("read_at", DateTime(timezone=True)),  # None until the student has read the book
)
