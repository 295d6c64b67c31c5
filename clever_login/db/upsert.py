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


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
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
    table, existing = model_table(model), _existing_rows(connection, model, key, rows)
    changes = {row[key]: _change_kind(row, existing.get(row[key])) for row in rows}
    changed_rows = {row_key: change for row_key, change in changes.items() if change}
    rows_to_write = [
        row for row in rows if changed_rows.get(row[key], OTHER_DISTRICT) != OTHER_DISTRICT
    ]
    if rows_to_write:
        unique = ["id"] if key == "id" else ["provider", key]
        if key != "id":
            rows_to_write = [{"id": new_id(), **row} for row in rows_to_write]
        statement = build_insert(connection, table)
        new_values = {name: statement.excluded[name] for name in rows[0] if name not in unique}
        same_district = (
            None  # a second check: the row may have moved to another district since the read
        )
        if "district_id" in new_values:
            same_district = or_(
                table.c.district_id.is_(None), table.c.district_id == statement.excluded.district_id
            )
        upsert = statement.on_conflict_do_update(
            index_elements=unique, set_=new_values, where=same_district
        )
        connection.execute(upsert, rows_to_write)
    return changed_rows


def _existing_rows(
    connection: Connection, model: type[Base], key: str, rows: Sequence[Row]
) -> dict[str, Row]:
    if not rows:
        return {}
    columns = model_table(model).c
    selected = [columns[name] for name in rows[0]]
    return {
        existing[key]: dict(existing)
        for chunk in chunks([row[key] for row in rows], MAX_PARAMETERS)
        for existing in connection.execute(
            select(*selected).where(columns[key].in_(chunk))
        ).mappings()
    }


def _change_kind(row: Row, existing: Row | None) -> str:
    if existing is None:
        return "new"
    if existing.get("district_id") not in (None, row.get("district_id")):
        return OTHER_DISTRICT
    if existing["archived_at"] is not None:
        return "restored"
    return "" if existing == row else "changed"


def add_links(
    connection: Connection,
    model: type[Base],
    owners: Collection[str],
    wanted: Collection[tuple[str, ...]],
    *,
    keep: Callable[[tuple[str, ...]], bool] = lambda _row: False,
) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Add the wanted links; return those added, and the other links of the owners.

    The owner is the first column. Links for which `keep` returns True are not returned.
    """
    columns = list(model_table(model).primary_key)
    owner_column = columns[0]
    existing = {
        tuple(row)
        for chunk in chunks(owners, MAX_PARAMETERS)
        for row in connection.execute(select(*columns).where(owner_column.in_(chunk)))
    }
    added, stale = set(wanted) - existing, existing - set(wanted)
    if added:
        names = [column.name for column in columns]
        new_rows = [dict(zip(names, link, strict=True)) for link in sorted(added)]
        connection.execute(build_insert(connection, model).on_conflict_do_nothing(), new_rows)
    return added, {row for row in stale if not keep(row)}


def delete_links(
    connection: Connection, model: type[Base], links: Collection[tuple[str, ...]]
) -> None:
    """Delete links, given by their key."""
    if not links:
        return
    columns = list(model_table(model).primary_key)
    conditions = [column == bindparam(f"old_{column.name}") for column in columns]
    names = [f"old_{column.name}" for column in columns]
    keys = [dict(zip(names, link, strict=True)) for link in sorted(links)]
    connection.execute(delete(model_table(model)).where(*conditions), keys)
