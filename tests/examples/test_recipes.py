"""Tests the recipes in examples/recipes/, each in a small app."""

from __future__ import annotations

import csv
import hmac
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import MetaData, text
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from clever_login import Identity, Settings, database, parts
from clever_login.db.models import School, Section
from clever_login.testing import Browser, browser, login_as, sample_settings
from recipes import (
    form,
    former_library,
    own_users,
    roster_job,
    second_hostname,
    upload,
    webhook,
)
from tests.conftest import POSTGRESQL_IS_LONG
from tests.support.account_app import run_flask_clever
from tests.support.recipe_app import make_app, sample_app
from tests.support.roster_fixtures import database_session, run_roster_site, write_roster
from tests.support.running_app import Site

SECRET = "a secret that only the sender and this app have"


def create_tables(settings: Settings, metadata: MetaData) -> None:
    """Create the library's tables and these, as migrations do."""
    app = make_app(settings, parts.Rosters())
    run_flask_clever(app, "db", "upgrade")
    with app.app_context():
        metadata.create_all(database.engine())


@pytest.fixture
def notes(tmp_path: Path, database_url: str | None) -> Browser:
    """A browser at the app with the form."""
    settings = sample_settings(tmp_path, database_url=database_url)
    app = make_app(settings, parts.Accounts())
    form.init_app(app)
    run_flask_clever(app, "db", "upgrade")
    return browser(app)


def test_the_form_stores_a_note_for_its_author_only(notes: Browser) -> None:
    login_as(notes, "teacher", first_name="Ada")
    saved = notes.submit("/notes", note=" Read <b>chapter 2</b> ")
    assert (saved.status_code, saved.location) == (303, "/notes")
    assert "<p>Read &lt;b&gt;chapter 2&lt;/b&gt;</p>" in notes.get("/notes").text
    login_as(notes, "teacher", first_name="Grace")
    assert "chapter" not in notes.get("/notes").text


@POSTGRESQL_IS_LONG
def test_the_form_refuses_a_note_without_the_token(notes: Browser) -> None:
    login_as(notes, "teacher")
    assert notes.post("/notes", data={"note": "forged"}).status_code == 400
    assert "forged" not in notes.get("/notes").text


@pytest.mark.parametrize("note", ["", "  ", "x" * 501, "two\nlines", "nul\0"])
@POSTGRESQL_IS_LONG
def test_the_form_says_what_is_wrong_with_a_note(notes: Browser, note: str) -> None:
    login_as(notes, "teacher")
    refused = notes.submit("/notes", note=note)
    assert (refused.status_code, "A note is one line of" in refused.text) == (400, True)
    assert f'value="{note.strip()}"' in refused.text  # nobody writes a text twice


def test_the_notes_of_a_deleted_user_are_deleted(notes: Browser) -> None:
    login_as(notes, "teacher", subject="5f00000000000000000000aa")
    notes.submit("/notes", note="Read")
    run_flask_clever(notes.application, "forget", "--user", "5f00000000000000000000aa", "--yes")
    with notes.application.app_context(), database.begin() as connection:
        assert connection.execute(form.notes.select()).all() == []


@pytest.fixture
def homework(tmp_path: Path) -> Browser:
    """A browser at the app with the upload, where a student is logged in."""
    app = sample_app(tmp_path)
    upload.init_app(app)
    client = browser(app)
    login_as(client, "student")
    return client


def hand_in(client: Browser, content: bytes, name: str = "essay.html") -> int:
    """Upload a file and return the status."""
    fields = {"csrf_token": client.csrf_token(), "file": FileStorage(io.BytesIO(content), name)}
    boundary, body = encode_multipart(fields)
    kind = f"multipart/form-data; boundary={boundary}"
    return client.post("/homework", data=body, content_type=kind).status_code


def test_a_file_of_5_mb_is_stored_and_sent_back_as_a_download(homework: Browser) -> None:
    content = b"<script>" + b"x" * (upload.MAX_BYTES - 8)
    assert hand_in(homework, content, "../../essay.html") == 303
    assert "/homework/file" in homework.get("/homework").text
    with homework.get("/homework/file") as answer:
        assert answer.data == content
        assert answer.headers["Content-Disposition"] == "attachment; filename=homework"
        assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("more", [1, upload.FORM_BYTES * 2])
def test_a_larger_file_is_refused_and_the_former_one_stays(homework: Browser, more: int) -> None:
    assert hand_in(homework, b"first") == 303
    assert hand_in(homework, b"x" * (upload.MAX_BYTES + more)) == 413
    with homework.get("/homework/file") as answer:
        assert answer.data == b"first"


def test_a_file_belongs_to_the_user_who_handed_it_in(homework: Browser, tmp_path: Path) -> None:
    assert hand_in(homework, b"mine") == 303
    assert [path.parent for path in tmp_path.rglob("*") if path.name.startswith("essay")] == []
    login_as(homework, "student", first_name="Another")
    assert homework.get("/homework/file").status_code == 404


