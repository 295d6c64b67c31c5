"""Reads a district's roster, list by list, in any API version. Not for use in a login."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from clever_login.api_versions import RecordKind, missing_version
from clever_login.clever.district_api.district_client import DistrictClient
from clever_login.clever.district_api.pagination import MAX_PAGE_SIZE
from clever_login.clever.parsing import Json, ReadReport, parse_id
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import (
    Course,
    DistrictRecord,
    Resource,
    SchoolRecord,
    Section,
    Term,
)
from clever_login.errors import NoUsableId, VersionMissing

T = TypeVar("T")
Reader = Callable[[object, ReadReport], T]
WhereFilter = Mapping[str, object]
_ROLE_BY_KIND = {
    RecordKind.STUDENTS: PersonRole.STUDENT,
    RecordKind.TEACHERS: PersonRole.TEACHER,
    RecordKind.STAFF: PersonRole.STAFF,
    RecordKind.DISTRICT_ADMINS: PersonRole.DISTRICT_ADMIN,
    RecordKind.CONTACTS: PersonRole.CONTACT,
}


@dataclass(frozen=True, kw_only=True)
class Roster:
    """Everything that a district's token may read.

    Each list is sorted by id, with one page in memory at a time. `after` is the id of the last
    record that was processed: store it to resume an interrupted read after that record. `where` is
    v1's query parameter. A list that the version does not have is empty.

    Raises NoSecureSync if the token can read only the district's own record. Records without an id
    are skipped, and values that cannot be parsed are None: `report` counts both.
    """

    client: DistrictClient
    page_size: int = MAX_PAGE_SIZE
    report: ReadReport = field(default_factory=ReadReport, compare=False)

    def district(self) -> DistrictRecord:
        """Return the district with its state, last sync, launch date, and pause.

        Raises VersionMissing if Clever has no record: every token of a district can read it.
        """
        place = parse_id(self.client.district_id)
        record = self.client.record(f"/districts/{place}")
        if record is None:
            raise VersionMissing(missing_version(self.client.version))
        path = self.client.version.status_path.format(id=place)
        is_separate = not path.endswith(place)
        status = self.client.record(path) if is_separate else record
        return DistrictRecord.from_api(record, status or {}, self.report)

    def schools(
        self, *, after: str | None = None, where: WhereFilter | None = None
    ) -> Iterator[SchoolRecord]:
        """Iterate over the schools."""
        return self._each(SchoolRecord.from_api, RecordKind.SCHOOLS, after=after, where=where)

    def people(
        self, kind: RecordKind, *, after: str | None = None, where: WhereFilter | None = None
    ) -> Iterator[Person]:
        """Iterate over the users of one kind; from v3 on, RecordKind.USERS includes all kinds.

        Raises ValueError for a kind that is not a list of users.
        """
        version = self.client.version
        if kind not in (*_ROLE_BY_KIND, *version.people):
            raise ValueError(f"{version.name} has no list of people named {kind}")
        role = None if version.roles_in_record else _ROLE_BY_KIND[kind]

        def person(record: object, report: ReadReport) -> Person:
            return Person.from_api(record, role, report)

        return self._each(person, kind, after=after, where=where)

    def everybody(self) -> Iterator[Person]:
        """Iterate over all users. Before v3, a person with two roles is two users with two ids."""
        for kind in self.client.version.people:
            yield from self.people(kind)

    def sections(
        self, *, after: str | None = None, where: WhereFilter | None = None
    ) -> Iterator[Section]:
        """Iterate over the sections."""
        return self._each(Section.from_api, RecordKind.SECTIONS, after=after, where=where)

    def courses(self, *, after: str | None = None) -> Iterator[Course]:
        """Iterate over the courses. Before v2, courses are embedded in sections."""
        return self._each(Course.from_api, RecordKind.COURSES, after=after)

    def terms(self, *, after: str | None = None) -> Iterator[Term]:
        """Iterate over the terms. Before v2, terms are embedded in sections."""
        return self._each(Term.from_api, RecordKind.TERMS, after=after)

    def resources(self, *, after: str | None = None) -> Iterator[Resource]:
        """Iterate over the resources, which exist from v3 on."""
        return self._each(Resource.from_api, RecordKind.RESOURCES, after=after)

    def count(self, kind: RecordKind) -> int | None:
        """Return the number of records, or None if Clever does not report it.

        Clever reports no number for a single role in v3. Raises NoSecureSync if the token can read
        only `/districts`.
        """
        listing = self.client.version.lists.get(kind)
        if listing is None or listing.role or "count" not in listing.parameters:
            return None
        count = self.client.listed(f"{listing.path}?count=true").get("count")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    def read(
        self, kind: RecordKind, *, after: str | None = None, where: WhereFilter | None = None
    ) -> Iterator[Json]:
        """Iterate over the records of one list as Clever sent them.

        Raises ValueError for a `where` that the list does not support.
        """
        return self._objects(kind, self._entries(kind, after, where))

    def _each(self, read: Reader[T], kind: RecordKind, **options: Any) -> Iterator[T]:
        """Iterate over the records of one list as typed objects."""
        return self._with_ids(read, kind, self.read(kind, **options))

    def _with_ids(self, read: Reader[T], kind: RecordKind, records: Iterator[Json]) -> Iterator[T]:
        for record in records:
            try:
                yield read(record, self.report)
            except NoUsableId:
                self._skip(kind)

    def _objects(self, kind: RecordKind, entries: Iterator[object]) -> Iterator[Json]:
        for entry in entries:
            if isinstance(entry, dict):
                yield entry
            else:
                self._skip(kind)

    def _skip(self, kind: RecordKind) -> None:
        self.report.skipped[f"{kind} without a usable id"] += 1

    def _entries(
        self, kind: RecordKind, after: str | None, where: WhereFilter | None
    ) -> Iterator[object]:
        listing = self.client.version.lists.get(kind)
        if listing is None:
            return iter(())
        if where is not None and "where" not in listing.parameters:
            raise ValueError(f"{self.client.version.name} does not support `where` for {kind}")
        return self.client.items(
            listing.path,
            role=listing.role,
            limit=self.page_size if "limit" in listing.parameters else None,
            starting_after=parse_id(after) if after else None,
            where=json.dumps(where) if where is not None else None,
        )
