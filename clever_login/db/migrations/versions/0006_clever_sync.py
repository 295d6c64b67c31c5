"""Add when Clever had last read a district's own data, as of our last full read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration."""
    op.add_column("clever_districts", sa.Column("clever_sync_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Undo this migration."""
    op.drop_column("clever_districts", "clever_sync_at")
