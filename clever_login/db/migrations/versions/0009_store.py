"""Add the table of sessions and one-time keys, which is used with PostgreSQL and without Redis."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this migration. Running processes keep their sessions where they are."""
    # With the collation C, the primary key finds the beginning of a key.
    key_type = sa.String(length=255).with_variant(sa.String(255, collation="C"), "postgresql")
    op.create_table(
        "clever_store",
        sa.Column("key", key_type, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_clever_store")),
    )
    op.create_index(op.f("ix_clever_store_expires_at"), "clever_store", ["expires_at"])


def downgrade() -> None:
    """Undo this migration. Everybody has to log in again."""
    op.drop_table("clever_store")
