"""Full read: writes everything a district shares, then archives what was not seen.

Seen ids and stale links go into temporary tables, so memory use stays flat. What was not seen is
removed at the end, once the number is known. The tables belong to the connection and end with it;
an interrupted read starts over.

A list that is empty or would remove too much is read again. If too much is still missing, nothing
of that kind is removed and everything else is applied; `DistrictSync.held` lists the losses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    String,
    Table,
    and_,
    delete,
    distinct,
    func,
    or_,
    select,
    tuple_,
    update,
)

from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from clever_login.db import models
from clever_login.db.engines import analyze_tables
from clever_login.db.upsert import MAX_PARAMETERS, build_insert, chunks
from clever_login.errors import EventsNotEnabled
from clever_login.roster_sync import event_sync, loss_limits, row_values
from clever_login.roster_sync.district_run import DistrictSync
from clever_login.roster_sync.loss_limits import Loss, LossCounts
from clever_login.roster_sync.writer import (
    MODEL_BY_KIND,
    Batch,
    Link,
    RosterModel,
    WriteResult,
    clever_id_column,
    write_batch,
)

_METADATA = MetaData()
_SNAPSHOT = Table(
    "seen_in_a_full_read",
    _METADATA,
    Column("kind", String(16), primary_key=True),
    Column("id", models.ID_TYPE, primary_key=True),
    prefixes=["TEMPORARY"],
)
_STALE = Table(
    "stale_after_a_full_read",
    _METADATA,
    Column("kind", String(16), primary_key=True),
    Column("one", models.ID_TYPE, primary_key=True),  # the link's key columns, in order
    Column("other", models.ID_TYPE, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("counted", Boolean),  # whether the owner is already counted as changed
    prefixes=["TEMPORARY"],
)
_LINKS: dict[str, Link] = {"people_schools": models.RoleAssignment, "enrolments": models.Enrollment}


def create_snapshot(connection: Connection) -> None:
    """Create or empty the temporary tables."""
    for table in (_SNAPSHOT, _STALE):
        table.create(connection, checkfirst=True)
        connection.execute(delete(table))


def add_to_snapshot(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """Mark these ids as seen."""
    found = [{"kind": kind, "id": each} for each in ids]
    if found:
        connection.execute(build_insert(connection, _SNAPSHOT).on_conflict_do_nothing(), found)


def note_stale(
    connection: Connection,
    model: Link,
    owners: Collection[str],
    stale: Collection[tuple[str, ...]],
    counted: Collection[str],
) -> None:
    """Record the stale links of these owners, replacing what was recorded for them.

    Owners in `counted` are already counted as changed.
    """
    kind = model.__tablename__
    for part in chunks(owners, MAX_PARAMETERS):
        connection.execute(delete(_STALE).where(_STALE.c.kind == kind, _STALE.c.one.in_(part)))
    found = [
        {"kind": kind, "one": one, "other": other, "role": role, "counted": one in counted}
        for one, other, role in stale
    ]
    if found:
        connection.execute(build_insert(connection, _STALE), found)


def drop_snapshot(connection: Connection) -> None:
    """Drop the temporary tables."""
    for table in (_SNAPSHOT, _STALE):
        table.drop(connection, checkfirst=True)


def count_missing_people(
    connection: Connection, district_id: str, since: datetime, kinds: Collection[str]
) -> LossCounts:
    """Return how many rows and links of these kinds would be removed."""
    found = LossCounts()
    for kind, model in MODEL_BY_KIND.items():
        if kind in kinds:
            where = _is_missing(kind, district_id, since)
            if model is models.Person:
                found.update(loss_limits.count_people(connection, where))
            else:
                asked = select(func.count()).select_from(model).where(where)
                found[kind] = connection.scalar(asked) or 0
    columns = (_STALE.c.kind, _STALE.c.role)
    stale = select(*columns, func.count()).where(_STALE.c.kind.in_(kinds)).group_by(*columns)
    for kind, role, number in connection.execute(stale):
        found[loss_limits.link_label(kind, role)] = number
    return found


def remove_missing(
    connection: Connection, district_id: str, since: datetime, held: Collection[str]
) -> WriteResult:
    """Archive rows not seen since the read began and delete stale links, except of held kinds."""
    counts: Counter[tuple[str, str]] = Counter()
    at = models.utc_now()
    people: tuple[str, ...] = ()
    for kind, model in MODEL_BY_KIND.items():
        if kind not in held:
            where = _is_missing(kind, district_id, since)
            if model is models.Person:
                gone = connection.scalars(select(models.Person.clever_id).where(where))
                people = tuple(map(str, gone))
            done = connection.execute(update(model).where(where).values(archived_at=at))
            counts[kind, "archived"] += done.rowcount
    if "enrolments" not in held:
        counts["enrolments", "removed"] += _unlink(connection, "enrolments")
    if "people_schools" not in held:
        owners = select(func.count(distinct(_STALE.c.one))).where(
            _STALE.c.kind == "people_schools", ~_STALE.c.counted
        )
        counts["people", "changed"] += connection.scalar(owners) or 0
        _unlink(connection, "people_schools")
    return WriteResult(+counts, people)


def _unlink(connection: Connection, kind: str) -> int:
    model = _LINKS[kind]
    columns: Any = tuple_(*model.__table__.primary_key)
    stale = select(_STALE.c.one, _STALE.c.other, _STALE.c.role).where(_STALE.c.kind == kind)
    return connection.execute(delete(model).where(columns.in_(stale))).rowcount


def _is_missing(kind: str, district_id: str, since: datetime) -> ColumnElement[bool]:
    model: RosterModel = MODEL_BY_KIND[kind]
    key: Any = clever_id_column(model)
    found = select(_SNAPSHOT.c.id).where(_SNAPSHOT.c.kind == kind, _SNAPSHOT.c.id == key).exists()
    here = and_(model.district_id == district_id, model.archived_at.is_(None), ~found)
    if model is not models.Person:
        return here
    # A user who logged in after the read began may be missing from the lists. The login time may
    # come from another machine's clock.
    person, login = models.Person, since - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS)
    before = or_(person.last_login.is_(None), person.last_login < login)
    ours = and_(person.provider == models.PROVIDER, person.clever_id.is_not(None))
    return and_(here, ours, before)


RECORDS_PER_TRANSACTION = 500
SECTIONS_PER_PAGE = 5_000  # per response: with their student lists, still smaller than 10,000 users


@dataclass(frozen=True)
class _Group:
    """Lists that are read one after another, and the kinds of rows that they fill."""

    name: str
    kinds: tuple[str, ...]
    lists: tuple[Callable[[], Iterable[Any]], ...]


def read_everything(run: DistrictSync) -> None:
    """Read the whole district. Changes made meanwhile arrive as events after the stored cursor.

    If anything is held, no cursor is stored, so the next sync is a full read again.
    """
    cursor = _latest_cursor(run)
    run.steps.do(create_snapshot)
    try:
        before = run.steps.do(lambda db: loss_limits.count_active(db, run.district_id))
        for group in _groups(run):
            _read_for_sure(run, group, before)
        run.write(lambda db: _finish_read(run, db, cursor))
        run.steps.do(analyze_tables)
    finally:
        if not run.steps.connection.invalidated:
            with run.steps.connection.begin():
                drop_snapshot(run.steps.connection)


def _latest_cursor(run: DistrictSync) -> str | None:
    try:
        return event_sync.format_cursor(run.version, run.events.latest() or "")
    except EventsNotEnabled as error:
        run.say(f"{error} Until then, every sync reads the whole roster.")
        return None


def _groups(run: DistrictSync) -> Iterable[_Group]:
    """Ordered so that records refer only to earlier groups."""
    roster = run.roster
    people = [kind for kind in run.version.people if kind != "contacts"]
    everybody = tuple(partial(roster.people, kind) for kind in people)
    sections = replace(roster, page_size=SECTIONS_PER_PAGE).sections
    yield _Group("schools", ("schools",), (roster.schools,))
    yield _Group("terms", ("terms",), (roster.terms,))
    yield _Group("people", ("people", "people_schools"), everybody)
    yield _Group("sections", ("sections", "enrolments"), (sections,))


def _read_for_sure(run: DistrictSync, group: _Group, before: LossCounts) -> None:
    """Read a group, and once more if it is empty or too much of it is missing."""
    report = run.report.copy()
    number = _read_list(run, group)
    lost = _lost(run, group, before)
    if number and not lost:
        return
    if lost:
        run.say(f"Missing: {', '.join(map(str, lost))}. Reading the list again, to be sure.")
    run.report.reset(report)
    _read_list(run, group)
    if not run.yes:
        run.held.extend(_lost(run, group, before))


def _lost(run: DistrictSync, group: _Group, before: LossCounts) -> list[Loss]:
    def work(connection: Connection) -> list[Loss]:
        now = loss_limits.count_active(connection, run.district_id, group.kinds)
        missing = count_missing_people(connection, run.district_id, run.began, group.kinds)
        return loss_limits.find_excessive_losses(before, now, missing)

    return run.steps.do(work)


def _read_list(run: DistrictSync, group: _Group) -> int:
    number = 0
    for read in group.lists:
        records = filter(row_values.is_synced, read()) if group.name == "people" else read()
        for chunk in chunks(records, RECORDS_PER_TRANSACTION):
            run.write(_chunk_writer(run, group.name, {each.id: each for each in chunk}))
            number += len(chunk)
            run.say(f"{number} {group.name}")
    return number


def _chunk_writer(
    run: DistrictSync, kind: str, found: dict[str, Any]
) -> Callable[[Connection], WriteResult]:
    def work(connection: Connection) -> WriteResult:
        add_to_snapshot(connection, kind, found)
        return write_batch(connection, run.district_id, Batch(**{kind: found}), note_stale)

    return work


def _finish_read(run: DistrictSync, connection: Connection, cursor: str | None) -> WriteResult:
    run.keep_cursor(connection, None if run.held else cursor)
    held = loss_limits.held_kinds(run.held)
    return remove_missing(connection, run.district_id, run.began, held)
