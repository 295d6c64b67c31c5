"""Add removals that wait for a review, and since when a person is missing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration."""
    op.add_column("clever_people", sa.Column("missing_since", sa.DateTime(timezone=True)))
    op.create_table(
        "clever_held_removals",
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("record_id", sa.String(64), nullable=False),
        sa.Column("linked_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["district_id"],
            ["clever_districts.id"],
            name="fk_clever_held_removals_district_id_clever_districts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "district_id", "kind", "record_id", "linked_id", "role", name="pk_clever_held_removals"
        ),
    )


def downgrade() -> None:
    """Undo this migration. Missing people stay active until a sync archives them."""
    op.drop_table("clever_held_removals")
    op.drop_column("clever_people", "missing_since")
