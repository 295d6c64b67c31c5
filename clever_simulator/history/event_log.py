"""The events of every API version, kept for 30 days, oldest first, with ascending IDs.

Also takes snapshots of a district's records in each version.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from clever_simulator.credentials.clock import format_timestamp
from clever_simulator.data_api import relations, serializers
from clever_simulator.data_api.derived_records import Contact
from clever_simulator.data_api.index import (
    DistrictIndex,
    Entity,
    contacts_in_version,
    id_in_version,
)
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import VERSIONS, ApiVersion
from clever_simulator.directory.models import Person, Section

EVENT_RETENTION_SECONDS = 30 * 24 * 60 * 60
# Creates referenced records first and deletes them last, so that an app can apply events in order.
_VERB_ORDER = ("created", "updated", "deleted")
_COLLECTION_ORDER = (
    "districts",
    "schools",
    "terms",
    "courses",
    "",
    "contacts",
    "sections",
    "resources",
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One created, updated or deleted record. `time` is in seconds since 1970."""

    id: str
    time: float
    district: str
    type: str
    collection: str
    snapshot: RecordSnapshot
    previous: Record | None

    @property
    def record(self) -> Record:
        """The event as the API shows it."""
        data: Record = {"object": self.snapshot.record}
        if self.previous is not None:
            data["previous_attributes"] = self.previous
        return {
            "id": self.id,
            "type": self.type,
            "created": format_timestamp(self.time),
            "data": data,
        }


class EventLog:
    """All events so far. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Removes all events and restarts their numbers."""
        with self._lock:
            self._events: dict[str, list[Event]] = {version: [] for version in VERSIONS}
            self._numbers = count(1)

    def log_differences(
        self, before: DistrictIndex, after: DistrictIndex, ids: Sequence[str] | None, now: float
    ) -> list[dict[str, str]]:
        """Logs the differences among these IDs in each version.

        Returns the ID and type of the v3.1 events. Without IDs, compares the whole district.
        """
        with self._lock:
            # One at a time, because snapshots of a large district use a lot of memory
            for version in VERSIONS:
                snapshots = take_snapshot(version, before, ids), take_snapshot(version, after, ids)
                events = self._build_events(version, after.district.id, *snapshots, now)
                self._events[version] += events
        return [{"id": event.id, "type": event.type} for event in events]

    def read(self, version: str, district: str, now: float) -> list[Event]:
        """Returns the events of a district from the last 30 days, oldest first."""
        with self._lock:
            return [
                event
                for event in self._events[version]
                if event.district == district and event.time > now - EVENT_RETENTION_SECONDS
            ]

    def _build_events(
        self,
        version: str,
        district: str,
        before: Snapshot,
        after: Snapshot,
        now: float,
    ) -> list[Event]:
        types = VERSIONS[version].event_types
        differences = [
            (verb, key, snapshot, previous)
            for verb, key, snapshot, previous in _find_differences(before, after)
            if key[0] in types
        ]
        return [
            Event(
                id=f"{int(now):08x}{next(self._numbers):016x}",
                time=now,
                district=district,
                type=f"{types[key[0]]}.{verb}",
                collection=key[0],
                snapshot=snapshot,
                previous=previous,
            )
            for verb, key, snapshot, previous in sorted(
                differences, key=lambda difference: _event_sort_key(difference[0], difference[1][0])
            )
        ]


def _event_sort_key(verb: str, collection: str) -> tuple[int, int]:
    rank = _COLLECTION_ORDER.index(collection if collection in _COLLECTION_ORDER else "")
    return _VERB_ORDER.index(verb), -rank if verb == "deleted" else rank


def _find_differences(
    before: Snapshot, after: Snapshot
) -> Iterable[tuple[str, tuple[str, str], RecordSnapshot, Record | None]]:
    for key in before | after:
        if key not in before:
            yield "created", key, after[key], None
        elif key not in after:
            yield "deleted", key, before[key], None
        elif before[key].record != after[key].record:
            yield (
                "updated",
                key,
                after[key],
                _previous_values(before[key].record, after[key].record),
            )


def _previous_values(before: Record, after: Record) -> Record:
    """Returns the old values of all fields that changed."""
    names = (name for name in before | after if before.get(name) != after.get(name))
    return {name: before.get(name) for name in names}


@dataclass(frozen=True, kw_only=True)
class RecordSnapshot:
    """One record at one moment, and the schools that it belongs to."""

    record: Record
    schools: frozenset[str]


# By collection and ID.
Snapshot = dict[tuple[str, str], RecordSnapshot]


def take_snapshot(version: str, index: DistrictIndex, ids: Iterable[str] | None = None) -> Snapshot:
    """Returns the records with these IDs, if they exist, or all records of the district."""
    rules, snapshot = VERSIONS[version], {}
    for entity in _select_entities(index, ids):
        for collection, kind, listed_entity in _listings(rules, entity):
            record = serializers.serialize_record(
                version, index, kind, listed_entity, "secure_sync"
            )
            snapshot[collection, id_in_version(rules, kind, listed_entity)] = RecordSnapshot(
                record=record, schools=_school_ids(index, listed_entity)
            )
    return snapshot


def _select_entities(index: DistrictIndex, ids: Iterable[str] | None) -> Iterable[Entity]:
    kinds: tuple[dict[str, Entity], ...] = (
        {index.district.id: index.district},
        *(index.schools, index.terms, index.courses, index.people, index.contacts),
        *(index.sections, index.resources),
    )
    if ids is None:
        return (entity for kind in kinds for entity in kind.values())
    return (kind[record_id] for record_id in ids for kind in kinds if record_id in kind)


def _listings(rules: ApiVersion, entity: Entity) -> Iterable[tuple[str, str, Entity]]:
    """Yields where a version lists an entity: collection, kind, and the entity as listed there."""
    for name, collection in rules.collections.items():
        kind = collection.kind
        if kind in _record_kinds(entity):
            entities = contacts_in_version(rules, [entity]) if kind == "contact" else (entity,)
            yield from ((name, kind, entity) for entity in entities)


def _record_kinds(entity: Entity) -> Iterable[str]:
    """Returns the record kinds of an entity. Before v3, a person has one for each role."""
    if isinstance(entity, Person | Contact):
        return ("user", *entity.roles)
    return (type(entity).__name__.lower(),)


def _school_ids(index: DistrictIndex, entity: Entity) -> frozenset[str]:
    if isinstance(entity, Section):
        return frozenset({entity.school.id})
    if isinstance(entity, Contact):
        students = [index.people[student_id] for student_id in entity.students]
        return frozenset(school.id for student in students for school in student.schools)
    return frozenset(school.id for school in relations.related_schools(index, entity))
