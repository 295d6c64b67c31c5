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

FIRST_SYNC = "2026-01-20T09:30:00.000Z"  # the `last_sync` of every district


class RosterState:
    """The current rosters, with one cached index per district and set of unshared people."""

    def __init__(self, directory: Directory) -> None:
        self._lock = threading.RLock()
        self._initial = directory
        self.restore()

    def restore(self) -> None:
        """Undoes all changes."""
        with self._lock:
            self._directory = self._initial
            self._deleted: dict[str, Person] = {}
            self._unshared: frozenset[str] = frozenset()
            self._new_ids: dict[str, str] = {}
            self._contacts: dict[str, list[derived_records.Contact]] = {}
            self._overrides: dict[str, RecordOverride] = {}
            self._synced: dict[str, str] = {}
            self.statuses = DistrictStatuses()
            self._indexes: dict[tuple[str, frozenset[str]], DistrictIndex] = {}

    @property
    def initial(self) -> Directory:
        """The directory before any change."""
        return self._initial

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
        people = chain(self._initial.people, self._directory.people, self._deleted.values())
        person_id = next(
            (person.id for person in people if name in (person.user_name, person.id)), ""
        )
        current_id = self._new_ids.get(person_id, person_id)
        return self._directory.by_id(current_id) or self._deleted.get(current_id)

    def related_ids(self, person: Person) -> frozenset[str]:
        """Returns the IDs of a person's sections and contacts, even if the person is not shared."""
        sections = {section.id for section in self._directory.sections_of(person)}
        contacts = self._contacts_in(person.district)
        return frozenset(
            sections | {contact.id for contact in contacts if person.id in contact.students}
        )

    def pause(self, district: District, since: str | None) -> None:
        """Pauses a district from a day (YYYY-MM-DD) on. None resumes it."""
        with self._lock:
            self.statuses.pause(district, since)
            self._indexes.clear()

    def is_shared(self, person: Person) -> bool:
        """Whether a person exists and is shared with the apps."""
        return person.id not in self._unshared and person.id not in self._deleted

    def override(self, alterations: dict[str, RecordOverride]) -> None:
        """Overrides records from now on. A new override replaces the record's previous one."""
        with self._lock:
            # A new dict, because existing indexes keep the old one
            self._overrides = self._overrides | alterations
            self._indexes.clear()

    def record_sync(self, district: District, timestamp: str) -> None:
        """Sets the time at which Clever last read the district's own data."""
        with self._lock:
            self._synced[district.id] = timestamp
            self._indexes.clear()

    def is_deleted(self, person: Person) -> bool:
        """Whether a person was deleted from the district, not only unshared."""
        return person.id in self._deleted

    def replace_person(self, person: Person) -> None:
        """Replaces the record of the person with the same ID."""
        self.replace_directory(with_people(self._directory, {person.id: person}))

    def replace_directory(self, directory: Directory) -> None:
        """Replaces the current directory."""
        with self._lock:
            self._directory = directory
            self._indexes.clear()

    def enroll(self, person: Person, section_id: str, *, enrolled: bool) -> None:
        """Enrolls a student in a section, or unenrolls them."""
        sections = []
        for section in self._directory.sections:
            if section.id == section_id:
                other_students = tuple(
                    student for student in section.students if student.id != person.id
                )
                sections.append(
                    replace(
                        section, students=(*other_students, person) if enrolled else other_students
                    )
                )
            else:
                sections.append(section)
        self.replace_directory(replace(self._directory, sections=tuple(sections)))

    def unshare(self, person: Person) -> None:
        """Hides a person from all apps. They can still log in to Clever."""
        with self._lock:
            self._unshared |= {person.id}
            self._indexes.clear()

    def delete(self, person: Person) -> None:
        """Deletes a person from the district. Their sections keep a reference to them."""
        with self._lock:
            self._deleted[person.id] = person
            remaining = tuple(other for other in self._directory.people if other.id != person.id)
            self.replace_directory(
                replace(
                    self._directory, people=remaining, named_people=self._named_among(remaining)
                )
            )

    def bring_back(self, person: Person) -> None:
        """Undoes `unshare` and `delete`."""
        with self._lock:
            self._unshared -= {person.id}
            if self._deleted.pop(person.id, None):
                people = _with_person(self._directory.people, person)
                named_people = self._named_among(people)
                self.replace_directory(
                    replace(self._directory, people=people, named_people=named_people)
                )
            self._indexes.clear()

    def replace_id(self, person: Person, renewed: Person) -> None:
        """Gives a current person a new ID, also in their sections and contacts."""
        with self._lock:
            for former_id in (
                person.id,
                *(key for key, current_id in self._new_ids.items() if current_id == person.id),
            ):
                self._new_ids[former_id] = renewed.id
            self._contacts[person.district.id] = [
                replace(
                    contact,
                    students=tuple(
                        self._new_ids.get(student_id, student_id) for student_id in contact.students
                    ),
                )
                for contact in self._contacts_in(person.district)
            ]
            self.replace_directory(with_people(self._directory, {person.id: renewed}))

    def deleted_people(self, district: District) -> tuple[Person, ...]:
        """Returns the deleted people of a district, as they will be if they return."""
        return tuple(person for person in self._deleted.values() if person.district == district)

    def roll_over(self, district: District, result: RolloverResult) -> None:
        """Starts the next school year of a district."""
        with self._lock:
            contacts = self._contacts_in(district)
            self._contacts[district.id] = [
                *contacts,
                *derived_records.build_contacts(district, result.new_students),
            ]
            self._deleted |= {
                person_id: result.promoted.get(person_id, person)
                for person_id, person in self._deleted.items()
            }
            self._deleted = {student.id: student for student in result.graduates} | self._deleted
            people = tuple(
                person for person in result.directory.people if person.id not in self._deleted
            )
            named_people = self._named_among(people)
            self.replace_directory(
                replace(result.directory, people=people, named_people=named_people)
            )

    def _named_among(self, people: tuple[Person, ...]) -> tuple[Person, ...]:
        by_id = {person.id: person for person in people}
        ids = (self._new_ids.get(person.id, person.id) for person in self._initial.named_people)
        return tuple(by_id[person_id] for person_id in ids if person_id in by_id)

    def _index(self, district: District, unshared: frozenset[str]) -> DistrictIndex:
        directory = self._directory
        shared = (
            person for person in directory.people_of(district) if person.id not in self._unshared
        )
        index = DistrictIndex(
            district,
            schools=directory.schools_of(district),
            people=(person for person in shared if person.user_name not in unshared),
            sections=directory.sections_of(district),
            contacts=self._contacts_in(district),
            facts=self.statuses.facts(district),
            overrides=self._overrides,
        )
        index.last_clever_sync = self._synced.get(district.id, FIRST_SYNC)
        return index

    def _contacts_in(self, district: District) -> list[derived_records.Contact]:
        # Built from the initial people, so that contacts stay the same when others leave.
        if district.id not in self._contacts:
            people = self._initial.people_of(district)
            students = (student for student in people if "student" in student.roles)
            self._contacts[district.id] = derived_records.build_contacts(district, students)
        return self._contacts[district.id]


