"""Runs the migrations of the form in form.py, with a version table of its own."""

from alembic import context
from sqlalchemy import NullPool, create_engine

from clever_login import database

engine = create_engine(database.engine().url, poolclass=NullPool)
with engine.begin() as connection:
    context.configure(connection=connection, version_table="notes_alembic_version")
    with context.begin_transaction():
        context.run_migrations()
