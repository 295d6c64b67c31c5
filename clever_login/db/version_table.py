"""The table that holds the revision of the library's tables, separate from a product's own.

Version 0.1.0 used Alembic's default, `alembic_version`, which a product's migrations use as well.
Tables at revision LEGACY_REVISION have their revision there, so that version 0.1.0 finds it.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
)

VERSION_TABLE = "clever_alembic_version"
LEGACY_TABLE = "alembic_version"
LEGACY_REVISION = "0001"  # the only revision of version 0.1.0
# Tables of version 0.1.0 that no product is likely to have. `people` alone would prove nothing.
LEGACY_NAMES = frozenset({"enrolments", "leases", "people", "people_schools"})


def _table(name: str) -> Table:
    """Return a version table as Alembic creates it."""
    column = Column("version_num", String(32), nullable=False)
    return Table(name, MetaData(), column, PrimaryKeyConstraint(column, name=f"{name}_pkc"))


_OWN, _LEGACY = _table(VERSION_TABLE), _table(LEGACY_TABLE)


def stored_revision(connection: Connection) -> str | None:
    """Return the revision of the library's tables, or None before the first migration."""
    if inspect(connection).has_table(VERSION_TABLE):
        revision: str | None = connection.scalar(select(_OWN.c.version_num))
        if revision:
            return revision
    return LEGACY_REVISION if _is_legacy_database(connection) else None


def take_over_legacy_table(connection: Connection) -> None:
    """Move the revision of version 0.1.0 into VERSION_TABLE. A product's revisions stay.

    Raises CommandError if the tables of version 0.1.0 exist without their revision.
    """
    has_own = inspect(connection).has_table(VERSION_TABLE)
    if has_own and connection.scalar(select(_OWN.c.version_num)):
        return
    if not _is_legacy_database(connection):
        _refuse_tables_without_revision(connection)
        return
    _OWN.create(connection, checkfirst=True)
    connection.execute(insert(_OWN).values(version_num=LEGACY_REVISION))
    connection.execute(delete(_LEGACY).where(_LEGACY.c.version_num == LEGACY_REVISION))
    if not connection.scalars(select(_LEGACY.c.version_num)).all():
        _LEGACY.drop(connection)


def restore_legacy_table(connection: Connection) -> None:
    """Undo `take_over_legacy_table` for tables at LEGACY_REVISION, and drop an empty VERSION_TABLE.

    The revision stays in VERSION_TABLE if a product has its own revision in LEGACY_TABLE: version
    0.1.0 cannot share a database.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return
    revision = connection.scalar(select(_OWN.c.version_num))
    if revision not in (None, LEGACY_REVISION):
        return
    if revision:
        _LEGACY.create(connection, checkfirst=True)
        if connection.scalars(select(_LEGACY.c.version_num)).all():
            return
        connection.execute(insert(_LEGACY).values(version_num=revision))
    _OWN.drop(connection)


def _refuse_tables_without_revision(connection: Connection) -> None:
    """Name the cause: a migration of version 0.1.0 that a product added, or a shared table."""
    if LEGACY_NAMES.issubset(inspect(connection).get_table_names()):
        from alembic.util import CommandError

        raise CommandError(
            "The tables of version 0.1.0 exist, but the table alembic_version does not contain "
            "their revision. If they have no other changes than added columns and indexes, run "
            "INSERT INTO alembic_version VALUES ('0001'), and then this command again"
        )


def _is_legacy_database(connection: Connection) -> bool:
    names = set(inspect(connection).get_table_names())
    if not names >= {LEGACY_TABLE, *LEGACY_NAMES}:
        return False
    return LEGACY_REVISION in connection.scalars(select(_LEGACY.c.version_num)).all()
