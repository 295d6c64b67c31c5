"""Add the history of syncs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration."""
    op.create_table(
        "clever_sync_runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("district_id", sa.String(64), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("waits_until", sa.DateTime(timezone=True)),
        sa.Column("mode", sa.String(16)),
        sa.Column("progress", sa.String(64)),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("problem", sa.String(500)),
        sa.ForeignKeyConstraint(
            ["district_id"],
            ["clever_districts.id"],
            name="fk_clever_sync_runs_district_id_clever_districts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_clever_sync_runs"),
    )
    for column in ("district_id", "started_at"):
        op.create_index(f"ix_clever_sync_runs_{column}", "clever_sync_runs", [column])


def downgrade() -> None:
    """Undo this migration."""
    op.drop_table("clever_sync_runs")
