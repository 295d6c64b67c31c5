"""What a full read has seen: ids in temporary tables, so that memory stays flat.

What it has not seen is missing, and links that it no longer found are stale. Both are removed at
its end, and not before it is known how many there are. The tables are the connection's own and go
with it. A read that breaks off begins again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
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

from clever_login.clocks import MAY_DIFFER_SECONDS
from clever_login.school import losses, tables
from clever_login.school.apply import MODELS, Link, Model, Written, key_of
from clever_login.school.losses import Numbers
from clever_login.school.upsert import MOST_PARAMETERS, chunks, insert

_METADATA = MetaData()
_SEEN = Table(
    "seen_in_a_full_read",
    _METADATA,
    Column("kind", String(16), primary_key=True),
    Column("id", tables.ID, primary_key=True),
    prefixes=["TEMPORARY"],
)
_STALE = Table(
    "stale_after_a_full_read",
    _METADATA,
    Column("kind", String(16), primary_key=True),
    Column("one", tables.ID, primary_key=True),  # a link's columns, in their order
    Column("other", tables.ID, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("counted", Boolean),  # whether the owner counts as changed already
    prefixes=["TEMPORARY"],
)
_LINKS: dict[str, Link] = {"people_schools": tables.PersonSchool, "enrolments": tables.Enrolment}


def begin(connection: Connection) -> None:
    """Nothing has been seen yet."""
    for table in (_SEEN, _STALE):
        table.create(connection, checkfirst=True)
        connection.execute(delete(table))


def note(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """These are there."""
    found = [{"kind": kind, "id": each} for each in ids]
    if found:
        connection.execute(insert(connection, _SEEN).on_conflict_do_nothing(), found)


def note_stale(
    connection: Connection,
    model: Link,
    owners: Collection[str],
    stale: Collection[tuple[str, ...]],
    counted: Collection[str],
) -> None:
    """Of all links of these owners, these are no longer there; who is `counted` has changed."""
    kind = model.__tablename__
    for part in chunks(owners, MOST_PARAMETERS):
        connection.execute(delete(_STALE).where(_STALE.c.kind == kind, _STALE.c.one.in_(part)))
    found = [
        {"kind": kind, "one": one, "other": other, "role": role, "counted": one in counted}
        for one, other, role in stale
    ]
    if found:
        connection.execute(insert(connection, _STALE), found)


def end(connection: Connection) -> None:
    """Let go of it."""
    for table in (_SEEN, _STALE):
        table.drop(connection, checkfirst=True)


def count_missing(
    connection: Connection, district_id: str, since: datetime, kinds: Collection[str]
) -> Numbers:
    """How much of these kinds would be removed."""
    found = Numbers()
    for kind, model in MODELS.items():
        if kind in kinds:
            where = _missing(kind, district_id, since)
            if model is tables.Person:
                found.update(losses.people(connection, where))
            else:
                asked = select(func.count()).select_from(model).where(where)
                found[kind] = connection.scalar(asked) or 0
    columns = (_STALE.c.kind, _STALE.c.role)
    stale = select(*columns, func.count()).where(_STALE.c.kind.in_(kinds)).group_by(*columns)
    for kind, role, number in connection.execute(stale):
        found[losses.name_of_links(kind, role)] = number
    return found


def remove_missing(
    connection: Connection, district_id: str, since: datetime, held: Collection[str]
) -> Written:
    """Archive what was not seen since the read began, and unlink what is stale, unless held."""
    counts: Counter[tuple[str, str]] = Counter()
    at = tables.now()
    people: tuple[str, ...] = ()
    for kind, model in MODELS.items():
        if kind not in held:
            where = _missing(kind, district_id, since)
            if model is tables.Person:
                gone = connection.scalars(select(tables.Person.clever_id).where(where))
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
    return Written(+counts, people)


def _unlink(connection: Connection, kind: str) -> int:
    model = _LINKS[kind]
    columns: Any = tuple_(*model.__table__.primary_key)
    stale = select(_STALE.c.one, _STALE.c.other, _STALE.c.role).where(_STALE.c.kind == kind)
    return connection.execute(delete(model).where(columns.in_(stale))).rowcount


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
