"""Tests the migration of version 0.1.0's tables to the prefix `clever_`: nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Engine, inspect, text

from clever_login.db import migrate
from clever_login.db.connection_limits import COMMAND_LIMITS
from clever_login.db.database import resolve_url
from clever_login.db.engines import make_engine
from clever_login.db.models import Base
from clever_login.db.version_table import VERSION_TABLE
from clever_login.storage.private_files import DATABASE_FILE
from tests.conftest import SiteMaker
from tests.support import running_app
from tests.support.account_app import run_flask_clever
from tests.support.browser_client import send_request
from tests.support.login_flows import by_button

NEW_NAMES = {
    "districts": "clever_districts",
    "schools": "clever_schools",
    "terms": "clever_terms",
    "people": "clever_people",
    "people_schools": "clever_role_assignments",
    "sections": "clever_sections",
    "enrolments": "clever_enrollments",
    "claims": "clever_claims",
    "leases": "clever_locks",
}
ROWS = (  # a row of each table of version 0.1.0, and a person who was merged into another
    "INSERT INTO districts (id, name, connected, cursor) VALUES ('d1', 'Harrow', true, 'v3.0:e1')",
    "INSERT INTO schools (id, district_id, name) VALUES ('s1', 'd1', 'Elm')",
    "INSERT INTO terms (id, district_id, name) VALUES ('t1', 'd1', 'Fall')",
    "INSERT INTO people (id, provider, clever_id, district_id, roles, first_name, last_name) "
    "VALUES ('p1', 'clever', 'c1', 'd1', '[\"student\"]', 'Ada', 'Moreno')",
    "INSERT INTO people (id, provider, roles, first_name, last_name, merged_into) "
    "VALUES ('p2', 'clever', '[]', '', '', 'p1')",
    "INSERT INTO people_schools (person_id, school_id, role) VALUES ('p1', 's1', 'student')",
    "INSERT INTO sections (id, district_id, school_id, term_id, name) "
    "VALUES ('k1', 'd1', 's1', 't1', 'Reading')",
    "INSERT INTO enrolments (section_id, person_id, role) VALUES ('k1', 'p1', 'student')",
    "INSERT INTO claims (token_hash, person_id, expires_at) VALUES ('h', 'p1', '2026-01-01')",
    "INSERT INTO leases (name, holder, until) VALUES ('sync', 'nobody', '2026-01-01')",
)
PRODUCT = (  # what a product may have added: a table, a column, an index, and its own migrations
    "CREATE TABLE loans (id INTEGER PRIMARY KEY, person_id VARCHAR(32) NOT NULL"
    " REFERENCES people (id) ON DELETE CASCADE)",
    "INSERT INTO loans (id, person_id) VALUES (1, 'p1')",
    "ALTER TABLE people ADD COLUMN shelf VARCHAR(8)",
    "UPDATE people SET shelf = 'A7' WHERE id = 'p1'",
    "CREATE INDEX by_shelf ON people (shelf)",
)

NEW_COLUMNS = {
    "failed_receiver",
    "missing_since",
    "attempted_at",
    "full_read_at",
    "event_seen_at",
    "clever_sync_at",
    "course_id",
}


@pytest.fixture
def engine(tmp_path: Path, database_without_tables: str | None) -> Iterator[Engine]:
    """An empty database."""
    engine = an_engine(tmp_path, database_without_tables)
    yield engine
    engine.dispose()


def an_engine(folder: Path, database_url: str | None) -> Engine:
    settings = running_app.settings_for("http://x", "http://y", folder, database_url=database_url)
    return make_engine(resolve_url(settings, folder), COMMAND_LIMITS)


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))


def fill_version_0_1_0(engine: Engine) -> None:
    """Create the tables of version 0.1.0, with its rows and a product's additions."""
    migrate.upgrade(engine, "0001")
    run(engine, *ROWS, *PRODUCT)


