"""All simulated districts, with lookups by ID and by relation.

Lookup tables are built once, so finding one of 20,000 people is not a scan. IDs look like Clever's
and are the same for the same seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

from clever_simulator.directory.models import District, Person, School, Section


@dataclass(frozen=True, kw_only=True)
class Directory:
    """All districts, schools, people and sections. The first district is the main one.

    Related entities (`people_of`, `sections_of`, ...) are in ascending order of ID.
    """

    districts: tuple[District, ...]
    schools: tuple[School, ...]
    people: tuple[Person, ...]
    sections: tuple[Section, ...]
    named_people: tuple[Person, ...]

    def person(self, user_name: str) -> Person:
        """Returns the first person with this user name. Raises KeyError if there is none."""
        return self._by_user_name[user_name]

    def by_id(self, person_id: str | None) -> Person | None:
        """Returns the person with this v3 ID, or None."""
        return self._by_id.get(person_id or "")

    def named(self, district: District | None = None) -> tuple[Person, ...]:
        """Returns the people that are in every simulator, of one district or of all."""
        return tuple(person for person in self.named_people if district in (None, person.district))

    def district(self, district_id: str | None) -> District | None:
        """Returns the district with this ID, or None."""
        return next((district for district in self.districts if district.id == district_id), None)

    def portal(self, shortname: str) -> District | None:
        """Returns the district whose portal has this short name, or None."""
        return next(
            (district for district in self.districts if district.shortname == shortname), None
        )

    def school(self, school_id: str) -> School | None:
        """Returns the school with this ID, or None."""
        return self._schools_by_id.get(school_id)

    def section(self, section_id: str) -> Section | None:
        """Returns the section with this ID, or None."""
        return self._sections_by_id.get(section_id)

    def people_of(self, owner: District | School) -> tuple[Person, ...]:
        """Returns the people of a district or school. A person can belong to several schools."""
        return self._people_of.get(owner.id, ())

    def schools_of(self, district: District) -> tuple[School, ...]:
        """Returns the schools of a district."""
        return self._schools_of.get(district.id, ())

    def sections_of(self, owner: District | School | Person) -> tuple[Section, ...]:
        """Returns the sections of a district or school, or those a person teaches or attends."""
        return self._sections_of.get(owner.id, ())

    def students_of(self, teacher: Person) -> tuple[Person, ...]:
        """Returns everyone who attends a section of this teacher, each once."""
        taught = [section for section in self.sections_of(teacher) if teacher in section.teachers]
        return sort_by_id(
            {student.id: student for section in taught for student in section.students}.values()
        )

    def teachers_of(self, student: Person) -> tuple[Person, ...]:
        """Returns everyone who teaches a section of this student, each once."""
        attended = [
            section for section in self.sections_of(student) if student not in section.teachers
        ]
        return sort_by_id(
            {teacher.id: teacher for section in attended for teacher in section.teachers}.values()
        )

    @cached_property
    def _by_user_name(self) -> dict[str, Person]:
        return first_by_key((person.user_name, person) for person in self.people)

    @cached_property
    def _by_id(self) -> dict[str, Person]:
        return first_by_key((person.id, person) for person in self.people)

    @cached_property
    def _schools_by_id(self) -> dict[str, School]:
        return first_by_key((school.id, school) for school in self.schools)

    @cached_property
    def _sections_by_id(self) -> dict[str, Section]:
        return first_by_key((section.id, section) for section in self.sections)

    @cached_property
    def _schools_of(self) -> dict[str, tuple[School, ...]]:
        return group_by_key((school.district.id, school) for school in sort_by_id(self.schools))

    @cached_property
    def _people_of(self) -> dict[str, tuple[Person, ...]]:
        return group_by_key(
            (owner_id, person)
            for person in sort_by_id(self.people)
            for owner_id in (person.district.id, *_ids_in(person.schools))
        )

    @cached_property
    def _sections_of(self) -> dict[str, tuple[Section, ...]]:
        return group_by_key(
            (owner_id, section)
            for section in sort_by_id(self.sections)
            for owner_id in (
                section.school.district.id,
                section.school.id,
                *_ids_in(section.teachers),
                *_ids_in(section.students),
            )
        )


def _ids_in(entities: Iterable[HasId]) -> Iterator[str]:
    return (entity.id for entity in entities)


class HasId(Protocol):
    """Anything with an ID in Clever."""

    @property
    def id(self) -> str:
        """24 hexadecimal digits."""


T = TypeVar("T", bound=HasId)


def first_by_key(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Maps each key to the first entity with that key."""
    first: dict[str, T] = {}
    for key, entity in pairs:
        first.setdefault(key, entity)
    return first


def group_by_key(pairs: Iterable[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    """Maps each key to its entities, each once, in input order."""
    groups: dict[str, dict[str, T]] = {}
    for key, entity in pairs:
        groups.setdefault(key, {})[entity.id] = entity
    return {key: tuple(entities.values()) for key, entities in groups.items()}


def sort_by_id(entities: Iterable[T]) -> tuple[T, ...]:
    """Returns entities in ascending order of ID, as Clever lists them."""
    return tuple(sorted(entities, key=lambda entity: entity.id))


def make_id(seed: int, *parts: object) -> str:
    """Returns 24 hexadecimal digits that start with a timestamp, as Clever's IDs do."""
    digest = hashlib.sha256(repr((seed, *parts)).encode()).hexdigest()
    return f"64{digest[:22]}"


def with_people(directory: Directory, changed: Mapping[str, Person]) -> Directory:
    """Returns a copy of the directory in which the people with these IDs are replaced."""

    def replace_people(people: tuple[Person, ...]) -> tuple[Person, ...]:
        return tuple(changed.get(person.id, person) for person in people)

    def update_section(section: Section) -> Section:
        if changed.keys().isdisjoint(
            person.id for person in (*section.teachers, *section.students)
        ):
            return section
        return replace(
            section,
            teacher=changed.get(section.teacher.id, section.teacher),
            co_teachers=replace_people(section.co_teachers),
            students=replace_people(section.students),
        )

    return replace(
        directory,
        people=replace_people(directory.people),
        named_people=replace_people(directory.named_people),
        sections=tuple(update_section(section) for section in directory.sections),
    )


def with_classes(directory: Directory, student: Person, section_ids: set[str]) -> Directory:
    """Returns a copy of the directory in which a student attends exactly these sections."""

    def update_section(section: Section) -> Section:
        other_students = tuple(other for other in section.students if other.id != student.id)
        if section.id in section_ids:
            return replace(section, students=(*other_students, student))
        return (
            section
            if len(other_students) == len(section.students)
            else replace(section, students=other_students)
        )

    return replace(
        directory, sections=tuple(update_section(section) for section in directory.sections)
    )
