"""What a sync did, in words for an operator and for the log of a scheduler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from clever_login.school.apply import Counts

TABLES = ("schools", "terms", "people", "sections", "enrolments")
NAMES = {"enrolments": "enrollments"}
WHAT = ("new", "changed", "archived", "restored", "removed")
How = Literal["full read", "events", "left", "skipped", "failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one district; `why` is a sentence where there is something to say.

    `held` is what was missing and has not been removed, `notes` are further sentences, such as what
    was not understood.
    """

    district_id: str
    name: str
    how: How
    counts: Counts = field(default_factory=Counts)
    why: str = ""
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The district with how it was read, a line for each table that changed, and the notes."""
        head = f"{self.name or 'District'} ({self.district_id}): {self.how}."
        if self.why:
            head += f" {self.why}"
        changed = [line for each in TABLES if (line := self._line(each))]
        if not changed and self.how in {"full read", "events"}:
            changed = ["  nothing changed"]
        return [head, *changed, *self._held(), *(f"  {each}" for each in self.notes)]

    def _held(self) -> list[str]:
        if not self.held:
            return []
        return [
            f"  held: {', '.join(self.held)} missing. Nothing of that was removed, and all else was"
            " applied. If it is right, run the same with --yes to accept it."
        ]

    def _line(self, table: str) -> str:
        found = [f"{self.counts[table, what]} {what}" for what in WHAT if self.counts[table, what]]
        return f"  {NAMES.get(table, table)}: {', '.join(found)}" if found else ""
