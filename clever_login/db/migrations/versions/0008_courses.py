"""Add courses, and the course of each section."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration. The courses of a district come with its next full read."""
    op.create_table(
        "clever_courses",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["district_id"],
            ["clever_districts.id"],
            name=op.f("fk_clever_courses_district_id_clever_districts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clever_courses")),
    )
    op.create_index(op.f("ix_clever_courses_district_id"), "clever_courses", ["district_id"])
    # SQLite can add a foreign key only together with its column, in this form. Other ways copy the
    # whole table.
    op.execute(
        "ALTER TABLE clever_sections ADD COLUMN course_id VARCHAR(64) "
        "CONSTRAINT fk_clever_sections_course_id_clever_courses REFERENCES clever_courses (id)"
    )
    op.create_index(op.f("ix_clever_sections_course_id"), "clever_sections", ["course_id"])


def downgrade() -> None:
    """Undo this migration."""
    op.drop_index(op.f("ix_clever_sections_course_id"), "clever_sections")
    op.drop_column("clever_sections", "course_id")
    op.drop_table("clever_courses")
