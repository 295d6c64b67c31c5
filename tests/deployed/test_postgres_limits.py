"""Tests with a PostgreSQL that is small, silent, read-only, or refusing: 503 and the cause."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from clever_login.db import connection_limits
from clever_login.db.engines import make_engine
from clever_login.web.health import FRESH_SECONDS
from tests.conftest import SiteMaker
from tests.doctor.test_doctor import PRODUCTION, run_doctor
from tests.support import reference_app, running_app
from tests.support.account_app import make_account_app, run_flask_clever
from tests.support.browser_client import Visitor, send_request
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.postgresql import Server, pgbouncer
from tests.support.running_app import ROOT, Site

pytestmark = pytest.mark.servers
PLAN = 20  # connections of the smallest plan named in the documents
VISITORS = 30
BURSTS = [60, pytest.param(240, marks=pytest.mark.long)]  # requests at once
PATIENCE = 20  # seconds; a page gives up after five, and this machine may be busy


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    opened = Server(postgres)
    yield opened
    opened.close()


def reasons(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the reasons of the failures in the log."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    return "\n".join(str(json.loads(line).get("reason", "")) for line in lines)


def is_unavailable(visitor: Visitor) -> bool:
    """Whether the page is the 503. Without Redis, sessions are in the same database."""
    codes = {"database_unavailable", "store_unavailable"}
    assert visitor.response.headers.get("Retry-After") or visitor.response.status_code != 503
    return visitor.response.status_code == 503 and visitor.code in codes


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.mark.parametrize("state", ["in use", "idle for a while", "not connected yet"])
def test_an_unresponsive_database_gives_503_within_seconds_and_recovers(
    make_site: SiteMaker, server: Server, capfd: pytest.CaptureFixture[str], state: str
) -> None:
    site = make_account_app(make_site, running_app.new_database(server.url))
    teacher, pending_login = by_button(site, "teacher"), stop_before_callback(site, "student")
    many = [stop_before_callback(site, "student") for _ in range(8)]
    if state == "idle for a while":
        time.sleep(1.2)  # long enough that the connection is tested before use
    if state == "not connected yet":
        site = make_site(database_url=site.settings.database_url)
    with server.stopped(), within(PATIENCE), ThreadPoolExecutor(len(many) + 3) as threads:
        ready = threads.submit(send_request, f"{site.url}/readyz")
        threads.submit(teacher.open, "/dashboard")
        list(threads.map(lambda visitor: visitor.open(visitor.url), [pending_login, *many]))
        assert ready.result().status_code == 503
        assert send_request(f"{site.url}/healthz").status_code == 200
    assert all(is_unavailable(visitor) for visitor in (teacher, pending_login, *many))
    assert "the database does not answer" in reasons(capfd)
    assert teacher.open("/dashboard").role == "teacher"
    assert by_button(site, "student").path == "/dashboard"
    assert send_request(f"{site.url}/readyz").text == "ready\n"


@contextmanager
def read_only(server: Server, target: str, database: str) -> Iterator[None]:
    """Act like a managed PostgreSQL whose disk is nearly full, or before a failover."""
    server.do(f"ALTER {target} SET default_transaction_read_only = on")
    server.hang_up(database)
    yield
    server.do(f"ALTER {target} RESET default_transaction_read_only")


@contextmanager
def without_write_permission(user: str, database: str) -> Iterator[None]:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA public FROM {user}")
        yield
        owner.execute(f"GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {user}")


@contextmanager
def without_connections(server: Server, target: str, database: str) -> Iterator[None]:
    """Act like a provider that upgrades or moves a server."""
    server.do(f"ALTER {target} CONNECTION LIMIT 0")
    server.hang_up(database)
    yield
    server.do(f"ALTER {target} CONNECTION LIMIT -1")


Sick = Callable[[Server, str, str], AbstractContextManager[None]]
SICK: dict[str, tuple[str, Sick]] = {
    "a database that is read-only": (
        "(25006)",
        lambda server, _, url: read_only(server, f"DATABASE {name(url)}", url),
    ),
    "a user who is read-only": (
        "(25006)",
        lambda server, user, url: read_only(server, f"ROLE {user}", url),
    ),
    "a user who may not write": (
        "(42501, INSERT INTO clever_",
        lambda _, user, url: without_write_permission(user, url),
    ),
    "a user without a connection": (
        "(53300)",
        lambda server, user, url: without_connections(server, f"ROLE {user}", url),
    ),
    "a database without a connection": (
        "(53300)",
        lambda server, _, url: without_connections(server, f"DATABASE {name(url)}", url),
    ),
}


def name(url: str) -> str:
    return url.rpartition("/")[2]


# The last one has the same error as the one before, and takes ten seconds.
@pytest.mark.parametrize(
    "case", [*list(SICK)[:-1], pytest.param(list(SICK)[-1], marks=pytest.mark.long)]
)
def test_a_database_that_cannot_write_gives_503_with_its_cause_until_it_can(
    make_site: SiteMaker, server: Server, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    user, url = server.new_user()
    cause, sick = SICK[case]
    site = make_account_app(make_site, url)
    assert by_button(site, "student").path == "/dashboard"
    assert send_request(f"{site.url}/readyz").text == "ready\n"
    with sick(server, user, url):
        for _ in range(3):  # on any of the connections
            assert is_unavailable(by_button(site, "student"))
        time.sleep(FRESH_SECONDS)  # for as long as "ready" is cached
        ready = send_request(f"{site.url}/readyz")
        assert (ready.status_code, cause in ready.text) == (503, True), ready.text
        report = run_doctor(PRODUCTION | {"DATABASE_URL": url}, "--offline")
        words = ("lacks INSERT",) if "42501" in cause else (cause, "nobody can log in")
        report.assert_finding("database", "fault", *words)
        if cause != "(53300)":  # a command waits longer for this error
            assert cause in run_flask_clever(site, "accounts", "add", fails=True)
    assert cause in reasons(capfd)
    for _ in range(3):
        assert by_button(site, "student").path == "/dashboard"
    assert send_request(f"{site.url}/readyz").text == "ready\n"


@contextmanager
def without_space_for_accounts(url: str) -> Iterator[None]:
    """Act like a full disk on which other tables have free space in their pages."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$"
        )
        owner.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON clever_people "
            "FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        yield
        owner.execute("DROP FUNCTION full_disk CASCADE")


