"""Rename all tables to the prefix `clever_`, and add the account ids of products.

The tables, their constraints and their indexes get the names that the models have. References from
a product's tables follow. Every row stays, and so do columns, indexes and triggers that a product
has added to these tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = {
    "districts": "clever_districts",
    "leases": "clever_locks",
    "people": "clever_people",
    "schools": "clever_schools",
    "terms": "clever_terms",
    "claims": "clever_claims",
    "people_schools": "clever_role_assignments",
    "sections": "clever_sections",
    "enrolments": "clever_enrollments",
}
FOREIGN_KEYS = (  # table, column, and the table that it refers to
    ("people", "district_id", "districts"),
    ("people", "merged_into", "people"),
    ("schools", "district_id", "districts"),
    ("terms", "district_id", "districts"),
    ("claims", "person_id", "people"),
    ("people_schools", "person_id", "people"),
    ("people_schools", "school_id", "schools"),
    ("sections", "district_id", "districts"),
    ("sections", "school_id", "schools"),
    ("sections", "term_id", "terms"),
    ("enrolments", "person_id", "people"),
    ("enrolments", "section_id", "sections"),
)
INDEXES = (
    ("people", "district_id"),
    ("people", "merged_into"),
    ("schools", "district_id"),
    ("terms", "district_id"),
    ("claims", "person_id"),
    ("people_schools", "school_id"),
    ("sections", "district_id"),
    ("sections", "school_id"),
    ("sections", "term_id"),
    ("enrolments", "person_id"),
)


def _constraint_names(old_table: str) -> dict[str, str]:
    """Return the new name of each constraint of a table, by its old name."""
    new_table = TABLES[old_table]
    names = {f"pk_{old_table}": f"pk_{new_table}"}
    if old_table == "people":
        names["uq_people_clever_id"] = "uq_clever_people_clever_id"
    for table, column, target in FOREIGN_KEYS:
        if table == old_table:
            name = f"fk_{new_table}_{column}_{TABLES[target]}"
            names[f"fk_{old_table}_{column}_{target}"] = name
    return names


CONSTRAINTS = {table: _constraint_names(table) for table in TABLES}
INDEX_NAMES = {f"ix_{table}_{column}": f"ix_{TABLES[table]}_{column}" for table, column in INDEXES}


def upgrade() -> None:
    """Apply this migration."""
    _rename_tables(TABLES)
    op.add_column("clever_people", sa.Column("account_id", sa.String(length=255), nullable=True))
    for old_table, names in CONSTRAINTS.items():
        _rename_constraints(TABLES[old_table], names, INDEX_NAMES)
    op.create_index(op.f("ix_clever_people_account_id"), "clever_people", ["account_id"])


def downgrade() -> None:
    """Revert this migration. The account ids of products are lost."""
    op.drop_index(op.f("ix_clever_people_account_id"), "clever_people")
    op.drop_column("clever_people", "account_id")
    _rename_tables(_inverted(TABLES))
    for old_table, names in CONSTRAINTS.items():
        _rename_constraints(old_table, _inverted(names), _inverted(INDEX_NAMES))


def _inverted(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def _rename_tables(names: Mapping[str, str]) -> None:
    for old, new in names.items():
        op.rename_table(old, new)


def _rename_constraints(
    table: str, constraints: Mapping[str, str], indexes: Mapping[str, str]
) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        _recreate(connection, table, {**constraints, **indexes})
        return
    for old, new in constraints.items():
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
    existing = {index["name"] for index in sa.inspect(connection).get_indexes(table)}
    for old, new in indexes.items():
        if old in existing:
            op.execute(f"ALTER INDEX {old} RENAME TO {new}")


def _recreate(connection: sa.Connection, table: str, names: Mapping[str, str]) -> None:
    """Copy a table of SQLite into one whose constraints and indexes have new names.

    SQLite cannot rename constraints. The new table has the stored definition of the old one, as
    https://sqlite.org/lang_altertable.html describes in section 7. Foreign keys must be off:
    otherwise DROP TABLE deletes the rows that refer to this table.
    """
    if connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        raise RuntimeError("SQLite enforces foreign keys, so this migration would delete rows")
    query = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
    definitions = [
        (kind, re.sub(r"\w+", lambda word: names.get(word[0], word[0]), definition))
        for kind, definition in connection.exec_driver_sql(query, (table,))
    ]
    (create,) = (definition for kind, definition in definitions if kind == "table")
    head = re.compile(rf'CREATE TABLE "?{table}"?')
    connection.exec_driver_sql(head.sub("CREATE TABLE _clever_copy", create, count=1))
    connection.exec_driver_sql(f"INSERT INTO _clever_copy SELECT * FROM {table}")  # noqa: S608 # no input
    connection.exec_driver_sql(f"DROP TABLE {table}")
    # Only the table itself: references already have its final name.
    connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
    connection.exec_driver_sql(f"ALTER TABLE _clever_copy RENAME TO {table}")
    connection.exec_driver_sql("PRAGMA legacy_alter_table=OFF")
    for kind, definition in definitions:
        if kind != "table":
            connection.exec_driver_sql(definition)
