"""All users as a table, for a product that moves them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import select

from clever_login.db.database import database
from clever_login.db.models import Person

COLUMNS = (
    "person_id",
    "account_id",
    "clever_id",
    "email",
    "first_name",
    "last_name",
    "preferred_name",
    "archived_at",
)
_PEOPLE = (
    select(
        Person.id,
        Person.account_id,
        Person.clever_id,
        Person.email,
        Person.first_name,
        Person.last_name,
        Person.preferred_name,
        Person.archived_at,
    )
    .where(Person.merged_into.is_(None))
    .order_by(Person.id)
)


def export_accounts(page_size: int = 500) -> Iterator[tuple[str, ...]]:
    """Yield the values of COLUMNS for each user, without rows merged into another one.

    People whom only a sync has added are included: a login does not change their id. A missing
    value is an empty text. Raises DatabaseUnavailable.
    """
    last_id = ""
    while rows := _read_page(last_id, page_size):
        for row in rows:
            yield tuple(map(_as_text, row))
        last_id = rows[-1][0]


def _read_page(last_id: str, page_size: int) -> list[tuple[Any, ...]]:
    """Return the users after this id. Pages keep the memory small, and no transaction open."""
    page = _PEOPLE.where(Person.id > last_id).limit(page_size)
    with database().read_session() as session:
        return [tuple(row) for row in session.execute(page)]


def _as_text(value: str | datetime | None) -> str:
    return value.isoformat() if isinstance(value, datetime) else value or ""
