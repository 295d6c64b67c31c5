"""Tests behind a real PgBouncer in transaction mode: each transaction may have another session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

from clever_login.db import connection_limits
from clever_login.db.engines import make_engine
from tests.deployed.test_postgres_limits import browsers_of, command, name
from tests.deployed.test_updates import FINISHED, RUNNING, wait_for_heading
from tests.support import running_app
from tests.support.expected_rows import ExpectedRows, assert_rows_equal
from tests.support.kill_loop import kill_at_random_moments, start_school
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.postgresql import Server, pgbouncer

pytestmark = pytest.mark.servers
NEW_SESSION = "server_lifetime = 0"  # PgBouncer uses each connection for one transaction
STUDENTS = 300
JOBS = ("sync --full", "db upgrade")


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    opened = Server(postgres)
    yield opened
    opened.close()


def pooled(database: str, port: int) -> str:
    """Return the URL of a database behind PgBouncer."""
    return f"postgresql://school@127.0.0.1:{port}/{name(database)}"


def engine_of(url: str) -> Engine:
    """Return an engine with the limits of pages."""
    return make_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), connection_limits.page_limits(2)
    )


def assert_no_state_of_sessions(database: str) -> None:
    """Assert that no session has had a temporary table, and that none holds an advisory lock.

    PostgreSQL keeps the schema of temporary tables after the session that has used it first.
    """
    with psycopg.connect(database) as connection:
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg_temp_%'"
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        for query in (schemas, locks):
            assert connection.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("moments", [1, pytest.param(6, marks=pytest.mark.long)])
def test_a_sync_whose_transactions_all_have_another_session_writes_the_same_rows(
    server: Server, tmp_path: Path, moments: int
) -> None:
    """Full reads and events, and each kind once more after it was killed in the middle."""
    direct = running_app.new_database(server.url)
    with ExitStack() as stack:
        port = stack.enter_context(pgbouncer(server.url, tmp_path, NEW_SESSION))
        school = start_school(stack, tmp_path, STUDENTS, pooled(direct, port))
        kill_at_random_moments(school, moments, seed=int(time.time()))
        school.run("--full")
        school.check()
        assert_no_state_of_sessions(direct)


@pytest.mark.parametrize("visitors", [8, pytest.param(30, marks=pytest.mark.long)])
def test_logins_pages_syncs_an_update_and_an_upgrade_share_a_pooler(
    server: Server, tmp_path: Path, visitors: int
) -> None:
    direct = running_app.new_database(server.url)
    with ExitStack() as stack:
        sizes = ("default_pool_size = 4", "max_client_conn = 20")
        port = stack.enter_context(pgbouncer(server.url, tmp_path, *sizes))
        site = stack.enter_context(
            running_app.run_gunicorn_with_redis(tmp_path, database_url=pooled(direct, port))
        )
        upgraded = command(site, "db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        first_sync = command(site, "sync")
        assert first_sync.returncode == 0, first_sync.stderr
        admin, signed_in = by_button(site, "district_admin"), by_button(site, "teacher")
        pending_logins = [stop_before_callback(site, "student") for _ in range(visitors)]
        browsers = browsers_of(signed_in, site, visitors)
        with ThreadPoolExecutor(2 * visitors + 2) as threads:
            jobs = [threads.submit(command, site, *words.split()) for words in JOBS]
            visits = [threads.submit(browser.open, "/dashboard") for browser in browsers]
            visits += [threads.submit(visitor.open, visitor.url) for visitor in pending_logins]
            admin.press("Update now")
        assert {visit.result().response.status_code for visit in visits} == {200}
        assert {visit.result().path for visit in visits} == {"/dashboard"}
        for job in jobs:
            assert job.result().returncode == 0, job.result().stderr
        assert wait_for_heading(admin, RUNNING) == FINISHED
        assert_no_state_of_sessions(direct)
        engine = engine_of(direct)
        assert_rows_equal(ExpectedRows(site.clever, site.person("student").district), engine)
        engine.dispose()


def test_behind_a_pooler_each_transaction_has_the_time_limits_and_the_next_client_has_none(
    server: Server, tmp_path: Path
) -> None:
    """Without limits, an app that hangs in a transaction would lock its rows for ever."""
    limits = ("statement_timeout", "idle_in_transaction_session_timeout")
    with ExitStack() as stack:
        port = stack.enter_context(pgbouncer(server.url, tmp_path, "default_pool_size = 1"))
        url = pooled(running_app.new_database(server.url), port)
        engine = engine_of(url)
        stack.callback(engine.dispose)
        with engine.begin() as connection:
            found = [connection.scalar(text(f"SHOW {limit}")) for limit in limits]
            assert found == ["4s", "1min"]
        other = stack.enter_context(psycopg.connect(url, prepare_threshold=None))
        assert [other.execute(f"SHOW {limit}").fetchone() for limit in limits] == [("0",), ("0",)]
