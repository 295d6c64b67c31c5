"""The people of the simulated districts, as plain frozen records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from clever_simulator.lookup import HasId, first, grouped, in_order

Role = Literal["student", "teacher", "staff", "district_admin"]

PASSWORD = "clever"  # noqa: S105 - everyone's password: these people do not exist


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name as Clever splits it; `middle` is empty when there is none."""

    first: str
    last: str
    middle: str = ""

    @property
    def full(self) -> str:
        """First and last name with one blank between them."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, kw_only=True)
class District:
    """A school district; `shortname` is the last part of its portal's address."""

    id: str
    name: str
    shortname: str


@dataclass(frozen=True, kw_only=True)
class School:
    """A school; its grades are spelled as in Clever's lists, e.g. Kindergarten or 5.

    `facts`, here and below, stand in place of what its record would make up.
    """

    id: str
    district: District
    name: str
    number: str
    low_grade: str
    high_grade: str
    facts: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Post:
    """One role of one person; `legacy_id` is the id that the role has before API v3.

    One that is not `shared` is left out of `roles` from v3 on; `called` is what it is named
    there instead, for a role that no app has ever heard of.
    """

    role: Role
    legacy_id: str
    schools: tuple[School, ...] = ()
    number: str = ""
    title: str = ""
    grade: str = ""
    shared: bool = True
    called: str = ""
    facts: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone who can log in; `id` is the v3 id, times are ISO 8601 in UTC.

    Without `has_user_name` their record has no credentials, and `user_name` is their number.
    """

    id: str
    district: District
    user_name: str
    name: Name
    posts: tuple[Post, ...]
    email: str | None = None
    created: str = "2024-08-12T14:05:00.000Z"
    last_modified: str = "2026-01-20T09:30:00.000Z"
    guaranteed_only: bool = False
    has_user_name: bool = True

    @property
    def schools(self) -> tuple[School, ...]:
        """The schools of all roles, each once, the primary school of the first role first."""
        found = {school.id: school for post in self.posts for school in post.schools}
        return tuple(found.values())

    @property
    def roles(self) -> tuple[Role, ...]:
        """The role names of API v3, the one that a login uses unless asked first."""
        return tuple(post.role for post in self.posts)

    @property
    def shared_posts(self) -> dict[str, Post]:
        """What `roles` has from API v3 on, by the name that a role has there."""
        return {post.called or post.role: post for post in self.posts if post.shared}

    def accepts(self, password: str) -> bool:
        """Whether they log in with it: the one of all, or, as in Clever's sandboxes, a number."""
        return password == PASSWORD or password in {post.number for post in self.posts}

    def post(self, role: Role) -> Post:
        """What belongs to one of this person's roles; KeyError when they do not have it."""
        found = {post.role: post for post in self.posts}
        return found[role]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A class that meets; `period` is the hour of the timetable, as text."""

    id: str
    school: School
    name: str
    subject: str
    grade: str
    period: str
    teacher: Person
    students: tuple[Person, ...]
    co_teachers: tuple[Person, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def teachers(self) -> tuple[Person, ...]:
        """All who teach it, the primary teacher first."""
        return (self.teacher, *self.co_teachers)


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
