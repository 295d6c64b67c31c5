"""Shared fixtures: a running app with a running simulator. Network access is blocked.

Without the folder clever_simulator, the tests that import it are skipped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_socket import socket_allow_hosts

SIMULATOR = "clever_simulator"
HAS_SIMULATOR = (Path(__file__).parent.parent / SIMULATOR / "__init__.py").exists()
NEEDS_SIMULATOR = {"any_site", "copy", "make_site", "postgres"}
WITHOUT_SIMULATOR = f"needs the folder {SIMULATOR}, which was deleted"
if TYPE_CHECKING or HAS_SIMULATOR:
    from tests.support import fresh_checkout, running_app
    from tests.support.running_app import Site

SiteMaker = Callable[..., "Site"]
OF_THE_FILE = re.compile(r"^pytestmark = (\[.*?^\]|[^\n]*)", re.DOTALL | re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip collection of a deselected file, because importing its dependencies takes seconds.

    A file is skipped when `-m "not NAME"` excludes a mark in its module-level `pytestmark`.
    """
    left_out = re.findall(r"\bnot (\w+)", config.option.markexpr)
    if collection_path.suffix != ".py" or not left_out:
        return None
    marked = OF_THE_FILE.search(collection_path.read_text(encoding="utf-8"))
    marks = set(re.findall(r"pytest\.mark\.(\w+)", marked[1])) if marked else set()
    return True if marks & set(left_out) else None


class Module(pytest.Module):
    """A test module that is skipped if it needs the simulator and the simulator was deleted."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Import the module and return its tests."""
        try:
            return super().collect()
        except pytest.Collector.CollectError as error:
            cause = error.__cause__
            name = cause.name if isinstance(cause, ModuleNotFoundError) else None
            if HAS_SIMULATOR or (name or "").partition(".")[0] != SIMULATOR:
                raise
        pytest.skip(WITHOUT_SIMULATOR, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    """Collect each test module as a `Module`."""
    module: pytest.Module = Module.from_parent(parent, path=module_path)
    return module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose fixtures start the simulator if it was deleted."""
    if HAS_SIMULATOR:
        return
    for item in items:
        if NEEDS_SIMULATOR & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.skip(reason=WITHOUT_SIMULATOR))


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Fail any test that connects to a host other than this machine."""
    socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy of the project in which no packages are installed."""
    return fresh_checkout.copy_project(tmp_path_factory.mktemp("a new machine"))


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[SiteMaker]:
    """Start an app with custom settings: `make_site(clever_api_version="v1.2")`."""
    with ExitStack() as stack:

        def make(**changes: Any) -> Site:
            return stack.enter_context(running_app.run_in_process(tmp_path, **changes))

        yield make


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    """The app in this process, with the settings that `bin/dev` uses."""
    return make_site()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every pause of this process a moment, as if the time had passed."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.001)))


STARTS = {
    "in_process": "run_in_process",
    "deployed": "run_gunicorn_with_redis",
    "deployed_on_postgresql": "run_gunicorn_with_postgresql",
}
STORES = [
    "in_process",
    pytest.param("deployed", marks=pytest.mark.servers),
    pytest.param("deployed_on_postgresql", marks=[pytest.mark.servers, pytest.mark.long]),
]


@pytest.fixture(params=STORES)
def any_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SiteMaker]:
    """Run a test with files in this process, and on two gunicorn workers with each server."""
    start: Callable[..., Any] = getattr(running_app, STARTS[request.param])
    with ExitStack() as stack:

        def make(**changes: Any) -> Site:
            site: Site = stack.enter_context(start(tmp_path, **changes))
            return site

        yield make


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One PostgreSQL server for all tests of this process."""
    with running_app.run_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)]
# Marks a test whose SQL statements other tests of CI send to PostgreSQL.
POSTGRESQL_IS_LONG = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.servers, pytest.mark.long])],
    indirect=True,
)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str | None:
    """A database with empty tables, as a DATABASE_URL. None means SQLite in the instance folder."""
    if request.param == "sqlite":
        return None
    return running_app.new_database_with_tables(request.getfixturevalue("postgres"))


@pytest.fixture(params=DATABASES)
def database_without_tables(request: pytest.FixtureRequest) -> str | None:
    """A database, as a DATABASE_URL. None means SQLite, for which the app creates a file."""
    if request.param == "sqlite":
        return None
    return running_app.new_database(request.getfixturevalue("postgres"))
