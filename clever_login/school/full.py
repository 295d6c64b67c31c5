"""A full read: everything that a district shares, and at its end whatever was not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from clever_login.errors import NoEvents
from clever_login.school import cursors, rows, seen
from clever_login.school.apply import Batch, Written, write
from clever_login.school.engines import count_rows
from clever_login.school.run import Run
from clever_login.school.upsert import chunks

SIZE = 500  # records in one transaction
SECTIONS = 5_000  # in one answer: with their lists of students they weigh less than 10,000 people


def read_all(run: Run) -> None:
    """Read everything; TooMany at the end, with nothing archived, when too many were not seen.

    The cursor is taken before: what happens meanwhile comes again as an event.
    """
    cursor = _latest(run)
    run.steps.do(seen.begin)
    try:
        for kind, records in _lists(run):
            _read(run, kind, records)
        run.check(run.steps.do(lambda db: seen.count_missing(db, run.district_id, run.began)))
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


def _lists(run: Run) -> Iterable[tuple[str, Iterable[Any]]]:
    """In an order in which each refers only to those before it."""
    yield "schools", run.roster.schools()
    yield "terms", run.roster.terms()
    for kind in run.version.people:
        if kind != "contacts":
            yield "people", filter(rows.is_kept, run.roster.people(kind))
    yield "sections", replace(run.roster, page_size=SECTIONS).sections()


def _read(run: Run, kind: str, records: Iterable[Any]) -> None:
    number = 0
    for chunk in chunks(records, SIZE):
        run.write(_page(run, kind, {each.id: each for each in chunk}))
        number += len(chunk)
        run.say(f"{number} {kind}")


def _page(run: Run, kind: str, found: dict[str, Any]) -> Callable[[Connection], Written]:
    def work(connection: Connection) -> Written:
        seen.note(connection, kind, found)
        return write(connection, run.district_id, Batch(**{kind: found}))

    return work


def _finish(run: Run, connection: Connection, cursor: str | None) -> Written:
    run.keep_cursor(connection, cursor)
    return seen.archive_missing(connection, run.district_id, run.began)
