"""Tests an app whose PostgreSQL role can only read and write rows; a release role migrates.

The statements that `clever db grants` prints are all that the app's role gets.
"""

from __future__ import annotations

import re
import secrets
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from clever_login.web.health import FRESH_SECONDS
from tests.conftest import SiteMaker
from tests.doctor.test_doctor import PRODUCTION, Report, run_doctor
from tests.support.account_app import (
    account_id,
    add_account_view,
    people_rows,
    run_flask_clever,
)
from tests.support.browser_client import send_request
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button
from tests.support.postgresql import Server
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter

pytestmark = pytest.mark.servers


@dataclass
class TwoRoles:
    """An app without tables, the URLs of both roles, and the operator's connection."""

    site: Site
    server: Server
    role: str
    app_url: str
    release_url: str

    def as_owner(self, *statements: str) -> None:
        """Run statements as the release role."""
        with psycopg.connect(self.release_url, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement.encode())

    def grant(self) -> None:
        """Run what `clever db grants` prints."""
        self.as_owner(*run_flask_clever(self.site, "db", "grants", self.role).splitlines())

    def doctor(self) -> Report:
        """Run the doctor with the app's role."""
        return run_doctor(PRODUCTION | {"DATABASE_URL": self.app_url}, "--offline")


@pytest.fixture
def roles(make_site: SiteMaker, postgres: str) -> Iterator[TwoRoles]:
    server = Server(postgres)
    owner, release_url = server.new_user()
    role = f"app-{secrets.token_hex(4)}"  # needs quotes in SQL
    server.do(f'CREATE ROLE "{role}" LOGIN')
    server.do(f"REVOKE TEMPORARY ON DATABASE {release_url.rpartition('/')[2]} FROM PUBLIC")
    app_url = release_url.replace(f"//{owner}@", f"//{role}@")
    site = make_site(
        database_url=app_url,
        release_database_url=release_url,
        make_app=make_starter,
        extend=add_account_view,
    )
    yield TwoRoles(site, server, role, app_url, release_url)
    server.close()


def assert_every_use_of_the_database_works(site: Site) -> None:
    assert send_request(f"{site.url}/readyz").text == "ready\n"
    assert sync_site(site).exit_code == 0
    assert sync_site(site, "--full").exit_code == 0
    for user in ("student", "teacher", "school_admin", "district_admin"):
        assert by_button(site, user).open("/dashboard").response.status_code == 200
    student = by_button(site, "student")
    run_flask_clever(site, "accounts", "add")
    run_flask_clever(site, "retention", "--yes")
    run_flask_clever(site, "sessions", "end", "--all")
    assert student.open("/dashboard").path == "/"
    run_flask_clever(site, "runs")
    run_flask_clever(site, "status")
    account = account_id(by_button(site, "student"))
    run_flask_clever(site, "export", "--user", account)
    run_flask_clever(site, "forget", "--user", account, "--yes")
    assert account not in {person.id for person in people_rows(site)}


