"""Full read: writes everything a district shares, then removes what was not seen.

What was not seen is removed at the end, once the number is known. An interrupted read starts over.

A list that is empty or would remove too much is read again. If too much is still missing, the
removals of that kind are put on hold and everything else is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from clever_login.api_versions import RecordKind
from clever_login.db.engines import analyze_tables
from clever_login.db.upsert import chunks
from clever_login.errors import EventsNotEnabled, NotShared
from clever_login.roster_sync import event_sync, row_values
from clever_login.roster_sync.announcements import write_and_announce
from clever_login.roster_sync.district_run import DistrictSync
from clever_login.roster_sync.limits import loss_limits
from clever_login.roster_sync.limits.loss_limits import Loss, LossCounts
from clever_login.roster_sync.removals import removal
from clever_login.roster_sync.removals.snapshot import Snapshot
from clever_login.roster_sync.writer import Batch, WriteResult

RECORDS_PER_TRANSACTION = 500
# Whether every app may read these is unknown. Sections do not need them.
OPTIONAL_LISTS = {"terms", "courses"}
SECTIONS_PER_PAGE = 5_000  # per response: with their student lists, still smaller than 10,000 users
# What is lost if a list of users is empty.
_LOSS_BY_LIST = {
    RecordKind.USERS: "people",
    RecordKind.STUDENTS: "students",
    RecordKind.TEACHERS: "teachers",
    RecordKind.STAFF: "staff",
    RecordKind.DISTRICT_ADMINS: "district administrators",
}


@dataclass(frozen=True)
class _Group:
    """Lists that are read one after another, and the kinds of rows that they fill.

    The key of a list says what is lost if it is empty, as in LOSS_RULES.
    """

    name: str
    kinds: tuple[str, ...]
    lists: Mapping[str, Callable[[], Iterable[Any]]]


def read_everything(sync: DistrictSync) -> None:
    """Read the whole district. Changes made meanwhile arrive as events after the stored cursor.

    Raises ReceiverFailed, with nothing removed and the cursor unchanged: people of a batch that was
    rolled back count as unseen, so the read must not go on to its end.
    """
    sync.excessive_losses.clear()  # those of events that could not be read to their end
    cursor = _latest_cursor(sync)
    snapshot = Snapshot(district_id=sync.district_id, started_at=sync.started_at)
    try:
        counts_before = sync.transactions.run_in_transaction(
            lambda db: loss_limits.count_active(db, sync.district_id)
        )
        for group in _groups(sync):
            try:
                _read_group(sync, snapshot, group, counts_before)
            except NotShared:
                if group.name not in OPTIONAL_LISTS:
                    raise
                sync.unread_kinds.add(group.name)
        sync.write(lambda db: _finish_read(sync, snapshot, db, cursor))
        sync.transactions.run_in_transaction(analyze_tables)
    finally:
        if not sync.transactions.connection.invalidated:
            with sync.transactions.connection.begin():
                snapshot.delete(sync.transactions.connection)


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
    people_lists = {_LOSS_BY_LIST[kind]: partial(roster.people, kind) for kind in people}
    sections = replace(roster, page_size=SECTIONS_PER_PAGE).sections
    yield _Group("schools", ("schools",), {"schools": roster.schools})
    yield _Group("terms", ("terms",), {"terms": roster.terms})
    yield _Group("courses", ("courses",), {"courses": roster.courses})
    yield _Group("people", ("people", "role_assignments"), people_lists)
    yield _Group("sections", ("sections", "enrollments"), {"sections": sections})


def _read_group(
    sync: DistrictSync, snapshot: Snapshot, group: _Group, counts_before: LossCounts
) -> None:
    """Read a group, and once more if it is empty or too much of it is missing."""
    report = sync.report.copy()
    empty = _read_lists(sync, snapshot, group)
    losses = _find_losses(sync, snapshot, group, counts_before, empty)
    if not losses and empty != group.lists.keys():
        return
    if losses:
        sync.report_progress(
            f"Missing: {', '.join(map(str, losses))}. Reading the list again, to be sure."
        )
    sync.report.reset(report)
    empty = _read_lists(sync, snapshot, group)
    sync.excessive_losses.extend(_find_losses(sync, snapshot, group, counts_before, empty))


def _find_losses(
    sync: DistrictSync,
    snapshot: Snapshot,
    group: _Group,
    counts_before: LossCounts,
    empty: set[str],
) -> list[Loss]:
    def work(connection: Connection) -> list[Loss]:
        counts_now = loss_limits.count_active(connection, sync.district_id, group.kinds)
        missing = snapshot.count_missing(connection, group.kinds)
        return loss_limits.find_excessive_losses(
            counts_before, counts_now, missing, sync.removal_limit, empty
        )

    return sync.transactions.run_in_transaction(work)


def _read_lists(sync: DistrictSync, snapshot: Snapshot, group: _Group) -> set[str]:
    """Read the lists of a group, and return the keys of those that are empty."""
    number, empty = 0, set[str]()
    for key, read_records in group.lists.items():
        number_before = number
        records = (
            filter(row_values.is_synced, read_records())
            if group.name == "people"
            else read_records()
        )
        for chunk in chunks(records, RECORDS_PER_TRANSACTION):
            by_id = {record.id: record for record in chunk}
            sync.write(_chunk_writer(sync, snapshot, group.name, by_id))
            number += len(chunk)
            sync.report_progress(f"{number} {group.name}")
        if number == number_before:
            empty.add(key)
    return empty


def _chunk_writer(
    sync: DistrictSync, snapshot: Snapshot, kind: str, records: dict[str, Any]
) -> Callable[[Connection], WriteResult]:
    def work(connection: Connection) -> WriteResult:
        snapshot.add_seen(connection, kind, records)
        batch = Batch(**{kind: records})
        return write_and_announce(connection, sync.district_id, batch, snapshot.note_stale)

    return work


def _finish_read(
    sync: DistrictSync, snapshot: Snapshot, connection: Connection, cursor: str | None
) -> WriteResult:
    sync.save_full_read(connection, cursor)
    return removal.finish_full_read(
        connection,
        snapshot,
        loss_limits.held_kinds(sync.excessive_losses),
        sync.unread_kinds,
        is_confirmed=sync.confirm_archive,
    )
