"""Removals that wait for a review, because too much is missing at once.

The rows stay as they are until Clever shares them again, which ends the hold, or until somebody
approves the removal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from clever_login.db import models
from clever_login.db.models import HeldRemoval, Person
from clever_login.db.upsert import MAX_PARAMETERS, build_insert, chunks
from clever_login.roster_sync.kinds import (
    KIND_BY_LINK,
    LINK_BY_KIND,
    MODEL_BY_KIND,
    Link,
    LinkRow,
    RosterModel,
)
from clever_login.roster_sync.limits import loss_limits
from clever_login.roster_sync.limits.loss_limits import Loss, LossCounts

_KEY = ("district_id", "kind", "record_id", "linked_id", "role", "held_at")


def hold_records(
    connection: Connection, district_id: str, kind: str, condition: ColumnElement[bool]
) -> None:
    """Hold the removal of the rows that the condition selects."""
    model: RosterModel = MODEL_BY_KIND[kind]
    _hold(
        connection, district_id, kind, select(model.id, literal(""), literal("")).where(condition)
    )


def hold_links(
    connection: Connection, district_id: str, kind: str, links: Select[*tuple[Any, ...]]
) -> None:
    """Hold the removal of links, given by a query of owner, what it is linked to, and role."""
    _hold(connection, district_id, kind, links)


def _hold(
    connection: Connection, district_id: str, kind: str, rows: Select[*tuple[Any, ...]]
) -> None:
    found = rows.subquery()
    query = select(
        literal(district_id),
        literal(kind),
        *found.c,
        literal(models.utc_now(), models.UtcDateTime()),
    ).where(literal(value=True))
    insert = build_insert(connection, HeldRemoval).from_select(_KEY, query)
    connection.execute(insert.on_conflict_do_nothing())


def keep_held_links(
    connection: Connection,
    district_id: str,
    model: Link,
    owners: Collection[str],
    wanted: Collection[LinkRow],
    stale: Collection[LinkRow],
    *,
    hold_new: bool,
) -> set[LinkRow]:
    """Return the stale links of these owners that may be removed now.

    Those that are on hold stay so. With `hold_new`, all others are put on hold too. Ends the hold
    of the wanted links.
    """
    kind, held = KIND_BY_LINK[model], set[LinkRow]()
    columns = (HeldRemoval.record_id, HeldRemoval.linked_id, HeldRemoval.role)
    is_kind = _of_kind(district_id, kind)
    for owner_ids in chunks(owners, MAX_PARAMETERS):
        is_owner = is_kind & HeldRemoval.record_id.in_(owner_ids)
        held.update(map(tuple, connection.execute(select(*columns).where(is_owner))))
    for chunk in chunks(held & set(wanted), MAX_PARAMETERS // 3):
        connection.execute(delete(HeldRemoval).where(is_kind, tuple_(*columns).in_(chunk)))
    if not hold_new:
        return set(stale) - held
    if new := set(stale) - held:
        connection.execute(
            build_insert(connection, HeldRemoval).on_conflict_do_nothing(),
            [_link_row(district_id, kind, link) for link in sorted(new)],
        )
    return set()


def _link_row(district_id: str, kind: str, link: LinkRow) -> dict[str, object]:
    values = (district_id, kind, *link, models.utc_now())
    return dict(zip(_KEY, values, strict=True))


def end_hold_of_records(
    connection: Connection, district_id: str, kind: str, row_ids: Iterable[str]
) -> None:
    """End the hold of these records: Clever shares them."""
    for chunk in chunks(row_ids, MAX_PARAMETERS):
        is_record = _of_kind(district_id, kind) & HeldRemoval.record_id.in_(chunk)
        connection.execute(delete(HeldRemoval).where(is_record))


def end_hold_of_other_links(
    connection: Connection, district_id: str, kind: str, stale: Select[*tuple[Any, ...]]
) -> None:
    """End the hold of all links of the district except these: a full read has seen the others."""
    columns = (HeldRemoval.record_id, HeldRemoval.linked_id, HeldRemoval.role)
    is_seen = _of_kind(district_id, kind) & tuple_(*columns).not_in(stale)
    connection.execute(delete(HeldRemoval).where(is_seen))


def end_unapproved_holds(connection: Connection, district_id: str, kind: str) -> None:
    """End the holds of a kind of which little enough is missing now."""
    is_open = _of_kind(district_id, kind) & HeldRemoval.approved_at.is_(None)
    connection.execute(delete(HeldRemoval).where(is_open))


def lock_approvals(connection: Connection, district_id: str) -> None:
    """Make approvals of the district wait for the end of this transaction, or wait for theirs.

    Otherwise an approval in the middle of a removal would be deleted and not be made.
    """
    is_district = models.District.id == district_id
    connection.execute(
        select(models.District.id).where(is_district).with_for_update(key_share=True)
    )


def approve_all(connection: Connection, district_id: str) -> None:
    """Approve everything that the district has on hold."""
    is_open = _of_district(district_id) & HeldRemoval.approved_at.is_(None)
    connection.execute(update(HeldRemoval).where(is_open).values(approved_at=models.utc_now()))


def approved_records(district_id: str, kind: str) -> ColumnElement[bool]:
    """Return the condition for the active rows whose removal is approved."""
    model = MODEL_BY_KIND[kind]
    is_approved = exists().where(_is_approved(district_id, kind), _is_still_missing(model))
    return and_(model.district_id == district_id, model.archived_at.is_(None), is_approved)


def approved_links(district_id: str, kind: str) -> Select[*tuple[Any, ...]]:
    """Return the query of links whose removal is approved: owner, linked id, and role."""
    columns = (HeldRemoval.record_id, HeldRemoval.linked_id, HeldRemoval.role)
    return select(*columns).where(_is_approved(district_id, kind))


def has_approved(connection: Connection, district_id: str) -> bool:
    """Return whether the removal of anything in the district is approved."""
    query = exists().where(_of_district(district_id), HeldRemoval.approved_at.is_not(None))
    return bool(connection.scalar(select(query)))


def delete_approved(connection: Connection, district_id: str) -> None:
    """Forget the approved removals, which have been made."""
    is_approved = _of_district(district_id) & HeldRemoval.approved_at.is_not(None)
    connection.execute(delete(HeldRemoval).where(is_approved))


def end_all_holds(connection: Connection, district_id: str) -> None:
    """End all holds of a district that has left."""
    connection.execute(delete(HeldRemoval).where(_of_district(district_id)))


def drop_gone(connection: Connection, district_id: str) -> None:
    """Delete holds of rows that were removed in another way, such as by a merge.

    A login ends a hold, too: Clever lets only people log in whom it shares. Then they may be in
    another district.
    """
    for kind, model in MODEL_BY_KIND.items():
        is_active = (model.district_id == district_id) & model.archived_at.is_(None)
        is_held = exists().where(is_active, _is_still_missing(model))
        connection.execute(delete(HeldRemoval).where(_of_kind(district_id, kind), ~is_held))
    for kind, link in LINK_BY_KIND.items():
        owner_id, linked_id, role = link.__table__.primary_key
        is_stored = exists().where(
            owner_id == HeldRemoval.record_id,
            linked_id == HeldRemoval.linked_id,
            role == HeldRemoval.role,
        )
        connection.execute(delete(HeldRemoval).where(_of_kind(district_id, kind), ~is_stored))


def held_losses(connection: Connection, district_id: str) -> list[Loss]:
    """Return how much of what is on hold, and of how much. Links of held records are left out."""
    held = _count_held(connection, district_id)
    kinds = {loss_limits.LOSS_RULES[label].kind for label in held}
    if not kinds:
        return []
    totals = loss_limits.count_active(connection, district_id, kinds)
    dependents = {kind for owner in kinds for kind in loss_limits.DEPENDENTS.get(owner, ())}
    roles = [label for label in loss_limits.ROLE_NAMES.values() if held[label]]
    left_out = {"people"} if len(roles) == 1 else set(roles)
    return [
        Loss(label, number, totals[label])
        for label, number in held.items()
        if label not in left_out and loss_limits.LOSS_RULES[label].kind not in dependents
    ]


def _count_held(connection: Connection, district_id: str) -> LossCounts:
    held = LossCounts()
    columns = (HeldRemoval.kind, HeldRemoval.role)
    query = select(*columns, func.count()).where(_of_district(district_id)).group_by(*columns)
    for kind, role, number in connection.execute(query):
        if kind in LINK_BY_KIND:
            held[loss_limits.link_label(kind, role)] = number
        elif kind != "people":
            held[kind] = number
    people = select(HeldRemoval.record_id).where(_of_kind(district_id, "people"))
    held.update(loss_limits.count_people(connection, Person.id.in_(people)))
    return +held


def _of_district(district_id: str) -> ColumnElement[bool]:
    return HeldRemoval.district_id == district_id


def _of_kind(district_id: str, kind: str) -> ColumnElement[bool]:
    return and_(_of_district(district_id), HeldRemoval.kind == kind)


def _is_still_missing(model: RosterModel) -> ColumnElement[bool]:
    """Return the condition that joins a hold with its record, without people who came back."""
    is_record: ColumnElement[bool] = model.id == HeldRemoval.record_id
    if model is not Person:
        return is_record
    return is_record & or_(Person.last_login.is_(None), Person.last_login <= HeldRemoval.held_at)


def _is_approved(district_id: str, kind: str) -> ColumnElement[bool]:
    return and_(_of_kind(district_id, kind), HeldRemoval.approved_at.is_not(None))
