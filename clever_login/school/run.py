"""One sync of one district: what the two ways of reading it have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, update

from clever_login.api.events import Events
from clever_login.api.rosters import Roster
from clever_login.api.versions import Version
from clever_login.fields import ReadReport
from clever_login.school import ending, tables
from clever_login.school.apply import Counts, Written
from clever_login.school.losses import Loss
from clever_login.school.steps import Steps


@dataclass(frozen=True, kw_only=True)
class Run:
    """A district, how to read it, and where to write it. `say` tells an operator.

    `report` is that of `roster` and `events`: what they could not understand.
    """

    steps: Steps
    district_id: str
    version: Version
    roster: Roster
    events: Events
    yes: bool
    say: Callable[[str], None]
    report: ReadReport
    held: list[Loss] = field(default_factory=list)  # what was not removed
    counts: Counts = field(default_factory=Counter)
    began: datetime = field(default_factory=tables.now)

    def write(self, work: Callable[[Connection], Written]) -> None:
        """Do a step that writes records: it is counted, and whoever was archived is logged out."""
        written = self.steps.do(work)
        self.counts.update(written.counts)
        self.report.outside.update(written.outside)
        ending.end_sessions_of((*written.archived, *written.former))

    def keep_cursor(self, connection: Connection, cursor: str | None) -> None:
        """Remember up to where events have been applied, in the transaction that applied them."""
        here = tables.District.id == self.district_id
        connection.execute(update(tables.District).where(here).values(cursor=cursor))