class DistrictStatuses:
    """Which districts are paused or disconnected. All run at first."""

    def __init__(self) -> None:
        self._paused: dict[str, str] = {}
        self._disconnected: frozenset[str] = frozenset()

    def pause(self, district: District, since: str | None) -> None:
        """Pauses a district from a day (YYYY-MM-DD) on. None resumes it."""
        self._paused.pop(district.id, None)
        if since is not None:
            self._paused[district.id] = since

    def is_paused(self, district: District) -> bool:
        """Whether Clever currently takes no data from a district."""
        return district.id in self._paused

    def disconnect(self, district: District) -> None:
        """Disconnects a district from the apps."""
        self._disconnected |= {district.id}

    def reconnect(self, district: District) -> None:
        """Reconnects a district."""
        self._disconnected -= {district.id}

    def is_disconnected(self, district: District) -> bool:
        """Whether a district is disconnected from all apps except Library apps."""
        return district.id in self._disconnected

    def facts(self, district: District) -> Record:
        """Returns the fields of the district's record that a pause changes."""
        since = self._paused.get(district.id)
        return {"state": "paused", "pause_start": since} if since else {}


def _with_person(people: tuple[Person, ...], person: Person) -> tuple[Person, ...]:
    """Adds a person before those of their district.

    A user name that also exists in a later district keeps its meaning: the first person.
    """
    own = (index for index, other in enumerate(people) if other.district == person.district)
    position = next(own, len(people))
    return (*people[:position], person, *people[position:])
