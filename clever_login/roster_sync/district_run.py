"""One district's sync: what full reads and event syncs have in common.

A sync runs in steps. Each step is one transaction, which first renews the lock.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from clever_login.api_versions import ApiVersion
from clever_login.clever.district_api.events import DistrictEvents
from clever_login.clever.district_api.roster_client import Roster
from clever_login.clever.parsing import ReadReport
from clever_login.db import models
from clever_login.db.driver_errors import is_conflict
from clever_login.errors import ReceiverFailed
from clever_login.roster_sync.limits.loss_limits import Loss
from clever_login.roster_sync.lock import HeldLock
from clever_login.roster_sync.writer import Counts, WriteResult
from clever_login.sessions import end_sessions

T = TypeVar("T")
RETRY_PAUSES_SECONDS = (0.1, 0.5, 2.0, 5.0)  # a conflicting login takes only a moment


@dataclass(frozen=True, kw_only=True)
class TransactionRunner:
    """Runs the steps of a sync on one connection, under a lock."""

    connection: Connection
    lock: HeldLock

    def run_in_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result; retry after a conflict.

        `work` must leave the same rows if it runs twice. A conflict of a signal receiver is retried
        too. Raises ReceiverFailed if a receiver fails otherwise, or again.
        """
        for pause in RETRY_PAUSES_SECONDS:
            try:
                return self._once(work)
            except (IntegrityError, OperationalError):  # a concurrent login, a deadlock, a lock
                if self.connection.invalidated:
                    raise
            except ReceiverFailed as error:
                if not is_conflict(error.error):
                    raise
            time.sleep(pause)
        return self._once(work)

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.connection.begin():
                self.lock.renew(self.connection)
                return work(self.connection)
        except ReceiverFailed as error:
            if self.connection.invalidated and isinstance(error.error, DBAPIError):
                raise error.error from None  # the database failed, not the receiver
            raise


@dataclass(frozen=True, kw_only=True)
class DistrictSync:
    """A district, how to read it, and where to write it.

    `clever_sync_at` is the district's `last_clever_sync`. `report_progress` shows progress to an
    operator. `report` is shared by `roster` and `events`: it collects what they could not parse.
    """

    transactions: TransactionRunner
    district_id: str
    version: ApiVersion
    roster: Roster
    events: DistrictEvents
    confirm_archive: bool
    clever_sync_at: datetime | None  # as Clever reported it before the first list was read
    report_progress: Callable[[str], None]
    report: ReadReport
    removal_limit: int  # percent
    excessive_losses: list[Loss] = field(default_factory=list)  # put on hold in this run
    unread_kinds: set[str] = field(default_factory=set)  # that Clever does not let the app read
    counts: Counts = field(default_factory=Counter)
    started_at: datetime = field(default_factory=models.utc_now)

    def write(self, step: Callable[[Connection], WriteResult]) -> None:
        """Run a step that writes records, count it, and end the sessions that have to end."""
        result = self.transactions.run_in_transaction(step)
        self.counts.update(result.counts)
        self.report.other_districts.update(result.other_districts)
        end_sessions.by_clever_id(people=(*result.logged_out, *result.former_ids))

    def save_cursor(self, connection: Connection, cursor: str | None) -> None:
        """Store the cursor, in the same transaction as the events it covers."""
        self._update_district(connection, cursor=cursor)

    def save_full_read(self, connection: Connection, cursor: str | None) -> None:
        """Store the cursor and the time of a full read."""
        self._update_district(
            connection,
            cursor=cursor,
            full_read_at=self.started_at,
            clever_sync_at=self.clever_sync_at,
        )

    def _update_district(self, connection: Connection, **values: object) -> None:
        is_district = models.District.id == self.district_id
        connection.execute(update(models.District).where(is_district).values(values))
