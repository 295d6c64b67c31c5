"""What Alembic runs around the steps: on the connection that `school.migrate` has opened."""

from __future__ import annotations

from alembic import context

from clever_login.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
