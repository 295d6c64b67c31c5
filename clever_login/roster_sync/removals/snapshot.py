"""What a full read saw, and what it did not see.

Seen ids and stale links go into tables, so memory use stays flat. They are ordinary tables: behind
a pooler, each transaction may run in another session of the database, without the temporary tables
of the one before. They are not UNLOGGED either. The server empties those when it crashes, and a
pooler may hide that from the read, which would then remove everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, or_, select

from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from clever_login.db import models
from clever_login.db.models import SeenRecord, StaleLink
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


def delete_leftovers(connection: Connection) -> None:
    """Delete the rows of reads that were killed. Call this while holding the lock, before a read.

    Only one sync runs at a time, so nobody needs any of the rows.
    """
    for table in (SeenRecord, StaleLink):
        connection.execute(delete(table))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The rows of one full read. A read that lost its lock does not touch those of another."""

    district_id: str
    started_at: datetime
    read_id: str = field(default_factory=models.new_id)

    def delete(self, connection: Connection) -> None:
        """Delete the rows of this read."""
        for table in (SeenRecord, StaleLink):
            connection.execute(delete(table).where(table.read_id == self.read_id))

    def add_seen(self, connection: Connection, kind: str, ids: Iterable[str]) -> None:
        """Mark these Clever ids as seen."""
        rows = [{**self._key(kind), "clever_id": clever_id} for clever_id in ids]
        if rows:
            connection.execute(build_insert(connection, SeenRecord).on_conflict_do_nothing(), rows)

    def note_stale(
        self,
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
            is_owner = self._is_stale(kind) & StaleLink.owner_id.in_(chunk)
            connection.execute(delete(StaleLink).where(is_owner))
        rows = [
            {
                **self._key(kind),
                "owner_id": owner_id,
                "linked_id": linked_id,
                "role": role,
                "counted": owner_id in counted,
            }
            for owner_id, linked_id, role in stale
        ]
        if rows:
            connection.execute(build_insert(connection, StaleLink), rows)

    def stale_links(self, kind: str) -> Select[*tuple[Any, ...]]:
        """Return the query of links that were not seen: owner, what it is linked to, and role."""
        columns = (StaleLink.owner_id, StaleLink.linked_id, StaleLink.role)
        return select(*columns).where(self._is_stale(kind))

    def uncounted_owners(self, kind: str) -> Select[*tuple[Any, ...]]:
        """Return the query of owners of stale links who are not yet counted as changed."""
        query = select(StaleLink.owner_id).where(self._is_stale(kind), ~StaleLink.counted)
        return query.distinct()

    def is_missing(self, kind: str) -> ColumnElement[bool]:
        """Return the condition for active rows that were not seen since the read began."""
        model: RosterModel = MODEL_BY_KIND[kind]
        key: Any = clever_id_column(model)
        is_seen = and_(SeenRecord.read_id == self.read_id, SeenRecord.kind == kind)
        was_seen = select(SeenRecord.clever_id).where(is_seen, SeenRecord.clever_id == key).exists()
        is_unseen = and_(model.district_id == self.district_id, model.archived_at.is_(None))
        is_unseen &= ~was_seen
        if model is not models.Person:
            return is_unseen
        # A user who logged in after the read began may be missing from the lists. The login time
        # may come from another machine's clock.
        person, login_cutoff = (
            models.Person,
            self.started_at - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS),
        )
        no_recent_login = or_(person.last_login.is_(None), person.last_login < login_cutoff)
        from_clever = and_(person.provider == models.PROVIDER, person.clever_id.is_not(None))
        return and_(is_unseen, from_clever, no_recent_login)

    def count_missing(self, connection: Connection, kinds: Collection[str]) -> LossCounts:
        """Return how many listed rows, and links, of these kinds were not seen."""
        losses = LossCounts()
        for kind, model in MODEL_BY_KIND.items():
            if kind in kinds:
                condition = self.is_missing(kind)
                if model is models.Person:
                    condition &= models.is_listed()
                    losses.update(loss_limits.count_people(connection, condition))
                else:
                    query = select(func.count()).select_from(model).where(condition)
                    losses[kind] = connection.scalar(query) or 0
        columns = (StaleLink.kind, StaleLink.role)
        is_stale = and_(StaleLink.read_id == self.read_id, StaleLink.kind.in_(kinds))
        stale = select(*columns, func.count()).where(is_stale).group_by(*columns)
        for kind, role, number in connection.execute(stale):
            losses[loss_limits.link_label(kind, role)] = number
        return losses

    def _key(self, kind: str) -> dict[str, str]:
        return {"district_id": self.district_id, "read_id": self.read_id, "kind": kind}

    def _is_stale(self, kind: str) -> ColumnElement[bool]:
        return and_(StaleLink.read_id == self.read_id, StaleLink.kind == kind)
