"""Clever's JSON about the user who logs in, as frozen types.

Unknown keys are ignored on purpose: Clever's minor versions only add. Missing values that Clever
guarantees raise CleverUnexpected; other values may be absent, null, or malformed.
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


PROVIDER = "clever"  # of identities and accounts, beside the providers of the app's other logins


class Role(StrEnum):
    """The role of a user, named as in v3, from the narrowest view to the widest."""

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

# "none": there is nothing to fetch, such as a school in a tier without schools.
FetchStatus = Literal["loaded", "none", "refused", "failed"]


@dataclass(frozen=True)
class Fetched(Generic[T]):
    """One part of a profile: its value, or why it is missing or incomplete."""

    outcome: FetchStatus
    value: T | None = None
    cause: str = ""  # for the log: a sentence of this app


@dataclass(frozen=True, kw_only=True)
class Me:
    """The user that a token belongs to.

    `type` is the role before v3 and always "user" from v3 on. `login_role` is the role of this
    login, if it is known without a call to `/userinfo`. `by_library` marks a Clever Library login,
    where a teacher, not a district, authorized the app. Clever sends no ID token for those:
    `may_lack_id_token`.
    """

    id: str
    type: str
    district_id: str | None
    login_role: Role | None = None
    by_library: bool = False
    may_lack_id_token: bool = False

    @classmethod
    def from_api(cls, body: Json) -> Me:
        """Parse the response of `/me`: `{"type", "data": {"id", "district", ...}}`."""
        data = require_object(body, "data")
        kind = parse_text(body.get("type")) or parse_text(data.get("type"))
        if not kind:
            raise CleverUnexpected("/me contains no type")
        return cls(
            id=parse_id(data.get("id")),
            type=kind,
            district_id=parse_optional_id(data.get("district")),
            by_library=_is_library(data),
            may_lack_id_token=_may_lack_id_token(data),
        )

    @classmethod
    def from_claims(cls, claims: Json, *, one_id: bool) -> Me | None:
        """Parse the claims of a verified ID token, or return None if it lacks Clever's own claims.

        `one_id` says whether a user has one id for all roles, as from v3 on.
        """
        role, user_type = login_role(claims), parse_text(claims.get("user_type"))
        district = claims.get("district") or claims.get("district_id")
        if not user_type or not district:
            return None
        old = _TYPES_BEFORE_V3[role] if role else user_type
        return cls(
            id=parse_id(claims.get("sub" if one_id else "user_id")),
            type="user" if one_id else old,
            district_id=parse_optional_id(district),  # Library logins have no ID tokens
            login_role=role,
        )


@dataclass(frozen=True, kw_only=True)
class RoleRecord:
    """One role of a user, with its id from before v3 and its schools, primary school first."""

    role: Role
    legacy_id: str | None = None
    school_ids: tuple[str, ...] = ()

    @classmethod
    def from_api(cls, role: Role, data: Json) -> RoleRecord:
        """Parse a role's object: `legacy_id`, `school`, and `schools`, each of them optional."""
        schools = data.get("schools")
        named_schools = [data.get("school"), *(schools if isinstance(schools, list) else [])]
        ids = dict.fromkeys(school_id for school_id in named_schools if is_valid_id(school_id))
        legacy = data.get("legacy_id")
        return cls(
            role=role, legacy_id=legacy if is_valid_id(legacy) else None, school_ids=tuple(ids)
        )


@dataclass(frozen=True, kw_only=True)
class User:
    """A user, with the fields that Clever shares with this app."""

    id: str
    district_id: str | None = None
    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    roles: tuple[RoleRecord, ...] = ()

    @classmethod
    def from_api(cls, body: Json, me: Me, role: Role | None) -> User:
        """Parse the record of the user that `/me` named.

        `role` comes from the path before v3; it is None if the record's `roles` has it. Raises
        WrongPerson if the record is another user's, CleverUnexpected if it has no id.
        """
        data = require_object(body, "data")
        if not data.get("id"):
            raise CleverUnexpected("the user record has no id")
        for key, expected in (("id", me.id), ("district", me.district_id)):
            if me.by_library and key == "district":
                continue  # /me has no district, so there is nothing to compare
            if data.get(key) not in (None, "", expected):
                raise WrongPerson(f"the {key} of the user record differs from /me")
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
        """The ids of the schools of all roles, without duplicates."""
        return tuple(dict.fromkeys(i for record in self.roles for i in record.school_ids))

    @property
    def legacy_ids(self) -> tuple[str, ...]:
        """The ids that this user had before v3, one per role. Only for `find_or_create`."""
        return tuple(record.legacy_id for record in self.roles if record.legacy_id)


@dataclass(frozen=True, kw_only=True)
class District:
    """A district: the customer of an app, and the boundary between users."""

    id: str
    name: str

    @classmethod
    def from_api(cls, body: Json) -> District:
        """Parse a district record."""
        data = require_object(body, "data")
        return cls(id=parse_id(data.get("id")), name=parse_text(data.get("name")) or "")


@dataclass(frozen=True, kw_only=True)
class School:
    """A school of a district."""

    id: str
    name: str

    @classmethod
    def from_api(cls, body: Json, district_id: str | None) -> School:
        """Parse a school record.

        Raises CleverUnexpected for a school of another district.
        """
        data = require_object(body, "data")
        if data.get("district") not in (None, "", district_id):
            raise CleverUnexpected("the school belongs to another district")
        return cls(id=parse_id(data.get("id")), name=parse_text(data.get("name")) or "")


def login_role(claims: Json) -> Role | None:
    """Return the role of the current login from `/userinfo` or ID token claims. `/me` lacks it."""
    return ROLES_BY_NAME.get(parse_text(claims.get("user_type")) or "")


def _is_library(data: Json) -> bool:
    """Whether a teacher authorized the app. Before v2.1, only the missing district shows it."""
    return not data.get("district") and data.get("authorized_by", "teacher") == "teacher"


def _may_lack_id_token(data: Json) -> bool:
    """Whether this is a Clever Library login. Before v2.1, only the missing district shows it.

    An unknown value of `authorized_by` does not count.
    """
    authorized_by = data.get("authorized_by")
    return authorized_by == "teacher" or (authorized_by is None and not data.get("district"))


def _parse_roles(value: object) -> tuple[RoleRecord, ...]:
    """Return the known roles, sorted as in Role: the order of Clever's keys has no meaning."""
    if not isinstance(value, dict):
        return ()
    return tuple(
        RoleRecord.from_api(role, value[role]) for role in Role if isinstance(value.get(role), dict)
    )
