"""Removes rows: archives records, deletes links, and sends the signals about both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, tuple_, update

from clever_login.db import models
from clever_login.db.models import Person
from clever_login.roster_sync.announcements import announce_removals
from clever_login.roster_sync.kinds import LINK_BY_KIND, MODEL_BY_KIND
from clever_login.roster_sync.removals import held_removals
from clever_login.roster_sync.removals.snapshot import Snapshot
from clever_login.roster_sync.writer import WriteResult

# Clever may leave out a few people for an hour, so a second full read has to agree.
CONFIRM_AFTER = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What to remove: a condition for each kind of record, and a query for each kind of link.

    `changed_people` selects the people who lose a role at a school and are not yet counted as
    changed.
    """

    records: dict[str, ColumnElement[bool]]
    links: dict[str, Select[*tuple[Any, ...]]]
    changed_people: Select[*tuple[Any, ...]] | None = None


def finish_full_read(
    connection: Connection,
    snapshot: Snapshot,
    held_kinds: Collection[str],
    unread_kinds: Collection[str],
    *,
    is_confirmed: bool,
) -> WriteResult:
    """Remove what a full read did not see, or put it on hold.

    Of the held kinds, nothing is removed, and the unread kinds stay as they are. Missing people
    are hidden, and archived when they are still missing after CONFIRM_AFTER; with `is_confirmed`,
    now. Raises ReceiverFailed.
    """
    district_id, started_at = snapshot.district_id, snapshot.started_at
    missing = {
        kind: snapshot.is_missing(kind) for kind in MODEL_BY_KIND if kind not in unread_kinds
    }
    _update_holds(connection, snapshot, missing, held_kinds)
    removal = Removal(
        records={kind: missing[kind] for kind in missing if kind not in held_kinds},
        links={kind: snapshot.stale_links(kind) for kind in LINK_BY_KIND if kind not in held_kinds},
        changed_people=None
        if "role_assignments" in held_kinds
        else snapshot.uncounted_owners("role_assignments"),
    )
    if "people" in held_kinds:
        return _remove(connection, district_id, removal)
    if not is_confirmed:
        removal.records["people"] &= Person.missing_since <= started_at - CONFIRM_AFTER
    result = _remove(connection, district_id, removal)
    hidden = _hide(connection, missing["people"], started_at)
    counts = result.counts + Counter({("people", "hidden"): len(hidden)})
    return replace(result, counts=counts, logged_out=(*result.logged_out, *hidden))


def _update_holds(
    connection: Connection,
    snapshot: Snapshot,
    missing: dict[str, ColumnElement[bool]],
    held_kinds: Collection[str],
) -> None:
    """Hold what is missing of the held kinds, and end the other holds: a full read decides."""
    district_id = snapshot.district_id
    for kind in {*missing, *LINK_BY_KIND}.difference(held_kinds):
        held_removals.end_unapproved_holds(connection, district_id, kind)
    for kind, condition in missing.items():
        if kind in held_kinds:
            is_new = condition & models.is_listed() if kind == "people" else condition
            held_removals.hold_records(connection, district_id, kind, is_new)
    for kind in LINK_BY_KIND:
        stale = snapshot.stale_links(kind)
        held_removals.end_hold_of_other_links(connection, district_id, kind, stale)
        if kind in held_kinds:
            held_removals.hold_links(connection, district_id, kind, stale)


def remove_approved(connection: Connection, district_id: str) -> WriteResult:
    """Remove what is on hold and approved. Raises ReceiverFailed."""
    held_removals.lock_approvals(connection, district_id)
    if not held_removals.has_approved(connection, district_id):
        return WriteResult(Counter())
    links = {kind: held_removals.approved_links(district_id, kind) for kind in LINK_BY_KIND}
    owner = links["role_assignments"].selected_columns[0]
    removal = Removal(
        records={kind: held_removals.approved_records(district_id, kind) for kind in MODEL_BY_KIND},
        links=links,
        changed_people=links["role_assignments"].with_only_columns(owner).distinct(),
    )
    result = _remove(connection, district_id, removal)
    held_removals.delete_approved(connection, district_id)
    return result


def remove_hidden(connection: Connection, district_id: str) -> WriteResult:
    """Archive all people of the district who are missing since a full read."""
    is_hidden = (Person.district_id == district_id) & Person.archived_at.is_(None)
    is_hidden &= Person.missing_since.is_not(None)
    return _remove(connection, district_id, Removal(records={"people": is_hidden}, links={}))


def _hide(
    connection: Connection, is_missing: ColumnElement[bool], started_at: datetime
) -> tuple[str, ...]:
    """Hide missing people from all lists. Returns their Clever ids."""
    condition = is_missing & Person.missing_since.is_(None)
    return _update_people(connection, condition, missing_since=started_at)


def _update_people(
    connection: Connection, condition: ColumnElement[bool], **values: datetime
) -> tuple[str, ...]:
    """Update people and return their Clever ids.

    One statement, so that nobody is logged out who logs in at this moment and is not updated.
    """
    statement = update(Person).where(condition).values(values).returning(Person.clever_id)
    return tuple(clever_id for clever_id in connection.scalars(statement) if clever_id)


def _remove(connection: Connection, district_id: str, removal: Removal) -> WriteResult:
    counts: Counter[tuple[str, str]] = Counter()
    archived_at, people = models.utc_now(), tuple[str, ...]()
    for kind, condition in removal.records.items():
        model = MODEL_BY_KIND[kind]
        if model is Person:
            people = _update_people(connection, condition, archived_at=archived_at)
            counts[kind, "archived"] += len(people)
            continue
        result = connection.execute(update(model).where(condition).values(archived_at=archived_at))
        counts[kind, "archived"] += result.rowcount
    if removal.changed_people is not None:
        query = select(func.count()).select_from(removal.changed_people.subquery())
        counts["people", "changed"] += connection.scalar(query) or 0
    for kind, links in removal.links.items():
        link = LINK_BY_KIND[kind]
        columns: Any = tuple_(*link.__table__.primary_key)
        number = connection.execute(delete(link).where(columns.in_(links))).rowcount
        if kind == "enrollments":
            counts[kind, "removed"] += number
    announce_removals(
        connection,
        district_id,
        archived_at,
        removal.links.get("role_assignments"),
        removal.links.get("enrollments"),
    )
    return WriteResult(+counts, people)
