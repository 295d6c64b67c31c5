"""The differences between the versions of Clever's data API, as data.

docs/clever.md is generated from these tables. Sources: Clever's own API descriptions, v1.1 to v3.1,
and the pages named in each `Support`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

SupportStatus = Literal["current", "deprecated", "retired"]
NEW_APPS = "v3.0 or v3.1"  # the versions that Clever gives to new apps


class RecordKind(StrEnum):
    """A kind of record that a list endpoint returns.

    Five kinds hold users by role; USERS covers all five.
    """

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
class Support:
    """Whether Clever serves a version, to which apps, and the Clever page that says so."""

    status: SupportStatus
    summary: str  # completes the sentence "Clever's API v3.0 is ..."
    source: str
    date: str  # of the page when it was read


@dataclass(frozen=True, kw_only=True)
class ListEndpoint:
    """One list endpoint: its path, the role to ask for, and the query parameters it accepts."""

    path: str
    parameters: frozenset[str]
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class ApiVersion:
    """One API version: its paths, and the names it uses in responses."""

    name: str
    support: Support
    user_paths: Mapping[str, str]  # the path of a user record, by the type in /me
    own_sections: str  # a teacher's sections, readable with a Clever Library teacher's own token
    section_students: str
    lists: Mapping[RecordKind, ListEndpoint]
    status_path: str  # a district's state, last sync, launch date, and pause
    authorized_by: bool  # whether /me says who authorized the app: district or teacher
    pauses: bool  # whether the API returns a district's launch and pause dates
    school_lists: tuple[
        RecordKind, ...
    ]  # kinds whose records list all schools, not only the primary one
    event_records: tuple[str, ...]  # the part of an event type before the dot
    event_parameters: frozenset[str]

    @property
    def roles_in_record(self) -> bool:
        """Whether the user record lists the roles. Before v3, the user type is the role."""
        return "user" in self.user_paths

    @property
    def one_id(self) -> bool:
        """Whether a user has one id for all roles.

        From v3 on, each role also has a legacy id. Before v3, a user has one id per role.
        """
        return self.roles_in_record

    @property
    def courses_in_sections(self) -> bool:
        """Whether course and term are fields of a section instead of separate records."""
        return RecordKind.COURSES not in self.lists

    @property
    def people(self) -> tuple[RecordKind, ...]:
        """The lists that together return every user."""
        return (RecordKind.USERS,) if self.roles_in_record else _PEOPLE_KINDS


def missing_version(version: ApiVersion) -> str:
    """Return what to tell an operator if Clever has not given a version to the app."""
    return (
        f"Clever does not answer this app in version {version.name} of its API. Clever gives new "
        f"apps only {NEW_APPS}: set CLEVER_API_VERSION to one of them"
    )


def support_summary(version: ApiVersion) -> str:
    """Return one sentence for an operator about Clever's support for a version."""
    support = version.support
    source = f"Clever's page '{support.source}', {support.date}"
    return f"Clever's API {version.name} is {support.summary} ({source})."


_PEOPLE_KINDS = (
    RecordKind.STUDENTS,
    RecordKind.TEACHERS,
    RecordKind.STAFF,
    RecordKind.DISTRICT_ADMINS,
    RecordKind.CONTACTS,
)
_ROLE_NAMES = (
    "student",
    "teacher",
    "staff",
    "district_admin",
    "contact",
)  # in the order of _PEOPLE_KINDS
_OVERVIEW_PAGE = "API overview"

_RETIRED = Support(
    status="retired",
    summary=(
        "gone: Clever switched this version off in December 2022, so nobody can log in. Use "
        f"{NEW_APPS}"
    ),
    source="API v1 deprecation",
    date="2022",
)
_DEPRECATED = Support(
    status="deprecated",
    summary=(
        f"deprecated: apps that have this version can still use it, and new apps get {NEW_APPS}"
    ),
    source=_OVERVIEW_PAGE,
    date="2026-05-04",
)
_CURRENT = Support(status="current", summary="current", source=_OVERVIEW_PAGE, date="2026-05-04")
_ON_REQUEST = Support(
    status="current",
    summary="current, and Clever enables it for an app on request",
    source="API v3.1",
    date="2026-05-04",
)

# Before v3, each user type has its own path, and /me names the type.
USER_PATHS_BY_TYPE = MappingProxyType(
    {
        "student": "/students/{id}",
        "teacher": "/teachers/{id}",
        "school_admin": "/school_admins/{id}",
        "district_admin": "/district_admins/{id}",
    }
)
# From v3 on, /me says "user" for everyone, and the user record lists the roles.
USER_PATHS_V3 = MappingProxyType({"user": "/users/{id}"})

_CURSOR_PARAMETERS = frozenset({"starting_after", "ending_before"})
_PAGING_PARAMETERS = _CURSOR_PARAMETERS | {"limit"}
_PAGING_AND_COUNT = _PAGING_PARAMETERS | {"count"}
_PAGING_AND_WHERE = _PAGING_PARAMETERS | {"where"}


