"""The simulated districts, schools, people and sections, as frozen dataclasses."""

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["student", "teacher", "staff", "district_admin"]

DEFAULT_PASSWORD = "clever"  # noqa: S105 # everyone's password: these people do not exist


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name in Clever's format. `middle` is empty if there is none."""

    first: str
    last: str
    middle: str = ""

    @property
    def full(self) -> str:
        """The first and last name, separated by a space."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, kw_only=True)
class District:
    """A school district. `shortname` is the last part of its portal URL."""

    id: str
    name: str
    shortname: str


@dataclass(frozen=True, kw_only=True)
class School:
    """A school. Grades use Clever's spelling, such as Kindergarten or 5.

    In this class and below, `facts` replaces generated fields of the record.
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
    """One role of one person. `legacy_id` is the role's ID before API v3.

    A role that is not `shared` is left out of `roles` from v3 on. `api_role_name` replaces its name
    there, to test unknown roles.
    """

    role: Role
    legacy_id: str
    schools: tuple[School, ...] = ()
    number: str = ""
    title: str = ""
    grade: str = ""
    shared: bool = True
    api_role_name: str = ""
    facts: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person who can log in. `id` is the v3 ID. Times are ISO 8601 in UTC.

    Without `has_user_name` the record has no credentials, and `user_name` is the person's number.
    """

    id: str
    district: District
    user_name: str
    name: Name
    role_assignments: tuple[RoleAssignment, ...]
    email: str | None = None
    created: str = "2024-08-12T14:05:00.000Z"
    last_modified: str = "2026-01-20T09:30:00.000Z"
    guaranteed_only: bool = False
    has_user_name: bool = True

    @property
    def schools(self) -> tuple[School, ...]:
        """The schools of all roles, each once, the primary school of the first role first."""
        schools = {
            school.id: school
            for assignment in self.role_assignments
            for school in assignment.schools
        }
        return tuple(schools.values())

    @property
    def roles(self) -> tuple[Role, ...]:
        """The API v3 names of the roles, starting with the one that a login uses by default."""
        return tuple(assignment.role for assignment in self.role_assignments)

    @property
    def shared_assignments(self) -> dict[str, RoleAssignment]:
        """The content of `roles` from API v3 on, by role name."""
        return {
            assignment.api_role_name or assignment.role: assignment
            for assignment in self.role_assignments
            if assignment.shared
        }

    def accepts(self, password: str) -> bool:
        """Whether a password is valid: the shared one or, as in Clever's sandboxes, a number."""
        return password == DEFAULT_PASSWORD or password in {
            assignment.number for assignment in self.role_assignments
        }

    def role_assignment(self, role: Role) -> RoleAssignment:
        """Returns the assignment of one of this person's roles. Raises KeyError if missing."""
        by_role = {assignment.role: assignment for assignment in self.role_assignments}
        return by_role[role]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section (a class). `period` is text."""

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
        """All teachers, the primary teacher first."""
        return (self.teacher, *self.co_teachers)
