"""Clever's JSON as frozen types: the only place that looks inside that JSON.

Unknown keys are ignored on purpose (Clever's minor versions only add). What Clever guarantees and
is not there raises CleverUnexpected; what it does not guarantee may be absent, null or odd.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from clever_login.clever.parsing import (
    Json,
    is_valid_id,
    parse_id,
    parse_optional_id,
    parse_text,
    require_object,
)
from clever_login.errors import CleverUnexpected, WrongPerson

T = TypeVar("T")


class Role(StrEnum):
    """What a person is at school, in v3's names, from the narrowest view to the widest."""

    STUDENT = "student"
    TEACHER = "teacher"
    STAFF = "staff"
    DISTRICT_ADMIN = "district_admin"


ROLES_BY_NAME = {
    **{role.value: role for role in Role},
    "school_admin": Role.STAFF,  # before v3
    "district admin": Role.DISTRICT_ADMIN,  # as /userinfo spells it
}

_TYPES_BEFORE_V3 = {
    Role.STUDENT: "student",
    Role.TEACHER: "teacher",
    Role.STAFF: "school_admin",
    Role.DISTRICT_ADMIN: "district_admin",
}

# "none": there is nothing to ask for, as a school in a tier that has none.
FetchStatus = Literal["loaded", "none", "refused", "failed"]


@dataclass(frozen=True)
class Fetched(Generic[T]):
    """One part of a profile: its value, or why there is none, or not all of it."""

    outcome: FetchStatus
    value: T | None = None
    cause: str = ""  # for the log: a sentence of ours


@dataclass(frozen=True, kw_only=True)
class Me:
    """Whom a token belongs to. `type` is the role before v3 and always "user" from v3 on.

    `login_role` is the role of this login, where it is known without asking `/userinfo`;
    `by_library` tells a login by Clever Library, where a teacher shares the app and no district.
    Clever sends no id token for those: `may_lack_id_token`.
    """

    id: str
    type: str
    district_id: str | None
    login_role: Role | None = None
    by_library: bool = False
    may_lack_id_token: bool = False

    @classmethod
    def from_api(cls, body: Json) -> Me:
        """Read `{"type", "data": {"id", "district", ...}}`."""
        data = require_object(body, "data")
        kind = parse_text(body.get("type")) or parse_text(data.get("type"))
        if not kind:
            raise CleverUnexpected("/me names no type")
        return cls(
            id=parse_id(data.get("id")),
            type=kind,
            district_id=parse_optional_id(data.get("district")),
            by_library=_is_library(data),
            may_lack_id_token=_may_lack_id_token(data),
        )

    @classmethod
    def from_claims(cls, claims: Json, *, one_id: bool) -> Me | None:
        """Read a checked id token; None for one that lacks what Clever puts in beside the standard.

        `one_id` where a person has one id for all roles, from v3 on.
        """
        role, named = login_role(claims), parse_text(claims.get("user_type"))
        district = claims.get("district") or claims.get("district_id")
        if not named or not district:
            return None
        old = _TYPES_BEFORE_V3[role] if role else named
        return cls(
            id=parse_id(claims.get("sub" if one_id else "user_id")),
            type="user" if one_id else old,
            district_id=parse_optional_id(district),  # the Library has no id tokens
            login_role=role,
        )


@dataclass(frozen=True, kw_only=True)
class RoleRecord:
    """One role of a person, with the id that it had before v3 and its schools, primary first."""

    role: Role
    legacy_id: str | None = None
    school_ids: tuple[str, ...] = ()

    @classmethod
    def from_api(cls, role: Role, data: Json) -> RoleRecord:
        """Read a role's object: `legacy_id`, `school` and `schools`, each of which may be gone."""
        schools = data.get("schools")
        named = [data.get("school"), *(schools if isinstance(schools, list) else [])]
        ids = dict.fromkeys(each for each in named if is_valid_id(each))
        legacy = data.get("legacy_id")
        return cls(
            role=role, legacy_id=legacy if is_valid_id(legacy) else None, school_ids=tuple(ids)
        )


