"""Your own users table, for users of Clever and of other providers."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from clever_login import Identity, database

metadata = MetaData()
users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("name", Text, nullable=False),
    Column("person_id", ForeignKey(database.PERSON_ID, ondelete="CASCADE")),
    UniqueConstraint("provider", "subject"),
)
# One statement, so two logins at the same time create one row. An empty name changes nothing.
KEEP = text("""INSERT INTO users (provider, subject, name, person_id)
    VALUES (:provider, :subject, :name, :person_id)
    ON CONFLICT (provider, subject) DO UPDATE SET
        name = coalesce(nullif(excluded.name, ''), users.name), person_id = excluded.person_id
    RETURNING id""")


def find_or_create(identity: Identity) -> str:
    """Return the id of the user's row. Name and email address do not identify anybody."""
    values = {
        "provider": identity.provider,
        "subject": identity.subject,
        "name": identity.first_name,
        "person_id": identity.person_id,
    }
    with database.begin() as connection:
        return str(connection.execute(KEEP, values).scalar_one())
