"""Tests the import of Clever ids that other libraries have stored."""

from __future__ import annotations

import csv
import re
import runpy
import sqlite3
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from clever_login.accounts.account_lookup import add_unlinked_account
from clever_login.config import Settings
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.support import django_clients
from tests.support.account_app import (
    account_id,
    add_account_view,
    flask_app,
    people_rows,
    run_flask_clever,
    school,
)
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter

__all__ = ["school"]
PAGE = (ROOT / "docs" / "migrating.md").read_text()
QUERIES = [text for text in re.findall(r"```sql\n(.*?)```", PAGE, re.S) if "SELECT uid" in text]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write(*rows: tuple[object, object]) -> str:
        path = tmp_path / "accounts.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("clever_id", "account_id"), *rows])
        return str(path)

    return write


def run_import(site: Site, path: str, *options: str, fails: bool = False) -> str:
    return run_flask_clever(site, "accounts", "import", path, *options, fails=fails)


def legacy_id_of(site: Site) -> str:
    """Return the Clever id that the teacher had before v3."""
    (assignment,) = site.person("teacher").role_assignments
    return assignment.legacy_id


def accounts_of(site: Site) -> dict[str | None, str | None]:
    """Return the account of each Clever id."""
    return {person.clever_id: person.account_id for person in people_rows(site)}


def test_an_import_changes_nothing_unless_it_is_committed(
    school: Site, write: Callable[..., str]
) -> None:
    student = school.person("student").id
    path = write((student, 17), ("0" * 24, "18"))
    output = run_import(school, path)
    assert "2 new" in output
    assert "Nothing was stored." in output
    assert people_rows(school) == []
    output = run_import(school, path, "--commit")
    assert "Nothing was stored." not in output
    assert accounts_of(school) == {student: "17", "0" * 24: "18"}
    assert "2 already imported" in run_import(school, path, "--commit")


def test_the_first_login_finds_the_imported_row(school: Site, write: Callable[..., str]) -> None:
    student = school.person("student")
    run_import(school, write((student.id, "17")), "--commit")
    (row,) = people_rows(school)
    assert account_id(by_button(school, "student")) == row.id
    (after,) = people_rows(school)
    assert (after.account_id, after.first_name) == ("17", student.name.first)


def test_a_login_finds_a_row_that_was_imported_with_an_id_from_before_v3(
    school: Site, write: Callable[..., str]
) -> None:
    run_import(school, write((legacy_id_of(school), "17")), "--commit")
    by_button(school, "teacher")
    assert accounts_of(school) == {school.person("teacher").id: "17"}


def test_rows_of_one_person_are_merged_with_the_account_of_either(
    school: Site, write: Callable[..., str]
) -> None:
    """The person logged in before the ids from before v3 were imported."""
    by_button(school, "teacher")
    run_import(school, write((legacy_id_of(school), "17")), "--commit")
    by_button(school, "teacher")
    assert accounts_of(school)[school.person("teacher").id] == "17"


def test_a_sync_fills_imported_rows_and_an_import_links_synced_people(
    school: Site, write: Callable[..., str]
) -> None:
    student, teacher = school.person("student"), school.person("teacher")
    run_import(school, write((student.id, "17")), "--commit")
    sync_site(school)
    assert "1 linked to people" in run_import(school, write((teacher.id, "18")), "--commit")
    rows = {person.clever_id: person for person in people_rows(school)}
    assert (rows[student.id].account_id, rows[student.id].first_name) == ("17", student.name.first)
    assert (rows[teacher.id].account_id, rows[teacher.id].first_name) == ("18", teacher.name.first)


REFUSED = [
    (("", "17"), "the Clever ID is missing or malformed"),
    (("../me", "17"), "the Clever ID is missing or malformed"),
    (("a" * 65, "17"), "the Clever ID is missing or malformed"),
    (("b" * 24, ""), "the account ID is missing"),
    (("b" * 24, "1" * 256), "the account ID is missing, too long"),
    (("b" * 24, "1\x1b[2J"), "unprintable"),
    (("a" * 24, "18"), "this Clever ID already belongs to another account"),
    (("b" * 24, "17"), "this account already belongs to another Clever ID"),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED)
