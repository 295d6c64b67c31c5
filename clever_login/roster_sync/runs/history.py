"""Writes the history of syncs: one row for each sync of a district, with its progress."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from clever_login.db.history.sync_runs import (
    INTERRUPTED,
    LIMIT_PERIOD,
    MAX_AGE,
    MAX_RUNS,
    Trigger,
    is_interrupted,
)
from clever_login.db.models import SyncRun, new_id, utc_now
from clever_login.roster_sync.district_run import TransactionRunner
from clever_login.roster_sync.results import SyncResult
from clever_login.roster_sync.writer import Counts

PROGRESS_INTERVAL_SECONDS = 2  # between two writes of the progress
# Other messages are sentences for operators, which pages could not translate.
PROGRESS_PATTERN = re.compile(r"\d+ [a-z]+")
MAX_PROBLEM_LENGTH = 500


@dataclass
class RunHistory:
    """The runs of one sync. `requested_id` is a run that exists because somebody asked for it.

    `counts` are those of the current run, as far as it has come.
    """

    transactions: TransactionRunner
    trigger: Trigger
    requested_id: str | None = None
    counts: Counts = field(default_factory=Counts, init=False)
    _run_id: str = field(default="", init=False)
    _noted_at: float = field(default=0.0, init=False)

    def finish_interrupted(self) -> None:
        """Finish the runs that former syncs left unfinished. Call this while holding the lock."""

        def work(connection: Connection) -> None:
            has_no_process = or_(
                SyncRun.progress.is_not(None), is_interrupted(connection, utc_now())
            )
            left = and_(SyncRun.finished_at.is_(None), has_no_process)
            if self.requested_id:
                left = and_(left, SyncRun.id != self.requested_id)
            values = {"finished_at": utc_now(), "mode": INTERRUPTED}
            connection.execute(update(SyncRun).where(left).values(values))

        self.transactions.run_in_transaction(work)

    def begin(self, district_id: str) -> None:
        """Begin the run of a district, whose row exists."""
        self.counts, self._noted_at = Counts(), time.monotonic()
        self._run_id = self.requested_id or new_id()
        began_at = utc_now()

        def work(connection: Connection) -> None:
            was_requested = (SyncRun.id == self._run_id) & (SyncRun.district_id == district_id)
            values = {"progress": "", "waits_until": None}
            if connection.execute(update(SyncRun).where(was_requested).values(values)).rowcount:
                return
            row = {"district_id": district_id, "trigger": self.trigger, "started_at": began_at}
            connection.execute(insert(SyncRun).values(id=self._run_id, counts={}, **row, **values))

        self.transactions.run_in_transaction(work)

    def note_progress(self, message: str) -> None:
        """Write how far the run has come, at most every PROGRESS_INTERVAL_SECONDS."""
        now = time.monotonic()
        if PROGRESS_PATTERN.fullmatch(message) and now - self._noted_at > PROGRESS_INTERVAL_SECONDS:
            self._noted_at = now
            statement = update(SyncRun).where(SyncRun.id == self._run_id).values(progress=message)
            self.transactions.run_in_transaction(lambda db: db.execute(statement))

    def finish(self, result: SyncResult) -> None:
        """Write the result of the run, and delete the district's oldest runs."""
        values = result_values(result, self.counts)

        def work(connection: Connection) -> None:
            connection.execute(update(SyncRun).where(SyncRun.id == self._run_id).values(values))
            delete_old_runs(connection, result.district_id, utc_now())

        self.transactions.run_in_transaction(work)


def result_values(result: SyncResult, counts: Counts) -> dict[str, Any]:
    """Return the columns of a finished run. `counts` are those of the run until it failed."""
    held = f"on hold: {', '.join(result.held_losses)} missing." if result.held_losses else ""
    problem = " ".join(filter(None, (result.reason, held)))
    return {
        "finished_at": utc_now(),
        "mode": result.mode,
        "counts": _nested(result.counts or counts),
        "problem": problem[:MAX_PROBLEM_LENGTH] or None,
    }


def delete_old_runs(connection: Connection, district_id: str, now: datetime) -> None:
    """Delete the runs of a district that are too old, and all but the newest MAX_RUNS.

    Runs that count for the administrators' limit stay for LIMIT_PERIOD.
    """
    own = SyncRun.district_id == district_id
    newest = select(SyncRun.id).where(own).order_by(SyncRun.started_at.desc(), SyncRun.id)
    is_limited = and_(
        SyncRun.trigger == Trigger.ADMINISTRATOR, SyncRun.started_at > now - LIMIT_PERIOD
    )
    is_old = or_(
        SyncRun.started_at < now - MAX_AGE,
        and_(SyncRun.id.not_in(newest.limit(MAX_RUNS)), ~is_limited),
    )
    connection.execute(delete(SyncRun).where(own, is_old))


def _nested(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return {"people": {"new": 12}} for {("people", "new"): 12}."""
    nested: dict[str, dict[str, int]] = {}
    for (kind, change), number in counts.items():
        if number:
            nested.setdefault(kind, {})[change] = number
    return nested
