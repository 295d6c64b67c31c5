"""Events: what changed since the kept cursor, each batch and its cursor in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import TypeVar

from sqlalchemy import Connection, func, select

from clever_login.api.events import Event
from clever_login.fields import ReadReport
from clever_login.persons import Person
from clever_login.records import SchoolRecord, Section, Term
from clever_login.school import cursors, rows, tables
from clever_login.school.apply import Batch, Written, write
from clever_login.school.run import Run
from clever_login.school.upsert import MOST_PARAMETERS, chunks

T = TypeVar("T")
SIZE = 500  # events in one transaction
PAGE = 2500  # events in one answer; so many are held at once
_PEOPLE = {"users", "students", "teachers", "schooladmins", "districtadmins"}


def apply_events(run: Run, after: str | None) -> None:
    """Apply every event behind the cursor; TooMany, before the first one, and CursorTooOld.

    What makes no sense is counted and passed: the cursor goes on behind it.
    """
    number = 0
    for chunk in chunks(_counted(run, after), SIZE):
        run.write(_step(run, chunk))
        number += len(chunk)
        run.say(f"{number} events")


def _counted(run: Run, after: str | None) -> Iterator[Event]:
    """The same events once it is known how many people leave; many are read twice for that."""
    counted = replace(run.events, report=ReadReport())  # of what may be read a second time
    coming = counted.read(after=after)
    first = list(islice(coming, PAGE))
    more = next(coming, None)
    leaving: set[str] = set()
    last = ""
    for event in first if more is None else chain(first, [more], coming):
        _follow(leaving, event)
        last = event.id
    run.check(run.steps.do(lambda db: _still_here(db, run.district_id, leaving)))
    if more is None:
        run.report.update(counted.report)
        yield from first
        return
    first.clear()
    yield from _up_to(last, run.events.read(after=after))


def _up_to(last: str, events: Iterator[Event]) -> Iterator[Event]:
    """No event that was not counted."""
    for event in events:
        yield event
        if event.id == last:
            return


def _follow(leaving: set[str], event: Event) -> None:
    if event.kind in _PEOPLE and event.action == "deleted":
        leaving.add(event.record_id)
    elif event.kind in _PEOPLE:
        leaving.discard(event.record_id)


def _still_here(connection: Connection, district_id: str, people: Iterable[str]) -> int:
    person = tables.Person
    here = (person.district_id == district_id) & person.archived_at.is_(None)
    count = select(func.count()).select_from(person).where(here)
    return sum(
        connection.scalar(count.where(person.clever_id.in_(part))) or 0
        for part in chunks(people, MOST_PARAMETERS)
    )


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
    if event.action == "deleted":
        batch.leaving[record.id] = record


def _take(batch: Batch, kind: str, there: dict[str, T], event: Event, record: T) -> None:
    there.pop(event.record_id, None)
    batch.gone[kind].discard(event.record_id)
    if event.action == "deleted":
        batch.gone[kind].add(event.record_id)
    else:
        there[event.record_id] = record
