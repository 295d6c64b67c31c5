"""Runs the migrations of this feature, with a version table of its own."""

from alembic import context
from sqlalchemy import NullPool, create_engine

from clever_login import database
from reading.tables import metadata

engine = create_engine(database.engine().url, poolclass=NullPool)
with engine.begin() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=database.include_object,
        version_table="reading_alembic_version",
    )
    with context.begin_transaction():
        context.run_migrations()
