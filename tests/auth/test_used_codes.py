"""Tests that a dropped, refused, or exchanged code logs nobody in from another browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine

from clever_login.auth import used_codes
from clever_login.errors import StoreUnavailable
from clever_login.storage.file_store import FileStore
from tests.support import session_file
from tests.support.browser_client import Visitor, send_request
from tests.support.fake_time import fake_time
from tests.support.login_flows import (
    at_the_portal,
    by_portal,
    code_of,
    exchanges,
    launch_tile,
    log_in_at_clever,
    stop_before_callback,
    with_code,
)
from tests.support.running_app import Site


def code_of_a_launch(site: Site, portal: Visitor) -> str:
    """Return the code of a Portal launch that has not reached the app yet."""
    portal.open(f"{site.clever.url}/in/{site.person('student').district.shortname}")
    portal.stop_at = "/oauth/callback"
    return code_of(launch_tile(portal, site).url)


def refuse_a_subresource(site: Site, code: str) -> None:
    headers = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert (
        send_request(f"{site.url}/oauth/callback?code={code}", headers=headers).status_code == 400
    )


def refuse_a_frame(site: Site, code: str) -> None:
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert (
        send_request(f"{site.url}/oauth/callback?code={code}", headers=headers).status_code == 200
    )


def refuse_another_host(site: Site, code: str) -> None:
    headers = {"Host": "other.test", "Accept": "text/html"}
    assert (
        send_request(f"{site.url}/oauth/callback?code={code}", headers=headers).status_code == 400
    )


def refuse_a_broken_query(site: Site, code: str) -> None:
    request = f"GET /oauth/callback?code={code}&x=\xff HTTP/1.1\r\nConnection: close\r\n"
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"{request}Host: {address.netloc}\r\n\r\n".encode("latin-1"))
        with connection.makefile("rb") as response:
            assert response.readline().split()[1] == b"400"


def repeat_a_used_state(site: Site, code: str) -> None:
    visitor = stop_before_callback(site, "student2")
    url, cookies = visitor.url, dict(visitor.http.cookies)
    assert visitor.open(url).path == "/dashboard"
    repeated = send_request(with_code(url, code), cookies=cookies, headers={"Accept": "text/html"})
    assert repeated.headers["Location"].startswith("/login/again")


def refuse_another_issuer(site: Site, code: str) -> None:
    visitor = stop_before_callback(site, "student2")
    visitor.open(f"{with_code(visitor.url, code)}&iss=https://evil.test")
    assert visitor.code == "bad_callback"


def refuse_an_error_beside_it(site: Site, code: str) -> None:
    visitor = stop_before_callback(site, "student2")
    visitor.open(f"{with_code(visitor.url, code)}&error=access_denied")
    assert visitor.code == "login_cancelled"


def restart_a_launch(site: Site, code: str) -> None:
    visitor = site.visitor()
    visitor.stop_at = "/oauth/authorize"
    assert visitor.open(f"/oauth/callback?code={code}").path == "/oauth/authorize"


def refuse_an_unknown_state(site: Site, code: str) -> None:
    visitor = site.visitor().open(f"/oauth/callback?code={code}&state=forged")
    assert visitor.code == "login_expired"


def refuse_a_repeated_parameter(site: Site, code: str) -> None:
    visitor = site.visitor().open(f"/oauth/callback?code=x&state=forged&code={code}")
    assert visitor.code == "bad_callback"


def look_ahead_of_a_launch(site: Site, code: str) -> None:
    headers = {"Sec-Purpose": "prefetch"}
    assert (
        send_request(f"{site.url}/oauth/callback?code={code}", headers=headers).status_code == 204
    )


NOT_EXCHANGED: tuple[Callable[[Site, str], None], ...] = (
    restart_a_launch,
    look_ahead_of_a_launch,
    refuse_a_subresource,
    refuse_a_frame,
    refuse_another_host,
    refuse_a_broken_query,
    refuse_an_unknown_state,
    refuse_a_repeated_parameter,
    repeat_a_used_state,
    refuse_another_issuer,
    refuse_an_error_beside_it,
)


def test_an_unexchanged_code_is_useless_in_another_browser(site: Site) -> None:
    portal = at_the_portal(site, "student")
    thief = stop_before_callback(site, "teacher")
    for drop in NOT_EXCHANGED:
        code = code_of_a_launch(site, portal)
        drop(site, code)
        stop_before_callback(site, "teacher", thief)
        before = exchanges(site)
        thief.open(with_code(thief.url, code))
        assert thief.role == "teacher", drop.__name__  # after a silent restart with a new code
        assert exchanges(site) == before + 1, drop.__name__


def test_the_code_of_an_expired_login_is_useless_afterwards(site: Site) -> None:
    with time_machine.travel("2026-10-01T08:00:00Z", tick=False) as clock:
        visitor = site.visitor()
        visitor.open(f"/login?district_id={site.person('student').district.id}")
        clock.shift(60 * 60)  # at Clever's login form
        visitor.stop_at = "/oauth/callback"
        code = code_of(log_in_at_clever(visitor, "student").url)
        visitor.stop_at = "/oauth/authorize"
        assert visitor.open(visitor.url).path == "/oauth/authorize"
        thief = stop_before_callback(site, "teacher")
        assert thief.open(with_code(thief.url, code)).role == "teacher"


def test_the_code_of_a_failed_login_is_useless_afterwards(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    code = code_of(visitor.url)
    site.clever.add_fault("token", times=2, status=500)  # so Clever would still accept the code
    assert visitor.open(visitor.url).code == "clever_unavailable"
    thief = stop_before_callback(site, "teacher")
    assert thief.open(with_code(thief.url, code)).role == "teacher"


def test_a_code_received_while_the_store_was_down_is_useless_afterwards(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    code = code_of_a_launch(site, at_the_portal(site, "student"))
    folder = session_file.folder_of(site)
    folder.write_text("not a folder")
    restart_a_launch(site, code)
    folder.unlink()
    assert '"event": "code_not_shared"' in capfd.readouterr().err
    thief = stop_before_callback(site, "teacher")
    assert thief.open(with_code(thief.url, code)).role == "teacher"


class SlowStore:
    """A store in which adding a code for the first time takes as long as the test wants."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.arrived, self.go_on = threading.Event(), threading.Event()

    def add_if_absent(self, key: str, seconds: int) -> bool:
        if not self.arrived.is_set():
            self.arrived.set()
            self.go_on.wait(20)
        added: bool = self._store.add_if_absent(key, seconds)
        return added


