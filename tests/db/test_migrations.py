"""Tests the migrations, up and down, on SQLite and PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import alembic.command
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import QueuePool, inspect, select, text

from clever_login.db import migrate
from clever_login.db.database import Database, database
from clever_login.db.idle_connections import PING_AFTER_IDLE_SECONDS
from clever_login.db.models import (
    Base,
    Claim,
    Course,
    District,
    Enrollment,
    Person,
    RoleAssignment,
    School,
    Section,
    SeenRecord,
    StaleLink,
    StoredValue,
    SyncLock,
    SyncRun,
    Term,
    utc_now,
)
from clever_login.db.version_table import VERSION_TABLE
from tests.conftest import SiteMaker
from tests.doctor.test_doctor import PRODUCTION, run_doctor
from tests.support import running_app
from tests.support.account_app import database_of, make_account_app, run_flask_clever
from tests.support.browser_client import send_request
from tests.support.fresh_checkout import copy_app
from tests.support.login_flows import by_button
from tests.support.reference_app.app import create_app
from tests.support.running_app import ROOT

NEWEST = migrate.head_revisions()[0]


@pytest.fixture
def app(tmp_path: Path, database_without_tables: str | None) -> Iterator[Flask]:
    """An app with an empty database, before its first request."""
    app = an_app(tmp_path, database_without_tables)
    yield app
    database(app).close()


def an_app(folder: Path, database_url: str | None) -> Flask:
    settings = running_app.settings_for(
        "http://localhost:3000", "http://127.0.0.1:3001", folder, database_url=database_url
    )
    return create_app(settings)


def tables(own: Database) -> set[str]:
    return set(inspect(own.engine).get_table_names()) - {VERSION_TABLE}


def fill(target: Database) -> None:
    """Add a row to every table."""
    with target.begin() as session:
        session.add(District(id="d1", name="Harrow Creek"))
        session.flush()
        session.add_all([School(id="s1", district_id="d1"), Term(id="t1", district_id="d1")])
        session.add(Course(id="c1", district_id="d1"))
        session.flush()
        session.add(Person(id="p1", clever_id="c1", district_id="d1", first_name="Ada"))
        session.add(
            Section(id="k1", district_id="d1", school_id="s1", term_id="t1", course_id="c1")
        )
        session.flush()
        session.add(Person(id="p2", merged_into="p1"))
        session.add(RoleAssignment(person_id="p1", school_id="s1", role="student"))
        session.add(Enrollment(section_id="k1", person_id="p1", role="student"))
        session.add(
            Claim(token_hash="h", person_id="p1", expires_at=utc_now() + timedelta(hours=1))
        )
        session.add(SyncLock(name="sync", holder="nobody", until=utc_now()))
        session.add(StoredValue(key="state-a", value=b"1", expires_at=utc_now()))
        read = {"read_id": "f1", "district_id": "d1"}
        session.add(SeenRecord(**read, kind="people", clever_id="c1"))
        link = {"owner_id": "k1", "linked_id": "p1", "role": "student"}
        session.add(StaleLink(**read, **link, kind="enrollments", counted=False))
        session.add(SyncRun(id="r1", district_id="d1", trigger="command", started_at=utc_now()))


def test_the_migrations_create_exactly_the_tables_of_the_models(app: Flask) -> None:
    own = database(app)
    run_flask_clever(app, "db", "upgrade")
    assert tables(own) == set(Base.metadata.tables)
    with own.engine.connect() as connection:
        options = {"compare_type": True, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_revision_is_alembics_head(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_flask_clever(app, "db", "upgrade")
    assert migrate.outdated_reason(database(app).engine) is None
    steps = shutil.copytree(migrate.MIGRATIONS_FOLDER, tmp_path / "steps")
    monkeypatch.setattr(migrate, "MIGRATIONS_FOLDER", steps)
    config = Config()
    config.set_main_option("script_location", str(steps))
    config.set_main_option("path_separator", "os")
    alembic.command.revision(config, "One more", rev_id="a1")  # as a developer adds a migration
    assert f"is out of date (revision {NEWEST}, not a1)" in str(
        migrate.outdated_reason(database(app).engine)
    )
    alembic.command.revision(config, "Another's", rev_id="b2", head=NEWEST, splice=True)
    assert "more than one newest revision (a1, b2)" in str(
        migrate.outdated_reason(database(app).engine)
    )
    alembic.command.merge(config, ["a1", "b2"], rev_id="c3")
    assert f"is out of date (revision {NEWEST}, not c3)" in str(
        migrate.outdated_reason(database(app).engine)
    )


def test_only_the_process_that_migrates_imports_alembic(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from clever_login.auth.account_hooks import account_hooks
from clever_login.clever.models import User
from tests.support.reference_app import app
from tests.support.running_app import settings_for
made = app.create_app(settings_for("http://localhost", "http://x", pathlib.Path(sys.argv[1])))
with made.app_context():
    account_hooks().find_person(User(id="someone"))
print("alembic" in sys.modules)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    for made_here in (True, False):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (result.stdout, result.stderr) == (f"{made_here}\n", "")


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "with data"])
def test_every_migration_can_be_downgraded_and_upgraded_again(app: Flask, filled: bool) -> None:
    own = database(app)
    run_flask_clever(app, "db", "upgrade")
    if filled:
        fill(own)
    script: str | None = migrate.head_revisions()[0]
    while script:
        run_flask_clever(app, "db", "downgrade", "-1", "--yes")
        script = migrate.current_revision(own.engine)
    assert tables(own) == set()
    assert f"{NEWEST} (the newest)" in run_flask_clever(app, "db", "upgrade")
    fill(own)
    with own.read_session() as session:
        assert session.scalars(select(Person.first_name).where(Person.id == "p1")).one() == "Ada"


def test_apps_that_start_concurrently_create_the_tables_once(
    tmp_path: Path, database_without_tables: str | None
) -> None:
    command = [sys.executable, "-m", "flask", "--app", "app", "clever", "db", "upgrade"]
    settings = running_app.settings_for(
        "http://localhost:3000",
        "http://127.0.0.1:3001",
        tmp_path,
        database_url=database_without_tables,
    )
    copy = copy_app(tmp_path)  # for SQLite, whose file is in the app's instance folder
    env = running_app.environment_variables(settings, 3000)
    with ExitStack() as stack:
        logs = [tmp_path / f"{number}.log" for number in range(4)]
        started = [
            stack.enter_context(running_app.run_process(command, env, log, copy)) for log in logs
        ]
        for child, log in zip(started, logs, strict=True):
            assert child.wait(60) == 0, log.read_text()
            assert f"Revision of the tables: {NEWEST} (the newest)." in log.read_text()


def test_the_first_login_migrates_a_sqlite_database(make_site: SiteMaker) -> None:
    site = make_site()
    assert send_request(f"{site.url}/readyz").text == "ready\n"
    assert by_button(site, "student").path == "/dashboard"
    assert f"{NEWEST} (the newest)" in run_flask_clever(site, "db", "current")


@pytest.mark.servers
def test_an_outdated_postgresql_tells_operators_what_to_do_and_students_to_wait(
    make_site: SiteMaker, postgres: str
) -> None:
    site = make_site(database_url=running_app.new_database(postgres))
    ready = send_request(f"{site.url}/readyz")
    assert ready.status_code == 503
    assert "no tables yet: run `flask --app app clever db upgrade`" in ready.text
    visitor = by_button(site, "student")
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
    assert "no tables yet" in run_flask_clever(site, "db", "current").lower()
    run_flask_clever(site, "db", "upgrade")
    assert send_request(f"{site.url}/readyz").text == "ready\n"  # without a restart
    assert by_button(site, "student").path == "/dashboard"


@pytest.mark.servers
def test_a_database_newer_than_the_code_is_distinguished_from_an_outdated_one(
    make_site: SiteMaker, postgres: str
) -> None:
    site = make_site(database_url=running_app.new_database(postgres))
    run_flask_clever(site, "db", "upgrade")
    for revision, message in (
        ("9999", "to a newer version of this app (revision 9999)"),
        (None, "no tables yet"),
    ):
        with database_of(site).engine.begin() as connection:
            connection.execute(text("DELETE FROM clever_alembic_version"))
            if revision:
                connection.execute(text("INSERT INTO clever_alembic_version VALUES ('9999')"))
        assert message in run_flask_clever(site, "db", "current")


@pytest.mark.servers
def test_a_login_without_a_database_shows_an_error_page_and_logs_no_names(
    make_site: SiteMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_app.run_postgres(tmp_path) as url:
        site = make_site(database_url=url)
        run_flask_clever(site, "db", "upgrade")
        assert by_button(site, "student").path == "/dashboard"
    visitor = by_button(site, "teacher")
    assert (visitor.code, visitor.response.status_code) == ("store_unavailable", 503)
    assert visitor.open("/dashboard").path == "/"
    assert "the database does not answer" in send_request(f"{site.url}/readyz").text
    assert "does not answer" in run_flask_clever(site, "db", "current", fails=True)
    assert site.person("teacher").name.last not in capsys.readouterr().err


@pytest.mark.servers
def test_connections_closed_by_the_database_are_replaced_without_an_error(
    make_site: SiteMaker, postgres: str
) -> None:
    url = running_app.new_database(postgres)
    site = make_account_app(make_site, url)
    visitor = by_button(site, "student")
    pool = database_of(site).pages.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() > 0
    with psycopg.connect(url, autocommit=True) as other:  # as a restart or a failover does
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    time.sleep(PING_AFTER_IDLE_SECONDS + 0.1)
    assert visitor.open("/dashboard").response.status_code == 200


@pytest.mark.servers
def test_the_doctor_reports_the_state_of_the_database(tmp_path: Path) -> None:
    with running_app.run_postgres(tmp_path) as url:
        environ = PRODUCTION | {"DATABASE_URL": url}
        for name in ("database", "store"):
            report = run_doctor(environ, "--offline")
            report.assert_finding(name, "fault", "no tables yet", "db upgrade")
        app = an_app(tmp_path, url)
        run_flask_clever(app, "db", "upgrade")
        database(app).close()
        report = run_doctor(environ, "--offline")
        report.assert_finding("database", "ok", "PostgreSQL")
        report.assert_finding("store", "ok", "PostgreSQL", "REDIS_URL is not")
        on_heroku = run_doctor(environ | {"DYNO": "web.1"}, "--offline")
        assert {"ok"} == {
            check["outcome"] for check in on_heroku.checks if check["name"] == "store"
        }
    report = run_doctor(environ, "--offline")
    report.assert_finding("database", "fault", "does not answer")
    report.assert_finding("store", "fault", "nobody can log in", "does not answer")


def test_the_doctor_warns_about_a_database_file_on_ephemeral_storage() -> None:
    run_doctor(PRODUCTION, "--offline").assert_finding("database", "ok", "SQLite")
    heroku = PRODUCTION | {"DYNO": "web.1"}
    run_doctor(heroku, "--offline").assert_finding("database", "warning", "Heroku", "DATABASE_URL")


LOADED = """
import os, sys, threading
from tests.support.reference_app import app
needed = {"sqlalchemy", "psycopg", "redis"}
client = app.create_app().test_client()
client.get("/", base_url=os.environ["APP_URL"])
print(sorted(needed & set(sys.modules)))
client.get("/login", base_url=os.environ["APP_URL"])
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(30)
print(sorted(needed & set(sys.modules)))
print("alembic" in sys.modules)
"""


def test_database_drivers_are_imported_while_the_first_user_is_at_clever() -> None:
    nowhere = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "REDIS_URL": "redis://127.0.0.1:9",
        "CLEVER_STATUS_URL": "",
    }
    environ = PRODUCTION | nowhere | {"PATH": ""}
    command = [sys.executable, "-c", LOADED]
    result = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n['psycopg', 'redis', 'sqlalchemy']\nFalse\n"
    assert "Traceback" not in result.stderr
