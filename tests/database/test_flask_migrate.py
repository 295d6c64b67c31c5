"""Tests the documented product, with Flask-SQLAlchemy and Flask-Migrate, in one database."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from clever_login.db.models import Base
from clever_login.db.version_table import VERSION_TABLE
from tests.support import running_app
from tests.support.running_app import ROOT

LIBRARY_TABLES = {*Base.metadata.tables, VERSION_TABLE}
FlaskCommand = Callable[..., str]


@pytest.fixture
def url(tmp_path: Path, database_without_tables: str | None) -> str:
    """The DATABASE_URL of the product: a new database, or a new SQLite file."""
    return database_without_tables or f"sqlite:///{tmp_path / 'shared.sqlite3'}"


@pytest.fixture
def engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


@pytest.fixture
def flask(tmp_path: Path, url: str) -> FlaskCommand:
    """Run `flask --app product ...` in the folder of the product, and return its output."""
    page = (ROOT / "docs" / "library.md").read_text()
    (module,) = re.findall(r"```python\n(# product\.py\n.*?)```", page, re.S)
    (tmp_path / "product.py").write_text(module)
    settings = running_app.settings_for("http://localhost:3000", "http://x", tmp_path)
    environ = running_app.environment_variables(settings, 3000)
    environ |= {"DATABASE_URL": url, "PYTHONPATH": str(ROOT)}

    def run(*words: str, fails: bool = False) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "product", *words],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        output = result.stdout + result.stderr
        assert (result.returncode != 0) == fails, output
        return output

    return run


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def run_documented_commands(flask: FlaskCommand) -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    commands = re.findall(r"^flask --app product ([^#\n]*)", page, re.M)
    assert len(commands) == 3
    for command in commands:
        flask(*command.replace('"', "").split())


def migration_text(folder: Path) -> str:
    return "\n".join(path.read_text() for path in (folder / "migrations/versions").glob("*.py"))


def test_the_documented_product_migrates_its_own_tables_and_none_of_the_librarys(
    flask: FlaskCommand, engine: Engine, tmp_path: Path
) -> None:
    run_documented_commands(flask)
    changed = set(re.findall(r"op\.(\w+)\(\s*'(\w+)'", migration_text(tmp_path)))
    assert changed == {("create_table", "loan"), ("drop_table", "loan")}
    assert "'clever_people.id'" in migration_text(tmp_path)
    assert tables(engine) == {*LIBRARY_TABLES, "loan", "alembic_version"}
    assert "No changes in schema detected" in flask("db", "migrate")
    assert "(the newest)" in flask("clever", "db", "upgrade")
    (key,) = inspect(engine).get_foreign_keys("loan")
    assert key["referred_table"] == "clever_people"
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA foreign_keys=ON"))
        with pytest.raises(IntegrityError):
            connection.execute(text("INSERT INTO loan VALUES (1, 'Matilda', 'nobody')"))


@pytest.mark.parametrize(
    "database_without_tables",
    [
        pytest.param("sqlite", marks=pytest.mark.long),
        pytest.param("postgresql", marks=pytest.mark.servers),
    ],
    indirect=True,
)
def test_the_products_tables_are_dropped_before_the_librarys(
    flask: FlaskCommand, engine: Engine
) -> None:
    run_documented_commands(flask)
    flask("clever", "db", "downgrade", "base", "--yes")
    assert tables(engine) == {"alembic_version"}  # Alembic leaves the product's, without a row
    output = flask("clever", "db", "upgrade")
    assert "Revision of the app's own tables: " in output
    assert tables(engine) == {*LIBRARY_TABLES, "loan", "alembic_version"}


def test_the_librarys_tables_are_not_dropped_while_another_table_refers_to_them(
    flask: FlaskCommand, engine: Engine
) -> None:
    run_documented_commands(flask)
    person = "INSERT INTO clever_people (id, provider, roles, first_name, last_name)"
    reference = "VARCHAR(32) REFERENCES clever_people (id) ON DELETE CASCADE"
    with engine.begin() as connection:
        connection.execute(text(f"{person} VALUES ('p1', 'clever', '[]', 'Ada', '')"))
        connection.execute(text(f"CREATE TABLE notes (person_id {reference})"))
        connection.execute(text("INSERT INTO notes VALUES ('p1')"))
    output = flask("clever", "db", "downgrade", "base", "--yes", fails=True)
    assert "Foreign keys of notes point at the tables of the login" in output
    assert "Traceback" not in output
    assert tables(engine) == {*LIBRARY_TABLES, "notes", "alembic_version"}
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT person_id FROM notes")) == "p1"
        connection.execute(text("DROP TABLE notes"))
    flask("clever", "db", "downgrade", "base", "--yes")
    assert not tables(engine) & LIBRARY_TABLES


def test_a_missing_migrations_folder_is_reported_after_the_librarys_upgrade(
    flask: FlaskCommand, engine: Engine
) -> None:
    output = flask("clever", "db", "upgrade", fails=True)
    assert "There are no migrations of the app in the folder 'migrations'" in output
    assert "Traceback" not in output
    assert tables(engine) == LIBRARY_TABLES
