"""Alembic's environment. It uses the connection that `clever_login.db.migrate` has opened."""

from __future__ import annotations

from alembic import context

from clever_login.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # on SQLite, tables are altered by recreating them
)
with context.begin_transaction():
    context.run_migrations()