def test_an_upload_needs_the_token_and_a_file(homework: Browser) -> None:
    assert homework.post("/homework", data={"file": (io.BytesIO(b"x"), "a")}).status_code == 400
    assert homework.submit("/homework").status_code == 400


@pytest.fixture
def account_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """A browser at the app with the webhook, where the account "7" is logged in."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    app = sample_app(tmp_path, find_or_create=lambda _identity: "7")
    webhook.init_app(app)
    client = browser(app)
    login_as(client, "teacher")
    return client


def send_event(
    client: Browser,
    event: object,
    secret: str = SECRET,
    age: float = 0,
    change: Callable[[bytes], bytes] = bytes,
) -> int:
    """Send an event as another server does: signed, without cookies. Return the status."""
    body = json.dumps(event).encode()
    timestamp = str(int(time.time() - age))
    signature = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()
    headers = {"X-Timestamp": timestamp, "X-Signature": signature}
    server = client.application.test_client(use_cookies=False)
    return server.post(
        "/webhooks/accounts",
        data=change(body),
        headers=headers,
        content_type="application/json",
    ).status_code


CLOSED = {"type": "account.closed", "account_id": "7"}


def test_a_signed_event_ends_the_sessions_of_its_account(account_events: Browser) -> None:
    assert account_events.get("/me").status_code == 200
    assert send_event(account_events, CLOSED) == 204
    assert account_events.get("/me").status_code == 302


@pytest.mark.parametrize(
    "forgery",
    [
        {"secret": "a secret that somebody else has invented"},
        {"age": 301},
        {"age": -301},
        {"change": lambda body: body + b" "},
    ],
)
def test_an_event_with_another_signature_or_time_is_refused(
    account_events: Browser, forgery: dict[str, Any]
) -> None:
    assert send_event(account_events, CLOSED, **forgery) == 403
    assert account_events.get("/me").status_code == 200


@pytest.mark.parametrize("signature", ["", "\xff", "0" * 64])
def test_a_signature_of_any_form_is_compared(account_events: Browser, signature: str) -> None:
    headers = {"X-Timestamp": str(int(time.time())), "X-Signature": signature}
    answer = account_events.post("/webhooks/accounts", json=CLOSED, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("event", [{"type": "account.opened"}, {"type": "account.closed"}, [], 7])
def test_events_that_the_webhook_does_not_know_change_nothing(
    account_events: Browser, event: object
) -> None:
    assert send_event(account_events, event) == 204
    assert account_events.get("/me").status_code == 200


def test_the_webhook_does_not_start_with_a_short_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "short")
    with pytest.raises(ValueError, match="WEBHOOK_SECRET has fewer than 32"):
        webhook.init_app(sample_app(tmp_path))


def test_without_a_secret_there_is_no_webhook(tmp_path: Path) -> None:
    app = sample_app(tmp_path)
    webhook.init_app(app)
    assert send_event(browser(app), CLOSED, secret="") == 404


@pytest.fixture
def two_hosts(tmp_path: Path) -> Browser:
    """A browser at the app with two host names."""
    settings = sample_settings(tmp_path, app_url="http://school.example.org")
    app = make_app(settings, second_hostname.HEADERS)
    second_hostname.init_app(app)
    return browser(app)


@pytest.mark.parametrize(
    ("url", "status", "location"),
    [
        ("http://parents.example.org/parents", 200, None),
        ("http://parents.example.org/", 302, "/parents"),
        ("http://parents.example.org/me?a=b", 302, "/?next=/me%3Fa%3Db"),
        ("http://parents.example.org/clever/login", 302, "http://school.example.org/clever/login"),
        ("http://school.example.org/", 200, None),
        ("http://pupils.example.org/parents", 400, None),
    ],
)
def test_the_second_host_answers_with_its_own_pages_and_a_third_is_refused(
    two_hosts: Browser, url: str, status: int, location: str | None
) -> None:
    answer = two_hosts.get(url)
    assert (answer.status_code, answer.location) == (status, location)


@pytest.fixture
def roster(tmp_path: Path) -> Iterator[Site]:
    """A site with a roster and the command of the job."""
    with run_roster_site(tmp_path, None, extend=roster_job.init_app) as site:
        write_roster(site)
        yield site


def export(site: Site, district_id: str, file: Path) -> tuple[int, str]:
    assert site.app
    done = site.app.test_cli_runner().invoke(args=["export-classes", district_id, str(file)])
    return done.exit_code, done.output


def test_the_job_writes_the_classes_of_each_school_of_a_district(
    roster: Site, tmp_path: Path
) -> None:
    file = tmp_path / "classes.csv"
    district_id = roster.person("student").district.id
    assert export(roster, district_id, file) == (0, "3 classes\n")
    with file.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["school", "class", "period", "students", "teachers"]
    assert [row[:4] for row in rows] == [
        ["CanarySchoola1", "CanaryClassother", "2", "1"],
        ["CanarySchoola1", "CanaryClassown", "2", "2"],
        ["CanarySchoola2", "CanaryClassnext", "2", "1"],
    ]
    assert rows[1][4] == "Given Canaryteacher, Given CanaryTeacherown"


def test_the_job_reads_every_page_and_writes_no_formula(roster: Site, tmp_path: Path) -> None:
    file = tmp_path / "classes.csv"
    with database_session(roster) as session:
        district_id = session.get_one(School, "a2").district_id
        session.add_all(
            Section(id=f"more{number}", name="=1+1", district_id=district_id, school_id="a2")
            for number in range(401)
        )
    assert export(roster, district_id, file) == (0, "404 classes\n")
    with file.open(newline="") as lines:
        assert [row[1] for row in csv.reader(lines)].count("'=1+1") == 401


@pytest.mark.parametrize("district_id", ["nowhere", "../"])
def test_the_job_fails_for_an_unknown_district_and_writes_nothing(
    roster: Site, tmp_path: Path, district_id: str
) -> None:
    code, output = export(roster, district_id, tmp_path / "classes.csv")
    assert (code, "There is no such district" in output) == (1, True)
    assert not (tmp_path / "classes.csv").exists()


@pytest.fixture
def own(tmp_path: Path, database_url: str | None) -> Browser:
    """A browser at the app with its own users table."""
    settings = sample_settings(tmp_path, database_url=database_url)
    added = (parts.Rosters(), parts.Database(metadata=own_users.metadata))
    app = make_app(settings, *added, find_or_create=own_users.find_or_create)
    create_tables(settings, own_users.metadata)
    return browser(app)


def test_a_user_has_one_row_in_the_users_table_and_keeps_a_name(own: Browser) -> None:
    first = login_as(own, "teacher", subject="5faa", first_name="Ada")
    again = login_as(own, "teacher", subject="5faa", first_name="")
    other = login_as(own, "teacher", subject="5fbb", first_name="Ada")
    assert first.account_id == again.account_id != other.account_id
    with own.application.app_context(), database.begin() as connection:
        rows = connection.execute(own_users.users.select().order_by("id")).all()
    assert [(row.provider, row.subject, row.name) for row in rows] == [
        ("clever", "5faa", "Ada"),
        ("clever", "5fbb", "Ada"),
    ]
    assert [row.person_id for row in rows] == [first.person_id, other.person_id]


def test_users_of_two_providers_are_two_even_with_the_same_id(own: Browser) -> None:
    user = login_as(own, "teacher", subject="5faa")
    with own.application.app_context():
        google = own_users.find_or_create(Identity(provider="google", subject="5faa"))
        assert google != user.account_id
        assert own_users.find_or_create(Identity(provider="google", subject="5faa")) == google


FORMER_TABLES = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY {serial}, name TEXT, clever_id TEXT UNIQUE)",
    """CREATE TABLE social_auth_usersocialauth (id INTEGER PRIMARY KEY, provider VARCHAR(32),
        uid VARCHAR(255), user_id INTEGER, UNIQUE (provider, uid))""",
    "INSERT INTO users (name) VALUES ('Ada'), ('Grace'), ('Mallory')",
    """INSERT INTO social_auth_usersocialauth (id, provider, uid, user_id) VALUES
        (1, 'clever', '5faa', 1), (2, 'clever', 'old-grace', 2), (3, 'github', '5fcc', 3)""",
)


@pytest.fixture
def former(tmp_path: Path, database_url: str | None) -> Flask:
    """An app whose users were linked by social-auth: 1 with today's ID, 2 with an older one."""
    settings = sample_settings(tmp_path, database_url=database_url)
    app = make_app(settings, parts.Rosters(), find_or_create=former_library.find_or_create)
    run_flask_clever(app, "db", "upgrade")
    serial = "GENERATED BY DEFAULT AS IDENTITY" if database_url else ""
    with app.app_context(), database.begin() as connection:
        for statement in FORMER_TABLES:
            connection.execute(text(statement.format(serial=serial)))
    return app


def test_users_of_the_former_library_keep_their_accounts(former: Flask) -> None:
    assert login_as(browser(former), "teacher", subject="5faa").account_id == "1"
    with former.app_context():
        grace = Identity(subject="5fbb", legacy_ids=("old-other", "old-grace"))
        assert former_library.find_or_create(grace) == "2"
        with database.begin() as connection:
            connection.execute(text("DROP TABLE social_auth_usersocialauth"))
        assert former_library.find_or_create(Identity(subject="5fbb")) == "2"


def test_everybody_else_gets_a_new_account(former: Flask) -> None:
    users = [
        login_as(browser(former), "teacher", subject=each) for each in ("5fcc", "5FAA", "5fcc")
    ]
    assert [user.account_id for user in users] == ["4", "5", "4"]


def test_an_account_is_adopted_once(former: Flask) -> None:
    with former.app_context():
        assert former_library.find_or_create(Identity(subject="5fbb", legacy_ids=("5faa",))) == "1"
        assert former_library.find_or_create(Identity(subject="5faa")) == "4"
