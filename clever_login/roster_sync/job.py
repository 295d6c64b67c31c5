"""Syncs the districts one after another, and reports the results to operators and the log.

First come districts that the list no longer has, then the listed ones.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from clever_login.clever.district_api.roster_client import Roster
from clever_login.clever.parsing import ReadReport, format_counts
from clever_login.clever.records import DistrictRecord
from clever_login.config import Settings
from clever_login.db import models
from clever_login.db.database import database, not_ready_reason
from clever_login.db.history.sync_runs import LOCK_NAME, Trigger
from clever_login.districts import Districts, districts_announcing_waits
from clever_login.errors import (
    CleverKeepsFailing,
    CleverUnavailable,
    CleverUnexpected,
    CursorTooOld,
    DistrictDisconnected,
    EventsNotEnabled,
    LoginError,
    NoSecureSync,
    NotShared,
    ReceiverFailed,
    RosterError,
    StoreUnavailable,
    describe_for_operator,
)
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.roster_sync import (
    district_records,
    event_sync,
    lock,
    read_plan,
    receiver_failures,
)
from clever_login.roster_sync.district_run import DistrictSync, TransactionRunner
from clever_login.roster_sync.event_sync import EVENTS_PER_PAGE, apply_events
from clever_login.roster_sync.full_sync import read_everything
from clever_login.roster_sync.limits.loss_limits import Loss
from clever_login.roster_sync.read_plan import ReadHistory
from clever_login.roster_sync.removals import held_removals, removal, snapshot
from clever_login.roster_sync.results import (
    SyncMode,
    SyncResult,
    describe_state,
    describe_stop,
    describe_unread,
)
from clever_login.roster_sync.runs.history import RunHistory
from clever_login.roster_sync.writer import WriteResult
from clever_login.services import services
from clever_login.sessions import end_sessions

MAX_FAILURES_IN_A_ROW = 3  # each took six attempts
# Problems shown to district administrators; others are temporary, or for the operator to fix.
HELD_PROBLEM = "too_many"
PROBLEM_BY_ERROR: dict[type[Exception], str] = {
    DistrictDisconnected: "token",
    NoSecureSync: "no_rosters",
}


class UnsupportedVersion(RosterError):
    """Clever has switched this version of its API off, so it returns no rosters."""


class DatabaseNotReady(RosterError):
    """The database does not respond, or its tables are outdated."""


@dataclass(frozen=True, kw_only=True)
class SyncOptions:
    """The operator's options for a sync.

    `run_id` is the run that an administrator of the district has asked for.
    """

    district: str | None = None
    full: bool = False
    confirm_archive: bool = False
    trigger: Trigger = Trigger.COMMAND
    run_id: str | None = None


def run_sync(options: SyncOptions, report_progress: Callable[[str], None]) -> Iterator[SyncResult]:
    """Sync the districts with Clever; yield the result of each when it is done.

    Raises UnsupportedVersion, DatabaseNotReady, AlreadyRunning, LockLost and the errors of
    `Districts.ids()`, which end the whole sync, and CleverKeepsFailing after the last result if
    Clever failed for several districts in a row. Raises DistrictDisconnected if Clever has no token
    for the district that was asked for.
    """
    app_districts = districts_announcing_waits()
    version = app_districts.services.version
    if version.support.status == "retired":
        raise UnsupportedVersion(
            f"The sync cannot read rosters from Clever's API {version.name}, because Clever "
            "switched v1.1 and v1.2 off in December 2022. Set CLEVER_API_VERSION to v3.0, or to "
            "the version that Clever gave your app: v2.0, v2.1, or v3.1."
        )
    if reason := not_ready_reason():
        raise DatabaseNotReady(f"{reason[0].upper()}{reason[1:]}.")
    with (
        database().engine.connect() as connection,
        lock.hold_lock(connection, LOCK_NAME) as held_lock,
    ):
        transactions = TransactionRunner(connection=connection, lock=held_lock)
        runs = RunHistory(transactions, options.trigger, options.run_id)
        job = _SyncJob(app_districts, transactions, options, report_progress, runs)
        yield from job.results()


@dataclass(frozen=True)
class _SyncJob:
    districts: Districts
    transactions: TransactionRunner
    options: SyncOptions
    report_progress: Callable[[str], None]
    runs: RunHistory

    def results(self) -> Iterator[SyncResult]:
        self.runs.finish_interrupted()
        self.transactions.run_in_transaction(snapshot.delete_leftovers)
        listed_ids = self.districts.ids()
        names = self.transactions.run_in_transaction(district_records.connected_districts)
        requested, allowed = self.options.district, self._settings.clever_district_ids
        if requested and requested not in {*listed_ids, *names}:
            raise DistrictDisconnected(
                f"Clever has no token for the district {requested}: the district has not connected "
                "this app."
            )
        for district_id in names.keys() - set(listed_ids):
            if requested in (None, district_id) and (
                result := self._archive_if_left(district_id, names[district_id])
            ):
                yield result
        failures = 0
        asked_for = [id_ for id_ in listed_ids if requested in (None, id_)]
        to_sync = self._longest_waiting_first(asked_for)
        for number, district_id in enumerate(to_sync, start=1):
            if allowed and district_id not in allowed:
                yield self._archive_excluded(district_id, names)
                continue
            result = self._sync_and_record(district_id, names)
            yield result
            failures = failures + 1 if result.clever_failed else 0
            if failures == MAX_FAILURES_IN_A_ROW and (left := len(to_sync) - number):
                raise CleverKeepsFailing(describe_stop(failures, left))

    def _longest_waiting_first(self, district_ids: Iterable[str]) -> list[str]:
        """Return the districts in the order of their last attempts; new ones come first.

        An attempt that failed counts, so a district that always fails does not hold up the others.
        """
        attempts = self.transactions.run_in_transaction(district_records.attempts)
        never = datetime.min.replace(tzinfo=UTC)
        return sorted(district_ids, key=lambda district_id: attempts.get(district_id, never))

    def _archive_if_left(self, district_id: str, name: str) -> SyncResult | None:
        """Archive a district missing from the list if it has left; return None if it has not."""
        began = models.utc_now()
        try:
            if not district_records.has_left(self.districts.tokens, district_id):
                return None
            counts = district_records.archive_district(self.transactions, district_id, began)
        except LoginError as error:
            return SyncResult(
                district_id=district_id,
                name=name,
                mode="failed",
                reason=describe_for_operator(error),
            )
        except ReceiverFailed as error:
            return self._report_receiver(district_id, name, error)
        except district_records.DistrictInUse as error:
            return SyncResult(district_id=district_id, name=name, mode="skipped", reason=str(error))
        return SyncResult(district_id=district_id, name=name, mode="left", counts=counts)

    def _archive_excluded(self, district_id: str, names: dict[str, str]) -> SyncResult:
        """Archive a district that is not in CLEVER_DISTRICT_IDS, if `confirm_archive` is set."""
        name, reason = names.get(district_id, ""), "The district is not in CLEVER_DISTRICT_IDS."
        if district_id not in names:
            return SyncResult(district_id=district_id, name=name, mode="skipped", reason=reason)
        if not self.options.confirm_archive:
            reason += (
                " Its stored data is unchanged. To archive the data, run the sync with "
                f"--district {district_id} --yes."
            )
            return SyncResult(district_id=district_id, name=name, mode="refused", reason=reason)
        try:
            counts = district_records.archive_district(self.transactions, district_id)
        except ReceiverFailed as error:
            return self._report_receiver(district_id, name, error)
        return SyncResult(
            district_id=district_id, name=name, mode="left", counts=counts, reason=reason
        )

    def _sync_and_record(self, district_id: str, names: dict[str, str]) -> SyncResult:
        """Sync one district, as a run in the history."""
        district_records.begin_attempt(self.transactions, district_id)
        self.runs.begin(district_id)
        result = self._sync_or_report(district_id, names)
        self.runs.finish(result)
        return result

    def _sync_or_report(self, district_id: str, names: dict[str, str]) -> SyncResult:
        """Sync one district. Its failure does not stop the sync of the others."""
        name = names.get(district_id, "")
        try:
            return self._sync_district(district_id)
        except (lock.LockLost, lock.AlreadyRunning):
            raise
        except ReceiverFailed as error:
            return self._report_receiver(district_id, name, error)
        except (LoginError, RosterError, NotShared) as error:
            district_records.set_problem(
                self.transactions, district_id, PROBLEM_BY_ERROR.get(type(error))
            )
            return SyncResult(
                district_id=district_id,
                name=name,
                mode="failed",
                reason=describe_for_operator(error),
                clever_failed=isinstance(error, CleverUnavailable),
            )
        except (DBAPIError, StoreUnavailable):
            raise  # every other district would fail as well
        except Exception as error:  # noqa: BLE001 # a bug must not leave the other districts outdated
            return self._report_bug(district_id, name, error)

    def _report_bug(self, district_id: str, name: str, error: Exception) -> SyncResult:
        """Log where the app failed, without the message: it may quote a child's data."""
        log_event(
            "sync_crashed",
            level=logging.ERROR,
            district=pseudonym(services().settings.secret_key, "district", district_id),
            reason=type(error).__name__,
            where="".join(traceback.format_tb(error.__traceback__)),
        )
        reason = f"An error in the app ended the sync of this district: {type(error).__name__}. "
        reason += "The log event sync_crashed says where. The next sync repeats it."
        return SyncResult(district_id=district_id, name=name, mode="failed", reason=reason)

    def _report_receiver(self, district_id: str, name: str, error: ReceiverFailed) -> SyncResult:
        """Return the result of a run that a signal receiver ended, and record the failure."""
        reason = receiver_failures.report(self.transactions, district_id, error)
        return SyncResult(district_id=district_id, name=name, mode="failed", reason=reason)

    def _sync_district(self, district_id: str) -> SyncResult:
        roster = replace(self.districts.roster(district_id), report=ReadReport())
        record = roster.district()
        if record.id != district_id:
            raise CleverUnexpected(
                "Clever returned another district's record for this district's token"
            )
        district_records.save_district(self.transactions, record)
        return self._run_district_sync(record, roster)

    def _run_district_sync(self, record: DistrictRecord, roster: Roster) -> SyncResult:
        name, report = record.name or record.id, roster.report
        sync = DistrictSync(
            transactions=self.transactions,
            district_id=record.id,
            version=self.districts.services.version,
            roster=roster,
            events=replace(
                self.districts.events(record.id, page_size=EVENTS_PER_PAGE), report=report
            ),
            report=report,
            confirm_archive=self.options.confirm_archive,
            removal_limit=self._settings.removal_limit(record.id),
            clever_sync_at=record.last_clever_sync,
            report_progress=lambda message: self._report_progress(name, message),
            counts=self.runs.counts,
        )
        mode, plan = self._sync_records(sync)
        _remove_reviewed(sync)
        held_losses = self.transactions.run_in_transaction(
            lambda db: held_removals.held_losses(db, record.id)
        )
        district_records.mark_synced(
            self.transactions, record.id, HELD_PROBLEM if held_losses else None
        )
        _log_run(sync, held_losses)
        return SyncResult(
            district_id=record.id,
            name=name,
            mode=mode,
            counts=sync.counts,
            reason=" ".join(filter(None, (describe_state(record), plan))),
            held_losses=tuple(map(str, held_losses)),
            notes=(*report.sentences(), *map(describe_unread, sorted(sync.unread_kinds))),
        )

    def _report_progress(self, name: str, message: str) -> None:
        self.report_progress(f"{name}: {message}")
        self.runs.note_progress(message)

    def _sync_records(self, sync: DistrictSync) -> tuple[SyncMode, str]:
        """Read the district as its history says. Returns how, and a sentence about it or ""."""
        history = self.transactions.run_in_transaction(
            lambda db: read_plan.load_history(
                db, sync.district_id, is_awaited=self.options.run_id is not None
            )
        )
        self._end_archived_sessions(sync.district_id, history.synced_at)
        if not self.options.full and (reason := self._read_events(sync, history)) is not None:
            return "events", reason
        read_everything(sync)
        return "full read", ""

    def _read_events(self, sync: DistrictSync, history: ReadHistory) -> str | None:
        """Apply the district's events.

        Returns a sentence about it or "", and None if the district must be read as a whole.
        """
        days = self._settings.clever_full_read_days
        if history.is_older_than(timedelta(days=days)) or history.has_people_to_confirm:
            return None
        wait = history.describe_wait(sync.clever_sync_at, days)
        if not history.cursor:
            return wait
        try:
            after = event_sync.parse_cursor(sync.version, history.cursor, history.synced_at)
            number = apply_events(sync, after)
        except (CursorTooOld, EventsNotEnabled) as error:
            sync.report_progress(f"{error} Reading the whole roster instead.")
            return None
        return "" if number or history.event_seen_at else wait

    @property
    def _settings(self) -> Settings:
        return self.districts.services.settings

    def _end_archived_sessions(self, district_id: str, synced_at: datetime | None) -> None:
        """End the sessions of users whom an interrupted run removed without logging them out."""
        person = models.Person
        removed_at = func.coalesce(person.archived_at, person.missing_since)
        removed = (person.district_id == district_id) & removed_at.is_not(None)
        if synced_at is not None:
            removed &= removed_at > synced_at
        query = select(person.clever_id).where(removed, person.clever_id.is_not(None))
        people = self.transactions.run_in_transaction(lambda db: list(db.scalars(query)))
        end_sessions.by_clever_id(people=[clever_id for clever_id in people if clever_id])


def _remove_reviewed(sync: DistrictSync) -> None:
    """Remove what is on hold and approved; with `confirm_archive`, everything that is missing."""

    def work(connection: Connection) -> WriteResult:
        held_removals.drop_gone(connection, sync.district_id)
        if sync.confirm_archive:
            held_removals.approve_all(connection, sync.district_id)
        return removal.remove_approved(connection, sync.district_id)

    sync.write(work)
    if sync.confirm_archive:
        sync.write(lambda db: removal.remove_hidden(db, sync.district_id))


def _log_run(sync: DistrictSync, held_losses: list[Loss]) -> None:
    """Log what was left out, by field name: never a value, nor whose it was."""
    district = pseudonym(services().settings.secret_key, "district", sync.district_id)
    report = sync.report
    counts_by_event = {
        "sync_values_not_understood": report.values,
        "sync_records_skipped": report.skipped,
        "sync_another_district": report.other_districts,
    }
    for name, counts in counts_by_event.items():
        if counts:
            number, fields = counts.total(), format_counts(counts)
            log_event(name, level=logging.WARNING, district=district, number=number, fields=fields)
    if held_losses:
        missing = ", ".join(map(str, held_losses))
        log_event("sync_held", level=logging.WARNING, district=district, missing=missing)
