"""How the sync of the own district does: when it was last done, and what keeps it from its work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from clever_login.clever.models import Role
from clever_login.db.models import District, utc_now
from clever_login.rosters import visibility
from clever_login.rosters.viewer import Viewer

OVERDUE_AFTER = timedelta(
    hours=25
)  # one sync a night, which may take an hour longer than the last one


@dataclass(frozen=True, kw_only=True)
class SyncStatus:
    """What the store knows; `problem` is what the last sync left there, a word of ours."""

    synced_at: datetime | None = None
    state: str | None = None  # at Clever
    error: str | None = None  # in Clever's words
    launch_date: date | None = None
    problem: str | None = None

    @property
    def problems(self) -> list[str]:
        """Each in a word; a pause is none, for it comes every summer."""
        found = [self.problem or self._late]
        if self.state == "pending":
            found.append("pending")
        elif self.state == "error" or self.error:
            found.append("error")
        return list(filter(None, found))

    @property
    def opens(self) -> date | None:
        """From when on the district's people may log in, where that day has not come."""
        day = self.launch_date
        return day if day and day > utc_now().date() else None

    @property
    def _late(self) -> str:
        if self.synced_at is None:
            return "never"
        return "old" if self.synced_at < utc_now() - OVERDUE_AFTER else ""


def load_sync_status(session: Session, viewer: Viewer) -> SyncStatus:
    """That of the viewer's district; an empty one for who has none."""
    found = session.execute(_own_district_query(viewer.role), viewer.with_values()).one_or_none()
    return SyncStatus(**found._asdict()) if found else SyncStatus()


@cache
def _own_district_query(role: Role | None) -> Select[*tuple[Any, ...]]:
    told = (District.synced_at, District.state, District.error, District.launch_date)
    return select(*told, District.problem).where(District.id.in_(visibility.own_district_ids(role)))