def test_a_role_that_can_only_read_and_write_rows_is_enough_for_the_app(roles: TwoRoles) -> None:
    roles.grant()  # before the first upgrade, so it is complete for tables of later migrations, too
    assert "(the newest)" in run_flask_clever(roles.site, "db", "upgrade")
    assert_every_use_of_the_database_works(roles.site)
    statistics = "SELECT reltuples FROM pg_class WHERE relname = 'clever_enrollments'"
    with psycopg.connect(roles.app_url) as app:
        assert (app.execute(statistics).fetchone() or (0,))[0] > 100  # -1 before the first ANALYZE
    with psycopg.connect(roles.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("CREATE TABLE clever_more (id INTEGER)")
    with psycopg.connect(roles.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("DROP TABLE clever_people")


def test_the_statements_can_also_run_after_the_first_upgrade(roles: TwoRoles) -> None:
    output = run_flask_clever(roles.site, "db", "upgrade")
    lacks = "lacks SELECT on clever_alembic_version, DELETE on clever_claims"
    assert f"The database role {roles.role} {lacks}" in output
    assert "clever db grants" in output
    roles.grant()
    assert run_flask_clever(roles.site, "db", "upgrade").count("\n") == 1  # nothing is missing
    assert by_button(roles.site, "student").path == "/dashboard"


def test_tables_of_a_later_release_need_no_new_statement(roles: TwoRoles) -> None:
    roles.grant()
    roles.as_owner("CREATE TABLE loans (id SERIAL PRIMARY KEY, title TEXT)")
    with psycopg.connect(roles.app_url) as app:
        app.execute("INSERT INTO loans (title) VALUES ('Matilda')")
        app.execute("UPDATE loans SET title = 'Heidi'")
        assert app.execute("DELETE FROM loans RETURNING id, title").fetchall() == [(1, "Heidi")]


@pytest.mark.parametrize("without", ["the role of DATABASE_URL", "RELEASE_DATABASE_URL"])
def test_only_migrations_use_the_release_role(
    make_site: SiteMaker, roles: TwoRoles, without: str
) -> None:
    if without == "RELEASE_DATABASE_URL":
        site = make_site(database_url=roles.app_url, make_app=make_starter)
        output = run_flask_clever(site, "db", "upgrade", fails=True)
        assert "(42501, CREATE TABLE clever_alembic_version). Check DATABASE_URL." in output
        return
    run_flask_clever(roles.site, "db", "upgrade")  # and no statement of `db grants`
    for command in (["db", "current"], ["retention"], ["runs"], ["accounts", "add"]):
        assert "42501" in run_flask_clever(roles.site, *command, fails=True)
    run_flask_clever(roles.site, "db", "downgrade", "base", "--yes")
    output = run_flask_clever(roles.site, "db", "current")
    assert "none" in output


def test_the_doctor_says_what_a_role_may_do_that_the_app_need_not(roles: TwoRoles) -> None:
    roles.grant()
    run_flask_clever(roles.site, "db", "upgrade")
    roles.doctor().assert_finding("database", "ok", "cannot create, change, or drop tables")
    as_release = run_doctor(PRODUCTION | {"DATABASE_URL": roles.release_url}, "--offline")
    as_release.assert_finding(
        "database", "ok", "may also create tables and change and drop the app's tables"
    )


LACKING = [
    ("INSERT", "clever_people"),
    pytest.param("UPDATE", "clever_sections", marks=pytest.mark.long),
    ("DELETE", "clever_claims"),
    ("SELECT", "clever_alembic_version"),
]


@pytest.mark.parametrize(("privilege", "table"), LACKING)
def test_a_missing_privilege_is_named(
    roles: TwoRoles, capfd: pytest.CaptureFixture[str], privilege: str, table: str
) -> None:
    roles.grant()
    run_flask_clever(roles.site, "db", "upgrade")
    roles.as_owner(f'REVOKE {privilege} ON {table} FROM "{roles.role}"')
    fault = (
        "permissions (42501, SELECT FROM" if privilege == "SELECT" else f"{privilege} on {table}"
    )
    ready = send_request(f"{roles.site.url}/readyz")
    assert (ready.status_code, fault in ready.text) == (503, True), ready.text
    roles.doctor().assert_finding("database", "fault", fault)
    if privilege == "INSERT":
        visitor = by_button(roles.site, "student")
        assert (visitor.response.status_code, visitor.code) == (503, "database_unavailable")
        assert "(42501, INSERT INTO clever_people)" in capfd.readouterr().err
    roles.as_owner(f'GRANT {privilege} ON {table} TO "{roles.role}"')
    time.sleep(FRESH_SECONDS)
    assert send_request(f"{roles.site.url}/readyz").text == "ready\n"
    assert by_button(roles.site, "student").path == "/dashboard"


def test_six_missing_privileges_are_named_and_the_others_are_counted(roles: TwoRoles) -> None:
    roles.grant()
    run_flask_clever(roles.site, "db", "upgrade")
    for privileges, end in (
        ("INSERT, UPDATE, DELETE ON clever_claims, clever_courses", " (42501)"),
        ("DELETE ON clever_terms", ", and 1 more (42501)"),
    ):
        roles.as_owner(f'REVOKE {privileges} FROM "{roles.role}"')
        assert f"UPDATE on clever_courses{end}" in send_request(f"{roles.site.url}/readyz").text


def test_a_role_that_may_not_use_the_schema_is_not_told_that_there_are_no_tables(
    roles: TwoRoles,
) -> None:
    roles.grant()
    run_flask_clever(roles.site, "db", "upgrade")
    roles.as_owner("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    roles.as_owner(f'REVOKE USAGE ON SCHEMA public FROM "{roles.role}"')
    ready = send_request(f"{roles.site.url}/readyz")
    assert (ready.status_code, "lacks USAGE on the schema" in ready.text) == (503, True), ready.text
    roles.doctor().assert_finding("database", "fault", "lacks USAGE on the schema", "db grants")


def test_the_documentation_has_the_statements_and_they_quote_the_role(roles: TwoRoles) -> None:
    page = textwrap.dedent((ROOT / "docs" / "deploying.md").read_text().replace("\n   ", "\n"))
    (documented,) = re.findall(r"```sql\n(.*?)```", page, re.S)
    assert run_flask_clever(roles.site, "db", "grants", "school_app") == documented
    output = run_flask_clever(roles.site, "db", "grants", 'a"; DROP', "--schema", "school")
    assert output.startswith('GRANT USAGE ON SCHEMA "school" TO "a""; DROP";\n')
