"""The table of the form."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    """Create the table. After a release, add a further migration instead of changing this one."""
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "person_id",
            sa.String(32),
            sa.ForeignKey("clever_people.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("note", sa.String(500), nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("notes")
