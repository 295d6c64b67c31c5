"""The sync status of the viewer's district: when it last ran, and what blocks it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, select

from clever_login.db.models import District, utc_now
from clever_login.rosters import visibility
from clever_login.rosters.viewers import Viewer, ViewerRole

# One sync per night, which may take an hour longer than the previous one.
OVERDUE_AFTER = timedelta(hours=25)


@dataclass(frozen=True, kw_only=True)
class SyncStatus:
    """What the database knows of a district's sync. `problem` is a code set by the last sync."""

    synced_at: datetime | None = None
    state: str | None = None  # Clever's sync state
    error: str | None = None  # Clever's error message
    launch_date: date | None = None
    problem: str | None = None

    @property
    def problems(self) -> list[str]:
        """Codes of the current problems. A paused sync is not one: it happens every summer."""
        codes = [self.problem or self._overdue_code]
        if self.state == "pending":
            codes.append("pending")
        elif self.state == "error" or self.error:
            codes.append("error")
        return list(filter(None, codes))

    @property
    def opening_date(self) -> date | None:
        """The day from which the district's users may log in, if it is in the future."""
        day = self.launch_date
        return day if day and day > utc_now().date() else None

    @property
    def _overdue_code(self) -> str:
        if self.synced_at is None:
            return "never"
        return "old" if self.synced_at < utc_now() - OVERDUE_AFTER else ""


def load_sync_status(connection: Connection, viewer: Viewer) -> SyncStatus:
    """Return the status of the viewer's district; an empty one if there is no district."""
    row = connection.execute(_own_district_query(viewer.role), viewer.with_values()).one_or_none()
    return SyncStatus(**row._asdict()) if row else SyncStatus()


@cache
def _own_district_query(role: ViewerRole) -> Select[*tuple[Any, ...]]:
    columns = (District.synced_at, District.state, District.error, District.launch_date)
    return select(*columns, District.problem).where(
        District.id.in_(visibility.own_district_ids(role))
    )