def test_readiness_reports_a_full_disk_although_its_own_row_finds_a_place(
    make_site: SiteMaker, server: Server
) -> None:
    url = running_app.new_database(server.url)
    site = make_account_app(make_site, url)
    with without_space_for_accounts(url):
        assert is_unavailable(by_button(site, "student"))
        ready = send_request(f"{site.url}/readyz")
        assert (ready.status_code, "(53100)" in ready.text) == (503, True), ready.text
    assert by_button(site, "student").path == "/dashboard"
    give_up = time.monotonic() + PATIENCE
    while send_request(f"{site.url}/readyz").status_code != 200:
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_slow_statement_is_canceled_at_the_server_too(
    make_site: SiteMaker, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    url = running_app.new_database(server.url)
    site = make_account_app(make_site, url)
    assert by_button(site, "student").path == "/dashboard"
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE clever_people IN ACCESS EXCLUSIVE MODE")
        assert is_unavailable(by_button(site, "student"))
        lock_waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        assert server.do(f"{lock_waits} AND datname = '{name(url)}'") == 0
    assert "(57014)" in reasons(capfd)
    assert by_button(site, "student").path == "/dashboard"


def setting(engine_limits: connection_limits.ConnectionLimits, url: str, name: str) -> str:
    engine = make_engine(url.replace("postgresql:", "postgresql+psycopg:"), engine_limits)
    try:
        with engine.connect() as connection:
            return str(connection.scalar(text(f"SHOW {name}")))
    finally:
        engine.dispose()


def test_pages_have_short_limits_and_commands_long_ones(server: Server) -> None:
    pages = connection_limits.page_limits(2)
    assert setting(pages, server.url, "statement_timeout") == "4s"
    assert setting(pages, server.url, "idle_in_transaction_session_timeout") == "1min"
    assert setting(connection_limits.COMMAND_LIMITS, server.url, "statement_timeout") == "15min"


def wait_until_nobody_is_connected(server: Server, url: str) -> None:
    """Wait for PostgreSQL to end the processes of connections that the app has closed."""
    give_up = time.monotonic() + PATIENCE
    while server.connections(url):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_idle_connections_are_closed(server: Server) -> None:
    url = running_app.new_database(server.url)
    engine = make_engine(
        url.replace("postgresql:", "postgresql+psycopg:"),
        replace(connection_limits.page_limits(3), idle=0.5),
    )
    try:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(engine.connect())
            assert server.connections(url) == 3
        wait_until_nobody_is_connected(server, url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    finally:
        engine.dispose()


@contextmanager
def count_connections(server: Server, url: str) -> Iterator[list[int]]:
    """Yield a list to which the number of connections is appended continuously."""
    counts, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counts.append(server.connections(url))
            time.sleep(0.005)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        stop.set()
        thread.join()


def test_a_command_uses_one_connection(make_site: SiteMaker, server: Server) -> None:
    url = running_app.new_database(server.url)
    with count_connections(server, url) as counts:
        site = make_account_app(make_site, url)
        result = sync_site(site)
        assert result.exit_code == 0, result.stderr
        wait_until_nobody_is_connected(server, url)
        run_flask_clever(site, "retention", "--yes")
    assert max(counts) == 1
    wait_until_nobody_is_connected(server, url)


@contextmanager
def locking_accounts(url: str) -> Iterator[None]:
    """Lock the accounts repeatedly for half a second, so that logins wait at the same time."""
    stop = threading.Event()

    def lock() -> None:
        while not stop.is_set():
            with psycopg.connect(url.replace("//app_", "//school@app_", 1)) as other:
                other.execute("LOCK TABLE clever_people IN ACCESS EXCLUSIVE MODE")
                time.sleep(0.5)
            time.sleep(0.3)

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def command(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `flask clever ...` in a separate process."""
    environ = running_app.environment_variables(site.settings, 3000)
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", reference_app.MODULE, "clever", *words],
        env=running_app._base_environment() | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def browsers_of(signed_in: Visitor, site: Site, number: int) -> list[Visitor]:
    """Return browsers with the session of one user."""
    browsers = [site.visitor() for _ in range(number)]
    for browser in browsers:
        browser.http.cookies.update(signed_in.http.cookies)
    return browsers


def test_20_postgresql_connections_are_enough_for_a_burst_a_restart_a_release_and_a_sync(
    tmp_path: Path, server: Server
) -> None:
    _, url = server.new_user(f"CONNECTION LIMIT {PLAN}")
    with ExitStack() as stack:
        site = stack.enter_context(running_app.run_gunicorn_with_redis(tmp_path, database_url=url))
        upgraded = command(site, "db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        pending_logins = [stop_before_callback(site, "student") for _ in range(VISITORS)]
        signed_in = by_button(site, "teacher")
        new = stack.enter_context(running_app.restarted(site, tmp_path))
        browsers = browsers_of(signed_in, new, VISITORS)
        admin = server.url.rpartition("/")[0] + f"/{name(url)}"
        with locking_accounts(admin), ThreadPoolExecutor(2 * VISITORS + 2) as threads:
            pages = [threads.submit(browser.open, "/dashboard") for browser in browsers]
            logins = [threads.submit(visitor.open, visitor.url) for visitor in pending_logins]
            jobs = [threads.submit(command, site, "db", "upgrade")]
            jobs += [threads.submit(command, site, "sync")]
        assert {future.result().path for future in (*pages, *logins)} == {"/dashboard"}
        assert {future.result().response.status_code for future in (*pages, *logins)} == {200}
        for job in jobs:
            assert job.result().returncode == 0, job.result().stderr
        assert 0 < server.connections(url) <= PLAN


def test_behind_pgbouncer_logins_work_and_session_settings_do_not_leak(
    make_site: SiteMaker, server: Server, tmp_path: Path
) -> None:
    """PgBouncer lends one connection to many clients, for one transaction each."""
    direct = running_app.new_database(server.url)
    with pgbouncer(server.url, tmp_path) as port:
        url = f"postgresql://school@127.0.0.1:{port}/{name(direct)}"
        site = make_account_app(make_site, url)
        for _ in range(4):  # psycopg prepares a statement at its fifth use
            for user_name in ("student", "teacher", "school_admin"):
                assert by_button(site, user_name).open("/dashboard").path == "/dashboard"
        with psycopg.connect(url, prepare_threshold=None) as other:
            other.execute("SELECT 1")  # holds the connection that the app has used so far
            for _ in range(4):
                assert by_button(site, "student").open("/dashboard").path == "/dashboard"
        with ThreadPoolExecutor(8) as threads:
            pending_logins = [stop_before_callback(site, "student") for _ in range(8)]
            list(threads.map(lambda visitor: visitor.open(visitor.url), pending_logins))
        assert {visitor.path for visitor in pending_logins} == {"/dashboard"}
        with psycopg.connect(url, prepare_threshold=None) as other:  # on an app's connection
            for setting_name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                assert other.execute(f"SHOW {setting_name}").fetchone() == ("0",)
        with server.stopped(), within(PATIENCE):
            assert is_unavailable(by_button(site, "student"))
        assert by_button(site, "student").path == "/dashboard"
        report = run_doctor(PRODUCTION | {"DATABASE_URL": url}, "--offline")
        report.assert_finding("database", "ok", "A pooler shares the connections")


def test_the_doctor_compares_the_apps_connections_with_the_servers_limit(
    make_site: SiteMaker, server: Server
) -> None:
    _, url = server.new_user(f"CONNECTION LIMIT {PLAN}")
    make_account_app(make_site, url)
    environ = PRODUCTION | {"DATABASE_URL": url}

    def assert_postgresql(state: str, *words: str, **changes: str) -> None:
        run_doctor(environ | changes, "--offline").assert_finding("database", state, *words)

    with ExitStack() as stack:
        for _ in range(15 - server.connections(url)):
            stack.enter_context(psycopg.connect(url))
        assert_postgresql("ok", "16 of 20 connections to PostgreSQL are in use", "at most 18")
        assert_postgresql("warning", "at most 26", "WEB_CONCURRENCY to 4", WEB_CONCURRENCY="6")
        assert_postgresql(
            "warning", "Set DATABASE_MAX_CONNECTIONS to 20", DATABASE_MAX_CONNECTIONS="21"
        )


@pytest.mark.parametrize("number", BURSTS)
@pytest.mark.parametrize(
    "sessions", ["in Redis", pytest.param("in PostgreSQL", marks=pytest.mark.long)]
)
def test_a_burst_and_commands_stay_within_20_postgresql_connections_and_logins_work_after_it(
    tmp_path: Path, server: Server, sessions: str, number: int
) -> None:
    """Of many requests at once, some may get a 503, but nothing else, and none of it lasts."""
    _, url = server.new_user(f"CONNECTION LIMIT {PLAN}")
    in_redis = sessions == "in Redis"
    run = running_app.run_gunicorn_with_redis if in_redis else running_app.run_gunicorn
    with ExitStack() as stack:
        site = stack.enter_context(run(tmp_path, database_url=url))
        for words in (("db", "upgrade"), ("sync",)):
            result = command(site, *words)
            assert result.returncode == 0, result.stderr
        browsers = browsers_of(by_button(site, "teacher"), site, number)
        counts = stack.enter_context(count_connections(server, url))
        with ThreadPoolExecutor(number + 2) as threads:
            jobs = [threads.submit(command, site, "sync", "--full")]
            jobs += [threads.submit(command, site, "db", "upgrade")]
            pages = [threads.submit(browser.open, "/dashboard") for browser in browsers]
        statuses = Counter(page.result().response.status_code for page in pages)
        assert statuses[200] + statuses[503] == number
        assert statuses[200] > number / 2
        for job in jobs:
            assert job.result().returncode == 0, job.result().stderr
        for user_name in ("student", "teacher", "school_admin", "district_admin"):
            assert by_button(site, user_name).path == "/dashboard"
        assert max(counts) <= PLAN
