"""What differs between the versions of Clever's data API, as data: docs/clever.md is made of it.

Sources: Clever's own API descriptions, v1.1 to v3.1, and the pages that a standing names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

State = Literal["current", "deprecated", "gone"]
NEW_APPS = "v3.0 or v3.1"  # the versions that Clever gives to a new app


class Kind(StrEnum):
    """A kind of record that a list holds. People are of five kinds, or users: all of them."""

    DISTRICTS = "districts"
    SCHOOLS = "schools"
    USERS = "users"
    STUDENTS = "students"
    TEACHERS = "teachers"
    STAFF = "staff"
    DISTRICT_ADMINS = "district_admins"
    CONTACTS = "contacts"
    SECTIONS = "sections"
    COURSES = "courses"
    TERMS = "terms"
    RESOURCES = "resources"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether Clever serves a version, to whom, and which of its pages says so."""

    state: State
    words: str  # go on after "Clever's API v3.0 is"
    source: str
    date: str  # of the page, as read


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One list: its path, the role to ask for, and the query parameters that it knows."""

    path: str
    parameters: frozenset[str]
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version: where each thing is, by the names that its answers and paths have."""

    name: str
    standing: Standing
    user_paths: Mapping[str, str]  # a person's record, by the type that /me names
    own_sections: str  # a teacher's sections, which a Library teacher's own token reads
    section_students: str
    lists: Mapping[Kind, Listing]
    status_path: str  # a district's state, last sync, launch and pause
    authorized_by: bool  # whether /me says who connected the person: district or teacher
    pauses: bool  # whether a district's launch and pause dates can be read
    school_lists: tuple[Kind, ...]  # whose records list all schools, not the primary one alone
    event_records: tuple[str, ...]  # the first word of an event's type
    event_parameters: frozenset[str]

    @property
    def roles_in_record(self) -> bool:
        """Whether the user record lists the roles; before v3 the type is the role."""
        return "user" in self.user_paths

    @property
    def one_id(self) -> bool:
        """Whether a person has one id, beside which stand legacy ids, or one for each role."""
        return self.roles_in_record

    @property
    def courses_in_sections(self) -> bool:
        """Whether course and term are fields of a section instead of records of their own."""
        return Kind.COURSES not in self.lists

    @property
    def people(self) -> tuple[Kind, ...]:
        """The lists that together hold everybody."""
        return (Kind.USERS,) if self.roles_in_record else _PEOPLE


def standing_sentence(version: Version) -> str:
    """What the table knows of a version's standing, in one sentence for an operator."""
    standing = version.standing
    source = f"Clever's page '{standing.source}', {standing.date}"
    return f"Clever's API {version.name} is {standing.words} ({source})."


_PEOPLE = (Kind.STUDENTS, Kind.TEACHERS, Kind.STAFF, Kind.DISTRICT_ADMINS, Kind.CONTACTS)
_ROLES = ("student", "teacher", "staff", "district_admin", "contact")  # in the order of _PEOPLE
_OVERVIEW = "API overview"

_GONE = Standing(
    state="gone",
    words=f"gone: Clever switched it off in December 2022, so nobody can log in; use {NEW_APPS}",
    source="API v1 deprecation",
    date="2022",
)
_DEPRECATED = Standing(
    state="deprecated",
    words=f"deprecated: Clever serves the apps that have it, and gives new apps {NEW_APPS}",
    source=_OVERVIEW,
    date="2026-05-04",
)
_CURRENT = Standing(state="current", words="current", source=_OVERVIEW, date="2026-05-04")
_ON_REQUEST = Standing(
    state="current",
    words="current, and Clever switches it on for an app that asks for it",
    source="API v3.1",
    date="2026-05-04",
)

# Before v3 each kind of person has a path of its own, and /me says which kind it is.
TYPED_PATHS = MappingProxyType(
    {
        "student": "/students/{id}",
        "teacher": "/teachers/{id}",
        "school_admin": "/school_admins/{id}",
        "district_admin": "/district_admins/{id}",
    }
)
# From v3 on /me says "user" for everyone, and the user record has the roles.
USER_PATHS = MappingProxyType({"user": "/users/{id}"})