@dataclass(frozen=True, kw_only=True)
class User:
    """A person, as far as Clever lets this app see."""

    id: str
    district_id: str | None = None
    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    roles: tuple[RoleRecord, ...] = ()

    @classmethod
    def from_api(cls, body: Json, me: Me, role: Role | None) -> User:
        """Read the record of the person that `/me` named; WrongPerson if it is somebody else's.

        `role` is what the path said before v3, None where the record's `roles` says it.
        """
        data = require_object(body, "data")
        if not data.get("id"):
            raise CleverUnexpected("the user record has no id")
        for key, expected in (("id", me.id), ("district", me.district_id)):
            if me.by_library and key == "district":
                continue  # /me names none, so there is nothing to compare
            if data.get(key) not in (None, "", expected):
                raise WrongPerson(f"the user record has another {key} than /me")
        name = data.get("name")
        if not isinstance(name, dict):
            name = {}
        return cls(
            id=me.id,
            district_id=me.district_id,
            first_name=parse_text(name.get("first")) or "",
            last_name=parse_text(name.get("last")) or "",
            email=parse_text(data.get("email")),
            roles=(RoleRecord.from_api(role, data),) if role else _parse_roles(data.get("roles")),
        )

    @property
    def school_ids(self) -> tuple[str, ...]:
        """The schools of all roles, each once."""
        return tuple(dict.fromkeys(i for record in self.roles for i in record.school_ids))

    @property
    def legacy_ids(self) -> tuple[str, ...]:
        """The ids that this person had before v3, one a role; for `find_or_create` alone."""
        return tuple(record.legacy_id for record in self.roles if record.legacy_id)


@dataclass(frozen=True, kw_only=True)
class District:
    """A district: the customer of an app, and the wall between people."""

    id: str
    name: str

    @classmethod
    def from_api(cls, body: Json) -> District:
        """Read a district record."""
        data = require_object(body, "data")
        return cls(id=parse_id(data.get("id")), name=parse_text(data.get("name")) or "")


@dataclass(frozen=True, kw_only=True)
class School:
    """A school of a district."""

    id: str
    name: str

    @classmethod
    def from_api(cls, body: Json, district_id: str | None) -> School:
        """Read a school record; one of another district is CleverUnexpected."""
        data = require_object(body, "data")
        if data.get("district") not in (None, "", district_id):
            raise CleverUnexpected("the school is another district's")
        return cls(id=parse_id(data.get("id")), name=parse_text(data.get("name")) or "")


def login_role(claims: Json) -> Role | None:
    """The role of the current login, as `/userinfo` and id tokens name it; `/me` does not."""
    return ROLES_BY_NAME.get(parse_text(claims.get("user_type")) or "")


def _is_library(data: Json) -> bool:
    """Who authorized the app; before v2.1 nothing says so but the district that is missing."""
    return not data.get("district") and data.get("authorized_by", "teacher") == "teacher"


def _may_lack_id_token(data: Json) -> bool:
    """Whether this shows a Clever Library login; before v2.1 only the missing district does.

    An unknown value of `authorized_by` shows nothing.
    """
    authorized_by = data.get("authorized_by")
    return authorized_by == "teacher" or (authorized_by is None and not data.get("district"))


def claims_match_user(claims: Json, person_id: str) -> bool:
    """Whether `/userinfo` speaks of this person, by the id of today or the one before v3."""
    return person_id in (claims.get("sub"), claims.get("user_id"))


def _parse_roles(value: object) -> tuple[RoleRecord, ...]:
    """The known ones of `roles`, in our own order: the order of Clever's keys means nothing."""
    if not isinstance(value, dict):
        return ()
    return tuple(
        RoleRecord.from_api(role, value[role]) for role in Role if isinstance(value.get(role), dict)
    )
