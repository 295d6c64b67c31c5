"""Tests a small school that has PostgreSQL and no Redis, from the first login to a crash."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import SiteMaker
from tests.deployed.test_postgres_limits import command
from tests.support import running_app, stores
from tests.support.account_app import make_account_app, record_statements, run_flask_clever
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import by_button
from tests.support.postgresql import Server
from tests.support.running_app import Site

pytestmark = pytest.mark.servers
RECOVERY_SECONDS = 10


def pages(site: Site, visitor: Visitor) -> Counter[int]:
    """Open the dashboard over ten new connections, which both workers accept."""
    cookies = dict(visitor.http.cookies)
    requests = [send_request(f"{site.url}/dashboard", cookies=cookies) for _ in range(10)]
    return Counter(response.status_code for response in requests)


def crash(server: Server) -> None:
    """Kill one process of the server: it ends all others, and reads its log of changes."""
    process = server.do("SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")
    os.kill(int(process), signal.SIGKILL)
    server.close()


def test_a_small_school_needs_only_postgresql(tmp_path: Path) -> None:
    with running_app.run_gunicorn_with_postgresql(tmp_path) as site:
        url = str(site.settings.database_url)
        student, teacher = by_button(site, "student"), by_button(site, "teacher")
        assert pages(site, student) == {200: 10}
        assert len(stores.rows(url, "session-%")) == 2
        with running_app.restarted(site, tmp_path) as new:
            assert pages(new, student) == {200: 10}
        crash(Server(url))
        give_up = time.monotonic() + RECOVERY_SECONDS
        while pages(site, student) != {200: 10}:
            assert time.monotonic() < give_up
        assert teacher.open("/dashboard").role == "teacher"
        assert by_button(site, "student").role == "student"
        student_id = site.person("student").id
        ended = command(site, "sessions", "end", "--person", student_id)
        assert ended.stdout == "2 sessions ended.\n", ended.stderr
        assert pages(site, student) == {401: 10}
        assert teacher.open("/dashboard").role == "teacher"
        assert teacher.press("Log out").path == "/logged-out"
        assert stores.rows(url, "session-%") == {}


def test_a_page_costs_one_statement_more_and_a_login_five(
    make_site: SiteMaker, postgres: str
) -> None:
    site = make_account_app(make_site, running_app.new_database(postgres))
    by_button(site, "student")  # removes expired rows
    with record_statements(site, of_store=True) as statements:
        visitor = by_button(site, "student")
        login = [statement for statement in statements if "clever_store" in statement]
        statements.clear()
        assert visitor.open("/dashboard").role == "student"
        page = [statement for statement in statements if "clever_store" in statement]
        statements.clear()
        site.visitor().open("/")
        assert statements == []
    assert len(login) <= 6  # state, code, end, session, and the first page
    assert [statement.split()[0] for statement in page] == ["SELECT"]


def test_retention_deletes_expired_rows_without_a_request(
    make_site: SiteMaker, postgres: str
) -> None:
    site = make_account_app(make_site, running_app.new_database(postgres))
    url = str(site.settings.database_url)
    visitor = by_button(site, "student")
    stores.run(
        url, "UPDATE clever_store SET expires_at = now() - interval '1 day' WHERE key LIKE 'code-%'"
    )
    assert "clever_store" in run_flask_clever(site, "retention", "--yes")
    assert stores.rows(url, "code-%") == {}
    assert visitor.open("/dashboard").role == "student"


def test_one_connection_is_enough_for_every_request(make_site: SiteMaker, postgres: str) -> None:
    """No request waits for a second connection while it holds the first."""
    url = running_app.new_database(postgres)
    site = make_account_app(make_site, url, database_connections=1, session_single=True)
    first, second = by_button(site, "school_admin"), by_button(site, "school_admin")
    assert first.open("/dashboard").path == "/"
    for path in ("/dashboard", "/classes", "/school", "/session", "/readyz"):
        assert second.open(path).response.status_code != 503, path
    assert second.open("/dashboard").press("Log out").path == "/logged-out"
