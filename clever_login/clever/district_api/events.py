"""The events of a district: each event once, oldest first, starting after a cursor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clever_login.clever.district_api.district_client import DistrictClient
from clever_login.clever.district_api.pagination import MAX_PAGE_SIZE, QueryValue
from clever_login.clever.parsing import (
    Json,
    ReadReport,
    RecordReader,
    ReprWithoutData,
    is_valid_id,
    parse_id,
)
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import (
    Course,
    DistrictRecord,
    Resource,
    SchoolRecord,
    Section,
    Term,
)
from clever_login.errors import (
    CursorTooOld,
    EventsNotEnabled,
    NotShared,
    NoUsableId,
    QueryRefused,
)

RETENTION_DAYS = 30
_EVENT_ID_PATTERN = re.compile(r"[0-9a-f]{24}")  # begins with four bytes of Unix time
_ROLE_BY_RECORD_TYPE = {
    "students": PersonRole.STUDENT,
    "teachers": PersonRole.TEACHER,
    "schooladmins": PersonRole.STAFF,
    "districtadmins": PersonRole.DISTRICT_ADMIN,
    "contacts": PersonRole.CONTACT,
    "studentcontacts": PersonRole.CONTACT,
}
Record = Person | Section | SchoolRecord | DistrictRecord | Course | Term | Resource


@dataclass(frozen=True, kw_only=True, repr=False)
class Event(ReprWithoutData):
    """One event. Clever reports newly shared as `created` and no longer shared as `deleted`.

    Its `id` is the cursor to continue from once the event has been handled. An event that cannot be
    understood has an empty `type`, or an empty `record_id` and no record.
    """

    id: str
    type: str  # such as users.updated
    created: datetime | None
    record_id: str
    changed: tuple[str, ...]  # the names of the fields that an update changed
    object: Json = field(compare=False)  # the record as Clever sent it

    @classmethod
    def from_api(cls, data: Any, report: ReadReport | None = None) -> Event:
        """Parse an event of any type.

        Raises NoUsableId for an event whose id cannot be a cursor.
        """
        event_id, fields = RecordReader.of_record("event", data, report)
        inner = fields.as_it_is("data")
        changed = inner.get("object")
        changed = changed if isinstance(changed, dict) else {}
        body = RecordReader("event.data", inner, report)
        before = body.as_it_is("previous_attributes") or fields.as_it_is("previous_attributes")
        record_id = changed.get("id")
        return cls(
            id=event_id,
            type=fields.text("type") or "",
            created=fields.moment("created"),
            record_id=record_id if is_valid_id(record_id) else "",
            changed=tuple(map(str, before)),
            object=changed,
        )

    @property
    def kind(self) -> str:
        """The kind of record, as named in event types: users, students, schooladmins..."""
        return self.type.partition(".")[0]

    @property
    def action(self) -> str:
        """Created, updated, or deleted; another word for an event type that is new."""
        return self.type.partition(".")[2]

    @property
    def unknown(self) -> str:
        """Why this event cannot be processed, as a plural noun; empty if it can be."""
        if self.kind not in KINDS or self.action not in ACTIONS:
            return "events of an unknown type"
        return "" if self.record_id else "events without a usable record"

    def record(self, report: ReadReport | None = None) -> Record | None:
        """Return the record after the change, or None if its kind or id is unknown."""
        if self.kind not in KINDS or not self.record_id:
            return None
        if self.kind == "users":
            return Person.from_api(self.object, None, report)
        if self.kind in _ROLE_BY_RECORD_TYPE:
            return Person.from_api(self.object, _ROLE_BY_RECORD_TYPE[self.kind], report)
        if self.kind == "districts":
            return DistrictRecord.from_api(self.object, self.object, report)
        return _RECORD_CLASSES[self.kind].from_api(self.object, report)


_RECORD_CLASSES: dict[str, type[SchoolRecord | Section | Course | Term | Resource]] = {
    "schools": SchoolRecord,
    "sections": Section,
    "courses": Course,
    "terms": Term,
    "resources": Resource,
}
KINDS = frozenset(
    {"users", "districts", *_ROLE_BY_RECORD_TYPE, *_RECORD_CLASSES}
)  # the kinds that events can be about
ACTIONS = frozenset({"created", "updated", "deleted"})


@dataclass(frozen=True, kw_only=True)
class DistrictEvents:
    """The events of one district. Process them in order, and store the id of the last one.

    The app must have events enabled at Clever, and Secure Sync in this district. Events without an
    id are skipped and counted in `report`.
    """

    client: DistrictClient
    page_size: int = MAX_PAGE_SIZE
    report: ReadReport = field(default_factory=ReadReport, compare=False)

    def latest(self) -> str | None:
        """Return the id of the latest event, or None if there is none.

        Store it as the cursor before the first read of a roster.
        """
        event = next(self._readable(self._items(ending_before="last", limit=1)), None)
        return event.id if event else None

    def read(
        self, *, after: str | None, school: str | None = None, kinds: Sequence[str] = ()
    ) -> Iterator[Event]:
        """Iterate over the events after a cursor, or over all events that Clever still has.

        `school` and `kinds` (record kinds, as in Event.kind) filter the events from v2 on; before
        v2 they raise ValueError. Raises CursorTooOld when events after the cursor may be lost.
        """
        narrowed: dict[str, QueryValue] = {"school": school, "record_type": list(kinds) or None}
        if any(narrowed.values()) and "record_type" not in self.client.version.event_parameters:
            raise ValueError(f"{self.client.version.name} has no parameters to filter events")
        if after is not None:
            self._check_age(parse_id(after))
        return self._behind(after, narrowed)

    def _behind(self, after: str | None, narrowed: dict[str, QueryValue]) -> Iterator[Event]:
        entries = self._items(limit=self.page_size, starting_after=after, **narrowed)
        try:
            yield from self._readable(entries)
        except (EventsNotEnabled, QueryRefused):  # Clever documents no answer to an unknown cursor
            if after is not None and self.client.can_read("/events?limit=1"):
                raise _cursor_too_old("Clever no longer knows the cursor") from None
            raise

    def _readable(self, entries: Iterator[object]) -> Iterator[Event]:
        for entry in entries:
            try:
                yield Event.from_api(entry, self.report)
            except NoUsableId:
                self.report.skipped["events without a usable id"] += 1

    def _items(self, **parameters: QueryValue) -> Iterator[object]:
        try:
            yield from self.client.items("/events", **parameters)
        except NotShared:
            raise EventsNotEnabled(
                "Clever shares no events with this app. Enable events in Clever's dashboard, "
                "under Settings > Integrations."
            ) from None

    def _check_age(self, cursor: str) -> None:
        if not _EVENT_ID_PATTERN.fullmatch(cursor):
            return
        age = self.client.retries.clock() - int(cursor[:8], 16)
        if age > RETENTION_DAYS * 24 * 60 * 60:
            raise _cursor_too_old(
                f"The cursor is older than the {RETENTION_DAYS} days of events that Clever keeps"
            )


def _cursor_too_old(reason: str) -> CursorTooOld:
    return CursorTooOld(f"{reason}. Get the latest cursor, and read the whole roster again.")