def all_rows(engine: Engine, *names: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return each row of these tables as text, without the column that the migration adds."""
    rows_by_table = {}
    with engine.connect() as connection:
        for name in names:
            rows = connection.execute(text(f"SELECT * FROM {name}")).mappings()  # noqa: S608
            rows_by_table[name] = sorted(
                tuple(sorted((key, str(row[key])) for key in row if key != "account_id"))
                for row in rows
            )
    return rows_by_table


def inline_name(engine: Engine, table: str, foreign_key: Any) -> str | None:
    """Return the name of a foreign key of SQLite that was added together with its column.

    SQLAlchemy does not read it.
    """
    (column,) = foreign_key["constrained_columns"]
    with engine.connect() as connection:
        query = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
        definition = str(connection.scalar(query, {"table": table}))
    match = re.search(rf"\b{column} [^,]*?CONSTRAINT (\w+) REFERENCES", definition)
    return match and match[1]


def constraint_names(engine: Engine) -> dict[str, set[str | None]]:
    """Return the names of primary keys, foreign keys, unique constraints, and indexes by table."""
    inspector = inspect(engine)
    return {
        table: {
            inspector.get_pk_constraint(table)["name"],
            *(
                f"{key['name'] or inline_name(engine, table, key)} -> {key['referred_table']}, "
                f"{key['options']}"
                for key in inspector.get_foreign_keys(table)
            ),
            *(constraint["name"] for constraint in inspector.get_unique_constraints(table)),
            *(index["name"] for index in inspector.get_indexes(table)),
        }
        for table in Base.metadata.tables
    }


def without_new_columns(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of tables without the columns that later migrations add."""
    return {
        name: [tuple(cell for cell in row if cell[0] not in NEW_COLUMNS) for row in rows]
        for name, rows in tables.items()
    }


def test_a_database_of_version_0_1_0_keeps_every_row(engine: Engine) -> None:
    fill_version_0_1_0(engine)
    before = all_rows(engine, *NEW_NAMES)
    migrate.upgrade(engine)
    after = all_rows(engine, *NEW_NAMES.values())
    assert without_new_columns(after) == {NEW_NAMES[name]: rows for name, rows in before.items()}
    assert all_rows(engine, "loans")["loans"] == [(("id", "1"), ("person_id", "p1"))]
    assert migrate.outdated_reason(engine) is None
    names = set(inspect(engine).get_table_names())
    assert names == {*Base.metadata.tables, VERSION_TABLE, "loans"}
    migrate.downgrade(engine, "0001")
    assert all_rows(engine, *NEW_NAMES) == before
    assert migrate.current_revision(engine) == "0001"
    assert set(inspect(engine).get_table_names()) == {*NEW_NAMES, "alembic_version", "loans"}
    assert all_rows(engine, "alembic_version")["alembic_version"] == [(("version_num", "0001"),)]
    migrate.upgrade(engine)
    assert all_rows(engine, *NEW_NAMES.values()) == after


def test_a_products_additions_to_version_0_1_0_tables_are_kept(engine: Engine) -> None:
    fill_version_0_1_0(engine)
    migrate.upgrade(engine)
    (key,) = inspect(engine).get_foreign_keys("loans")
    assert key["referred_table"] == "clever_people"
    indexes = {index["name"] for index in inspect(engine).get_indexes("clever_people")}
    assert "by_shelf" in indexes
    run(engine, "DELETE FROM clever_people WHERE id = 'p2'")
    run(engine, "DELETE FROM clever_enrollments", "DELETE FROM clever_people WHERE id = 'p1'")
    assert all_rows(engine, "loans") == {"loans": []}


@pytest.mark.parametrize("start", ["empty", "version 0.1.0"])
def test_migrated_tables_have_the_constraints_and_indexes_of_the_models(
    engine: Engine, start: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if start != "empty":
        migrate.upgrade(engine, "0001")
        run(engine, *ROWS)
    migrate.upgrade(engine)
    other_url = None
    if engine.dialect.name == "postgresql":
        other_url = running_app.new_database(request.getfixturevalue("postgres"))
    other = an_engine(tmp_path / "other", other_url)
    Base.metadata.create_all(other)
    assert constraint_names(engine) == constraint_names(other)
    assert "ix_clever_people_account_id" in constraint_names(other)["clever_people"]
    other.dispose()
    with engine.connect() as connection:
        options = {"compare_type": True, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


@pytest.mark.parametrize("revision", ["ae1027a6acf", "0001"])
def test_a_products_own_alembic_version_is_untouched(engine: Engine, revision: str) -> None:
    product = f"INSERT INTO alembic_version VALUES ('{revision}')"  # noqa: S608
    run(engine, VERSIONS, product, "CREATE TABLE people (id INTEGER PRIMARY KEY)")
    assert migrate.current_revision(engine) is None
    run(engine, "DROP TABLE people")
    migrate.upgrade(engine)
    migrate.downgrade(engine, "0001")
    assert migrate.current_revision(engine) == "0001"
    migrate.upgrade(engine)
    rows = all_rows(engine, "alembic_version")["alembic_version"]
    assert rows == [(("version_num", revision),)]
    migrate.downgrade(engine, "base")
    assert all_rows(engine, "alembic_version")["alembic_version"] == rows
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}


def test_only_the_librarys_revision_is_removed_from_a_shared_version_table(engine: Engine) -> None:
    fill_version_0_1_0(engine)
    run(engine, "INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    migrate.upgrade(engine)
    rows = all_rows(engine, "alembic_version")["alembic_version"]
    assert rows == [(("version_num", "ae1027a6acf"),)]


def test_tables_of_version_0_1_0_with_an_unknown_revision_are_not_touched(engine: Engine) -> None:
    """As after a migration that a product added to the library's own."""
    fill_version_0_1_0(engine)
    run(engine, "UPDATE alembic_version SET version_num = 'ae1027a6acf'")
    before = set(inspect(engine).get_table_names())
    with pytest.raises(CommandError, match="does not contain their revision") as error:
        migrate.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == before
    (statement,) = re.findall(r"INSERT INTO .*?\)", str(error.value))
    run(engine, statement)
    migrate.upgrade(engine)
    assert migrate.outdated_reason(engine) is None
    people = all_rows(engine, "clever_people")["clever_people"]
    assert sum(("shelf", "A7") in row for row in people) == 1


def test_the_app_upgrades_a_sqlite_file_of_version_0_1_0(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    engine = an_engine(tmp_path, None)
    fill_version_0_1_0(engine)
    engine.dispose()
    site = make_site()
    assert by_button(site, "student").path == "/dashboard"
    assert (tmp_path / DATABASE_FILE).stat().st_mode & 0o077 == 0
    assert len(all_rows(engine, "clever_people")["clever_people"]) == 3


@pytest.mark.servers
def test_postgresql_with_the_tables_of_version_0_1_0_is_a_503_that_says_what_to_do(
    make_site: SiteMaker, postgres: str, tmp_path: Path
) -> None:
    url = running_app.new_database(postgres)
    engine = an_engine(tmp_path, url)
    fill_version_0_1_0(engine)
    engine.dispose()
    site = make_site(database_url=url)
    ready = send_request(f"{site.url}/readyz")
    assert ready.status_code == 503
    newest = migrate.head_revisions()[0]
    assert (
        f"out of date (revision 0001, not {newest}): run `flask --app app clever db" in ready.text
    )
    visitor = by_button(site, "student")
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
    assert "(the newest)" in run_flask_clever(site, "db", "upgrade")
    assert by_button(site, "student").path == "/dashboard"
