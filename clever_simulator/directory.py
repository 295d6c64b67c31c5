"""Everything in the simulated districts, found by id and by what belongs together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from clever_simulator.lookup import HasId, first, grouped, in_order
from clever_simulator.people import District, Person, School, Section


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
        return in_order({p.id: p for one in taught for p in one.students}.values())

    def teachers_of(self, student: Person) -> tuple[Person, ...]:
        """Everyone who teaches a section of this student, each once."""
        attended = [one for one in self.sections_of(student) if student not in one.teachers]
        return in_order({p.id: p for one in attended for p in one.teachers}.values())

    @cached_property
    def _by_user_name(self) -> dict[str, Person]:
        return first((person.user_name, person) for person in self.people)

    @cached_property
    def _by_id(self) -> dict[str, Person]:
        return first((person.id, person) for person in self.people)

    @cached_property
    def _schools_by_id(self) -> dict[str, School]:
        return first((school.id, school) for school in self.schools)

    @cached_property
    def _sections_by_id(self) -> dict[str, Section]:
        return first((section.id, section) for section in self.sections)

    @cached_property
    def _schools_of(self) -> dict[str, tuple[School, ...]]:
        return grouped((school.district.id, school) for school in in_order(self.schools))

    @cached_property
    def _people_of(self) -> dict[str, tuple[Person, ...]]:
        return grouped(
            (place, person)
            for person in in_order(self.people)
            for place in (person.district.id, *_ids(person.schools))
        )

    @cached_property
    def _sections_of(self) -> dict[str, tuple[Section, ...]]:
        return grouped(
            (one, section)
            for section in in_order(self.sections)
            for one in (
                section.school.district.id,
                section.school.id,
                *_ids(section.teachers),
                *_ids(section.students),
            )
        )


def _ids(things: Iterable[HasId]) -> Iterator[str]:
    return (thing.id for thing in things)
