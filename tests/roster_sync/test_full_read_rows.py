"""Tests the rows in which a full read notes what it has seen: they never outlive it for long."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from clever_login.db import models
from clever_login.db.models import RoleAssignment, SeenRecord, StaleLink
from clever_login.roster_sync.removals import removal
from clever_login.roster_sync.removals.snapshot import Snapshot
from tests.roster_sync.test_loss_limits import BOTH_SYNCS, district_of, run, site
from tests.roster_sync.test_removals import state_of
from tests.support.expected_rows import database_engine
from tests.support.running_app import Site

__all__ = ["site"]


def notes(site: Site) -> int:
    """Return how many rows of full reads there are."""
    with database_engine(site).connect() as db:
        tables = (SeenRecord, StaleLink)
        return sum(db.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def note_all_people(site: Site) -> Snapshot:
    """Write the rows of a full read that was killed after it had seen everybody."""
    snapshot = Snapshot(district_id=district_of(site).id, started_at=models.utc_now())
    ids = [person.id for person in site.clever.people.people_of(district_of(site))]
    with database_engine(site).begin() as db:
        snapshot.add_seen(db, "people", ids)
        snapshot.note_stale(db, RoleAssignment, ["p1"], [("p1", "s1", "student")], ())
    return snapshot


def test_a_full_read_leaves_no_rows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    finish = removal.finish_full_read

    def finish_and_count(connection: Any, *rest: Any, **options: Any) -> Any:
        seen.append(connection.scalar(select(func.count()).select_from(SeenRecord)))
        return finish(connection, *rest, **options)

    monkeypatch.setattr(removal, "finish_full_read", finish_and_count)
    run(site, "--full")
    assert seen[0] > len(site.clever.people.people_of(district_of(site)))
    assert notes(site) == 0


@BOTH_SYNCS
def test_the_next_sync_deletes_the_rows_of_a_read_that_was_killed(
    site: Site, words: tuple[str, ...]
) -> None:
    note_all_people(site)
    site.clever.change_roster("unshared", "student")
    run(site, *words)
    assert notes(site) == 0
    student = site.person("student").id
    assert state_of(site, student) == ("hidden" if words else "archived")


def test_a_read_that_has_lost_its_lock_leaves_the_rows_of_the_other_alone(site: Site) -> None:
    """It is slow: another sync has taken over. Its end must not make everybody look missing."""
    slow, other = note_all_people(site), note_all_people(site)
    with database_engine(site).begin() as db:
        slow.delete(db)
        assert db.scalars(select(StaleLink.read_id)).all() == [other.read_id]
        assert other.count_missing(db, ["people"])["people"] == 0
        assert slow.count_missing(db, ["people"])["people"] > 1
