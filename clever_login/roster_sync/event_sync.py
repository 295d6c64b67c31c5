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
from clever_login.clever.records import Course, SchoolRecord, Section, Term
from clever_login.db.models import ID_TYPE, utc_now
from clever_login.db.upsert import chunks
from clever_login.errors import CursorTooOld
from clever_login.roster_sync import read_plan, row_values
from clever_login.roster_sync.announcements import write_and_announce
from clever_login.roster_sync.district_run import DistrictSync
from clever_login.roster_sync.limits import loss_limits
from clever_login.roster_sync.limits.net_changes import NetChanges
from clever_login.roster_sync.writer import Batch, WriteResult


def format_cursor(version: ApiVersion, event_id: str) -> str | None:
    """Return the cursor as stored, or None if the event id does not fit the column."""
    text = f"{version.name}:{event_id}"
    return text if len(text) <= (ID_TYPE.length or 0) else None


def parse_cursor(version: ApiVersion, cursor: str, synced_at: datetime | None) -> str | None:
    """Return the event id to continue after, or None for the first event.

    Raises CursorTooOld if events could be missed: the cursor is of another API version, or has no
    event id and the last sync was more than RETENTION_DAYS ago.
    """
    name, _, event_id = cursor.partition(":")
    if name != version.name:
        raise CursorTooOld(
            f"The last sync read Clever's API {name}, but this sync reads {version.name}."
        )
    if not event_id and _is_past_retention(synced_at):
        raise CursorTooOld(f"The last sync was more than {RETENTION_DAYS} days ago.")
    return event_id or None


def _is_past_retention(synced_at: datetime | None) -> bool:
    """SQLite returns the time without its zone, which is UTC."""
    if synced_at is None:
        return False
    now = utc_now()
    return synced_at.replace(tzinfo=now.tzinfo) < now - timedelta(days=RETENTION_DAYS)


T = TypeVar("T")
EVENTS_PER_TRANSACTION = 500
EVENTS_PER_PAGE = 2500  # per response; at most this many are kept in memory


def apply_events(sync: DistrictSync, after: str | None) -> int:
    """Apply every event after the cursor. Returns their number.

    If the events together remove too much of a kind, these removals are put on hold. Raises
    CursorTooOld, and ReceiverFailed, which leaves the cursor before the batch that failed. Events
    that cannot be parsed are counted and skipped, and the cursor moves past them.
    """
    number = 0
    for chunk in chunks(_checked_events(sync, after), EVENTS_PER_TRANSACTION):
        sync.write(_batch_writer(sync, chunk))
        number += len(chunk)
        sync.report_progress(f"{number} events")
    return number


def _checked_events(sync: DistrictSync, after: str | None) -> Iterator[Event]:
    """Yield the events after checking what they remove. More than one page is read twice."""
    if sync.confirm_archive:
        yield from sync.events.read(after=after)
        return
    # A separate report, because the events may be read twice.
    first_pass = replace(sync.events, report=ReadReport())
    events = first_pass.read(after=after)
    first_page = list(islice(events, EVENTS_PER_PAGE))
    next_event = next(events, None)
    changes, last_id = NetChanges(), ""
    for event in first_page if next_event is None else chain(first_page, [next_event], events):
        changes.add(event)
        last_id = event.id
    _check_removals(sync, changes)
    if next_event is None:
        sync.report.update(first_pass.report)
        yield from first_page
        return
    first_page.clear()
    yield from _events_until(last_id, sync.events.read(after=after))


def _check_removals(sync: DistrictSync, changes: NetChanges) -> None:
    losses = sync.transactions.run_in_transaction(
        lambda db: changes.losses(db, sync.district_id, sync.removal_limit)
    )
    sync.excessive_losses.extend(losses)


def _events_until(last_id: str, events: Iterator[Event]) -> Iterator[Event]:
    """Stop after the last event that was checked."""
    for event in events:
        yield event
        if event.id == last_id:
            return


def _batch_writer(sync: DistrictSync, events: list[Event]) -> Callable[[Connection], WriteResult]:
    cursor = format_cursor(sync.version, events[-1].id)
    batch = build_batch(events, sync.report)

    def work(connection: Connection) -> WriteResult:
        sync.save_cursor(connection, cursor)
        read_plan.save_event_seen(connection, sync.district_id)
        held_kinds = loss_limits.held_kinds(sync.excessive_losses)
        return write_and_announce(connection, sync.district_id, batch, held_kinds=held_kinds)

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
        elif isinstance(record, Course):
            _add_event(batch, "courses", batch.courses, event, record)
        elif isinstance(record, Section):
            _add_event(batch, "sections", batch.sections, event, record)
    return batch


def _add_person_event(batch: Batch, event: Event, record: Person) -> None:
    if not row_values.is_synced(record):
        return
    _add_event(batch, "people", batch.people, event, record)
    if event.action == "deleted":
        batch.deleted_people[record.id] = record
        if event.created:
            batch.deleted_at[record.id] = event.created


def _add_event(batch: Batch, kind: str, records: dict[str, T], event: Event, record: T) -> None:
    records.pop(event.record_id, None)
    batch.deleted[kind].discard(event.record_id)
    if event.action == "deleted":
        batch.deleted[kind].add(event.record_id)
    else:
        records[event.record_id] = record
