"""One district as the API reads it: things by ID, each list in ascending order of ID."""

import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clever_simulator.data_api import derived_records
from clever_simulator.data_api.derived_records import Contact
from clever_simulator.data_api.record_overrides import RecordOverride
from clever_simulator.data_api.versions import VERSIONS, ApiVersion
from clever_simulator.directory.models import District, Person, School, Section

Thing = Any  # a District, School, Person, Section, Course, Term, Contact or Resource


@dataclass(frozen=True)
class Listing:
    """Things in ascending order of their IDs in one API version."""

    ids: Sequence[str]
    things: Sequence[Thing]

    def get(self, one_id: str) -> Thing | None:
        """Returns the thing with this ID, or None."""
        place = bisect_left(self.ids, one_id)
        found = place < len(self.ids) and self.ids[place] == one_id
        return self.things[place] if found else None

    def after(self, one_id: str, limit: int) -> slice:
        """Returns the slice of up to `limit` things after this ID, whether or not the ID exists."""
        place = bisect_right(self.ids, one_id)
        return slice(place, min(place + limit, len(self.ids)))

    def before(self, one_id: str, limit: int) -> slice:
        """Returns the slice of up to `limit` things before this ID.

        `last` means the end of the list.
        """
        place = len(self.ids) if one_id == "last" else bisect_left(self.ids, one_id)
        return slice(max(0, place - limit), place)


class DistrictIndex:
    """An immutable snapshot of a district. A change creates a new index."""

    def __init__(
        self,
        district: District,
        schools: Iterable[School],
        people: Iterable[Person],
        sections: Iterable[Section],
        contacts: Iterable[Contact],
        facts: dict[str, Any] | None = None,
        altered: dict[str, RecordOverride] | None = None,
    ) -> None:
        self.district = district
        self.facts = facts or {}  # override fields of the district's record
        self.altered = altered or {}  # by record ID
        self.schools = _index_by_id(schools)
        self.people = _index_by_id(people)
        self.sections = _index_by_id(self._kept(section) for section in sections)
        self.course_of = {
            one.id: derived_records.course_for_section(one) for one in self.sections.values()
        }
        self.term_of = {
            one.id: derived_records.term_for_section(one) for one in self.sections.values()
        }
        self.courses = _index_by_id(self.course_of.values())
        self.terms = _index_by_id(self.term_of.values())
        self.resources = _index_by_id(
            derived_records.build_resources(district, list(self.courses.values()))
        )
        self.contacts = _index_by_id(self._with_children(contacts))
        self.contacts_of = _group_pairs(
            (student, c) for c in self.contacts.values() for student in c.students
        )
        self.people_of = _group_pairs((s.id, p) for p in self.people.values() for s in p.schools)
        self.sections_of = self._sections_of()
        self._listings: dict[tuple[str, bool, bool], Listing] = {}
        self._lock = threading.Lock()

    def listing(self, version: str, collection: str) -> Listing:
        """Returns everything in a collection of one API version. Sorted once, then cached."""
        rules = VERSIONS[version]
        key = (collection, rules.one_id, rules.one_student_contacts)
        with self._lock:
            if key not in self._listings:
                kind = rules.collections[collection].kind
                self._listings[key] = make_listing(rules, kind, self._all(rules, kind))
            return self._listings[key]

    def teachers_of(self, section: Section) -> list[Person]:
        """Returns the shared teachers of a section, the primary teacher first."""
        return [self.people[one.id] for one in section.teachers if one.id in self.people]

    def _all(self, rules: ApiVersion, kind: str) -> Iterable[Thing]:
        if kind == "user":
            return (*self.people.values(), *self.contacts.values())
        if kind == "contact":
            return contacts_in_version(rules, self.contacts.values())
        things: dict[str, Callable[[], Iterable[Thing]]] = {
            "district": lambda: (self.district,),
            "school": self.schools.values,
            "section": self.sections.values,
            "course": self.courses.values,
            "term": self.terms.values,
            "resource": self.resources.values,
        }
        if kind in things:
            return things[kind]()
        return (person for person in self.people.values() if kind in person.roles)

    def _kept(self, section: Section) -> Section:
        """Returns a section with its shared students as they are now."""
        students = [self.people[s.id] for s in section.students if s.id in self.people]
        return replace(section, students=tuple(students))

    def _with_children(self, contacts: Iterable[Contact]) -> Iterable[Contact]:
        for contact in contacts:
            students = tuple(one for one in contact.students if one in self.people)
            if students:
                yield replace(contact, students=students)

    def _sections_of(self) -> dict[str, list[Section]]:
        """Returns the sections of each person, school, course and term, by ID."""
        return _group_pairs(
            (one_id, section)
            for section in self.sections.values()
            for one_id in (
                section.school.id,
                *(teacher.id for teacher in section.teachers),
                self.course_of[section.id].id,
                self.term_of[section.id].id,
                *(student.id for student in section.students),
            )
        )


def make_listing(rules: ApiVersion, kind: str, things: Iterable[Thing]) -> Listing:
    """Lists things of one kind in the order of an API version, each once."""
    found = {id_in_version(rules, kind, thing): thing for thing in things}
    ids = sorted(found)
    return Listing(ids, [found[one_id] for one_id in ids])


def id_in_version(rules: ApiVersion, kind: str, thing: Thing) -> str:
    """Returns a thing's ID in an API version. Before v3, each role of a person has its own ID."""
    if rules.one_id:
        return str(thing.id)
    if isinstance(thing, Person):
        return next(post.legacy_id for post in thing.posts if post.role == kind)
    return str(thing.legacy_id if kind == "contact" else thing.id)


def contacts_in_version(rules: ApiVersion, contacts: Iterable[Contact]) -> Iterable[Contact]:
    """Returns the contacts as a version has them. In v1 a contact has one student."""
    if not rules.one_student_contacts:
        return contacts
    return (single for contact in contacts for single in derived_records.split_by_student(contact))


def _index_by_id(things: Iterable[Thing]) -> dict[str, Thing]:
    return {thing.id: thing for thing in sorted(things, key=lambda one: one.id)}


def _group_pairs(pairs: Iterable[tuple[str, Thing]]) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = defaultdict(list)
    for key, thing in pairs:
        found[key].append(thing)
    return dict(found)
