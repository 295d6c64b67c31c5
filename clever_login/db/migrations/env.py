"""Alembic's environment. It uses the connection that `clever_login.db.migrate` has opened."""

from __future__ import annotations

from alembic import context

from clever_login.db.models import Base
from clever_login.db.version_table import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,  # a product's migrations use the default, alembic_version
    render_as_batch=True,  # on SQLite, tables are altered by recreating them
)
with context.begin_transaction():
    context.run_migrations()
