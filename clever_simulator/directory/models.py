"""The people of the simulated districts, as plain frozen records."""

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["student", "teacher", "staff", "district_admin"]

DEFAULT_PASSWORD = "clever"  # noqa: S105 - everyone's password: these people do not exist


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
class RoleAssignment:
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
    posts: tuple[RoleAssignment, ...]
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
    def shared_posts(self) -> dict[str, RoleAssignment]:
        """What `roles` has from API v3 on, by the name that a role has there."""
        return {post.called or post.role: post for post in self.posts if post.shared}

    def accepts(self, password: str) -> bool:
        """Whether they log in with it: the one of all, or, as in Clever's sandboxes, a number."""
        return password == DEFAULT_PASSWORD or password in {post.number for post in self.posts}

    def post(self, role: Role) -> RoleAssignment:
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
