"""Add what a full read has seen, and the links that it has not seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration. Before it, these were temporary tables of the sync's connection."""
    op.create_table(
        "clever_seen_records",
        sa.Column("read_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("clever_id", sa.String(64), nullable=False),
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["district_id"],
            ["clever_districts.id"],
            name="fk_clever_seen_records_district_id_clever_districts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("read_id", "kind", "clever_id", name="pk_clever_seen_records"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clever_stale_links",
        sa.Column("read_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("owner_id", sa.String(64), nullable=False),
        sa.Column("linked_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["district_id"],
            ["clever_districts.id"],
            name="fk_clever_stale_links_district_id_clever_districts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "read_id", "kind", "owner_id", "linked_id", "role", name="pk_clever_stale_links"
        ),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Undo this migration."""
    op.drop_table("clever_stale_links")
    op.drop_table("clever_seen_records")