@POSTGRESQL_IS_LONG
def test_a_refused_row_is_named_by_its_line_and_changes_nothing(
    school: Site, write: Callable[..., str], row: tuple[str, str], reason: str
) -> None:
    run_import(school, write(("a" * 24, "17")), "--commit")
    output = run_import(school, write(("c" * 24, "19"), row), "--commit", fails=True)
    assert re.search(rf"line 3: .*{reason}", output)
    assert "1 refused" in output
    assert accounts_of(school) == {"a" * 24: "17", "c" * 24: "19"}
    assert not re.search(r"a{24}|b{24}|\x1b", output)


def test_refused_rows_are_named_in_the_order_of_the_file(
    school: Site, write: Callable[..., str]
) -> None:
    """Some are refused for the file alone, others for what the database has."""
    run_import(school, write(("a" * 24, "17")), "--commit")
    rows = (("a" * 24, "18"), ("", "19"), ("b" * 24, "17"), ("../me", "20"))
    output = run_import(school, write(*rows), fails=True)
    assert re.findall(r"line (\d+):", output) == ["2", "3", "4", "5"]


def test_an_account_id_as_long_as_its_column_is_imported(
    school: Site, write: Callable[..., str]
) -> None:
    run_import(school, write(("a" * 24, "1" * 255)), "--commit")
    assert accounts_of(school) == {"a" * 24: "1" * 255}


@pytest.mark.parametrize("refused", [50, 51])
def test_fifty_refused_rows_are_named(
    school: Site, write: Callable[..., str], refused: int
) -> None:
    output = run_import(school, write(*[("", "17")] * refused), fails=True)
    assert len(re.findall(r"^line \d+: ", output, re.M)) == 50
    assert ("... and 1 more." in output) == (refused > 50)
    assert f"{refused} refused" in output


@pytest.mark.parametrize(
    ("second", "reason"),
    [(("a" * 24, "18"), "this Clever ID more than once"), (("b" * 24, "17"), "this account ID")],
)
def test_all_rows_that_contradict_each_other_are_refused(
    school: Site, write: Callable[..., str], second: tuple[str, str], reason: str
) -> None:
    output = run_import(school, write(("a" * 24, "17"), second), "--commit", fails=True)
    assert re.search(rf"line 2: .*{reason}", output)
    assert re.search(rf"line 3: .*{reason}", output)
    assert people_rows(school) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The first line must name the columns clever_id,account_id"),
        (b"uid,user_id\na,1\n", "The first line must name the columns clever_id,account_id"),
        (b"clever_id,account_id\n\xff,1\n", "not UTF-8"),
        (b'clever_id,account_id\n"a,1\n', "not valid CSV"),
    ],
)
@POSTGRESQL_IS_LONG
def test_a_file_in_another_format_is_refused(
    school: Site, tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "accounts.csv").write_bytes(content)
    output = run_import(school, str(tmp_path / "accounts.csv"), "--commit", fails=True)
    assert "Nothing was imported." in output
    assert complaint in output
    assert people_rows(school) == []


def test_a_spreadsheet_export_with_additional_columns_can_be_imported(
    school: Site, tmp_path: Path
) -> None:
    text = "\ufeffname,account_id,clever_id\r\nAda,17,aaaaaaaaaaaaaaaaaaaaaaaa\r\n"
    (tmp_path / "accounts.csv").write_text(text, encoding="utf-8", newline="")
    run_import(school, str(tmp_path / "accounts.csv"), "--commit")
    assert accounts_of(school) == {"a" * 24: "17"}