_AFTER = frozenset({"starting_after", "ending_before"})
_PAGED = _AFTER | {"limit"}
_COUNTED = _PAGED | {"count"}
_WHERE = _PAGED | {"where"}


def _lists(parameters: frozenset[str], *kinds: Kind) -> dict[Kind, Listing]:
    """Lists whose path is their name, as Clever spells it before v3."""
    names = {Kind.STAFF: "school_admins"}
    return {
        kind: Listing(path=f"/{names.get(kind, kind)}", parameters=parameters) for kind in kinds
    }


_BASIC = (Kind.SCHOOLS, Kind.SECTIONS)
_V1 = {
    **_lists(frozenset(), Kind.DISTRICTS),
    **_lists(_WHERE, *_BASIC, Kind.STUDENTS, Kind.TEACHERS, Kind.STAFF),
    **_lists(_PAGED, Kind.CONTACTS),
    **_lists(_AFTER, Kind.DISTRICT_ADMINS),
}
_V2_KINDS = (*_BASIC, *_PEOPLE, Kind.COURSES, Kind.TERMS)
_V2 = {**_lists(frozenset(), Kind.DISTRICTS), **_lists(_PAGED, *_V2_KINDS)}
_V2_COUNTED = {**_lists(frozenset({"count"}), Kind.DISTRICTS), **_lists(_COUNTED, *_V2_KINDS)}
_USERS = _COUNTED | {"role"}
_V3 = {
    **_lists(frozenset({"count"}), Kind.DISTRICTS),
    **_lists(_COUNTED, *_BASIC, Kind.COURSES, Kind.TERMS),
    **_lists(_PAGED, Kind.RESOURCES),
    **_lists(_USERS, Kind.USERS),
    **{
        kind: Listing(path="/users", parameters=_USERS, role=role)
        for kind, role in zip(_PEOPLE, _ROLES, strict=True)
    },
}

_V1_EVENTS = ("districts", "schools", "schooladmins", "sections", "students", "teachers")
_V2_EVENTS = (*_V1_EVENTS, "contacts", "districtadmins", "courses", "terms")
_V3_EVENTS = ("districts", "schools", "sections", "users", "courses", "terms", "resources")

# Each version is the one before it and what has changed.
_V1_1 = Version(
    name="v1.1",
    standing=_GONE,
    user_paths=TYPED_PATHS,
    own_sections="/teachers/{id}/sections",
    section_students="/sections/{id}/students",
    lists=MappingProxyType(_V1),
    status_path="/districts/{id}/status",
    authorized_by=False,
    pauses=False,
    school_lists=(Kind.STAFF,),
    event_records=(*_V1_EVENTS, "studentcontacts"),
    event_parameters=_PAGED,
)
_V1_2 = replace(
    _V1_1, name="v1.2", pauses=True, school_lists=(Kind.STUDENTS, Kind.TEACHERS, Kind.STAFF)
)
_V2_0 = replace(
    _V1_2,
    name="v2.0",
    standing=_DEPRECATED,
    lists=MappingProxyType(_V2),
    status_path="/districts/{id}",
    event_records=_V2_EVENTS,
    event_parameters=_PAGED | {"school", "record_type"},
)
_V2_1 = replace(_V2_0, name="v2.1", lists=MappingProxyType(_V2_COUNTED), authorized_by=True)
_V3_0 = replace(
    _V2_1,
    name="v3.0",
    standing=_CURRENT,
    user_paths=USER_PATHS,
    own_sections="/users/{id}/sections",
    section_students="/sections/{id}/users?role=student",
    lists=MappingProxyType(_V3),
    event_records=_V3_EVENTS,
)
_V3_1 = replace(_V3_0, name="v3.1", standing=_ON_REQUEST)

VERSIONS: Mapping[str, Version] = MappingProxyType(
    {version.name: version for version in (_V1_1, _V1_2, _V2_0, _V2_1, _V3_0, _V3_1)}
)
