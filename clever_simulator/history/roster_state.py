"""The districts as the API reads them now: who was there at first, and what has changed since.

How the districts stand with the apps: running, paused since a day, or no longer connected.
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
    """One index for each district and each set of unshared people, made when first asked for."""

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
        """Everybody who was there before anything happened."""
        return self._first

    @property
    def directory(self) -> Directory:
        """Everybody who can log in to Clever."""
        return self._directory

    def index(self, district: District, unshared: frozenset[str] = frozenset()) -> DistrictIndex:
        """A district without the people of these user names and those whom nobody shares."""
        with self._lock:
            key = (district.id, unshared)
            if key not in self._indexes:
                self._indexes[key] = self._index(district, unshared)
            return self._indexes[key]

    def find(self, name: str) -> Person | None:
        """The first person of this user name, or the one of this v3 id; deleted ones, too."""
        everyone = chain(self._first.people, self._directory.people, self._gone.values())
        one_id = next((one.id for one in everyone if name in (one.user_name, one.id)), "")
        now_id = self._new_ids.get(one_id, one_id)
        return self._directory.by_id(now_id) or self._gone.get(now_id)

    def around(self, person: Person) -> frozenset[str]:
        """The ids of the sections and contacts of a person, also of one who is not shared."""
        sections = {one.id for one in self._directory.sections_of(person)}
        contacts = self._contacts_in(person.district)
        return frozenset(sections | {one.id for one in contacts if person.id in one.students})

    def pause(self, district: District, since: str | None) -> None:
        """Stops the changes of a district from a day on, or with None lets them go on."""
        with self._lock:
            self.standings.pause(district, since)
            self._indexes.clear()

    def shares(self, person: Person) -> bool:
        """Whether a person is there and shared with the apps."""
        return person.id not in self._unshared and person.id not in self._gone

    def alter(self, alterations: dict[str, RecordOverride]) -> None:
        """Shows records with other values from now on; one alteration replaces another."""
        with self._lock:
            self._altered = self._altered | alterations  # an index of before keeps the former ones
            self._indexes.clear()

    def is_deleted(self, person: Person) -> bool:
        """Whether a person was taken out of the district, not only unshared."""
        return person.id in self._gone

    def put(self, person: Person) -> None:
        """Replaces the record of the person with the same id."""
        self.become(with_people(self._directory, {person.id: person}))

    def become(self, directory: Directory) -> None:
        """Takes everybody and everything from another directory."""
        with self._lock:
            self._directory = directory
            self._indexes.clear()

    def enrol(self, person: Person, section_id: str, *, enrolled: bool) -> None:
        """Puts a student into a section, or takes them out of it."""
        sections = []
        for one in self._directory.sections:
            if one.id == section_id:
                others = tuple(each for each in one.students if each.id != person.id)
                sections.append(replace(one, students=(*others, person) if enrolled else others))
            else:
                sections.append(one)
        self.become(replace(self._directory, sections=tuple(sections)))

    def unshare(self, person: Person) -> None:
        """Hides a person from all apps; they still log in to Clever."""
        with self._lock:
            self._unshared |= {person.id}
            self._indexes.clear()

    def delete(self, person: Person) -> None:
        """Takes a person out of their district; their sections remember them."""
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
        """Gives someone who is there another id, in their classes and to their guardians too."""
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
        """Those of a district who were deleted, as they will be when they come back."""
        return tuple(one for one in self._gone.values() if one.district == district)

    def roll(self, district: District, rolled: RolloverResult) -> None:
        """Begins the next school year of a district."""
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
        # Made of the people at first, so that nobody gets another guardian when others leave.
        if district.id not in self._contacts:
            everyone = self._first.people_of(district)
            students = (one for one in everyone if "student" in one.roles)
            self._contacts[district.id] = derived_records.build_contacts(district, students)
        return self._contacts[district.id]


class DistrictStatuses:
    """Which districts are paused and which have left; all run at first."""

    def __init__(self) -> None:
        self._paused: dict[str, str] = {}
        self._left: frozenset[str] = frozenset()

    def pause(self, district: District, since: str | None) -> None:
        """Pauses a district from a day (YYYY-MM-DD) on; None ends that."""
        self._paused.pop(district.id, None)
        if since is not None:
            self._paused[district.id] = since

    def is_paused(self, district: District) -> bool:
        """Whether nothing of a district reaches Clever at present."""
        return district.id in self._paused

    def leave(self, district: District) -> None:
        """Ends what connects a district to the apps."""
        self._left |= {district.id}

    def rejoin(self, district: District) -> None:
        """Connects it again."""
        self._left -= {district.id}

    def has_left(self, district: District) -> bool:
        """Whether a district is connected to no app."""
        return district.id in self._left

    def facts(self, district: District) -> Record:
        """What this changes in the record of a district."""
        since = self._paused.get(district.id)
        return {"state": "paused", "pause_start": since} if since else {}