def test_retention_keeps_imported_people_until_they_log_in(
    school: Site, write: Callable[..., str]
) -> None:
    run_import(school, write(("a" * 24, "17")), "--commit")
    run_flask_clever(school, "retention", "--yes")
    assert accounts_of(school) == {"a" * 24: "17"}
    run_flask_clever(school, "forget", "--user", "a" * 24)
    assert people_rows(school) == []


def test_an_app_with_its_own_accounts_can_import_and_export(
    make_site: SiteMaker, write: Callable[..., str]
) -> None:
    site = make_site(
        make_app=lambda settings: make_starter(
            settings, without=("Accounts",), find_or_create=lambda _identity: "17"
        )
    )
    run_import(site, write((site.person("student").id, "17")), "--commit")
    by_button(site, "student")
    (row,) = csv.DictReader(run_flask_clever(site, "accounts", "export").splitlines())
    assert (row["clever_id"], row["account_id"]) == (site.person("student").id, "17")
    assert "No such command 'invite'" in run_flask_clever(site, "accounts", "invite", fails=True)


def test_the_export_shows_the_imported_account_beside_the_row(
    school: Site, write: Callable[..., str]
) -> None:
    with flask_app(school).app_context():
        unlinked = add_unlinked_account()
    run_import(school, write(("a" * 24, "17")), "--commit")
    lines = run_flask_clever(school, "accounts", "export").splitlines()
    accounts = {row["person_id"]: row["account_id"] for row in csv.DictReader(lines)}
    assert accounts.pop(unlinked) == ""
    assert [*accounts.values()] == ["17"]


def test_the_documented_function_finds_users_by_the_ids_of_the_other_library(
    make_site: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher by the id from before v3, the student by the same id as now."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "documented.py").write_text(code)
    function = runpy.run_path(str(tmp_path / "documented.py"))["find_or_create"]

    def make_app(settings: Settings) -> Flask:
        app = make_starter(settings, without=("Accounts", "Rosters"), find_or_create=function)
        add_account_view(app)
        return app

    site = make_site(make_app=make_app)
    with sqlite3.connect("users.sqlite3") as connection:
        connection.execute("CREATE TABLE socialaccount_socialaccount (user_id, provider, uid)")
        rows = [(17, "clever", legacy_id_of(site)), (18, "clever", site.person("student").id)]
        connection.executemany("INSERT INTO socialaccount_socialaccount VALUES (?, ?, ?)", rows)
    connection.close()
    assert account_id(by_button(site, "teacher")) == "17"
    assert account_id(by_button(site, "student")) == "18"
    assert by_button(site, "school_admin").code == "account_refused"


def test_the_documented_queries_read_the_ids_of_both_django_libraries() -> None:
    django_clients.set_up_django()
    django_clients.clear_database()
    users: Any = import_module("django.contrib.auth").get_user_model().objects
    allauth: Any = import_module("allauth.socialaccount.models").SocialAccount.objects
    social: Any = import_module("social_django.models").UserSocialAuth.objects
    user = users.create(username="ada")
    for uid, provider in (("a" * 24, "clever"), ("1", "google")):
        allauth.create(user=user, provider=provider, uid=uid)
        social.create(user=user, provider=provider, uid=uid)
    connection: Any = import_module("django.db").connection
    for query in QUERIES[:2]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            assert [column[0] for column in cursor.description] == ["clever_id", "account_id"]
            assert cursor.fetchall() == [("a" * 24, user.pk)]


def test_the_documented_queries_read_the_ids_of_omniauth() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(
            """
            CREATE TABLE users (id INTEGER PRIMARY KEY, provider TEXT, uid TEXT);
            CREATE TABLE identities (id INTEGER PRIMARY KEY, user_id, provider TEXT, uid TEXT);
            INSERT INTO users VALUES (17, 'clever', 'a'), (18, 'google', 'b');
            INSERT INTO identities VALUES (1, 17, 'clever', 'a'), (2, 17, 'google', 'b');
            """
        )
        assert [connection.execute(query).fetchall() for query in QUERIES[2:]] == [[("a", 17)]] * 2
    connection.close()
