"""The boundary of a district in a sync: what is another district's is left out, and counted.

A district's token can say anything of anybody. So a record that names another district, a record
whose row belongs to another one, and a reference to such a row change nothing.
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
    """A record that may say which district it is of."""

    @property
    def district_id(self) -> str | None:
        """The id of that district, or None."""


R = TypeVar("R", bound=HasDistrictId)


@dataclass(frozen=True)
class FoundRows:
    """Rows by Clever's ids: those of this district with our ids, and those of others."""

    here: dict[str, str]
    elsewhere: set[str]


def find_rows(
    connection: Connection, district_id: str, key: Any, ids: Collection[str | None]
) -> FoundRows:
    """Look for rows by a column with Clever's ids; one without a district is in neither part."""
    model = key.class_
    asked = select(key, model.id, model.district_id)
    if model is Person:
        asked = asked.where(Person.provider == PROVIDER)
    found = FoundRows({}, set())
    for part in chunks(filter(None, ids), MAX_PARAMETERS):
        for clever_id, own, district in connection.execute(asked.where(key.in_(part))):
            if district == district_id:
                found.here[clever_id] = own
            elif district is not None:
                found.elsewhere.add(clever_id)
    return found


def drop_records_of_other_districts(
    records: dict[str, R], district_id: str, kind: str, outside: Counter[str]
) -> dict[str, R]:
    """The records that do not say that they are another district's."""
    kept = {key: each for key, each in records.items() if each.district_id in (None, district_id)}
    outside[kind] += len(records) - len(kept)
    return kept


def drop_rows_of_other_districts(
    wrote: dict[str, str], kind: str, outside: Counter[str]
) -> dict[str, str]:
    """What `put` did, without the rows that it left to another district."""
    kept = {key: what for key, what in wrote.items() if what != OTHER_DISTRICT}
    outside[kind] += len(wrote) - len(kept)
    return kept


def count_foreign_references(
    named: Iterable[str | None], found: FoundRows, field: str, outside: Counter[str]
) -> None:
    """Count the references of a field that lead to another district."""
    outside[field] += sum(1 for each in named if each in found.elsewhere)
