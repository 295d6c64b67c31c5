"""The tables of accounts and rosters: made by steps, up and down, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, select

from app import create_app
from clever_login.school import migrate
from clever_login.school.database import Database, database
from clever_login.school.tables import (
    Base,
    Claim,
    District,
    Enrolment,
    Lease,
    Person,
    PersonSchool,
    School,
    Section,
    Term,
    now,
)
from tests import sites


@pytest.fixture
def app(tmp_path: Path, database_url: str | None) -> Iterator[Flask]:
    """An app beside an empty database, to which nobody has come yet."""
    made = an_app(tmp_path, database_url)
    yield made
    database(made).close()


def an_app(folder: Path, database_url: str | None) -> Flask:
    settings = sites.settings_for(
        "http://localhost:3000", "http://127.0.0.1:3001", folder, database_url=database_url
    )
    return create_app(settings)


def flask_clever(app: Flask, *words: str) -> str:
    """What `flask clever ...` prints; it must go well."""
    done = app.test_cli_runner().invoke(args=["clever", *words])
    assert done.exit_code == 0, done.output
    return done.output


def tables(kept: Database) -> set[str]:
    return set(inspect(kept.engine).get_table_names()) - {"alembic_version"}


def fill(kept: Database) -> None:
    """A row of everything."""
    with kept.begin() as session:
        session.add(District(id="d1", name="Harrow Creek"))
        session.flush()
        session.add_all([School(id="s1", district_id="d1"), Term(id="t1", district_id="d1")])
        session.flush()
        session.add(Person(id="p1", clever_id="c1", district_id="d1", first_name="Ada"))
        session.add(Section(id="k1", district_id="d1", school_id="s1", term_id="t1"))
        session.flush()
        session.add(Person(id="p2", merged_into="p1"))
        session.add(PersonSchool(person_id="p1", school_id="s1"))
        session.add(Enrolment(section_id="k1", person_id="p1", role="student"))
        session.add(Claim(token_hash="h", person_id="p1", expires_at=now() + timedelta(hours=1)))
        session.add(Lease(name="sync", holder="nobody", until=now()))


def test_the_steps_make_exactly_the_tables_that_the_code_knows(app: Flask) -> None:
    kept = database(app)
    flask_clever(app, "db", "upgrade")
    assert tables(kept) == set(Base.metadata.tables)
    with kept.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "with data"])
def test_every_step_goes_back_and_up_again(app: Flask, filled: bool) -> None:
    kept = database(app)
    flask_clever(app, "db", "upgrade")
    if filled:
        fill(kept)
    script = migrate.newest()
    while script:
        flask_clever(app, "db", "downgrade", "-1", "--yes")
        script = migrate.current(kept.engine)
    assert tables(kept) == set()
    assert "at 0001, the newest" in flask_clever(app, "db", "upgrade")
    fill(kept)
    with kept.read() as session:
        assert session.scalars(select(Person.first_name).where(Person.id == "p1")).one() == "Ada"
