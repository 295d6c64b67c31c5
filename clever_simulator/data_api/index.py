"""One district as the API reads it: entities by ID, each list in ascending order of ID."""

import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from clever_simulator.data_api import derived_records
from clever_simulator.data_api.derived_records import Contact
from clever_simulator.data_api.record_overrides import RecordOverride
from clever_simulator.data_api.versions import VERSIONS, ApiVersion
from clever_simulator.directory.models import District, Person, School, Section

T = TypeVar("T")
Entity = Any  # a District, School, Person, Section, Course, Term, Contact or Resource


@dataclass(frozen=True)
class Listing:
    """Entities in ascending order of their IDs in one API version."""

    ids: Sequence[str]
    entities: Sequence[Entity]

    def get(self, entity_id: str) -> Entity | None:
        """Returns the entity with this ID, or None."""
        position = bisect_left(self.ids, entity_id)
        exists = position < len(self.ids) and self.ids[position] == entity_id
        return self.entities[position] if exists else None

    def slice_after(self, entity_id: str, limit: int) -> slice:
        """Returns the slice of up to `limit` entities after this ID, which need not exist."""
        position = bisect_right(self.ids, entity_id)
        return slice(position, min(position + limit, len(self.ids)))

    def slice_before(self, entity_id: str, limit: int) -> slice:
        """Returns the slice of up to `limit` entities before this ID.

        `last` means the end of the list.
        """
        position = len(self.ids) if entity_id == "last" else bisect_left(self.ids, entity_id)
        return slice(max(0, position - limit), position)


class DistrictIndex:
    """An immutable snapshot of a district. A change creates a new index."""

    last_clever_sync = ""  # set by the owner of the index, right after it was created

    def __init__(
        self,
        district: District,
        schools: Iterable[School],
        people: Iterable[Person],
        sections: Iterable[Section],
        contacts: Iterable[Contact],
        facts: dict[str, Any] | None = None,
        overrides: dict[str, RecordOverride] | None = None,
    ) -> None:
        self.district = district
        self.facts = facts or {}  # override fields of the district's record
        self.overrides = overrides or {}  # by record ID
        self.schools = _index_by_id(schools)
        self.people = _index_by_id(people)
        self.sections = _index_by_id(self._with_shared_students(section) for section in sections)
        self.course_of = _derive(self.sections, derived_records.course_for_section)
        self.term_of = _derive(self.sections, derived_records.term_for_section)
        self.courses = _index_by_id(self.course_of.values())
        self.terms = _index_by_id(self.term_of.values())
        self.resources = _index_by_id(
            derived_records.build_resources(district, list(self.courses.values()))
        )
        self.contacts = _index_by_id(self._with_students(contacts))
        self.contacts_of = _group_pairs(
            (student, contact) for contact in self.contacts.values() for student in contact.students
        )
        self.people_of = _group_pairs(
            (school.id, person) for person in self.people.values() for school in person.schools
        )
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
                self._listings[key] = make_listing(rules, kind, self._entities_of_kind(rules, kind))
            return self._listings[key]

    def teachers_of(self, section: Section) -> list[Person]:
        """Returns the shared teachers of a section, the primary teacher first."""
        return [
            self.people[teacher.id] for teacher in section.teachers if teacher.id in self.people
        ]

    def _entities_of_kind(self, rules: ApiVersion, kind: str) -> Iterable[Entity]:
        if kind == "user":
            return (*self.people.values(), *self.contacts.values())
        if kind == "contact":
            return contacts_in_version(rules, self.contacts.values())
        entities: dict[str, Callable[[], Iterable[Entity]]] = {
            "district": lambda: (self.district,),
            "school": self.schools.values,
            "section": self.sections.values,
            "course": self.courses.values,
            "term": self.terms.values,
            "resource": self.resources.values,
        }
        if kind in entities:
            return entities[kind]()
        return (person for person in self.people.values() if kind in person.roles)

    def _with_shared_students(self, section: Section) -> Section:
        """Returns a section with its shared students as they are now."""
        students = [
            self.people[student.id] for student in section.students if student.id in self.people
        ]
        return replace(section, students=tuple(students))

    def _with_students(self, contacts: Iterable[Contact]) -> Iterable[Contact]:
        for contact in contacts:
            students = tuple(
                student_id for student_id in contact.students if student_id in self.people
            )
            if students:
                yield replace(contact, students=students)

    def _sections_of(self) -> dict[str, list[Section]]:
        """Returns the sections of each person, school, course and term, by ID."""
        return _group_pairs(
            (entity_id, section)
            for section in self.sections.values()
            for entity_id in (
                section.school.id,
                *(teacher.id for teacher in section.teachers),
                self.course_of[section.id].id,
                self.term_of[section.id].id,
                *(student.id for student in section.students),
            )
        )


def make_listing(rules: ApiVersion, kind: str, entities: Iterable[Entity]) -> Listing:
    """Lists entities of one kind in the order of an API version, each once."""
    by_id = {id_in_version(rules, kind, entity): entity for entity in entities}
    ids = sorted(by_id)
    return Listing(ids, [by_id[entity_id] for entity_id in ids])


def id_in_version(rules: ApiVersion, kind: str, entity: Entity) -> str:
    """Returns an entity's ID in an API version. Before v3, each role of a person has its own ID."""
    if rules.one_id:
        return str(entity.id)
    if isinstance(entity, Person):
        return next(
            assignment.legacy_id
            for assignment in entity.role_assignments
            if assignment.role == kind
        )
    return str(entity.legacy_id if kind == "contact" else entity.id)


def contacts_in_version(rules: ApiVersion, contacts: Iterable[Contact]) -> Iterable[Contact]:
    """Returns the contacts as a version has them. In v1 a contact has one student."""
    if not rules.one_student_contacts:
        return contacts
    return (single for contact in contacts for single in derived_records.split_by_student(contact))


def _index_by_id(entities: Iterable[Entity]) -> dict[str, Entity]:
    return {entity.id: entity for entity in sorted(entities, key=lambda entity: entity.id)}


def _group_pairs(pairs: Iterable[tuple[str, Entity]]) -> dict[str, list[Entity]]:
    groups: dict[str, list[Entity]] = defaultdict(list)
    for key, entity in pairs:
        groups[key].append(entity)
    return dict(groups)


def _derive(sections: Mapping[str, Section], make: Callable[[Section], T]) -> dict[str, T]:
    """Makes a record of each section. Returns them by the section's ID."""
    return {key: make(section) for key, section in sections.items()}
