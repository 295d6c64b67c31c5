"""Tests the boundaries of the lists that a sync reads: pages of events, and transactions."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from clever_login.api_versions import VERSIONS
from clever_login.db import models
from clever_login.db.models import utc_now
from clever_login.errors import CursorTooOld
from clever_login.roster_sync import event_sync, full_sync
from clever_login.roster_sync.limits.loss_limits import Loss
from clever_login.roster_sync.limits.net_changes import NetChanges
from tests.roster_sync.test_loss_limits import assert_as_at_clever, district_of, run, site
from tests.support.expected_rows import database_engine, sync_site
from tests.support.running_app import Site

PAGE, TRANSACTION = 4, 3
__all__ = ["site"]


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a page of events and a transaction a few events long."""
    monkeypatch.setattr(event_sync, "EVENTS_PER_PAGE", PAGE)
    monkeypatch.setattr(event_sync, "EVENTS_PER_TRANSACTION", TRANSACTION)


def rename(site: Site, number: int) -> str:
    """Send events that rename a student so many times. Returns the last name."""
    for place in range(number):
        site.clever.change_roster("name", "student", last=f"Adler {number} {place}")
    return f"Adler {number} {number - 1}"


def name_of_student(site: Site) -> str | None:
    own = models.Person.clever_id == site.person("student").id
    with database_engine(site).connect() as db:
        return db.scalar(select(models.Person.last_name).where(own))


def numbers_of_events(site: Site) -> list[int]:
    """Sync the district, and return the progress that it shows: how many events so far."""
    result = sync_site(site, "--district", district_of(site).id)
    assert result.exit_code == 0
    return list(map(int, re.findall(r"(\d+) events", result.stderr)))


@pytest.mark.usefixtures("short_pages")
def test_each_event_is_applied_once_and_in_order_whatever_the_number_of_pages(site: Site) -> None:
    for number in (1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 1):
        name = rename(site, number)
        progress = [*range(TRANSACTION, number, TRANSACTION), number]
        assert numbers_of_events(site) == progress
        assert name_of_student(site) == name
        assert numbers_of_events(site) == []


@pytest.mark.usefixtures("short_pages")
def test_an_event_that_arrives_while_events_are_checked_waits_for_the_next_sync(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has checked how much it removes."""
    name, check = rename(site, PAGE + 1), NetChanges.losses

    def check_later(
        changes: NetChanges, connection: Connection, district_id: str, limit: int
    ) -> list[Loss]:
        rename(site, 2)
        return check(changes, connection, district_id, limit)

    with monkeypatch.context() as patched:
        patched.setattr(NetChanges, "losses", check_later)
        assert numbers_of_events(site)[-1] == PAGE + 1
    assert name_of_student(site) == name
    assert numbers_of_events(site) == [2]


def test_a_full_read_in_many_transactions_writes_the_same_rows(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_sync, "RECORDS_PER_TRANSACTION", 7)
    site.clever.change_roster("name", "student", last="Adler")
    assert "people: 1 changed" in run(site, "--full")
    assert_as_at_clever(site)


@pytest.mark.parametrize(
    ("cursor", "days", "expected"),
    [
        ("v3.0:e1", 400, "e1"),  # Clever says itself that an event is too old
        ("v3.0:", 29.9, None),
        ("v3.0:", 30.1, CursorTooOld),
        ("v3.0:", None, None),
        ("v2.1:e1", 1, CursorTooOld),
        ("v2.1:", 1, CursorTooOld),
    ],
)
def test_a_cursor_is_continued_if_no_event_can_be_missed(
    cursor: str, days: float | None, expected: str | type[Exception] | None
) -> None:
    synced_at = None if days is None else utc_now() - timedelta(days=days)
    if expected is CursorTooOld:
        with pytest.raises(CursorTooOld):
            event_sync.parse_cursor(VERSIONS["v3.0"], cursor, synced_at)
        return
    assert event_sync.parse_cursor(VERSIONS["v3.0"], cursor, synced_at) == expected


def test_a_cursor_is_stored_up_to_the_length_of_its_column() -> None:
    """A longer one would end the sync on PostgreSQL. Then the district is read as a whole."""
    version = VERSIONS["v3.0"]
    for length, is_stored in ((63, True), (64, True), (65, False)):
        cursor = event_sync.format_cursor(version, "e" * (length - len("v3.0:")))
        assert (cursor is not None) == is_stored
