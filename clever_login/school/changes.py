"""Events: what changed since the kept cursor, each batch and its cursor in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import TypeVar

from sqlalchemy import Connection

from clever_login.api.events import Event
from clever_login.errors import RosterError
from clever_login.fields import ReadReport
from clever_login.persons import Person
from clever_login.records import SchoolRecord, Section, Term
from clever_login.school import cursors, rows
from clever_login.school.apply import Batch, Written, write
from clever_login.school.net_changes import NetChanges
from clever_login.school.run import Run
from clever_login.school.upsert import chunks

T = TypeVar("T")
SIZE = 500  # events in one transaction
PAGE = 2500  # events in one answer; so many are held at once


class TooMuch(RosterError):
    """Events would take too much away, so that the lists themselves are to be asked."""


def apply_events(run: Run, after: str | None) -> None:
    """Apply every event behind the cursor; TooMuch, before the first one, and CursorTooOld.

    What makes no sense is counted and passed: the cursor goes on behind it.
    """
    number = 0
    for chunk in chunks(_accepted(run, after), SIZE):
        run.write(_step(run, chunk))
        number += len(chunk)
        run.say(f"{number} events")


def _accepted(run: Run, after: str | None) -> Iterator[Event]:
    """The events once it is known what they take away; many are read twice for that."""
    if run.yes:
        yield from run.events.read(after=after)
        return
    counted = replace(run.events, report=ReadReport())  # of what may be read a second time
    coming = counted.read(after=after)
    first = list(islice(coming, PAGE))
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
    yield from _up_to(last, run.events.read(after=after))


def _check(run: Run, changes: NetChanges) -> None:
    lost = run.steps.do(lambda db: changes.losses(db, run.district_id))
    if lost:
        raise TooMuch(f"By its events it would lose {', '.join(map(str, lost))}.")


def _up_to(last: str, events: Iterator[Event]) -> Iterator[Event]:
    """No event that was not counted."""
    for event in events:
        yield event
        if event.id == last:
            return


def _step(run: Run, events: list[Event]) -> Callable[[Connection], Written]:
    cursor = cursors.kept_as(run.version, events[-1].id)
    batch = batch_of(events, run.report)

    def work(connection: Connection) -> Written:
        run.keep_cursor(connection, cursor)
        return write(connection, run.district_id, batch)

    return work


def batch_of(events: Iterable[Event], report: ReadReport) -> Batch:
    """What is left to do: each event has the whole record, so that only its last one counts."""
    batch = Batch()
    for event in events:
        if event.unknown:
            report.skipped[event.unknown] += 1
            continue
        record = event.record(report) if event.kind != "districts" else None
        if isinstance(record, Person):
            _take_person(batch, event, record)
        elif isinstance(record, SchoolRecord):
            _take(batch, "schools", batch.schools, event, record)
        elif isinstance(record, Term):
            _take(batch, "terms", batch.terms, event, record)
        elif isinstance(record, Section):
            _take(batch, "sections", batch.sections, event, record)
    return batch


def _take_person(batch: Batch, event: Event, record: Person) -> None:
    if not rows.is_kept(record):
        return
    _take(batch, "people", batch.people, event, record)
    batch.leaving.pop(record.id, None)
    batch.left_at.pop(record.id, None)
    if event.action == "deleted":
        batch.leaving[record.id] = record
        if event.created:
            batch.left_at[record.id] = event.created


def _take(batch: Batch, kind: str, there: dict[str, T], event: Event, record: T) -> None:
    there.pop(event.record_id, None)
    batch.gone[kind].discard(event.record_id)
    if event.action == "deleted":
        batch.gone[kind].add(event.record_id)
    else:
        there[event.record_id] = record
