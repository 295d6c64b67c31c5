"""The districts as the API reads them now: who was there at first, and what has changed since."""

import threading
from dataclasses import replace

from clever_simulator import derived
from clever_simulator.index import Index
from clever_simulator.people import Directory, District, Person


class Data:
    """One index for each district and each set of unshared people, made when first asked for."""

    def __init__(self, directory: Directory) -> None:
        self._lock = threading.RLock()
        self._first = directory
        self._contacts: dict[str, list[derived.Contact]] = {}
        self.restore()

    def restore(self) -> None:
        """Undoes all changes."""
        with self._lock:
            self._directory = self._first
            self._gone: dict[str, Person] = {}
            self._unshared: frozenset[str] = frozenset()
            self._indexes: dict[tuple[str, frozenset[str]], Index] = {}

    @property
    def directory(self) -> Directory:
        """Everybody who can log in to Clever."""
        return self._directory

    def index(self, district: District, unshared: frozenset[str] = frozenset()) -> Index:
        """A district without the people of these user names and those whom nobody shares."""
        with self._lock:
            key = (district.id, unshared)
            if key not in self._indexes:
                self._indexes[key] = self._index(district, unshared)
            return self._indexes[key]

    def find(self, name: str) -> Person | None:
        """The first person of this user name, or the one of this v3 id; deleted ones, too."""
        first = next((one for one in self._first.people if name in (one.user_name, one.id)), None)
        return first and (self._directory.by_id(first.id) or self._gone.get(first.id))

    def around(self, person: Person) -> frozenset[str]:
        """The ids of the sections and contacts of a person, also of one who is not shared."""
        sections = {one.id for one in self._directory.sections_of(person)}
        contacts = self._contacts_in(person.district)
        return frozenset(sections | {one.id for one in contacts if person.id in one.students})

    def shares(self, person: Person) -> bool:
        """Whether a person is there and shared with the apps."""
        return person.id not in self._unshared and person.id not in self._gone

    def put(self, person: Person) -> None:
        """Replaces the record of the person with the same id."""

        def now(people: tuple[Person, ...]) -> tuple[Person, ...]:
            return tuple(person if one.id == person.id else one for one in people)

        here = self._directory
        self._set(replace(here, people=now(here.people), named_people=now(here.named_people)))

    def enrol(self, person: Person, section_id: str, *, enrolled: bool) -> None:
        """Puts a student into a section, or takes them out of it."""
        sections = []
        for one in self._directory.sections:
            if one.id == section_id:
                others = tuple(each for each in one.students if each.id != person.id)
                sections.append(replace(one, students=(*others, person) if enrolled else others))
            else:
                sections.append(one)
        self._set(replace(self._directory, sections=tuple(sections)))

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
            self._set(replace(self._directory, people=kept, named_people=self._named_among(kept)))

    def bring_back(self, person: Person) -> None:
        """Undoes `unshare` and `delete`."""
        with self._lock:
            self._unshared -= {person.id}
            if self._gone.pop(person.id, None):
                people = (*self._directory.people, person)
                named = self._named_among(people)
                self._set(replace(self._directory, people=people, named_people=named))
            self._indexes.clear()

    def _named_among(self, people: tuple[Person, ...]) -> tuple[Person, ...]:
        by_id = {one.id: one for one in people}
        return tuple(by_id[one.id] for one in self._first.named_people if one.id in by_id)

    def _set(self, directory: Directory) -> None:
        with self._lock:
            self._directory = directory
            self._indexes.clear()

    def _index(self, district: District, unshared: frozenset[str]) -> Index:
        here = self._directory
        shared = (one for one in here.people_of(district) if one.id not in self._unshared)
        return Index(
            district,
            schools=here.schools_of(district),
            people=(one for one in shared if one.user_name not in unshared),
            sections=here.sections_of(district),
            contacts=self._contacts_in(district),
        )

    def _contacts_in(self, district: District) -> list[derived.Contact]:
        # Made of the people at first, so that nobody gets another guardian when others leave.
        if district.id not in self._contacts:
            everyone = self._first.people_of(district)
            students = (one for one in everyone if "student" in one.roles)
            self._contacts[district.id] = derived.contacts(district, students)
        return self._contacts[district.id]
