"""The people of the simulated districts, as plain frozen records."""

from dataclasses import dataclass
from typing import Literal

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
    """A school; its grades are spelled as in Clever's lists, e.g. Kindergarten or 5."""

    id: str
    district: District
    name: str
    number: str
    low_grade: str
    high_grade: str


@dataclass(frozen=True, kw_only=True)
class Post:
    """One role of one person; `legacy_id` is the id that the role has before API v3."""

    role: Role
    legacy_id: str
    schools: tuple[School, ...] = ()
    number: str = ""
    title: str = ""
    grade: str = ""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone who can log in; `id` is the v3 id, times are ISO 8601 in UTC."""

    id: str
    district: District
    user_name: str
    name: Name
    posts: tuple[Post, ...]
    email: str | None = None
    created: str = "2024-08-12T14:05:00.000Z"
    last_modified: str = "2026-01-20T09:30:00.000Z"
    guaranteed_only: bool = False

    @property
    def schools(self) -> tuple[School, ...]:
        """The schools of all roles, each once, the primary school of the first role first."""
        return tuple(dict.fromkeys(school for post in self.posts for school in post.schools))

    @property
    def roles(self) -> tuple[Role, ...]:
        """The role names of API v3, the one that a login uses unless asked first."""
        return tuple(post.role for post in self.posts)

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


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Everybody and everything of one seed; the first district is the main one."""

    districts: tuple[District, ...]
    schools: tuple[School, ...]
    people: tuple[Person, ...]
    sections: tuple[Section, ...]
    named_people: tuple[Person, ...]

    def person(self, user_name: str) -> Person:
        """The person with this user name (unique over all districts), else KeyError."""
        found = {person.user_name: person for person in self.people}
        return found[user_name]

    def by_id(self, person_id: str | None) -> Person | None:
        """The person with this v3 id, or None."""
        return next((p for p in self.people if p.id == person_id), None)

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
        return next((s for s in self.schools if s.id == school_id), None)