def _lists_named_by_kind(
    parameters: frozenset[str], *kinds: RecordKind
) -> dict[RecordKind, ListEndpoint]:
    """Build list endpoints whose path is the name of the kind, as Clever spells it before v3."""
    names = {RecordKind.STAFF: "school_admins"}
    return {
        kind: ListEndpoint(path=f"/{names.get(kind, kind)}", parameters=parameters)
        for kind in kinds
    }


_BASIC_KINDS = (RecordKind.SCHOOLS, RecordKind.SECTIONS)
_V1_LISTS = {
    **_lists_named_by_kind(frozenset(), RecordKind.DISTRICTS),
    **_lists_named_by_kind(
        _PAGING_AND_WHERE, *_BASIC_KINDS, RecordKind.STUDENTS, RecordKind.TEACHERS, RecordKind.STAFF
    ),
    **_lists_named_by_kind(_PAGING_PARAMETERS, RecordKind.CONTACTS),
    **_lists_named_by_kind(_CURSOR_PARAMETERS, RecordKind.DISTRICT_ADMINS),
}
_V2_KINDS = (*_BASIC_KINDS, *_PEOPLE_KINDS, RecordKind.COURSES, RecordKind.TERMS)
_V2_LISTS = {
    **_lists_named_by_kind(frozenset(), RecordKind.DISTRICTS),
    **_lists_named_by_kind(_PAGING_PARAMETERS, *_V2_KINDS),
}
_V2_LISTS_WITH_COUNT = {
    **_lists_named_by_kind(frozenset({"count"}), RecordKind.DISTRICTS),
    **_lists_named_by_kind(_PAGING_AND_COUNT, *_V2_KINDS),
}
_USERS_PARAMETERS = _PAGING_AND_COUNT | {"role"}
_V3_LISTS = {
    **_lists_named_by_kind(frozenset({"count"}), RecordKind.DISTRICTS),
    **_lists_named_by_kind(_PAGING_AND_COUNT, *_BASIC_KINDS, RecordKind.COURSES, RecordKind.TERMS),
    **_lists_named_by_kind(_PAGING_PARAMETERS, RecordKind.RESOURCES),
    **_lists_named_by_kind(_USERS_PARAMETERS, RecordKind.USERS),
    **{
        kind: ListEndpoint(path="/users", parameters=_USERS_PARAMETERS, role=role)
        for kind, role in zip(_PEOPLE_KINDS, _ROLE_NAMES, strict=True)
    },
}

_V1_EVENT_TYPES = ("districts", "schools", "schooladmins", "sections", "students", "teachers")
_V2_EVENT_TYPES = (*_V1_EVENT_TYPES, "contacts", "districtadmins", "courses", "terms")
_V3_EVENT_TYPES = ("districts", "schools", "sections", "users", "courses", "terms", "resources")

# Each version is defined as its changes from the version before it.
_V1_1 = ApiVersion(
    name="v1.1",
    support=_RETIRED,
    user_paths=USER_PATHS_BY_TYPE,
    own_sections="/teachers/{id}/sections",
    section_students="/sections/{id}/students",
    lists=MappingProxyType(_V1_LISTS),
    status_path="/districts/{id}/status",
    authorized_by=False,
    pauses=False,
    school_lists=(RecordKind.STAFF,),
    event_records=(*_V1_EVENT_TYPES, "studentcontacts"),
    event_parameters=_PAGING_PARAMETERS,
)
_V1_2 = replace(
    _V1_1,
    name="v1.2",
    pauses=True,
    school_lists=(RecordKind.STUDENTS, RecordKind.TEACHERS, RecordKind.STAFF),
)
_V2_0 = replace(
    _V1_2,
    name="v2.0",
    support=_DEPRECATED,
    lists=MappingProxyType(_V2_LISTS),
    status_path="/districts/{id}",
    event_records=_V2_EVENT_TYPES,
    event_parameters=_PAGING_PARAMETERS | {"school", "record_type"},
)
_V2_1 = replace(
    _V2_0, name="v2.1", lists=MappingProxyType(_V2_LISTS_WITH_COUNT), authorized_by=True
)
_V3_0 = replace(
    _V2_1,
    name="v3.0",
    support=_CURRENT,
    user_paths=USER_PATHS_V3,
    own_sections="/users/{id}/sections",
    section_students="/sections/{id}/users?role=student",
    lists=MappingProxyType(_V3_LISTS),
    event_records=_V3_EVENT_TYPES,
)
_V3_1 = replace(_V3_0, name="v3.1", support=_ON_REQUEST)

VERSIONS: Mapping[str, ApiVersion] = MappingProxyType(
    {version.name: version for version in (_V1_1, _V1_2, _V2_0, _V2_1, _V3_0, _V3_1)}
)
