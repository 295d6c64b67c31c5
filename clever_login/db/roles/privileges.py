"""What the connected PostgreSQL role may do with the app's tables, and what it lacks."""

from __future__ import annotations

from sqlalchemy import Connection

from clever_login.db.models import Base
from clever_login.db.version_table import VERSION_TABLE

ROW_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
SHOWN = 6  # a role without any privilege lacks more than fifty
_MISSING_QUERY = """
SELECT needed.privilege || ' on ' || needed.name
FROM unnest(%(privileges)s::text[], %(names)s::text[]) AS needed(privilege, name)
WHERE NOT has_table_privilege(to_regclass(needed.name), needed.privilege)
ORDER BY needed.name COLLATE "C", needed.privilege
"""
_UNNEEDED_QUERY = """
SELECT
  has_schema_privilege(current_schema(), 'CREATE'),
  EXISTS (
    SELECT FROM pg_class
    WHERE oid = ANY (SELECT to_regclass(name) FROM unnest(%(names)s::text[]) AS name)
      AND pg_has_role(relowner, 'USAGE')
  )
"""


def missing_privileges(connection: Connection) -> list[str]:
    """Return what the connected role lacks, such as "INSERT on clever_people". PostgreSQL only."""
    needed = [(VERSION_TABLE, "SELECT")]
    needed += [(name, privilege) for name in Base.metadata.tables for privilege in ROW_PRIVILEGES]
    names, privileges = zip(*needed, strict=True)
    values = {"names": list(names), "privileges": list(privileges)}
    return list(connection.exec_driver_sql(_MISSING_QUERY, values).scalars())


def unneeded_privileges(connection: Connection) -> list[str]:
    """Return what the connected role may do and the app's role need not. PostgreSQL only."""
    names = {"names": list(Base.metadata.tables)}
    creates, owns = connection.exec_driver_sql(_UNNEEDED_QUERY, names).one()
    found = {"create tables": creates, "change and drop the app's tables": owns}
    return [words for words, allowed in found.items() if allowed]


def missing_reason(connection: Connection) -> str | None:
    """Return a sentence that names what the connected role lacks, or None. PostgreSQL only."""
    missing = missing_privileges(connection)
    if not missing:
        return None
    role = connection.exec_driver_sql("SELECT current_user").scalar_one()
    more = f", and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return (
        f"the database role {role} lacks {', '.join(missing[:SHOWN])}{more} (42501): run the "
        f"statements that `flask --app app clever db grants {role}` prints"
    )
