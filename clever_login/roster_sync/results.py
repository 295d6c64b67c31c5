"""The result of a sync for one district, in words for operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from clever_login.clever.records import DistrictRecord
from clever_login.roster_sync.writer import Counts

REPORTED_TABLES = ("schools", "terms", "courses", "people", "sections", "enrollments")
REPORTED_CHANGES = ("new", "changed", "hidden", "archived", "restored", "removed")
SyncMode = Literal["full read", "events", "left", "skipped", "failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """The result for one district. `reason` is a sentence, or empty.

    `held_losses` lists what is missing and waits for a review. `notes` are more sentences, such as
    what could not be parsed. `clever_failed` says that Clever did not answer, or with a temporary
    error.
    """

    district_id: str
    name: str
    mode: SyncMode
    counts: Counts = field(default_factory=Counts)
    reason: str = ""
    held_losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    clever_failed: bool = False

    def lines(self) -> list[str]:
        """Return the district and how it was read, a line per table that changed, and the notes."""
        head = f"{self.name or 'District'} ({self.district_id}): {self.mode}."
        if self.reason:
            head += f" {self.reason}"
        changed = [line for table in REPORTED_TABLES if (line := self._table_line(table))]
        if not changed and self.mode in {"full read", "events"}:
            changed = ["  nothing changed"]
        return [head, *changed, *self._held_lines(), *(f"  {note}" for note in self.notes)]

    def _held_lines(self) -> list[str]:
        if not self.held_losses:
            return []
        return [
            f"  on hold: {', '.join(self.held_losses)} missing. All other changes were made. To "
            "see what is missing, use --review. If the removals are right, use --district "
            f"{self.district_id} --yes."
        ]

    def _table_line(self, table: str) -> str:
        changes = [
            f"{self.counts[table, change]} {change}"
            for change in REPORTED_CHANGES
            if self.counts[table, change]
        ]
        return f"  {table}: {', '.join(changes)}" if changes else ""


# What a district's state at Clever means; `running` and `success` need no explanation.
STATE_DESCRIPTIONS = {
    "paused": "The district is paused in Clever: its data stays as it was last school year.",
    "pending": "The district is pending in Clever: it must fix an error in its data.",
    "error": "The district has an error in Clever that Clever can fix.",
}


def describe_stop(failures: int, left: int) -> str:
    """Return why a sync stopped after this many failures, with this many districts left."""
    districts = "one district was" if left == 1 else f"{left} districts were"
    return (
        f"Clever failed for {failures} districts in a row, so the sync stopped. "
        f"{districts[0].upper()}{districts[1:]} not read. The next sync begins with "
        f"{'it' if left == 1 else 'them'}. Clever's status page is https://status.clever.com."
    )


def describe_unread(kind: str) -> str:
    """Return a sentence about a list that Clever does not let the app read."""
    return f"Clever does not let this app read {kind}, so they stay as they were."


def describe_state(record: DistrictRecord) -> str:
    """Return the district's state and error at Clever, where there is something to say."""
    sentences = [STATE_DESCRIPTIONS.get(record.state or "", "")]
    sentences.append(f"Clever says: {record.error}" if record.error else "")
    return " ".join(filter(None, sentences))