def test_a_second_click_does_not_use_up_the_code_of_the_first(site: Site) -> None:
    visitor = stop_before_callback(site, "student")
    assert site.app is not None
    codes: Any = site.app.extensions["clever_login_used_codes"]
    codes._store = late = SlowStore(codes._store)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(send_request, visitor.url, cookies=dict(visitor.http.cookies))
        late.arrived.wait(20)
        second = send_request(visitor.url, cookies=dict(visitor.http.cookies))
        late.go_on.set()
        assert first.result().status_code == 303
    assert second.headers["Location"].startswith("/login/again")


def test_reloading_or_going_back_to_a_launch_logs_in_again(site: Site) -> None:
    visitor = by_portal(site, "student")
    launch = next(hop.url for hop in visitor.hops if "/oauth/callback" in hop.url)
    assert "state=" not in launch
    for _ in range(2):
        assert visitor.open(launch).path == "/dashboard"


def test_two_used_codes_in_a_row_show_an_error_page(site: Site) -> None:
    code = code_of_a_launch(site, at_the_portal(site, "student"))
    restart_a_launch(site, code)
    visitor = stop_before_callback(site, "teacher")
    visitor.stop_at = "/oauth/callback"
    visitor.open(with_code(visitor.url, code))
    visitor.stop_at = None
    assert visitor.open(with_code(visitor.url, code)).code == "code_used"


class BrokenStore:
    """A store that does not answer, and counts how often it was asked."""

    asked = 0

    def add_if_absent(self, key: str, _seconds: int) -> bool:
        self.asked += 1
        raise StoreUnavailable(key)


def test_a_broken_store_is_asked_about_dropped_codes_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, store = fake_time(monkeypatch, used_codes), BrokenStore()
    codes = used_codes.UsedCodes(store)  # type: ignore[arg-type] # only this method is called
    for seconds, asked in ((0, 1), (0, 1), (4.5, 1), (0.5, 2), (0, 2)):
        clock.sleep(seconds)
        assert not codes.drop(f"code after {seconds} s")
        assert store.asked == asked


@pytest.mark.parametrize("start", [0, 60, 119])
def test_a_code_that_only_one_process_knows_is_refused_for_two_minutes(
    monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    clock = fake_time(monkeypatch, used_codes)
    codes = used_codes.UsedCodes(BrokenStore())  # type: ignore[arg-type]
    clock.sleep(start)
    codes.drop("code")
    clock.sleep(120)
    assert not codes.claim("code")
    clock.sleep(240)
    with pytest.raises(StoreUnavailable):  # the process has forgotten it
        codes.claim("code")


def test_two_minutes_after_a_flood_a_process_shares_dropped_codes_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = fake_time(monkeypatch, used_codes)
    codes = used_codes.UsedCodes(FileStore(tmp_path), most_dropped=1)
    assert codes.drop("first")
    assert not codes.drop("second")
    clock.sleep(121)
    assert codes.drop("third")


def test_a_flood_of_codes_neither_fills_the_store_nor_frees_a_code(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first, second = (used_codes.UsedCodes(store, most_dropped=50) for _ in range(2))
    assert second.claim("exchanged")
    assert first.drop("dropped before the flood")
    shared = [first.drop(f"junk {number}") for number in range(100)]
    assert shared.count(True) == 49
    assert len(session_file.values_in(tmp_path)) == 51
    assert not first.drop("dropped during the flood")  # only this process knows it
    for number in range(5000):
        first.drop(f"more junk {number}")
    for process in (first, second):
        assert not process.claim("exchanged")
        assert not process.claim("dropped before the flood")
    assert not first.claim("dropped during the flood")
    assert first.claim("a login during the flood")
    assert used_codes.MAX_DROPPED == 5000  # as documented in SECURITY.md
