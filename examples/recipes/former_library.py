"""Migrating from another Clever library: the first login finds the account that it has linked."""

from sqlalchemy import Connection, text

from clever_login import Identity, database

# Your users table has a new column: clever_id, unique, NULL for users who have not logged in yet.
KNOWN = text("SELECT id FROM users WHERE clever_id = :clever_id")
# This is the table of social-auth. docs/migrating.md has the queries for other libraries.
FORMER = text("""SELECT user_id FROM social_auth_usersocialauth
    WHERE provider = 'clever' AND uid = :clever_id""")
ADOPT = text("UPDATE users SET clever_id = :clever_id WHERE id = :id AND clever_id IS NULL")
CREATE = text("""INSERT INTO users (clever_id, name) VALUES (:clever_id, :name)
    ON CONFLICT (clever_id) DO UPDATE SET clever_id = excluded.clever_id RETURNING id""")


def find_or_create(identity: Identity) -> str:
    """Return the id of the user's row in your users table."""
    with database.begin() as connection:
        found = connection.execute(KNOWN, {"clever_id": identity.subject}).scalar()
        found = found or _adopt(connection, identity) or _create(connection, identity)
    return str(found)


def _adopt(connection: Connection, identity: Identity) -> int | None:
    """Store Clever's ID with the account that the former library has linked, if there is one.

    Before API v3, a user had one ID for each role: the former library may have stored one of them.
    """
    for clever_id in (identity.subject, *identity.legacy_ids):
        found: int | None = connection.execute(FORMER, {"clever_id": clever_id}).scalar()
        values = {"clever_id": identity.subject, "id": found}
        if found and connection.execute(ADOPT, values).rowcount:
            return found
    return None


def _create(connection: Connection, identity: Identity) -> int:
    values = {"clever_id": identity.subject, "name": identity.first_name}
    return int(connection.execute(CREATE, values).scalar_one())
