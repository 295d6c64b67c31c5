"""Syncs a district by events: what changed since the stored cursor.

Each batch of events is applied in one transaction together with its cursor. A cursor is the API
version and the id of the last event applied; an empty id is before the first event. User ids differ
between versions, so a cursor of another version cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TypeVar

from sqlalchemy import Connection

from clever_login.api_versions import ApiVersion
from clever_login.clever.district_api.events import RETENTION_DAYS, Event
from clever_login.clever.parsing import ReadReport
from clever_login.clever.people import Person
from clever_login.clever.records import SchoolRecord, Section, Term
from clever_login.db.models import ID_TYPE, utc_now
from clever_login.db.upsert import chunks
from clever_login.errors import CursorTooOld, RosterError
from clever_login.roster_sync import row_values
from clever_login.roster_sync.district_run import DistrictSync
from clever_login.roster_sync.net_changes import NetChanges
from clever_login.roster_sync.writer import Batch, WriteResult, write_batch


def format_cursor(version: ApiVersion, event_id: str) -> str | None:
    """Return the cursor as stored, or None if the event id does not fit the column."""
    text = f"{version.name}:{event_id}"
    return text if len(text) <= (ID_TYPE.length or 0) else None


def parse_cursor(version: ApiVersion, kept: str, synced_at: datetime | None) -> str | None:
    """Return the event id to continue after, or None for the first event.

    Raises CursorTooOld if events could be missed: the cursor is of another API version, or has no
    event id and the last sync was more than RETENTION_DAYS ago.
    """
    name, _, found = kept.partition(":")
    if name != version.name:
        raise CursorTooOld(
            f"The last sync read Clever's API {name}, but this sync reads {version.name}."
        )
    if not found and _is_past_retention(synced_at):
        raise CursorTooOld(f"The last sync was more than {RETENTION_DAYS} days ago.")
    return found or None


def _is_past_retention(synced_at: datetime | None) -> bool:
    """SQLite returns the time without its zone, which is UTC."""
    if synced_at is None:
        return False
    moment = utc_now()
    return synced_at.replace(tzinfo=moment.tzinfo) < moment - timedelta(days=RETENTION_DAYS)


T = TypeVar("T")
EVENTS_PER_TRANSACTION = 500
EVENTS_PER_PAGE = 2500  # per response; at most this many are kept in memory


class TooManyRemovals(RosterError):
    """The events would remove too much, so a full read has to decide."""


def apply_events(run: DistrictSync, after: str | None) -> None:
    """Apply every event after the cursor.

    Raises TooManyRemovals before the first event is applied, and CursorTooOld. Events that cannot
    be parsed are counted and skipped, and the cursor moves past them.
    """
    number = 0
    for chunk in chunks(_events_within_limits(run, after), EVENTS_PER_TRANSACTION):
        run.write(_batch_writer(run, chunk))
        number += len(chunk)
        run.say(f"{number} events")


def _events_within_limits(run: DistrictSync, after: str | None) -> Iterator[Event]:
    """Yield the events after checking what they remove. More than one page is read twice."""
    if run.yes:
        yield from run.events.read(after=after)
        return
    counted = replace(run.events, report=ReadReport())  # separate, because events may be read twice
    coming = counted.read(after=after)
    first = list(islice(coming, EVENTS_PER_PAGE))
    more = next(coming, None)
    changes, last = NetChanges(), ""
    for event in first if more is None else chain(first, [more], coming):
        changes.follow(event)
        last = event.id
    _check(run, changes)
    if more is None:
        run.report.update(counted.report)
        yield from first
        return
    first.clear()
    yield from _events_until(last, run.events.read(after=after))


def _check(run: DistrictSync, changes: NetChanges) -> None:
    lost = run.steps.do(lambda db: changes.losses(db, run.district_id))
    if lost:
        raise TooManyRemovals(f"Its events would remove too much: {', '.join(map(str, lost))}.")


def _events_until(last: str, events: Iterator[Event]) -> Iterator[Event]:
    """Stop after the last event that was checked."""
    for event in events:
        yield event
        if event.id == last:
            return


def _batch_writer(run: DistrictSync, events: list[Event]) -> Callable[[Connection], WriteResult]:
    cursor = format_cursor(run.version, events[-1].id)
    batch = build_batch(events, run.report)

    def work(connection: Connection) -> WriteResult:
        run.keep_cursor(connection, cursor)
        return write_batch(connection, run.district_id, batch)

    return work


def build_batch(events: Iterable[Event], report: ReadReport) -> Batch:
    """Reduce events to one batch. Each has the whole record, so only a record's last one counts."""
    batch = Batch()
    for event in events:
        if event.unknown:
            report.skipped[event.unknown] += 1
            continue
        record = event.record(report) if event.kind != "districts" else None
        if isinstance(record, Person):
            _add_person_event(batch, event, record)
        elif isinstance(record, SchoolRecord):
            _add_event(batch, "schools", batch.schools, event, record)
        elif isinstance(record, Term):
            _add_event(batch, "terms", batch.terms, event, record)
        elif isinstance(record, Section):
            _add_event(batch, "sections", batch.sections, event, record)
    return batch


def _add_person_event(batch: Batch, event: Event, record: Person) -> None:
    if not row_values.is_synced(record):
        return
    _add_event(batch, "people", batch.people, event, record)
    batch.leaving.pop(record.id, None)
    batch.left_at.pop(record.id, None)
    if event.action == "deleted":
        batch.leaving[record.id] = record
        if event.created:
            batch.left_at[record.id] = event.created


def _add_event(batch: Batch, kind: str, there: dict[str, T], event: Event, record: T) -> None:
    there.pop(event.record_id, None)
    batch.gone[kind].discard(event.record_id)
    if event.action == "deleted":
        batch.gone[kind].add(event.record_id)
    else:
        there[event.record_id] = record
