"""A school with classes in the simulator, the app, and browsers of its teachers and students."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

from app import create_app
from clever_login import database, rosters, signals
from clever_login.testing import Browser, browser, sample_settings

TODAY = datetime.now(UTC).date().isoformat()
TEACHER, OTHER_TEACHER, STUDENT = "teacher", "teacher_admin", "student"
HAS_SIMULATOR = find_spec("clever_simulator") is not None
collect_ignore_glob = [] if HAS_SIMULATOR else ["test_*.py"]  # all tests need it


@dataclass(frozen=True)
class School:
    """The app and the simulator. People have user names, and classes have names."""

    app: Flask
    clever: Any  # a SimulatedClever

    def command(self, *words: str) -> str:
        """Run `flask clever ...` and return its output."""
        result = self.app.test_cli_runner().invoke(args=["clever", *words])
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def sync(self) -> None:
        """Read the changes at Clever."""
        self.command("sync")

    def browser(self, user_name: str, **query: str) -> Browser:
        """Return a browser in which this person has logged in with Clever.

        `query` are further parameters of Clever's redirect.
        """
        client = browser(self.app)
        returned = self.clever.log_in(client.get("/login").location, user_name)
        client.get(f"{returned}&{urlencode(query)}" if query else returned)
        assert client.get("/dashboard").status_code == 200
        return client

    def person_id(self, user_name: str) -> str:
        """Return the id of a person in the app's tables."""
        person = self.clever.person(user_name)
        with self.app.app_context():
            operator = rosters.operator(person.district.id)
            found = rosters.people(search=person.name.last, viewer=operator, size=200)
            (match,) = [row for row in found if row.first_name == person.name.first]
        return match.id

    def section(self, name: str, teacher: str = TEACHER) -> Any:
        """Return a class of a teacher, as it is at Clever now."""
        people = self.clever.simulator.people
        sections = people.sections_of(people.person(teacher))
        return next(section for section in sections if section.name == name)

    def assign(self, client: Browser, *names: str, **fields: str) -> str:
        """Assign a book to these classes, or to all. Return the path of the assignment."""
        response = self.submit(client, "/reading/new", *names, **({"book": "tortoise"} | fields))
        assert response.status_code == 303, response.text
        return str(response.location)

    def submit(self, client: Browser, path: str, *names: str, **fields: str) -> TestResponse:
        """Submit the form on a teacher's page with these classes, or with all, due today."""
        page = BeautifulSoup(client.get(path).text, "html5lib")
        labels = page.select("label:has([name=section])")
        ids = {label.get_text().strip(): str(label.select("input")[0]["value"]) for label in labels}
        sections = [ids[name] for name in names or ids]
        return client.submit(path, **({"section": sections, "due": TODAY} | fields))


BOTH_DATABASES = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)],
    indirect=True,
)
# Marks a test whose SQL statements other tests of CI send to PostgreSQL.
POSTGRESQL_IS_LONG = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.servers, pytest.mark.long])],
    indirect=True,
)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server, as the URL of one of its databases."""
    from tests.support.running_app import run_postgres

    with run_postgres(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str | None:
    """A database whose tables are empty. None is SQLite.

    A test that is marked BOTH_DATABASES or POSTGRESQL_IS_LONG runs with each database.
    """
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    from tests.support.running_app import new_database_with_tables

    return new_database_with_tables(request.getfixturevalue("postgresql"))


@contextmanager
def open_school(folder: Path, database_url: str | None) -> Iterator[School]:
    """Run the simulator, and create the app with its files in this folder."""
    from clever_simulator.testing import run_simulator

    with run_simulator() as clever:
        settings = sample_settings(folder, **clever.settings, database_url=database_url)
        created = School(app=create_app(settings), clever=clever)
        yield created
        with created.app.test_request_context():
            database.engine().dispose()


@pytest.fixture(scope="session")
def synced_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an app whose classes are synced. Each test has a copy, which is faster."""
    folder = tmp_path_factory.mktemp("synced")
    with open_school(folder, None) as created:
        created.sync()
    return folder


@pytest.fixture
def school(
    tmp_path: Path, database_url: str | None, request: pytest.FixtureRequest
) -> Iterator[School]:
    """A school whose classes are synced."""
    if database_url is None:
        shutil.copytree(request.getfixturevalue("synced_folder"), tmp_path, dirs_exist_ok=True)
    with open_school(tmp_path, database_url) as created:
        if database_url:
            created.command("db", "upgrade")
            created.sync()
        yield created


def titles(client: Browser) -> list[str]:
    """Return the titles on a student's page of books."""
    page = BeautifulSoup(client.get("/my-books").text, "html5lib")
    return [title.get_text() for title in page.select(".tile-name")]


def words(client: Browser, path: str, selector: str = "main") -> str:
    """Return the visible text of a page's element."""
    response = client.get(path)
    assert response.status_code == 200, response.status
    element = BeautifulSoup(response.text, "html5lib").select_one(selector)
    assert element, f"no {selector}"
    return " ".join(element.get_text(" ").split())


@pytest.fixture
def statements(school: School) -> Iterator[list[str]]:
    """The SQL statements of the app, from now on."""
    recorded: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        recorded.append(statement)

    with school.app.app_context():
        engine = database.engine()
    event.listen(engine, "before_cursor_execute", record)
    yield recorded
    event.remove(engine, "before_cursor_execute", record)


@pytest.fixture
def merge(school: School) -> Callable[..., None]:
    """Send the signal that the library sends when two rows are one person."""

    def send(*, survivor: str, duplicate: str) -> None:
        people = {name: school.person_id(name) for name in (survivor, duplicate)}
        row = signals.PersonMerge(survivor_id=people[survivor], duplicate_id=people[duplicate])
        with school.app.app_context(), database.begin() as connection:
            signals.people_merged.send(
                school.app, connection=connection, district_id=None, rows=[row]
            )

    return send
