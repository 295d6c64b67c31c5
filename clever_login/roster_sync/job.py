"""Syncs the districts one after another, and reports the results to operators and the log.

First come districts that the list no longer has, then the listed ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from clever_login.auth import end_sessions
from clever_login.clever.district_api.roster_client import Roster
from clever_login.clever.parsing import ReadReport, listed
from clever_login.clever.records import DistrictRecord
from clever_login.db import models
from clever_login.db.database import database, not_ready_reason
from clever_login.districts import Districts, districts_announcing_waits
from clever_login.errors import (
    CleverUnexpected,
    CursorTooOld,
    DistrictDisconnected,
    EventsNotEnabled,
    LoginError,
    NoSecureSync,
    NotShared,
    RosterError,
    describe_for_operator,
)
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.roster_sync import district_records, event_sync, lock
from clever_login.roster_sync.district_run import DistrictSync, TransactionRunner
from clever_login.roster_sync.event_sync import EVENTS_PER_PAGE, TooManyRemovals, apply_events
from clever_login.roster_sync.full_sync import read_everything
from clever_login.roster_sync.writer import Counts
from clever_login.services import services

REPORTED_TABLES = ("schools", "terms", "people", "sections", "enrolments")
NAMES = {"enrolments": "enrollments"}
REPORTED_CHANGES = ("new", "changed", "archived", "restored", "removed")
SyncMode = Literal["full read", "events", "left", "skipped", "failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """The result for one district. `why` is a sentence, or empty.

    `held` lists what was missing but not removed. `notes` are further sentences, such as what could
    not be parsed.
    """

    district_id: str
    name: str
    how: SyncMode
    counts: Counts = field(default_factory=Counts)
    why: str = ""
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the district and how it was read, a line per table that changed, and the notes."""
        head = f"{self.name or 'District'} ({self.district_id}): {self.how}."
        if self.why:
            head += f" {self.why}"
        changed = [line for each in REPORTED_TABLES if (line := self._line(each))]
        if not changed and self.how in {"full read", "events"}:
            changed = ["  nothing changed"]
        return [head, *changed, *self._held(), *(f"  {each}" for each in self.notes)]

    def _held(self) -> list[str]:
        if not self.held:
            return []
        return [
            f"  on hold: {', '.join(self.held)} missing. The sync applied all other changes, but "
            "removed nothing of these kinds. If the removals are right, run the same command "
            "with --yes."
        ]

    def _line(self, table: str) -> str:
        found = [
            f"{self.counts[table, what]} {what}"
            for what in REPORTED_CHANGES
            if self.counts[table, what]
        ]
        return f"  {NAMES.get(table, table)}: {', '.join(found)}" if found else ""


SUPPORTED_VERSIONS = ("v2.1", "v3.0", "v3.1")
LOCK_NAME = "sync"
# Problems shown to district administrators; others are temporary, or for the operator to fix.
HELD_PROBLEM = "too_many"
PROBLEM_BY_ERROR: dict[type[Exception], str] = {
    DistrictDisconnected: "token",
    NoSecureSync: "no_rosters",
}


# What a district's state at Clever means; `running` and `success` need no explanation.
STATE_DESCRIPTIONS = {
    "paused": "The district is paused in Clever: its data stays as it was last school year.",
    "pending": "The district is pending in Clever: it must fix an error in its data.",
    "error": "The district has an error in Clever that Clever can fix.",
}


class UnsupportedVersion(RosterError):
    """Rosters cannot be synced from this version of Clever's API."""


class DatabaseNotReady(RosterError):
    """The database does not respond, or its tables are outdated."""


@dataclass(frozen=True, kw_only=True)
class SyncOptions:
    """The operator's options for a sync."""

    district: str | None = None
    full: bool = False
    yes: bool = False


def run_sync(wish: SyncOptions, say: Callable[[str], None]) -> Iterator[SyncResult]:
    """Sync the districts with Clever; yield the result of each when it is done.

    Raises UnsupportedVersion, DatabaseNotReady, AlreadyRunning, LockLost and the errors of
    `Districts.ids()`, which end the whole sync. Raises DistrictDisconnected if Clever has no token
    for the district that was asked for.
    """
    found = districts_announcing_waits()
    version = found.services.version
    if version.name not in SUPPORTED_VERSIONS:
        raise UnsupportedVersion(
            "The sync supports only these versions of Clever's API: "
            f"{', '.join(SUPPORTED_VERSIONS)}. Set CLEVER_API_VERSION to one of them."
        )
    if why := not_ready_reason():
        raise DatabaseNotReady(f"{why[0].upper()}{why[1:]}.")
    with database().engine.connect() as connection, lock.hold_lock(connection, LOCK_NAME) as hold:
        job = _SyncJob(found, TransactionRunner(connection=connection, hold=hold), wish, say)
        yield from job.results()


