"""The events of every version: kept for 30 days, oldest first, each with an id above the last."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from clever_simulator.index import Index
from clever_simulator.records import Record
from clever_simulator.snapshots import Seen, Snapshot, taken
from clever_simulator.tokens import iso
from clever_simulator.versions import VERSIONS

KEPT_SECONDS = 30 * 24 * 60 * 60
# What others refer to comes first and goes last, so that an app may apply events one by one.
_ORDER = ("created", "updated", "deleted")
_RANKS = ("districts", "schools", "terms", "courses", "", "contacts", "sections", "resources")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One record that was created, updated or deleted; `time` is in seconds since 1970."""

    id: str
    time: float
    district: str
    type: str
    collection: str
    seen: Seen
    previous: Record | None

    @property
    def record(self) -> Record:
        """The event as the API shows it."""
        data: Record = {"object": self.seen.record}
        if self.previous is not None:
            data["previous_attributes"] = self.previous
        return {"id": self.id, "type": self.type, "created": iso(self.time), "data": data}


class Events:
    """All events so far; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """As if nothing had ever happened."""
        with self._lock:
            self._told: dict[str, list[Event]] = {version: [] for version in VERSIONS}
            self._numbers = count(1)

    def tell(
        self, before: Index, after: Index, ids: Sequence[str] | None, now: float
    ) -> list[dict[str, str]]:
        """Notes what differs among these ids, in each version; id and type of those of v3.1.

        Without ids two moments of the whole district are compared.
        """
        with self._lock:
            for version in VERSIONS:  # one after the other: a large district fills the memory
                seen = taken(version, before, ids), taken(version, after, ids)
                events = self._between(version, after.district.id, *seen, now)
                self._told[version] += events
        return [{"id": event.id, "type": event.type} for event in events]

    def read(self, version: str, district: str, now: float) -> list[Event]:
        """The events of a district that are not 30 days old yet, oldest first."""
        with self._lock:
            return [
                event
                for event in self._told[version]
                if event.district == district and event.time > now - KEPT_SECONDS
            ]

    def _between(
        self,
        version: str,
        district: str,
        before: Snapshot,
        after: Snapshot,
        now: float,
    ) -> list[Event]:
        types = VERSIONS[version].event_types
        found = [
            (verb, key, seen, previous)
            for verb, key, seen, previous in _differences(before, after)
            if key[0] in types
        ]
        return [
            Event(
                id=f"{int(now):08x}{next(self._numbers):016x}",
                time=now,
                district=district,
                type=f"{types[key[0]]}.{verb}",
                collection=key[0],
                seen=seen,
                previous=previous,
            )
            for verb, key, seen, previous in sorted(
                found, key=lambda one: _place(one[0], one[1][0])
            )
        ]


def _place(verb: str, collection: str) -> tuple[int, int]:
    rank = _RANKS.index(collection if collection in _RANKS else "")
    return _ORDER.index(verb), -rank if verb == "deleted" else rank


def _differences(
    before: Snapshot, after: Snapshot
) -> Iterable[tuple[str, tuple[str, str], Seen, Record | None]]:
    for key in before | after:
        if key not in before:
            yield "created", key, after[key], None
        elif key not in after:
            yield "deleted", key, before[key], None
        elif before[key].record != after[key].record:
            yield "updated", key, after[key], _previous(before[key].record, after[key].record)


def _previous(before: Record, after: Record) -> Record:
    """The old values of all that has another value now."""
    names = (name for name in before | after if before.get(name) != after.get(name))
    return {name: before.get(name) for name in names}
