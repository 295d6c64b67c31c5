"""Tests `database.add_tables`: a feature brings its own tables and migrations."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, inspect, text

from clever_login import database
from clever_login.config import Settings
from tests.conftest import SiteMaker
from tests.support import running_app
from tests.support.account_app import database_of, flask_app, run_flask_clever
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.starter import make_starter

ENV = """
from alembic import context
from sqlalchemy import NullPool, create_engine
from clever_login import database

engine = create_engine(database.engine().url, poolclass=NullPool)
with engine.begin() as connection:
    context.configure(connection=connection, version_table="shelves_alembic_version")
    with context.begin_transaction():
        context.run_migrations()
"""
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0007", None


def upgrade() -> None:
    person = sa.Column("person_id", sa.String(32), sa.ForeignKey("clever_people.id"))
    op.create_table("shelves", sa.Column("id", sa.Integer, primary_key=True), person)


def downgrade() -> None:
    op.drop_table("shelves")
"""


def feature_tables() -> MetaData:
    metadata = MetaData()
    person: Column[str] = Column("person_id", ForeignKey(database.PERSON_ID))
    Table("shelves", metadata, Column("id", Integer, primary_key=True), person)
    return metadata


def make_site_with_feature(make_site: SiteMaker, url: str | None, migrations: Path) -> Site:
    def make_app(settings: Settings) -> Flask:
        app = make_starter(settings)
        database.add_tables(app, feature_tables(), migrations)
        return app

    return make_site(make_app=make_app, database_url=url)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The folder with the feature's migrations."""
    folder = tmp_path / "shelf_feature" / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV)
    (folder / "versions" / "0007.py").write_text(MIGRATION)
    return folder


def tables(site: Site) -> set[str]:
    return set(inspect(database_of(site).engine).get_table_names())


def test_the_migrations_of_a_feature_run_with_those_of_the_library(
    make_site: SiteMaker, database_url: str | None, migrations: Path
) -> None:
    site = make_site_with_feature(make_site, database_url, migrations)
    output = run_flask_clever(site, "db", "upgrade")
    assert "Revision of shelf_feature's own tables: 0007." in output
    assert {"shelves", "shelves_alembic_version"} <= tables(site)
    assert run_flask_clever(site, "db", "upgrade") == output
    assert by_button(site, "student").path == "/dashboard"
    run_flask_clever(site, "db", "downgrade", "base", "--yes")
    assert tables(site) == {"shelves_alembic_version"}


def test_without_migrations_a_sqlite_file_gets_the_tables_of_a_feature(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    site = make_site_with_feature(make_site, None, tmp_path / "none")
    by_button(site, "student")
    assert "shelves" in tables(site)


def test_autogenerate_proposes_no_table_of_a_feature(
    make_site: SiteMaker, migrations: Path
) -> None:
    site = make_site_with_feature(make_site, None, migrations)

    def is_included(name: str, of_these_migrations: object = None) -> bool:
        return database.include_object(None, name, "table", True, of_these_migrations)

    with flask_app(site).app_context():
        assert not is_included("shelves")
        assert not is_included("shelves_alembic_version")
        assert is_included("shelves", of_these_migrations=object())
        assert is_included("loans")


def test_a_feature_needs_an_app_with_a_database(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"add_tables needs an app with parts\.Rosters\(\)"):
        database.add_tables(Flask(__name__), feature_tables(), tmp_path)


@pytest.mark.servers
def test_postgresql_needs_the_migrations_of_a_feature(
    make_site: SiteMaker, postgres: str, tmp_path: Path
) -> None:
    url = running_app.new_database(postgres)
    site = make_site_with_feature(make_site, url, tmp_path / "none")
    output = run_flask_clever(site, "db", "upgrade", fails=True)
    assert "PostgreSQL needs them." in output


def test_reading_does_not_wait_for_a_writer_and_sees_committed_rows(
    make_site: SiteMaker, database_url: str | None, migrations: Path
) -> None:
    site = make_site_with_feature(make_site, database_url, migrations)
    run_flask_clever(site, "db", "upgrade")
    count = text("SELECT count(*) FROM shelves")
    with flask_app(site).app_context():
        with database.begin() as writer:
            writer.execute(text("INSERT INTO shelves (id) VALUES (1)"))
            with database.read() as reader:
                assert reader.scalar(count) == 0
        with database.read() as reader:
            assert reader.scalar(count) == 1
