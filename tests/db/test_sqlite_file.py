"""Tests that an unusable SQLite file gives 503 with the cause, and that the app recovers."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from clever_login.storage.private_files import DATABASE_FILE, SQLITE_SUFFIXES
from tests.conftest import SiteMaker
from tests.support.browser_client import send_request
from tests.support.login_flows import by_button


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    """Damage the file, like a disk that has lost part of it."""
    backup = file.with_suffix(".kept")
    shutil.copy(file, backup)
    content = bytearray(file.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    file.write_bytes(content)
    yield
    backup.replace(file)


@contextmanager
def overwritten(file: Path) -> Iterator[None]:
    backup = file.with_suffix(".kept")
    file.replace(backup)
    file.write_text("This is no database, but a text. " * 100)
    yield
    backup.replace(file)


@contextmanager
def without_a_folder(file: Path) -> Iterator[None]:
    """Replace the folder, as when a disk is not mounted and its mount point is not writable."""
    moved = file.parent.with_name("elsewhere")
    file.parent.rename(moved)
    file.parent.write_text("not a folder")
    yield
    file.parent.unlink()
    moved.rename(file.parent)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


CASES = [
    pytest.param(damaged, "the database file is damaged", id="damaged"),
    pytest.param(overwritten, "is not a SQLite file", id="overwritten"),
    pytest.param(without_a_folder, "the database file cannot be created", id="no folder"),
    pytest.param(locked, "is locked by another process", id="locked", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("sick", "cause"), CASES)
def test_an_unusable_database_file_gives_503_with_its_cause_until_it_is_usable(
    make_site: SiteMaker,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    sick: type,
    cause: str,
) -> None:
    instance = tmp_path / "disk" / "instance"
    file = instance / DATABASE_FILE
    site = make_site(instance_path=str(instance))
    file.parent.mkdir(parents=True, exist_ok=True)
    database_file = tmp_path / "database" / DATABASE_FILE  # separate from the sessions
    database_file.parent.mkdir()
    file.symlink_to(database_file)
    assert by_button(site, "student").path == "/dashboard"
    assert not any(
        database_file.with_name(DATABASE_FILE + end).exists() for end in SQLITE_SUFFIXES[1:]
    )
    with sick(database_file):
        visitor = by_button(site, "student")
        assert (visitor.response.status_code, visitor.code) == (503, "database_unavailable")
        ready = send_request(f"{site.url}/readyz")
        assert (ready.status_code, cause in ready.text) == (503, True), ready.text
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert any(cause in str(json.loads(line).get("reason")) for line in lines)
    assert by_button(site, "student").path == "/dashboard"
    assert send_request(f"{site.url}/readyz").text == "ready\n"
