"""Who and what a full read has seen: ids in a temporary table, so that memory stays flat.

The table is the connection's own and goes with it. A read that breaks off begins again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    String,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from clever_login.clocks import MAY_DIFFER_SECONDS
from clever_login.school import tables
from clever_login.school.apply import MODELS, Model, Written, key_of
from clever_login.school.upsert import insert

_SEEN = Table(
    "seen_in_a_full_read",
    MetaData(),
    Column("kind", String(16), primary_key=True),
    Column("id", tables.ID, primary_key=True),
    prefixes=["TEMPORARY"],
)


def begin(connection: Connection) -> None:
    """Nothing has been seen yet."""
    _SEEN.create(connection, checkfirst=True)
    connection.execute(delete(_SEEN))


def note(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """These are there."""
    found = [{"kind": kind, "id": each} for each in ids]
    if found:
        connection.execute(insert(connection, _SEEN).on_conflict_do_nothing(), found)


def end(connection: Connection) -> None:
    """Let go of it."""
    _SEEN.drop(connection, checkfirst=True)


def count_missing(connection: Connection, district_id: str, since: datetime) -> int:
    """How many people would be archived."""
    where = _missing("people", district_id, since)
    return connection.scalar(select(func.count()).select_from(tables.Person).where(where)) or 0


def archive_missing(connection: Connection, district_id: str, since: datetime) -> Written:
    """Archive what was not seen since the read began."""
    counts: Counter[tuple[str, str]] = Counter()
    at = tables.now()
    missing = _missing("people", district_id, since)
    people = tuple(map(str, connection.scalars(select(tables.Person.clever_id).where(missing))))
    for kind, model in MODELS.items():
        where = _missing(kind, district_id, since)
        done = connection.execute(update(model).where(where).values(archived_at=at))
        counts[kind, "archived"] += done.rowcount
    return Written(+counts, people)


def _missing(kind: str, district_id: str, since: datetime) -> ColumnElement[bool]:
    model: Model = MODELS[kind]
    key: Any = key_of(model)
    found = select(_SEEN.c.id).where(_SEEN.c.kind == kind, _SEEN.c.id == key).exists()
    here = and_(model.district_id == district_id, model.archived_at.is_(None), ~found)
    if model is not tables.Person:
        return here
    # Who has logged in since came too late for the read; the login may be by another clock.
    person, login = tables.Person, since - timedelta(seconds=MAY_DIFFER_SECONDS)
    before = or_(person.last_login.is_(None), person.last_login < login)
    ours = and_(person.provider == tables.PROVIDER, person.clever_id.is_not(None))
    return and_(here, ours, before)
