"""Tests /readyz: whether the stores are writable, however often a platform asks."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from clever_login.web import health
from tests.conftest import SiteMaker
from tests.support import session_file
from tests.support.account_app import record_statements, school
from tests.support.browser_client import send_request
from tests.support.fake_time import fake_time
from tests.support.running_app import Site

__all__ = ["school"]
ASKED = 40


def test_concurrent_readiness_requests_share_a_few_checks(school: Site) -> None:
    assert send_request(f"{school.url}/readyz").text == "ready\n"
    with record_statements(school) as statements, ThreadPoolExecutor(ASKED) as threads:
        responses = list(
            threads.map(lambda _: send_request(f"{school.url}/readyz").text, range(ASKED))
        )
    assert set(responses) == {"ready\n"}
    checks = [
        statement for statement in statements if statement.startswith("INSERT INTO clever_locks")
    ]
    assert len(checks) <= ASKED / 4


def test_ready_is_checked_once_a_second(school: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = fake_time(monkeypatch, health)
    with record_statements(school) as statements:
        for seconds, checks in ((0, 1), (0.75, 1), (0.25, 2), (0, 2)):
            clock.sleep(seconds)
            assert send_request(f"{school.url}/readyz").text == "ready\n"
            writes = [s for s in statements if s.startswith("INSERT INTO clever_locks")]
            assert len(writes) == checks


class TickingTime:
    """A clock that moves at each look, and counts them."""

    looks = 0

    def monotonic(self) -> int:
        self.looks += 1
        return self.looks


def test_requests_that_wait_for_a_check_share_the_next_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = threading.Event(), threading.Event()
    checks = []

    def check() -> str:
        checks.append("check")
        started.set()
        go_on.wait(20)
        return "not today"

    assert site.app is not None
    health.add_check(site.app, check)
    clock = TickingTime()
    monkeypatch.setattr(health, "time", clock)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(send_request, f"{site.url}/readyz")
        started.wait(20)
        others = [threads.submit(send_request, f"{site.url}/readyz") for _ in range(8)]
        while clock.looks < 10:  # until all others have arrived
            time.sleep(0.01)
        go_on.set()
        assert {answer.result().text for answer in (first, *others)} == {"not today\n"}
    assert len(checks) == 2


def test_a_request_that_waits_too_long_for_a_check_is_told_that_it_runs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def check() -> None:
        started.set()
        go_on.wait(20)

    assert site.app is not None
    health.add_check(site.app, check)
    monkeypatch.setattr(health, "WAIT_SECONDS", 0.01)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(send_request, f"{site.url}/readyz")
        started.wait(20)
        second = send_request(f"{site.url}/readyz")
        go_on.set()
        assert first.result().text == "ready\n"
    assert (second.status_code, second.text) == (503, "another check is still running\n")


def test_a_readiness_check_leaves_no_data_behind(school: Site) -> None:
    with record_statements(school) as statements:
        assert send_request(f"{school.url}/readyz").text == "ready\n"
    assert [statement.partition(" clever_locks")[0] for statement in statements][-2:] == [
        "INSERT INTO",
        "DELETE FROM",
    ]
    assert session_file.values(school) == {}


def test_readiness_changes_are_logged_once(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = make_site()
    store = session_file.folder_of(site)
    store.write_text("not a folder")
    for _ in range(3):
        response = send_request(f"{site.url}/readyz")
        assert response.status_code == 503
        assert "the session folder cannot be used" in response.text
    store.unlink()
    for _ in range(3):
        assert send_request(f"{site.url}/readyz").text == "ready\n"
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [json.loads(line)["event"] for line in lines] == ["not_ready", "ready_again"]
