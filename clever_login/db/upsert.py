"""Idempotent bulk writes, with the ON CONFLICT syntax that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Table, bindparam, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from clever_login.db.models import Base, new_id

T = TypeVar("T")
Row = dict[str, Any]
Insert = postgresql.Insert | sqlite.Insert
OTHER_DISTRICT = "outside"
MAX_PARAMETERS = 5_000  # per statement; SQLite's limit is 32,766


def chunks(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    rest = iter(things)
    while chunk := list(islice(rest, size)):
        yield chunk


def model_table(model: type[Base]) -> Table:
    """Return the table of a model."""
    return cast(Table, model.__table__)


def build_insert(connection: Connection, model: type[Base] | Table) -> Insert:
    """Return an INSERT that supports ON CONFLICT."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return cast(Insert, dialect.insert(model))


def upsert_rows(
    connection: Connection, model: type[Base], key: str, rows: Sequence[Row]
) -> dict[str, str]:
    """Write the rows that are new, changed or archived, and return what happened, by key.

    Values are "new", "changed", "restored", or OTHER_DISTRICT for a row of another district, which
    is not written. Unchanged rows are neither written nor returned. If `key` is not "id", a new row
    gets an id.
    """
    into, found = model_table(model), _existing_rows(connection, model, key, rows)
    outcome = {row[key]: _change_kind(row, found.get(row[key])) for row in rows}
    wrote = {each: what for each, what in outcome.items() if what}
    write = [row for row in rows if wrote.get(row[key], OTHER_DISTRICT) != OTHER_DISTRICT]
    if write:
        unique = ["id"] if key == "id" else ["provider", key]
        if key != "id":
            write = [{"id": new_id(), **row} for row in write]
        statement = build_insert(connection, into)
        news = {name: statement.excluded[name] for name in rows[0] if name not in unique}
        ours = None  # a second check: the row may have moved to another district since the read
        if "district_id" in news:
            ours = or_(
                into.c.district_id.is_(None), into.c.district_id == statement.excluded.district_id
            )
        upsert = statement.on_conflict_do_update(index_elements=unique, set_=news, where=ours)
        connection.execute(upsert, write)
    return wrote


def _existing_rows(
    connection: Connection, model: type[Base], key: str, rows: Sequence[Row]
) -> dict[str, Row]:
    if not rows:
        return {}
    columns = model_table(model).c
    asked = [columns[name] for name in rows[0]]
    return {
        found[key]: dict(found)
        for part in chunks([row[key] for row in rows], MAX_PARAMETERS)
        for found in connection.execute(select(*asked).where(columns[key].in_(part))).mappings()
    }


def _change_kind(row: Row, found: Row | None) -> str:
    if found is None:
        return "new"
    if found.get("district_id") not in (None, row.get("district_id")):
        return OTHER_DISTRICT
    if found["archived_at"] is not None:
        return "restored"
    return "" if found == row else "changed"


def replace_links(
    connection: Connection,
    model: type[Base],
    owners: Collection[str],
    wanted: Collection[tuple[str, ...]],
    *,
    stays: Callable[[tuple[str, ...]], bool] = lambda _row: False,
    remove: bool = True,
) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Make `wanted` the only links of their owners; return the links added and removed.

    The owner is the first column. Links for which `stays` returns True are kept. If `remove` is
    False, stale links are returned as removed but not deleted.
    """
    columns = list(model_table(model).primary_key)
    own = columns[0]
    found = {
        tuple(row)
        for part in chunks(owners, MAX_PARAMETERS)
        for row in connection.execute(select(*columns).where(own.in_(part)))
    }
    added, gone = set(wanted) - found, found - set(wanted)
    removed = {row for row in gone if not stays(row)}
    names = [column.name for column in columns]
    if removed and remove:
        same = [column == bindparam(f"old_{column.name}") for column in columns]
        old = [dict(zip((f"old_{n}" for n in names), each, strict=True)) for each in removed]
        connection.execute(delete(model_table(model)).where(*same), old)
    if added:
        new = [dict(zip(names, each, strict=True)) for each in sorted(added)]
        connection.execute(build_insert(connection, model).on_conflict_do_nothing(), new)
    return added, removed
