"""Tests the file that stores sessions: what happens to the file, and its content."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import time_machine

from tests.conftest import SiteMaker
from tests.support import session_file
from tests.support.browser_client import send_request
from tests.support.login_flows import by_button
from tests.support.running_app import Site


def test_a_deleted_session_file_is_recreated(site: Site) -> None:
    visitor = by_button(site, "student")
    for path in session_file.folder_of(site).iterdir():
        path.unlink()
    assert visitor.open("/dashboard").path == "/"
    assert by_button(site, "student").role == "student"
    assert len(session_file.values(site, "session-*")) == 1


def test_a_damaged_session_file_gives_503_until_it_is_deleted(site: Site) -> None:
    folder = session_file.folder_of(site)
    folder.mkdir()
    (folder / "sessions.sqlite3").write_bytes(b"not a database" * 100)
    response = send_request(f"{site.url}/readyz")
    assert response.status_code == 503
    assert "file is not a database" in response.text
    (folder / "sessions.sqlite3").unlink()
    assert by_button(site, "student").role == "student"


def test_expired_values_are_removed_from_the_session_file(site: Site) -> None:
    with time_machine.travel("2026-09-01 08:00Z", tick=False) as clock:
        by_button(site, "student")
        (first,) = session_file.values(site, "session-*")
        clock.shift(timedelta(days=2))
        by_button(site, "teacher")
        assert first not in session_file.values(site)


def test_session_files_of_version_0_1_are_deleted(make_site: SiteMaker, tmp_path: Path) -> None:
    old = tmp_path / "store" / "session-abc"
    old.parent.mkdir(mode=0o700)
    old.write_bytes(b"sealed")
    assert by_button(make_site(instance_path=str(tmp_path)), "student").role == "student"
    assert not old.exists()
