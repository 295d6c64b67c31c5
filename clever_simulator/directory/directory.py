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

    Related things (`people_of`, `sections_of`, ...) are in ascending order of ID.
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
        return tuple(p for p in self.named_people if district in (None, p.district))

    def district(self, district_id: str | None) -> District | None:
        """Returns the district with this ID, or None."""
        return next((d for d in self.districts if d.id == district_id), None)

    def portal(self, shortname: str) -> District | None:
        """Returns the district whose portal has this short name, or None."""
        return next((d for d in self.districts if d.shortname == shortname), None)

    def school(self, school_id: str) -> School | None:
        """Returns the school with this ID, or None."""
        return self._schools_by_id.get(school_id)

    def section(self, section_id: str) -> Section | None:
        """Returns the section with this ID, or None."""
        return self._sections_by_id.get(section_id)

    def people_of(self, one: District | School) -> tuple[Person, ...]:
        """Returns the people of a district or school. A person can belong to several schools."""
        return self._people_of.get(one.id, ())

    def schools_of(self, district: District) -> tuple[School, ...]:
        """Returns the schools of a district."""
        return self._schools_of.get(district.id, ())

    def sections_of(self, one: District | School | Person) -> tuple[Section, ...]:
        """Returns the sections of a district or school, or those a person teaches or attends."""
        return self._sections_of.get(one.id, ())

    def students_of(self, teacher: Person) -> tuple[Person, ...]:
        """Returns everyone who attends a section of this teacher, each once."""
        taught = [one for one in self.sections_of(teacher) if teacher in one.teachers]
        return sort_by_id({p.id: p for one in taught for p in one.students}.values())

    def teachers_of(self, student: Person) -> tuple[Person, ...]:
        """Returns everyone who teaches a section of this student, each once."""
        attended = [one for one in self.sections_of(student) if student not in one.teachers]
        return sort_by_id({p.id: p for one in attended for p in one.teachers}.values())

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
            (place, person)
            for person in sort_by_id(self.people)
            for place in (person.district.id, *_ids_in(person.schools))
        )

    @cached_property
    def _sections_of(self) -> dict[str, tuple[Section, ...]]:
        return group_by_key(
            (one, section)
            for section in sort_by_id(self.sections)
            for one in (
                section.school.district.id,
                section.school.id,
                *_ids_in(section.teachers),
                *_ids_in(section.students),
            )
        )


def _ids_in(things: Iterable[HasId]) -> Iterator[str]:
    return (thing.id for thing in things)


class HasId(Protocol):
    """Anything with an ID in Clever."""

    @property
    def id(self) -> str:
        """24 hexadecimal digits."""


T = TypeVar("T", bound=HasId)


def first_by_key(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Maps each key to the first thing with that key."""
    found: dict[str, T] = {}
    for key, thing in pairs:
        found.setdefault(key, thing)
    return found


def group_by_key(pairs: Iterable[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    """Maps each key to its things, each once, in input order."""
    found: dict[str, dict[str, T]] = {}
    for key, thing in pairs:
        found.setdefault(key, {})[thing.id] = thing
    return {key: tuple(things.values()) for key, things in found.items()}


def sort_by_id(things: Iterable[T]) -> tuple[T, ...]:
    """Returns things in ascending order of ID, as Clever lists them."""
    return tuple(sorted(things, key=lambda thing: thing.id))


def make_id(seed: int, *what: object) -> str:
    """Returns 24 hexadecimal digits that start with a timestamp, as Clever's IDs do."""
    digest = hashlib.sha256(repr((seed, *what)).encode()).hexdigest()
    return f"64{digest[:22]}"


def with_people(before: Directory, changed: Mapping[str, Person]) -> Directory:
    """Returns a copy of the directory in which the people with these IDs are replaced."""

    def now(people: tuple[Person, ...]) -> tuple[Person, ...]:
        return tuple(changed.get(person.id, person) for person in people)

    def of(section: Section) -> Section:
        if changed.keys().isdisjoint(one.id for one in (*section.teachers, *section.students)):
            return section
        return replace(
            section,
            teacher=changed.get(section.teacher.id, section.teacher),
            co_teachers=now(section.co_teachers),
            students=now(section.students),
        )

    return replace(
        before,
        people=now(before.people),
        named_people=now(before.named_people),
        sections=tuple(of(section) for section in before.sections),
    )


def with_classes(before: Directory, student: Person, section_ids: set[str]) -> Directory:
    """Returns a copy of the directory in which a student attends exactly these sections."""

    def of(section: Section) -> Section:
        others = tuple(one for one in section.students if one.id != student.id)
        if section.id in section_ids:
            return replace(section, students=(*others, student))
        return (
            section if len(others) == len(section.students) else replace(section, students=others)
        )

    return replace(before, sections=tuple(of(section) for section in before.sections))
