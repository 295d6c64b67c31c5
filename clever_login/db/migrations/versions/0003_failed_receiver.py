"""Add the signal receiver that ended a district's last sync."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration."""
    op.add_column(
        "clever_districts", sa.Column("failed_receiver", sa.String(length=255), nullable=True)
    )


def downgrade() -> None:
    """Undo this migration."""
    op.drop_column("clever_districts", "failed_receiver")
