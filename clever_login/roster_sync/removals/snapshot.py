"""What a full read saw, and what it did not see.

Seen ids and stale links go into temporary tables, so memory use stays flat. The tables belong to
the connection and end with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
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
    func,
    or_,
    select,
)

from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from clever_login.db import models
from clever_login.db.upsert import MAX_PARAMETERS, build_insert, chunks
from clever_login.roster_sync.kinds import (
    KIND_BY_LINK,
    MODEL_BY_KIND,
    Link,
    LinkRow,
    RosterModel,
    clever_id_column,
)
from clever_login.roster_sync.limits import loss_limits
from clever_login.roster_sync.limits.loss_limits import LossCounts

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


def create_snapshot(connection: Connection) -> None:
    """Create or empty the temporary tables."""
    for table in (_SNAPSHOT, _STALE):
        table.create(connection, checkfirst=True)
        connection.execute(delete(table))


def drop_snapshot(connection: Connection) -> None:
    """Drop the temporary tables."""
    for table in (_SNAPSHOT, _STALE):
        table.drop(connection, checkfirst=True)


def add_to_snapshot(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """Mark these Clever ids as seen."""
    rows = [{"kind": kind, "id": record_id} for record_id in ids]
    if rows:
        connection.execute(build_insert(connection, _SNAPSHOT).on_conflict_do_nothing(), rows)


def note_stale(
    connection: Connection,
    model: Link,
    owners: Collection[str],
    stale: Collection[LinkRow],
    counted: Collection[str],
) -> None:
    """Record the stale links of these owners, replacing what was recorded for them.

    Owners in `counted` are already counted as changed.
    """
    kind = KIND_BY_LINK[model]
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


def stale_links(kind: str) -> Select[*tuple[Any, ...]]:
    """Return the query of links that were not seen: owner, what it is linked to, and role."""
    columns = (_STALE.c.owner_id, _STALE.c.linked_id, _STALE.c.role)
    return select(*columns).where(_STALE.c.kind == kind)


def uncounted_owners(kind: str) -> Select[*tuple[Any, ...]]:
    """Return the query of owners of stale links who are not yet counted as changed."""
    return select(_STALE.c.owner_id).where(_STALE.c.kind == kind, ~_STALE.c.counted).distinct()


def is_missing(kind: str, district_id: str, started_at: datetime) -> ColumnElement[bool]:
    """Return the condition for active rows that were not seen since the read began."""
    model: RosterModel = MODEL_BY_KIND[kind]
    key: Any = clever_id_column(model)
    was_seen = (
        select(_SNAPSHOT.c.id).where(_SNAPSHOT.c.kind == kind, _SNAPSHOT.c.id == key).exists()
    )
    is_unseen = and_(model.district_id == district_id, model.archived_at.is_(None), ~was_seen)
    if model is not models.Person:
        return is_unseen
    # A user who logged in after the read began may be missing from the lists. The login time may
    # come from another machine's clock.
    person, login_cutoff = (
        models.Person,
        started_at - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS),
    )
    no_recent_login = or_(person.last_login.is_(None), person.last_login < login_cutoff)
    from_clever = and_(person.provider == models.PROVIDER, person.clever_id.is_not(None))
    return and_(is_unseen, from_clever, no_recent_login)


def count_missing(
    connection: Connection, district_id: str, started_at: datetime, kinds: Collection[str]
) -> LossCounts:
    """Return how many listed rows, and links, of these kinds were not seen."""
    losses = LossCounts()
    for kind, model in MODEL_BY_KIND.items():
        if kind in kinds:
            condition = is_missing(kind, district_id, started_at)
            if model is models.Person:
                condition &= models.is_listed()
                losses.update(loss_limits.count_people(connection, condition))
            else:
                query = select(func.count()).select_from(model).where(condition)
                losses[kind] = connection.scalar(query) or 0
    columns = (_STALE.c.kind, _STALE.c.role)
    stale = select(*columns, func.count()).where(_STALE.c.kind.in_(kinds)).group_by(*columns)
    for kind, role, number in connection.execute(stale):
        losses[loss_limits.link_label(kind, role)] = number
    return losses
