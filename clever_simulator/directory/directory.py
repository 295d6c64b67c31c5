"""Everything in the simulated districts, found by id and by what belongs together.

Tables built once, so that finding one of 20,000 people takes no search.

Ids that look like Clever's and are the same for the same seed.

A directory with a few of its people changed, everywhere that they stand in it.
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
    """Everybody and everything; the first district is the main one.

    What belongs together (`people_of`, `sections_of`, ...) comes in ascending order of id.
    """

    districts: tuple[District, ...]
    schools: tuple[School, ...]
    people: tuple[Person, ...]
    sections: tuple[Section, ...]
    named_people: tuple[Person, ...]

    def person(self, user_name: str) -> Person:
        """The person with this user name, of the first district that has one, else KeyError."""
        return self._by_user_name[user_name]

    def by_id(self, person_id: str | None) -> Person | None:
        """The person with this v3 id, or None."""
        return self._by_id.get(person_id or "")

    def named(self, district: District | None = None) -> tuple[Person, ...]:
        """The people that are always there, of one district or of all."""
        return tuple(p for p in self.named_people if district in (None, p.district))

    def district(self, district_id: str | None) -> District | None:
        """The district with this id, or None."""
        return next((d for d in self.districts if d.id == district_id), None)

    def portal(self, shortname: str) -> District | None:
        """The district whose portal has this shortname, or None."""
        return next((d for d in self.districts if d.shortname == shortname), None)

    def school(self, school_id: str) -> School | None:
        """The school with this id, or None."""
        return self._schools_by_id.get(school_id)

    def section(self, section_id: str) -> Section | None:
        """The section with this id, or None."""
        return self._sections_by_id.get(section_id)

    def people_of(self, one: District | School) -> tuple[Person, ...]:
        """The people of a district or of a school, those of several schools in each of them."""
        return self._people_of.get(one.id, ())

    def schools_of(self, district: District) -> tuple[School, ...]:
        """The schools of a district."""
        return self._schools_of.get(district.id, ())

    def sections_of(self, one: District | School | Person) -> tuple[Section, ...]:
        """The sections of a district or school, or those that someone teaches or attends."""
        return self._sections_of.get(one.id, ())

    def students_of(self, teacher: Person) -> tuple[Person, ...]:
        """Everyone who attends a section of this teacher, each once."""
        taught = [one for one in self.sections_of(teacher) if teacher in one.teachers]
        return sort_by_id({p.id: p for one in taught for p in one.students}.values())

    def teachers_of(self, student: Person) -> tuple[Person, ...]:
        """Everyone who teaches a section of this student, each once."""
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
    """Anything that Clever would give an id."""

    @property
    def id(self) -> str:
        """24 hexadecimal digits."""


T = TypeVar("T", bound=HasId)


def first_by_key(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """One thing for each key: the first that came with it."""
    found: dict[str, T] = {}
    for key, thing in pairs:
        found.setdefault(key, thing)
    return found


def group_by_key(pairs: Iterable[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    """All things for each key, each once, in the order in which they come."""
    found: dict[str, dict[str, T]] = {}
    for key, thing in pairs:
        found.setdefault(key, {})[thing.id] = thing
    return {key: tuple(things.values()) for key, things in found.items()}


def sort_by_id(things: Iterable[T]) -> tuple[T, ...]:
    """Things in ascending order of id, as Clever lists them."""
    return tuple(sorted(things, key=lambda thing: thing.id))


def make_id(seed: int, *what: object) -> str:
    """24 hexadecimal digits that begin, as Clever's do, with a time."""
    digest = hashlib.sha256(repr((seed, *what)).encode()).hexdigest()
    return f"64{digest[:22]}"


def with_people(before: Directory, changed: Mapping[str, Person]) -> Directory:
    """The same directory with other people in place of those of these ids."""

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
    """The same directory where a student attends these sections and no others."""

    def of(section: Section) -> Section:
        others = tuple(one for one in section.students if one.id != student.id)
        if section.id in section_ids:
            return replace(section, students=(*others, student))
        return (
            section if len(others) == len(section.students) else replace(section, students=others)
        )

    return replace(before, sections=tuple(of(section) for section in before.sections))
