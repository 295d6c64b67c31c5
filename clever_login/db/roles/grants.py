"""The statements with which the owner of the tables lets the app's role read and write rows."""

from __future__ import annotations

from collections.abc import Iterator

from clever_login.db.roles.privileges import ROW_PRIVILEGES


def grant_statements(role: str, schema: str) -> Iterator[str]:
    """Yield what the owner of the tables runs once, so that `role` can read and write rows.

    The last two make later migrations grant the same on the tables that they add.
    """
    to_role, in_schema = f"TO {_quote(role)}", f"IN SCHEMA {_quote(schema)}"
    rows = ", ".join(ROW_PRIVILEGES)
    yield f"GRANT USAGE ON SCHEMA {_quote(schema)} {to_role}"
    yield f"GRANT {rows} ON ALL TABLES {in_schema} {to_role}"
    yield f"GRANT USAGE ON ALL SEQUENCES {in_schema} {to_role}"
    yield f"ALTER DEFAULT PRIVILEGES {in_schema} GRANT {rows} ON TABLES {to_role}"
    yield f"ALTER DEFAULT PRIVILEGES {in_schema} GRANT USAGE ON SEQUENCES {to_role}"


def _quote(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
