"""Tests a product's own tables in the library's database, without migrations of the product."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Table, delete, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from clever_login import database, parts
from clever_login.config import Settings
from clever_login.db.models import Person, School, Section
from tests.conftest import SiteMaker
from tests.support import running_app
from tests.support.account_app import database_of, flask_app, people_rows, run_flask_clever
from tests.support.login_flows import by_button
from tests.support.reference_app.app import PARTS
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter


@pytest.fixture
def product(tmp_path: Path) -> dict[str, Any]:
    """The names of the documented module."""
    page = (ROOT / "docs" / "library.md").read_text()
    (module,) = re.findall(r'```python\n("""Tables of a product.*?)```', page, re.S)
    (tmp_path / "loans.py").write_text(module)
    return runpy.run_path(str(tmp_path / "loans.py"))


def make_product(make_site: SiteMaker, part: parts.Database, database_url: str | None) -> Site:
    def make_app(settings: Settings) -> Flask:
        return make_starter(settings, parts=[*PARTS, part])

    return make_site(make_app=make_app, database_url=database_url)


def test_a_sqlite_file_gets_the_products_tables_at_the_first_login(
    make_site: SiteMaker, product: dict[str, Any]
) -> None:
    site = make_product(make_site, product["DATABASE"], None)
    by_button(site, "student")
    (person,) = people_rows(site)
    with flask_app(site).app_context():
        product["lend"](person.id, "Matilda")
        with database.begin() as connection:
            loans = product["loans"]
            names = select(loans.c.title, Person.first_name).join(
                loans, loans.c.person_id == Person.id
            )
            rows = connection.execute(names).all()
        with pytest.raises(IntegrityError):
            product["lend"]("nobody", "Matilda")
        assert inspect(database.engine()).has_table("loans")
    assert rows == [("Matilda", "Ada")]
    run_flask_clever(site, "forget", "--user", person.id)
    with database_of(site).read_session() as session:
        assert session.execute(select(product["loans"])).all() == []


def replace_all_loans(loans: Table, **values: str) -> None:
    with database.begin() as connection:
        connection.execute(delete(loans))
        connection.execute(insert(loans).values(values))


def test_a_transaction_that_raises_writes_nothing(
    make_site: SiteMaker, product: dict[str, Any]
) -> None:
    site = make_product(make_site, product["DATABASE"], None)
    by_button(site, "student")
    (person,) = people_rows(site)
    with flask_app(site).app_context():
        product["lend"](person.id, "Matilda")
        with pytest.raises(IntegrityError):
            replace_all_loans(product["loans"], person_id="nobody", title="Emma")
        with database.begin() as connection:
            assert connection.scalars(select(product["loans"].c.title)).all() == ["Matilda"]


@pytest.mark.servers
def test_postgresql_needs_migrations(
    make_site: SiteMaker, product: dict[str, Any], postgres: str
) -> None:
    url = running_app.new_database(postgres)
    site = make_product(make_site, product["DATABASE"], url)
    output = run_flask_clever(site, "db", "upgrade", fails=True)
    assert "no migrations of the app in the folder 'migrations'. PostgreSQL needs them." in output
    assert "(the newest)" in output
    assert not inspect(database_of(site).engine).has_table("loans")


MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    person = sa.Column("person_id", sa.String(32), sa.ForeignKey("clever_people.id"))
    op.create_table("loans", sa.Column("id", sa.Integer, primary_key=True), person)


def downgrade() -> None:
    op.drop_table("loans")
"""


def test_the_documented_env_py_runs_migrations_without_flask_migrate(
    make_site: SiteMaker,
    product: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str | None,
) -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    (env,) = re.findall(r"```python\n(# migrations/env\.py\n.*?)```", page, re.S)
    folder = tmp_path / "own migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(env)
    (folder / "versions" / "0001_loans.py").write_text(MIGRATION)
    monkeypatch.syspath_prepend(str(tmp_path))  # for the module `loans`
    part = parts.Database(metadata=product["metadata"], migrations=str(folder))
    site = make_product(make_site, part, database_url)
    output = run_flask_clever(site, "db", "upgrade")
    assert "Revision of the app's own tables: 0001." in output
    assert "(the newest)." in output
    assert inspect(database_of(site).engine).has_table("loans")
    assert by_button(site, "student").path == "/dashboard"
    run_flask_clever(site, "db", "downgrade", "base", "--yes")
    assert inspect(database_of(site).engine).get_table_names() == ["alembic_version"]


def test_the_columns_for_foreign_keys_are_the_primary_keys() -> None:
    columns = (database.PERSON_ID, database.SECTION_ID, database.SCHOOL_ID)
    keys = [model.__table__.c.id for model in (Person, Section, School)]
    assert [column is key for column, key in zip(columns, keys, strict=True)] == [True] * 3


def test_only_tables_of_the_library_are_left_out_of_autogenerate() -> None:
    def is_included(name: str, kind: str = "table") -> bool:
        return database.include_object(None, name, kind, reflected=True, compare_to=None)

    assert not is_included("clever_people")
    assert not is_included("clever_alembic_version")
    assert is_included("clever_books")  # a product may use the prefix
    assert is_included("alembic_version")
    assert is_included("clever_people", "column")
