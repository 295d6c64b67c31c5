"""Full read: writes everything a district shares, then archives what was not seen.

Seen ids and stale links go into temporary tables, so memory use stays flat. What was not seen is
removed at the end, once the number is known. The tables belong to the connection and end with it;
an interrupted read starts over.

A list that is empty or would remove too much is read again. If too much is still missing, nothing
of that kind is removed and everything else is applied; `DistrictSync.held_losses` lists the losses.
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
    Select,
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
from clever_login.roster_sync import event_sync, row_values
from clever_login.roster_sync.announcements import announce_removals, write_and_announce
from clever_login.roster_sync.district_run import DistrictSync
from clever_login.roster_sync.limits import loss_limits
from clever_login.roster_sync.limits.loss_limits import Loss, LossCounts
from clever_login.roster_sync.writer import (
    MODEL_BY_KIND,
    Batch,
    Link,
    RosterModel,
    WriteResult,
    clever_id_column,
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
    Column("owner_id", models.ID_TYPE, primary_key=True),  # the link's key columns, in order
    Column("linked_id", models.ID_TYPE, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("counted", Boolean),  # whether the owner is already counted as changed
    prefixes=["TEMPORARY"],
)
_LINKS: dict[str, Link] = {
    "role_assignments": models.RoleAssignment,
    "enrollments": models.Enrollment,
}
_LINK_KINDS = {model: kind for kind, model in _LINKS.items()}


def create_snapshot(connection: Connection) -> None:
    """Create or empty the temporary tables."""
    for table in (_SNAPSHOT, _STALE):
        table.create(connection, checkfirst=True)
        connection.execute(delete(table))


def add_to_snapshot(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """Mark these ids as seen."""
    rows = [{"kind": kind, "id": record_id} for record_id in ids]
    if rows:
        connection.execute(build_insert(connection, _SNAPSHOT).on_conflict_do_nothing(), rows)


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
    kind = _LINK_KINDS[model]
    for chunk in chunks(owners, MAX_PARAMETERS):
        connection.execute(
            delete(_STALE).where(_STALE.c.kind == kind, _STALE.c.owner_id.in_(chunk))
        )
    rows = [
        {
            "kind": kind,
            "owner_id": owner_id,
            "linked_id": linked_id,
            "role": role,
            "counted": owner_id in counted,
        }
        for owner_id, linked_id, role in stale
    ]
    if rows:
        connection.execute(build_insert(connection, _STALE), rows)


def drop_snapshot(connection: Connection) -> None:
    """Drop the temporary tables."""
    for table in (_SNAPSHOT, _STALE):
        table.drop(connection, checkfirst=True)


def count_missing_people(
    connection: Connection, district_id: str, started_at: datetime, kinds: Collection[str]
) -> LossCounts:
    """Return how many rows and links of these kinds would be removed."""
    losses = LossCounts()
    for kind, model in MODEL_BY_KIND.items():
        if kind in kinds:
            is_missing = _is_missing(kind, district_id, started_at)
            if model is models.Person:
                losses.update(loss_limits.count_people(connection, is_missing))
            else:
                query = select(func.count()).select_from(model).where(is_missing)
                losses[kind] = connection.scalar(query) or 0
    columns = (_STALE.c.kind, _STALE.c.role)
    stale = select(*columns, func.count()).where(_STALE.c.kind.in_(kinds)).group_by(*columns)
    for kind, role, number in connection.execute(stale):
        losses[loss_limits.link_label(kind, role)] = number
    return losses


def remove_missing(
    connection: Connection, district_id: str, started_at: datetime, held_kinds: Collection[str]
) -> WriteResult:
    """Archive rows not seen since the read began and delete stale links, except of held kinds.

    Sends the signals about them. Raises ReceiverFailed.
    """
    counts: Counter[tuple[str, str]] = Counter()
    archived_at = models.utc_now()
    people: tuple[str, ...] = ()
    for kind, model in MODEL_BY_KIND.items():
        if kind not in held_kinds:
            is_missing = _is_missing(kind, district_id, started_at)
            if model is models.Person:
                clever_ids = connection.scalars(select(models.Person.clever_id).where(is_missing))
                people = tuple(map(str, clever_ids))
            result = connection.execute(
                update(model).where(is_missing).values(archived_at=archived_at)
            )
            counts[kind, "archived"] += result.rowcount
    if "enrollments" not in held_kinds:
        counts["enrollments", "removed"] += _delete_stale_links(connection, "enrollments")
    if "role_assignments" not in held_kinds:
        owners = select(func.count(distinct(_STALE.c.owner_id))).where(
            _STALE.c.kind == "role_assignments", ~_STALE.c.counted
        )
        counts["people", "changed"] += connection.scalar(owners) or 0
        _delete_stale_links(connection, "role_assignments")
    announce_removals(
        connection,
        district_id,
        archived_at,
        None if "role_assignments" in held_kinds else _stale_links("role_assignments"),
        None if "enrollments" in held_kinds else _stale_links("enrollments"),
    )
    return WriteResult(+counts, people)


def _stale_links(kind: str) -> Select[*tuple[Any, ...]]:
    columns = (_STALE.c.owner_id, _STALE.c.linked_id, _STALE.c.role)
    return select(*columns).where(_STALE.c.kind == kind)


def _delete_stale_links(connection: Connection, kind: str) -> int:
    model = _LINKS[kind]
    columns: Any = tuple_(*model.__table__.primary_key)
    return connection.execute(delete(model).where(columns.in_(_stale_links(kind)))).rowcount


def _is_missing(kind: str, district_id: str, started_at: datetime) -> ColumnElement[bool]:
    model: RosterModel = MODEL_BY_KIND[kind]
    key: Any = clever_id_column(model)
    was_seen = (
        select(_SNAPSHOT.c.id).where(_SNAPSHOT.c.kind == kind, _SNAPSHOT.c.id == key).exists()
    )
    is_missing = and_(model.district_id == district_id, model.archived_at.is_(None), ~was_seen)
    if model is not models.Person:
        return is_missing
    # A user who logged in after the read began may be missing from the lists. The login time may
    # come from another machine's clock.
    person, login_cutoff = (
        models.Person,
        started_at - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS),
    )
    no_recent_login = or_(person.last_login.is_(None), person.last_login < login_cutoff)
    from_clever = and_(person.provider == models.PROVIDER, person.clever_id.is_not(None))
    return and_(is_missing, from_clever, no_recent_login)


RECORDS_PER_TRANSACTION = 500
SECTIONS_PER_PAGE = 5_000  # per response: with their student lists, still smaller than 10,000 users


@dataclass(frozen=True)
class _Group:
    """Lists that are read one after another, and the kinds of rows that they fill."""

    name: str
    kinds: tuple[str, ...]
    lists: tuple[Callable[[], Iterable[Any]], ...]


def read_everything(sync: DistrictSync) -> None:
    """Read the whole district. Changes made meanwhile arrive as events after the stored cursor.

    If anything is held, no cursor is stored, so the next sync is a full read again. Raises
    ReceiverFailed, with nothing removed and the cursor unchanged: people of a batch that was rolled
    back count as unseen, so the read must not go on to its end.
    """
    cursor = _latest_cursor(sync)
    sync.transactions.run_in_transaction(create_snapshot)
    try:
        counts_before = sync.transactions.run_in_transaction(
            lambda db: loss_limits.count_active(db, sync.district_id)
        )
        for group in _groups(sync):
            _read_group(sync, group, counts_before)
        sync.write(lambda db: _finish_read(sync, db, cursor))
        sync.transactions.run_in_transaction(analyze_tables)
    finally:
        if not sync.transactions.connection.invalidated:
            with sync.transactions.connection.begin():
                drop_snapshot(sync.transactions.connection)


def _latest_cursor(sync: DistrictSync) -> str | None:
    try:
        return event_sync.format_cursor(sync.version, sync.events.latest() or "")
    except EventsNotEnabled as error:
        sync.report_progress(f"{error} Until then, the sync reads the whole roster once a day.")
        return None


def _groups(sync: DistrictSync) -> Iterable[_Group]:
    """Ordered so that records refer only to earlier groups."""
    roster = sync.roster
    people = [kind for kind in sync.version.people if kind != "contacts"]
    people_lists = tuple(partial(roster.people, kind) for kind in people)
    sections = replace(roster, page_size=SECTIONS_PER_PAGE).sections
    yield _Group("schools", ("schools",), (roster.schools,))
    yield _Group("terms", ("terms",), (roster.terms,))
    yield _Group("people", ("people", "role_assignments"), people_lists)
    yield _Group("sections", ("sections", "enrollments"), (sections,))


def _read_group(sync: DistrictSync, group: _Group, counts_before: LossCounts) -> None:
    """Read a group, and once more if it is empty or too much of it is missing."""
    report = sync.report.copy()
    number = _read_list(sync, group)
    losses = _find_losses(sync, group, counts_before)
    if number and not losses:
        return
    if losses:
        sync.report_progress(
            f"Missing: {', '.join(map(str, losses))}. Reading the list again, to be sure."
        )
    sync.report.reset(report)
    _read_list(sync, group)
    if not sync.confirm_archive:
        sync.held_losses.extend(_find_losses(sync, group, counts_before))


def _find_losses(sync: DistrictSync, group: _Group, counts_before: LossCounts) -> list[Loss]:
    def work(connection: Connection) -> list[Loss]:
        counts_now = loss_limits.count_active(connection, sync.district_id, group.kinds)
        missing = count_missing_people(connection, sync.district_id, sync.started_at, group.kinds)
        return loss_limits.find_excessive_losses(counts_before, counts_now, missing)

    return sync.transactions.run_in_transaction(work)


def _read_list(sync: DistrictSync, group: _Group) -> int:
    number = 0
    for read_records in group.lists:
        records = (
            filter(row_values.is_synced, read_records())
            if group.name == "people"
            else read_records()
        )
        for chunk in chunks(records, RECORDS_PER_TRANSACTION):
            sync.write(_chunk_writer(sync, group.name, {record.id: record for record in chunk}))
            number += len(chunk)
            sync.report_progress(f"{number} {group.name}")
    return number


def _chunk_writer(
    sync: DistrictSync, kind: str, records: dict[str, Any]
) -> Callable[[Connection], WriteResult]:
    def work(connection: Connection) -> WriteResult:
        add_to_snapshot(connection, kind, records)
        batch = Batch(**{kind: records})
        return write_and_announce(connection, sync.district_id, batch, note_stale)

    return work


def _finish_read(sync: DistrictSync, connection: Connection, cursor: str | None) -> WriteResult:
    if sync.held_losses:
        sync.forget_cursor(connection)  # the next sync is a full read, which looks again
    else:
        sync.save_full_read(connection, cursor)
    held_kinds = loss_limits.held_kinds(sync.held_losses)
    return remove_missing(connection, sync.district_id, sync.started_at, held_kinds)
