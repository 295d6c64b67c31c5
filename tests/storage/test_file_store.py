"""Tests the file that stores sessions: what happens to the file, and which values count."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import time_machine

from clever_login.errors import StoreUnavailable
from clever_login.storage.base import probe
from clever_login.storage.file_store import FileStore
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


def test_session_files_of_version_0_1_are_deleted(make_site: SiteMaker, tmp_path: Path) -> None:
    old = tmp_path / "store" / "session-abc"
    old.parent.mkdir(mode=0o700)
    old.write_bytes(b"sealed")
    assert by_button(make_site(instance_path=str(tmp_path)), "student").role == "student"
    assert not old.exists()


def test_an_expired_value_counts_as_absent(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        for key in ("session-a", "session-b", "once"):
            store.set(key, b"value", 10)
        clock.shift(9)
        assert store.get("session-a") == b"value"
        assert not store.add_if_absent("once", 10)
        store.set("session-b", b"changed", 10, only_existing=True)
        clock.shift(1)
        store.set("session-a", b"of a slow page", 10, only_existing=True)
        assert (store.get("session-a"), store.get("session-b")) == (None, b"changed")
        assert store.add_if_absent("once", 10)
        assert store.delete_matching("session-*") == 1
        assert store.get("session-b") is None


def test_a_forked_process_opens_the_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = FileStore(tmp_path)
    store.set("key", b"value", 10)
    of_the_parent = store._connection
    store.get("key")
    assert store._connection is of_the_parent
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert store.get("key") == b"value"
    assert store._connection is not of_the_parent


@pytest.mark.parametrize("method", ["set", "delete"])
def test_a_store_that_does_not_do_what_it_says_is_not_ready(tmp_path: Path, method: str) -> None:
    store = FileStore(tmp_path)
    probe(store)
    setattr(store, method, lambda *_, **__: None)
    with pytest.raises(StoreUnavailable, match="could not be read back"):
        probe(store)
