"""Tests what a deletion leaves in the files of a SQLite database: nothing."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, select

from clever_login.db.models import Person
from clever_login.storage.private_files import DATABASE_FILE
from tests.support.account_app import run_flask_clever
from tests.support.roster_fixtures import LONG_AGO, database_session, run_roster_site
from tests.support.running_app import Site, new_database

NAME = "Canarybird"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with run_roster_site(tmp_path, None) as site:
        yield site


def files(site: Site) -> list[Path]:
    """Return the database file and its log."""
    folder = Path(str(site.settings.instance_path))
    return sorted(folder.glob(f"{DATABASE_FILE}*"))


def occurrences(site: Site) -> dict[str, int]:
    """Return how often each file contains the name, in rows and in free space."""
    return {path.name: path.read_bytes().count(NAME.encode()) for path in files(site)}


@contextmanager
def another_process(site: Site) -> Iterator[sqlite3.Connection]:
    """Keep the file open, as a running app may: then SQLite does not delete its log."""
    path = Path(str(site.settings.instance_path)) / DATABASE_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("SELECT count(*) FROM clever_people").fetchone()
        yield connection


def add_people(site: Site, count: int, named: int) -> list[str]:
    """Add people in random order, `named` of them with the name. Return the ids of those."""
    numbers = random.Random(3)  # noqa: S311 # the same rows in each run
    rows = [
        {
            "id": f"{numbers.getrandbits(96):024x}",
            "clever_id": f"{numbers.getrandbits(96):024x}",
            "roles": ["student"],
            "first_name": f"{NAME if number < named else 'Ada'}{number}",
            "last_name": "x" * numbers.randint(2, 40),
        }
        for number in range(count)
    ]
    ids = [str(row["id"]) for row in rows[:named]]
    numbers.shuffle(rows)
    with database_session(site) as session:
        session.execute(insert(Person), rows)
    return ids


def test_a_forgotten_name_is_in_no_file_of_the_database(site: Site) -> None:
    with another_process(site):
        (person_id,) = add_people(site, 200, named=1)
        assert occurrences(site)[f"{DATABASE_FILE}-wal"] > 0
        run_flask_clever(site, "forget", "--user", person_id)
        assert set(occurrences(site).values()) == {0}
        assert len(files(site)) == 3  # the file, its log, and the index of the log


def test_names_past_their_retention_are_in_no_file_of_the_database(site: Site) -> None:
    """SQLite copies rows to other pages, and does not overwrite each of the copies itself."""
    ids = add_people(site, 1000, named=100)
    with database_session(site) as session:
        for number, person in enumerate(session.scalars(select(Person)).all()):
            person.email = "y" * number  # rows grow, and move
            person.archived_at = LONG_AGO if person.id in ids or number % 2 else None
    run_flask_clever(site, "retention", "--yes")
    with database_session(site) as session:
        assert session.scalars(select(Person.id).where(Person.id.in_(ids))).all() == []
    assert set(occurrences(site).values()) == {0}
    with another_process(site) as connection:  # free pages contain what was in them
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)


def test_a_changed_name_is_overwritten(site: Site) -> None:
    (person_id,) = add_people(site, 20, named=1)
    with database_session(site) as session:
        session.get_one(Person, person_id).first_name = "Ada" * 100
    assert occurrences(site) == {DATABASE_FILE: 0}


@pytest.mark.servers
def test_postgresql_keeps_deleted_text_until_its_table_is_rewritten(postgres: str) -> None:
    """As PRIVACY.md says."""
    with psycopg.connect(new_database(postgres), autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id int, name text)")
        connection.execute("INSERT INTO people VALUES (1, %s), (2, 'Ada')", (NAME,))

        def is_in_the_file() -> bool:
            connection.execute("CHECKPOINT")
            query = "SELECT current_setting('data_directory'), pg_relation_filepath('people')"
            folder, file = connection.execute(query).fetchone() or ("", "")
            return NAME.encode() in (Path(folder) / file).read_bytes()

        assert is_in_the_file()
        connection.execute("DELETE FROM people WHERE id = 1")
        assert is_in_the_file()
        connection.execute("VACUUM FULL people")
        assert not is_in_the_file()


@pytest.mark.long  # SQLite waits ten seconds for the other process
def test_forget_says_if_the_file_may_still_contain_the_text(site: Site) -> None:
    (person_id,) = add_people(site, 10, named=1)
    with another_process(site) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM clever_people").fetchone()
        output = run_flask_clever(site, "forget", "--user", person_id, fails=True)
        assert "The rows are deleted, but the database file may still contain" in output
        assert "Run the command again." in output
        reader.execute("ROLLBACK")
        run_flask_clever(site, "forget", "--user", person_id, fails=True)  # it exists no longer
    assert set(occurrences(site).values()) == {0}
