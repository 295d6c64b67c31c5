"""How the sync of the own district does: when it was last done, and what keeps it from its work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import visibility
from clever_login.school.tables import District, now
from clever_login.school.viewer import Viewer

A_DAY = timedelta(hours=25)  # one sync a night, which may take an hour longer than the last one


@dataclass(frozen=True, kw_only=True)
class SyncState:
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
        return day if day and day > now().date() else None

    @property
    def _late(self) -> str:
        if self.synced_at is None:
            return "never"
        return "old" if self.synced_at < now() - A_DAY else ""


def sync_state(session: Session, viewer: Viewer) -> SyncState:
    """That of the viewer's district; an empty one for who has none."""
    found = session.execute(_home(viewer.role), viewer.with_values()).one_or_none()
    return SyncState(**found._asdict()) if found else SyncState()


@cache
def _home(role: Role | None) -> Select[*tuple[Any, ...]]:
    told = (District.synced_at, District.state, District.error, District.launch_date)
    return select(*told, District.problem).where(District.id.in_(visibility.home_ids(role)))
