"""Tests what every session store promises: files, Redis, and PostgreSQL."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from clever_login.storage.base import Store, probe
from tests.support.stores import open_store

STORES = [
    "files",
    *(pytest.param(kind, marks=pytest.mark.servers) for kind in ("redis", "postgresql")),
]
CALLERS = 8
Wait = Callable[[int], None]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kind = request.param
    server = request.getfixturevalue("postgres") if kind == "postgresql" else None
    with open_store(kind, tmp_path, server) as opened:
        yield opened


@pytest.fixture
def wait(request: pytest.FixtureRequest) -> Iterator[Wait]:
    """Let seconds pass. Servers have their own clocks, so the test waits for them."""
    if request.node.callspec.params["store"] == "files":
        with time_machine.travel("2026-09-01T08:00:00Z", tick=False) as clock:
            yield lambda seconds: clock.shift(timedelta(seconds=seconds))
    else:
        yield lambda seconds: time.sleep(seconds + 0.1)


def test_a_value_is_returned_until_it_is_deleted(store: Store) -> None:
    assert store.get("session-a") is None
    store.set("session-a", b"\x00\xff'; --", 60)
    assert store.get("session-a") == b"\x00\xff'; --"
    store.set("session-a", b"new", 60)
    assert store.get("session-a") == b"new"
    store.delete("session-a")
    store.delete("session-a")
    assert store.get("session-a") is None
    probe(store)


def test_a_value_that_was_deleted_is_not_written_again_by_a_late_request(store: Store) -> None:
    store.set("session-a", b"late", 60, only_existing=True)
    assert store.get("session-a") is None
    store.set("session-a", b"first", 60)
    store.set("session-a", b"second", 60, only_existing=True)
    assert store.get("session-a") == b"second"


def test_an_expired_value_is_as_good_as_deleted(store: Store, wait: Wait) -> None:
    store.set("session-a", b"short", 1)
    store.set("session-b", b"longer", 1)
    store.set("session-b", b"longer", 60, only_existing=True)
    assert store.add_if_absent("code-a", 1)
    wait(1)
    assert store.get("session-a") is None
    assert store.get("session-b") == b"longer"
    store.set("session-a", b"late", 60, only_existing=True)
    assert store.get("session-a") is None
    assert store.delete_matching("session-a") == 0
    assert store.add_if_absent("code-a", 60)
    assert not store.add_if_absent("code-a", 60)


def test_exactly_one_of_several_callers_adds_a_key(store: Store) -> None:
    winners: Counter[str] = Counter()
    keys = [f"code-{number}" for number in range(25)]
    with ThreadPoolExecutor(CALLERS) as threads:
        for key in keys:
            calls = [threads.submit(store.add_if_absent, key, 60, b"note") for _ in range(CALLERS)]
            winners[key] = sum(call.result() for call in calls)
    assert winners == dict.fromkeys(keys, 1)
    assert (store.get("code-0") or b"").startswith(b"note")


def test_a_pattern_deletes_the_keys_that_begin_with_it_and_no_others(store: Store) -> None:
    kept = ["session-axb-1", "session-axxb-1", "session-a", "state-a_b-1", r"session-a\b-1"]
    gone = ["session-a_b-1", "session-a_b-22", "session-a_b-"]
    percent = ["session-a%-1", "session-aa-1"]
    for key in (*kept, *gone, *percent):
        store.set(key, b"1", 60)
    assert store.delete_matching("session-a_b-*") == 3
    assert store.delete_matching("session-a%-*") == 1
    assert {key for key in (*kept, *gone, *percent) if store.get(key)} == {*kept, "session-aa-1"}
    assert store.delete_matching("session-*", lambda key: key.endswith("-1")) == 4
    assert {key for key in kept if store.get(key)} == {"session-a", "state-a_b-1"}


def test_values_are_found_by_a_pattern_and_a_filter_but_not_when_they_have_expired(
    store: Store, wait: Wait
) -> None:
    store.set("session-a_1", b"\x00a", 60)
    store.set("session-b%2", b"b", 60)
    store.set("state-a", b"c", 60)
    store.set("session-old", b"d", 1)
    wait(1)
    assert store.find("session-*") == {"session-a_1": b"\x00a", "session-b%2": b"b"}
    assert store.find("session-*", lambda key: "a" in key) == {"session-a_1": b"\x00a"}
    assert store.find("session-a%*") == {}