@dataclass(frozen=True)
class _SyncJob:
    districts: Districts
    steps: TransactionRunner
    wish: SyncOptions
    say: Callable[[str], None]

    def results(self) -> Iterator[SyncResult]:
        listed = self.districts.ids()
        known = self.steps.do(district_records.connected_districts)
        asked, allowed = self.wish.district, self.districts.services.settings.clever_district_ids
        if asked and asked not in {*listed, *known}:
            raise DistrictDisconnected(
                f"Clever has no token for the district {asked}: the district has not connected "
                "this app."
            )
        for each in known.keys() - set(listed):
            if asked in (None, each) and (result := self._unlisted(each, known[each])):
                yield result
        for each in listed:
            if asked in (None, each):
                outside = allowed and each not in allowed
                yield self._outside(each, known) if outside else self._guarded(each, known)

    def _unlisted(self, district_id: str, name: str) -> SyncResult | None:
        """Archive a district missing from the list if it has left; return None if it has not."""
        began = models.utc_now()
        try:
            if not district_records.has_left(self.districts.tokens, district_id):
                return None
            counts = district_records.archive_district(self.steps, district_id, began)
        except LoginError as error:
            return SyncResult(
                district_id=district_id, name=name, how="failed", why=describe_for_operator(error)
            )
        except district_records.DistrictInUse as error:
            return SyncResult(district_id=district_id, name=name, how="skipped", why=str(error))
        return SyncResult(district_id=district_id, name=name, how="left", counts=counts)

    def _outside(self, district_id: str, known: dict[str, str]) -> SyncResult:
        """A district that is not in CLEVER_DISTRICT_IDS: its data is archived only with `yes`."""
        name, why = known.get(district_id, ""), "The district is not in CLEVER_DISTRICT_IDS."
        if district_id not in known:
            return SyncResult(district_id=district_id, name=name, how="skipped", why=why)
        if not self.wish.yes:
            why += (
                " Its stored data is unchanged. To archive the data, run the same command with "
                "--yes."
            )
            return SyncResult(district_id=district_id, name=name, how="refused", why=why)
        counts = district_records.archive_district(self.steps, district_id)
        return SyncResult(district_id=district_id, name=name, how="left", counts=counts, why=why)

    def _guarded(self, district_id: str, known: dict[str, str]) -> SyncResult:
        """Sync one district. Its failure does not stop the sync of the others."""
        name = known.get(district_id, "")
        try:
            return self._one(district_id)
        except (lock.LockLost, lock.AlreadyRunning):
            raise
        except (LoginError, RosterError, NotShared) as error:
            district_records.set_problem(self.steps, district_id, PROBLEM_BY_ERROR.get(type(error)))
            return SyncResult(
                district_id=district_id, name=name, how="failed", why=describe_for_operator(error)
            )

    def _one(self, district_id: str) -> SyncResult:
        roster = replace(self.districts.roster(district_id), report=ReadReport())
        record = roster.district()
        if record.id != district_id:
            raise CleverUnexpected(
                "Clever returned another district's record for this district's token"
            )
        district_records.save_district(self.steps, record)
        return self._read(record, roster)

    def _read(self, record: DistrictRecord, roster: Roster) -> SyncResult:
        name, report = record.name or record.id, roster.report
        run = DistrictSync(
            steps=self.steps,
            district_id=record.id,
            version=self.districts.services.version,
            roster=roster,
            events=replace(
                self.districts.events(record.id, page_size=EVENTS_PER_PAGE), report=report
            ),
            report=report,
            yes=self.wish.yes,
            say=lambda words: self.say(f"{name}: {words}"),
        )
        how = self._bring_up(run)
        district_records.mark_synced(self.steps, record.id, HELD_PROBLEM if run.held else None)
        _log_run(run)
        return SyncResult(
            district_id=record.id,
            name=name,
            how=how,
            counts=run.counts,
            why=_describe_state(record),
            held=tuple(map(str, run.held)),
            notes=tuple(report.sentences()),
        )

    def _bring_up(self, run: DistrictSync) -> SyncMode:
        district = models.District
        asked = select(district.cursor, district.synced_at).where(district.id == run.district_id)
        cursor, synced_at = self.steps.do(lambda db: db.execute(asked).one())
        self._make_up_for(run.district_id, synced_at)
        if cursor and not self.wish.full:
            try:
                apply_events(run, event_sync.parse_cursor(run.version, cursor, synced_at))
            except (CursorTooOld, EventsNotEnabled, TooManyRemovals) as error:
                run.say(f"{error} Reading the whole roster instead.")
            else:
                return "events"
        read_everything(run)
        return "full read"

    def _make_up_for(self, district_id: str, synced_at: datetime | None) -> None:
        """End the sessions of users whom an interrupted run archived without logging them out."""
        person = models.Person
        archived = (person.district_id == district_id) & person.archived_at.is_not(None)
        if synced_at is not None:
            archived &= person.archived_at > synced_at
        chosen = select(person.clever_id).where(archived, person.clever_id.is_not(None))
        people = self.steps.do(lambda db: list(db.scalars(chosen)))
        end_sessions.by_clever_id(people=[each for each in people if each])


def _describe_state(record: DistrictRecord) -> str:
    """Return the district's state and error at Clever, where there is something to say."""
    told = [STATE_DESCRIPTIONS.get(record.state or "", "")]
    told.append(f"Clever says: {record.error}" if record.error else "")
    return " ".join(filter(None, told))


def _log_run(run: DistrictSync) -> None:
    """Log what was left out, by field name: never a value, nor whose it was."""
    district = pseudonym(services().settings.secret_key, "district", run.district_id)
    report = run.report
    told = {
        "sync_values_not_understood": report.values,
        "sync_records_skipped": report.skipped,
        "sync_another_district": report.outside,
    }
    for name, counts in told.items():
        if counts:
            number, fields = counts.total(), listed(counts)
            log_event(name, level=logging.WARNING, district=district, number=number, fields=fields)
    if run.held:
        what = ", ".join(map(str, run.held))
        log_event("sync_held", level=logging.WARNING, district=district, missing=what)
