"""The four tables."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "reading_0001", None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "reading_assignments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("book", sa.String(40), nullable=False),
        sa.Column("due", sa.Date, nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
    )
    op.create_table(
        "reading_classes",
        assignment_id(),
        sa.Column(
            "section_id",
            sa.String(64),
            sa.ForeignKey("clever_sections.id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
    )
    op.create_table("reading_teachers", assignment_id(), person_id())
    read_at = sa.Column("read_at", sa.DateTime(timezone=True))
    op.create_table("reading_tasks", assignment_id(), person_id(), read_at)


def downgrade() -> None:
    """Drop the tables."""
    for name in ("tasks", "teachers", "classes", "assignments"):
        op.drop_table(f"reading_{name}")


def assignment_id() -> "sa.Column[int]":
    """Return the column that refers to an assignment."""
    key = sa.ForeignKey("reading_assignments.id", ondelete="CASCADE")
    return sa.Column("assignment_id", sa.Integer, key, primary_key=True)


def person_id() -> "sa.Column[str]":
    """Return the column that refers to a person."""
    key = sa.ForeignKey("clever_people.id", ondelete="CASCADE")
    return sa.Column("person_id", sa.String(32), key, primary_key=True, index=True)
