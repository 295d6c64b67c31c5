"""Foreign keys of a product's tables that point at the library's tables."""

from __future__ import annotations

from collections.abc import Collection

from alembic.util import CommandError
from sqlalchemy import Connection, inspect


def refuse_if_referenced(connection: Connection, names: Collection[str]) -> None:
    """Raise CommandError if a table other than these has a foreign key to one of them.

    PostgreSQL would refuse to drop them. SQLite would leave keys that point at nothing.
    """
    inspector = inspect(connection)
    schemas = [name for name in inspector.get_schema_names() if name != "information_schema"]
    referring = {
        table
        for schema in schemas
        for (_, table), keys in inspector.get_multi_foreign_keys(schema=schema).items()
        for key in keys
        if key["referred_table"] in names and table not in names
    }
    if referring:
        raise CommandError(
            f"Foreign keys of {', '.join(sorted(referring))} point at the tables of the login, so "
            "those were not dropped. Drop the foreign keys or these tables first"
        )
