"""District boundaries in a sync: other districts' data is left out and counted.

A district's token could return data about anyone. A record that names another district, a record
whose row belongs to another district, and a reference to such a row change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, select

from clever_login.db.models import PROVIDER, Person
from clever_login.db.upsert import MAX_PARAMETERS, OTHER_DISTRICT, chunks


class HasDistrictId(Protocol):
    """A record that may name its district."""

    @property
    def district_id(self) -> str | None:
        """The district's id, or None."""


R = TypeVar("R", bound=HasDistrictId)


@dataclass(frozen=True)
class FoundRows:
    """Rows found by Clever id: in this district (Clever id to our id), and in other districts."""

    in_district: dict[str, str]
    in_other_districts: set[str]


def find_rows(
    connection: Connection, district_id: str, key: Any, ids: Collection[str | None]
) -> FoundRows:
    """Find rows by a column of Clever ids. Rows without a district are left out."""
    model = key.class_
    query = select(key, model.id, model.district_id)
    if model is Person:
        query = query.where(Person.provider == PROVIDER)
    rows = FoundRows({}, set())
    for chunk in chunks(filter(None, ids), MAX_PARAMETERS):
        for clever_id, row_id, district in connection.execute(query.where(key.in_(chunk))):
            if district == district_id:
                rows.in_district[clever_id] = row_id
            elif district is not None:
                rows.in_other_districts.add(clever_id)
    return rows


def drop_records_of_other_districts(
    records: dict[str, R], district_id: str, kind: str, other_districts: Counter[str]
) -> dict[str, R]:
    """Return the records that do not name another district.

    Counts the rest in `other_districts`.
    """
    result = {
        key: record for key, record in records.items() if record.district_id in (None, district_id)
    }
    other_districts[kind] += len(records) - len(result)
    return result


def drop_rows_of_other_districts(
    written: dict[str, str], kind: str, other_districts: Counter[str]
) -> dict[str, str]:
    """Return `upsert_rows`'s result without rows of other districts.

    Counts those in `other_districts`.
    """
    result = {key: change for key, change in written.items() if change != OTHER_DISTRICT}
    other_districts[kind] += len(written) - len(result)
    return result


def count_foreign_references(
    references: Iterable[str | None], rows: FoundRows, field: str, other_districts: Counter[str]
) -> None:
    """Count the references in a field that lead to another district."""
    other_districts[field] += sum(
        1 for reference in references if reference in rows.in_other_districts
    )
