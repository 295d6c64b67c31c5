"""The current state of the districts: the initial directory and the changes since.

Also tracks whether each district is running, paused since a day, or disconnected.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import chain

from clever_simulator.data_api import derived_records
from clever_simulator.data_api.index import DistrictIndex
from clever_simulator.data_api.record_overrides import RecordOverride
from clever_simulator.data_api.records import Record
from clever_simulator.directory.directory import Directory, with_people
from clever_simulator.directory.models import District, Person
from clever_simulator.history.rollover import RolloverResult


class RosterState:
    """The current rosters, with one cached index per district and set of unshared people."""

    def __init__(self, directory: Directory) -> None:
        self._lock = threading.RLock()
        self._first = directory
        self.restore()

    def restore(self) -> None:
        """Undoes all changes."""
        with self._lock:
            self._directory = self._first
            self._gone: dict[str, Person] = {}
            self._unshared: frozenset[str] = frozenset()
            self._new_ids: dict[str, str] = {}
            self._contacts: dict[str, list[derived_records.Contact]] = {}
            self._altered: dict[str, RecordOverride] = {}
            self.standings = DistrictStatuses()
            self._indexes: dict[tuple[str, frozenset[str]], DistrictIndex] = {}

    @property
    def first(self) -> Directory:
        """The directory before any change."""
        return self._first

    @property
    def directory(self) -> Directory:
        """Everyone who can log in to Clever."""
        return self._directory

    def index(self, district: District, unshared: frozenset[str] = frozenset()) -> DistrictIndex:
        """Returns a district without the people of these user names and without unshared people."""
        with self._lock:
            key = (district.id, unshared)
            if key not in self._indexes:
                self._indexes[key] = self._index(district, unshared)
            return self._indexes[key]

    def find(self, name: str) -> Person | None:
        """Returns the first person with this user name or v3 ID, even if deleted, or None."""
        everyone = chain(self._first.people, self._directory.people, self._gone.values())
        one_id = next((one.id for one in everyone if name in (one.user_name, one.id)), "")
        now_id = self._new_ids.get(one_id, one_id)
        return self._directory.by_id(now_id) or self._gone.get(now_id)

    def around(self, person: Person) -> frozenset[str]:
        """Returns the IDs of a person's sections and contacts, even if the person is not shared."""
        sections = {one.id for one in self._directory.sections_of(person)}
        contacts = self._contacts_in(person.district)
        return frozenset(sections | {one.id for one in contacts if person.id in one.students})

    def pause(self, district: District, since: str | None) -> None:
        """Pauses a district from a day (YYYY-MM-DD) on. None resumes it."""
        with self._lock:
            self.standings.pause(district, since)
            self._indexes.clear()

    def shares(self, person: Person) -> bool:
        """Whether a person exists and is shared with the apps."""
        return person.id not in self._unshared and person.id not in self._gone

    def alter(self, alterations: dict[str, RecordOverride]) -> None:
        """Overrides records from now on. A new override replaces the record's previous one."""
        with self._lock:
            # A new dict, because existing indexes keep the old one
            self._altered = self._altered | alterations
            self._indexes.clear()

    def is_deleted(self, person: Person) -> bool:
        """Whether a person was deleted from the district, not only unshared."""
        return person.id in self._gone

    def put(self, person: Person) -> None:
        """Replaces the record of the person with the same ID."""
        self.become(with_people(self._directory, {person.id: person}))

    def become(self, directory: Directory) -> None:
        """Replaces the current directory."""
        with self._lock:
            self._directory = directory
            self._indexes.clear()

    def enrol(self, person: Person, section_id: str, *, enrolled: bool) -> None:
        """Enrolls a student in a section, or unenrolls them."""
        sections = []
        for one in self._directory.sections:
            if one.id == section_id:
                others = tuple(each for each in one.students if each.id != person.id)
                sections.append(replace(one, students=(*others, person) if enrolled else others))
            else:
                sections.append(one)
        self.become(replace(self._directory, sections=tuple(sections)))

    def unshare(self, person: Person) -> None:
        """Hides a person from all apps. They can still log in to Clever."""
        with self._lock:
            self._unshared |= {person.id}
            self._indexes.clear()

    def delete(self, person: Person) -> None:
        """Deletes a person from the district. Their sections keep a reference to them."""
        with self._lock:
            self._gone[person.id] = person
            kept = tuple(one for one in self._directory.people if one.id != person.id)
            self.become(replace(self._directory, people=kept, named_people=self._named_among(kept)))

    def bring_back(self, person: Person) -> None:
        """Undoes `unshare` and `delete`."""
        with self._lock:
            self._unshared -= {person.id}
            if self._gone.pop(person.id, None):
                people = (*self._directory.people, person)
                named = self._named_among(people)
                self.become(replace(self._directory, people=people, named_people=named))
            self._indexes.clear()

    def renew(self, person: Person, renewed: Person) -> None:
        """Gives a current person a new ID, also in their sections and contacts."""
        with self._lock:
            for old in (
                person.id,
                *(key for key, now in self._new_ids.items() if now == person.id),
            ):
                self._new_ids[old] = renewed.id
            self._contacts[person.district.id] = [
                replace(one, students=tuple(self._new_ids.get(each, each) for each in one.students))
                for one in self._contacts_in(person.district)
            ]
            self.become(with_people(self._directory, {person.id: renewed}))

    def gone(self, district: District) -> tuple[Person, ...]:
        """Returns the deleted people of a district, as they will be if they return."""
        return tuple(one for one in self._gone.values() if one.district == district)

    def roll(self, district: District, rolled: RolloverResult) -> None:
        """Starts the next school year of a district."""
        with self._lock:
            contacts = self._contacts_in(district)
            self._contacts[district.id] = [
                *contacts,
                *derived_records.build_contacts(district, rolled.new),
            ]
            self._gone |= {one_id: rolled.up.get(one_id, one) for one_id, one in self._gone.items()}
            self._gone = {one.id: one for one in rolled.left} | self._gone
            people = tuple(one for one in rolled.directory.people if one.id not in self._gone)
            named = self._named_among(people)
            self.become(replace(rolled.directory, people=people, named_people=named))

    def _named_among(self, people: tuple[Person, ...]) -> tuple[Person, ...]:
        by_id = {one.id: one for one in people}
        ids = (self._new_ids.get(one.id, one.id) for one in self._first.named_people)
        return tuple(by_id[one_id] for one_id in ids if one_id in by_id)

    def _index(self, district: District, unshared: frozenset[str]) -> DistrictIndex:
        here = self._directory
        shared = (one for one in here.people_of(district) if one.id not in self._unshared)
        return DistrictIndex(
            district,
            schools=here.schools_of(district),
            people=(one for one in shared if one.user_name not in unshared),
            sections=here.sections_of(district),
            contacts=self._contacts_in(district),
            facts=self.standings.facts(district),
            altered=self._altered,
        )

    def _contacts_in(self, district: District) -> list[derived_records.Contact]:
        # Built from the initial people, so that contacts stay the same when others leave.
        if district.id not in self._contacts:
            everyone = self._first.people_of(district)
            students = (one for one in everyone if "student" in one.roles)
            self._contacts[district.id] = derived_records.build_contacts(district, students)
        return self._contacts[district.id]


class DistrictStatuses:
    """Which districts are paused or disconnected. All run at first."""

    def __init__(self) -> None:
        self._paused: dict[str, str] = {}
        self._left: frozenset[str] = frozenset()

    def pause(self, district: District, since: str | None) -> None:
        """Pauses a district from a day (YYYY-MM-DD) on. None resumes it."""
        self._paused.pop(district.id, None)
        if since is not None:
            self._paused[district.id] = since

    def is_paused(self, district: District) -> bool:
        """Whether Clever currently takes no data from a district."""
        return district.id in self._paused

    def leave(self, district: District) -> None:
        """Disconnects a district from the apps."""
        self._left |= {district.id}

    def rejoin(self, district: District) -> None:
        """Reconnects a district."""
        self._left -= {district.id}

    def has_left(self, district: District) -> bool:
        """Whether a district is disconnected from all apps except Library apps."""
        return district.id in self._left

    def facts(self, district: District) -> Record:
        """Returns the fields of the district's record that a pause changes."""
        since = self._paused.get(district.id)
        return {"state": "paused", "pause_start": since} if since else {}
