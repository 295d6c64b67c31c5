"""Add when a district's last sync began, when it was read as a whole, and when it had an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ("attempted_at", "full_read_at", "event_seen_at")


def upgrade() -> None:
    """Apply this migration.

    Nobody knows when a district was last read as a whole. The time of its last sync spares all
    districts a full read right after the upgrade.
    """
    for name in COLUMNS:
        op.add_column("clever_districts", sa.Column(name, sa.DateTime(timezone=True)))
    districts = sa.table("clever_districts", sa.column("full_read_at"), sa.column("synced_at"))
    op.execute(districts.update().values(full_read_at=districts.c.synced_at))


def downgrade() -> None:
    """Undo this migration."""
    for name in COLUMNS:
        op.drop_column("clever_districts", name)
