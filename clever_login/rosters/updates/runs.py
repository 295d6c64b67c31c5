"""The history of a district's syncs, as its administrators see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from clever_login.db.history.sync_runs import FAILED, INTERRUPTED, MAX_RUNS, is_interrupted
from clever_login.db.models import SyncRun, utc_now
from clever_login.rosters import visibility
from clever_login.rosters.records import NotVisible
from clever_login.rosters.updates.requests import wait_of_district
from clever_login.rosters.viewers import Viewer

# As a page lists them; the sync counts more.
SHOWN_KINDS = ("people", "sections", "schools", "terms", "enrollments")
SHOWN_CHANGES = ("new", "changed", "restored", "hidden", "archived", "removed")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One sync of the district. Times are in UTC."""

    id: str
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    mode: str | None
    progress: str | None
    counts: Mapping[str, Mapping[str, int]]
    is_gone: bool = field(repr=False)

    @property
    def state(self) -> str:
        """Return "waiting", "reading", "done", "failed", or "interrupted"."""
        if self.is_gone or self.mode == INTERRUPTED:
            return INTERRUPTED
        if self.finished_at is None:
            return "waiting" if self.progress is None else "reading"
        return "done" if self.mode in {"full read", "events"} else FAILED

    @property
    def is_in_progress(self) -> bool:
        """Whether the run has no result yet, and will have one."""
        return self.state in {"waiting", "reading"}

    @property
    def records_read(self) -> tuple[int, str]:
        """Return how many records of which kind were read last: (1200, "people")."""
        number, _, kind = (self.progress or "").partition(" ")
        return (int(number), kind) if number.isdecimal() else (0, "")

    @property
    def changes(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """Return what has changed, in the order of a page: ("people", [("new", 12)])."""
        rows = [
            (kind, [(change, counts[change]) for change in SHOWN_CHANGES if counts.get(change)])
            for kind in SHOWN_KINDS
            if (counts := self.counts.get(kind, {}))
        ]
        return [(kind, changes) for kind, changes in rows if changes]


@dataclass(frozen=True, kw_only=True)
class UpdateStatus:
    """The newest run of the district, and when an administrator can start the next one."""

    newest: Run | None
    wait_minutes: int  # 0: now


def load_update_status(connection: Connection, viewer: Viewer) -> UpdateStatus:
    """Return the newest run of a district administrator's district; nothing for other viewers."""
    now = utc_now()
    is_own = SyncRun.district_id.in_(visibility.visible_district_ids(viewer.role))
    row = connection.execute(
        _runs(connection, viewer, now).limit(1), viewer.with_values()
    ).one_or_none()
    if row is None:
        return UpdateStatus(newest=None, wait_minutes=0)
    wait = wait_of_district(connection, is_own, now, viewer.with_values())
    return UpdateStatus(newest=_run(row), wait_minutes=math.ceil(wait.total_seconds() / 60))


def list_runs(connection: Connection, viewer: Viewer) -> list[Run]:
    """Return the runs of the viewer's district, newest first."""
    query = _runs(connection, viewer, utc_now()).limit(MAX_RUNS)
    return [_run(row) for row in connection.execute(query, viewer.with_values())]


def find_run(connection: Connection, viewer: Viewer, run_id: str) -> Run:
    """Return one run of the viewer's district. Raises NotVisible if there is none."""
    query = _runs(connection, viewer, utc_now()).where(SyncRun.id == run_id)
    row = connection.execute(query, viewer.with_values()).one_or_none()
    if row is None:
        raise NotVisible
    return _run(row)


def _runs(connection: Connection, viewer: Viewer, now: datetime) -> Select[*tuple[Any, ...]]:
    columns = (SyncRun.id, SyncRun.trigger, SyncRun.started_at, SyncRun.finished_at)
    is_gone = is_interrupted(connection, now).label("is_gone")
    result = (SyncRun.mode, SyncRun.progress, SyncRun.counts, is_gone)
    is_own = SyncRun.district_id.in_(visibility.visible_district_ids(viewer.role))
    newest = SyncRun.started_at.desc(), SyncRun.id
    return select(*columns, *result).where(is_own).order_by(*newest)


def _run(row: Row[*tuple[Any, ...]]) -> Run:
    return Run(**row._asdict())
