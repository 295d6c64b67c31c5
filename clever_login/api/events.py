"""What changes in a district: each event once, the oldest first, from a cursor on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clever_login.api.district_client import DistrictClient
from clever_login.api.paging import LARGEST_PAGE, Parameter
from clever_login.errors import CleverUnexpected, CursorTooOld, NoEvents, NotShared
from clever_login.fields import Fields, Quiet
from clever_login.persons import Person, PersonRole
from clever_login.records import Course, DistrictRecord, Resource, SchoolRecord, Section, Term
from clever_login.values import Json, identifier

DAYS_KEPT = 30
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")  # begins with four bytes of Unix time
_ROLES = {
    "students": PersonRole.STUDENT,
    "teachers": PersonRole.TEACHER,
    "schooladmins": PersonRole.STAFF,
    "districtadmins": PersonRole.DISTRICT_ADMIN,
    "contacts": PersonRole.CONTACT,
    "studentcontacts": PersonRole.CONTACT,
}
Record = Person | Section | SchoolRecord | DistrictRecord | Course | Term | Resource


@dataclass(frozen=True, kw_only=True, repr=False)
class Event(Quiet):
    """One change. Shared is `created` and no longer shared is `deleted`, as Clever has it.

    Its `id` is the cursor behind which to go on, once the event has been dealt with.
    """

    id: str
    type: str  # such as users.updated
    created: datetime | None
    record_id: str
    changed: tuple[str, ...]  # the names of the fields that an update changed
    object: Json = field(compare=False)  # the record as Clever writes it

    @classmethod
    def from_api(cls, data: Json) -> Event:
        """Read an event; the record's kind may be one that we do not know."""
        event_id, fields = Fields.of_record("event", data)
        inner = data.get("data")
        changed = inner.get("object") if isinstance(inner, dict) else None
        kind = fields.text("type")
        if not isinstance(inner, dict) or not isinstance(changed, dict) or not kind:
            raise CleverUnexpected(f"the event {event_id} has no type or no record in it")
        before = inner.get("previous_attributes") or data.get("previous_attributes") or {}
        return cls(
            id=event_id,
            type=kind,
            created=fields.moment("created"),
            record_id=identifier(changed.get("id")),
            changed=tuple(before) if isinstance(before, dict) else (),
            object=changed,
        )

    @property
    def kind(self) -> str:
        """What has changed, as Clever names it in events: users, students, schooladmins..."""
        return self.type.partition(".")[0]

    @property
    def action(self) -> str:
        """Created, updated or deleted."""
        return self.type.partition(".")[2]

    def record(self) -> Record | None:
        """The record as it is after the change, or None for a kind that we do not know."""
        if self.kind == "users":
            return Person.from_api(self.object, None)
        if self.kind in _ROLES:
            return Person.from_api(self.object, _ROLES[self.kind])
        if self.kind == "districts":
            return DistrictRecord.from_api(self.object, self.object)
        reader = _READERS.get(self.kind)
        return reader.from_api(self.object) if reader else None


_READERS: dict[str, type[SchoolRecord | Section | Course | Term | Resource]] = {
    "schools": SchoolRecord,
    "sections": Section,
    "courses": Course,
    "terms": Term,
    "resources": Resource,
}


@dataclass(frozen=True, kw_only=True)
class Events:
    """The events of one district. Deal with them in their order, and keep the last one's id.

    The app must have switched events on at Clever, and have Secure Sync in this district.
    """

    client: DistrictClient
    page_size: int = LARGEST_PAGE

    def latest(self) -> str | None:
        """The cursor to keep before a roster is read for the first time; None without any event."""
        found = next(self._items(ending_before="last", limit=1), None)
        return Event.from_api(found).id if found else None

    def read(
        self, *, after: str | None, school: str | None = None, kinds: Sequence[str] = ()
    ) -> Iterator[Event]:
        """Each event behind a cursor, or every event that Clever still has.

        `school` and `kinds` (the first words of types) narrow it from v2 on; ValueError before.
        CursorTooOld when events behind the cursor may be gone already.
        """
        narrowed: dict[str, Parameter] = {"school": school, "record_type": list(kinds) or None}
        if any(narrowed.values()) and "record_type" not in self.client.version.event_parameters:
            raise ValueError(f"{self.client.version.name} has no parameters that narrow events")
        if after is not None:
            self._check_age(identifier(after))
        return self._behind(after, narrowed)

    def _behind(self, after: str | None, narrowed: dict[str, Parameter]) -> Iterator[Event]:
        found = self._items(limit=self.page_size, starting_after=after, **narrowed)
        try:
            yield from map(Event.from_api, found)
        except NoEvents:
            if after is not None and self.client.can_read("/events?limit=1"):
                raise _too_old("Clever does not know the cursor any more") from None
            raise

    def _items(self, **parameters: Parameter) -> Iterator[Json]:
        try:
            yield from self.client.items("/events", **parameters)
        except NotShared:
            raise NoEvents(
                "Clever shows no events to this app: switch them on in its dashboard, under"
                " Settings > Integrations."
            ) from None

    def _check_age(self, cursor: str) -> None:
        if not _OBJECT_ID.fullmatch(cursor):
            return
        age = self.client.patience.clock() - int(cursor[:8], 16)
        if age > DAYS_KEPT * 24 * 60 * 60:
            raise _too_old(
                f"The cursor is older than the {DAYS_KEPT} days of events that Clever keeps"
            )


def _too_old(why: str) -> CursorTooOld:
    return CursorTooOld(f"{why}: take the latest cursor, and read the roster anew.")
