"""A full read: everything that a district shares, and at its end what was not seen is removed.

A list that came back empty, or takes too much away, is read again. If it stays so, nothing of that
kind is removed, and everything else is applied: `Run.held` says what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from clever_login.errors import NoEvents
from clever_login.school import cursors, losses, rows, seen
from clever_login.school.apply import Batch, Written, write
from clever_login.school.engines import count_rows
from clever_login.school.losses import Loss, Numbers
from clever_login.school.run import Run
from clever_login.school.upsert import chunks

SIZE = 500  # records in one transaction
SECTIONS = 5_000  # in one answer: with their lists of students they weigh less than 10,000 people


@dataclass(frozen=True)
class _Group:
    """Lists that are read one after the other, and the kinds of rows that they fill."""

    name: str
    kinds: tuple[str, ...]
    lists: tuple[Callable[[], Iterable[Any]], ...]


def read_all(run: Run) -> None:
    """Read everything; what happens meanwhile comes again as an event, behind the cursor.

    There is no cursor where something is held: the next sync has to look at it again.
    """
    cursor = _latest(run)
    run.steps.do(seen.begin)
    try:
        before = run.steps.do(lambda db: losses.active(db, run.district_id))
        for group in _groups(run):
            _read_for_sure(run, group, before)
        run.write(lambda db: _finish(run, db, cursor))
        run.steps.do(count_rows)
    finally:
        if not run.steps.connection.invalidated:
            with run.steps.connection.begin():
                seen.end(run.steps.connection)


def _latest(run: Run) -> str | None:
    try:
        return cursors.kept_as(run.version, run.events.latest() or "")
    except NoEvents as error:
        run.say(f"{error} Until then every sync reads everything.")
        return None


def _groups(run: Run) -> Iterable[_Group]:
    """In an order in which each refers only to those before it."""
    roster = run.roster
    people = [kind for kind in run.version.people if kind != "contacts"]
    everybody = tuple(partial(roster.people, kind) for kind in people)
    sections = replace(roster, page_size=SECTIONS).sections
    yield _Group("schools", ("schools",), (roster.schools,))
    yield _Group("terms", ("terms",), (roster.terms,))
    yield _Group("people", ("people", "people_schools"), everybody)
    yield _Group("sections", ("sections", "enrolments"), (sections,))


def _read_for_sure(run: Run, group: _Group, before: Numbers) -> None:
    """Read a group, and again when it is empty or too much of it is missing."""
    report = run.report.copy()
    number = _read(run, group)
    lost = _lost(run, group, before)
    if number and not lost:
        return
    if lost:
        run.say(f"Missing: {', '.join(map(str, lost))}. The list is read again, to be sure.")
    run.report.reset(report)
    _read(run, group)
    if not run.yes:
        run.held.extend(_lost(run, group, before))


def _lost(run: Run, group: _Group, before: Numbers) -> list[Loss]:
    def work(connection: Connection) -> list[Loss]:
        now = losses.active(connection, run.district_id, group.kinds)
        missing = seen.count_missing(connection, run.district_id, run.began, group.kinds)
        return losses.too_large(before, now, missing)

    return run.steps.do(work)


def _read(run: Run, group: _Group) -> int:
    number = 0
    for read in group.lists:
        records = filter(rows.is_kept, read()) if group.name == "people" else read()
        for chunk in chunks(records, SIZE):
            run.write(_page(run, group.name, {each.id: each for each in chunk}))
            number += len(chunk)
            run.say(f"{number} {group.name}")
    return number


def _page(run: Run, kind: str, found: dict[str, Any]) -> Callable[[Connection], Written]:
    def work(connection: Connection) -> Written:
        seen.note(connection, kind, found)
        return write(connection, run.district_id, Batch(**{kind: found}), seen.note_stale)

    return work


def _finish(run: Run, connection: Connection, cursor: str | None) -> Written:
    run.keep_cursor(connection, None if run.held else cursor)
    held = losses.held_kinds(run.held)
    return seen.remove_missing(connection, run.district_id, run.began, held)
