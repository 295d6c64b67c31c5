"""One token -> one whole person: `/me`, then user and district together, then schools or sections.

Only `/me` can stop a login. What else is missing is marked with the reason, for the page to say.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from clever_login.api import library
from clever_login.api.client import Client
from clever_login.api.kept import Kept, Key
from clever_login.api.library import SharedSection
from clever_login.errors import CleverUnexpected, LoginError, NotAPerson, NotShared, WrongPerson
from clever_login.models import (
    ROLES_BY_NAME,
    District,
    Me,
    Outcome,
    Part,
    Role,
    RoleRecord,
    School,
    User,
)

T = TypeVar("T")
MOST_SCHOOLS = 8  # read by name at login; whoever has more sees how many
WORSE: tuple[Outcome, ...] = ("loaded", "refused", "failed")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A person as Clever shows them to this app at this login."""

    user: User
    role: Role | None
    user_record: Part[User]
    district: Part[District]
    schools: Part[tuple[School, ...]]
    sections: Part[tuple[SharedSection, ...]]  # of a Clever Library teacher

    @property
    def more_schools(self) -> int:
        """How many schools the person has beyond those that were read."""
        return max(0, len(self.user.school_ids) - MOST_SCHOOLS)


def of(client: Client, kept: Kept, me: Me | None = None) -> Profile:
    """Read the whole person; raise a LoginError when Clever does not say who it is.

    `/me` is not asked where an id token has said it.
    """
    me = me or client.me()
    if me.type == "district":
        raise NotAPerson("the token is a district's")
    district = _start_district(client, kept, me)
    record = _part(lambda: client.user(me))
    if record.outcome != "loaded":
        kept = (
            Kept()
        )  # such a token may be refused more: it is served nothing that others have read
    user = record.value or User(id=me.id, district_id=me.district_id, roles=_roles_of_type(me))
    role = _start_role(client, me, user)
    schools = _schools(client, kept, user)
    sections = _sections(client, me, user)
    return Profile(
        user=user,
        role=_role(user, role.result() if role else me.login_role),
        user_record=record,
        district=district.result() if district else _district(client, kept, me.district_id),
        schools=schools,
        sections=sections,
    )


def _start_district(client: Client, kept: Kept, me: Me) -> Future[Part[District]] | None:
    """Ask for the district at the same time as for the user, unless it is known or none."""
    district_id = me.district_id
    if district_id is None or kept.knows(_key(client, district_id, "district", district_id)):
        return None
    return client.transport.start(lambda: _district(client, kept, district_id))


def _district(client: Client, kept: Kept, district_id: str | None) -> Part[District]:
    """The district; a Library login has none."""
    if district_id is None:
        return Part("none")
    key = _key(client, district_id, "district", district_id)
    return _part(lambda: kept.read(key, lambda: _same_district(client, district_id)))


def _key(client: Client, district_id: str | None, kind: str, record_id: str) -> Key:
    return client.version.name, district_id, kind, record_id


def _same_district(client: Client, district_id: str) -> District:
    district = client.district(district_id)
    if district.id != district_id:
        raise CleverUnexpected("the district record is another district's")
    return district


def _schools(client: Client, kept: Kept, user: User) -> Part[tuple[School, ...]]:
    """The schools that the user record names, as many as are read; none may be named."""
    if not user.school_ids:
        return Part("none")
    first, *others = [
        _reading(client, kept, user, school_id) for school_id in user.school_ids[:MOST_SCHOOLS]
    ]
    asked = [client.transport.start(each) for each in others]
    parts = [first(), *(future.result() for future in asked)]
    found = tuple(part.value for part in parts if part.value is not None)
    worst = max(parts, key=lambda part: WORSE.index(part.outcome))
    return Part(worst.outcome, found or None, worst.cause)


def _reading(client: Client, kept: Kept, user: User, school_id: str) -> Callable[[], Part[School]]:
    key = _key(client, user.district_id, "school", school_id)
    return lambda: _part(lambda: kept.read(key, lambda: _same_school(client, user, school_id)))


def _same_school(client: Client, user: User, school_id: str) -> School:
    school = client.school(school_id, user.district_id)
    if school.id != school_id:
        raise CleverUnexpected("the school record is another school's")
    return school


def _sections(client: Client, me: Me, user: User) -> Part[tuple[SharedSection, ...]]:
    """Read what a Clever Library teacher shares; nobody else's token reads sections.

    In this thread: what waits for others of the pool must not be in the pool itself.
    """
    if not me.by_library or Role.TEACHER not in [record.role for record in user.roles]:
        return Part("none")
    return _part(lambda: library.sections(client, user.id))


def _start_role(client: Client, me: Me, user: User) -> Future[Role | None] | None:
    """Ask which of several roles this login is in, while the schools are read."""
    if len(user.roles) < 2 or me.login_role:
        return None
    return client.transport.start(lambda: _part(lambda: client.login_role(user.id)).value)


def _role(user: User, named: Role | None) -> Role | None:
    """The only role; of several the one that Clever names for this login, else the widest."""
    roles = [record.role for record in user.roles]
    if not roles:
        return None
    return named if named in roles else max(roles, key=list(Role).index)


def _roles_of_type(me: Me) -> tuple[RoleRecord, ...]:
    """What `/me` alone tells of the role: all before v3, nothing from v3 on."""
    role = ROLES_BY_NAME.get(me.type)
    return (RoleRecord(role=role),) if role else ()


def _part(read: Callable[[], T | None]) -> Part[T]:
    """Turn a failure into its word; only a record of somebody else ends the login."""
    try:
        return Part("loaded", read())
    except WrongPerson:
        raise
    except NotShared as error:
        return Part("refused", cause=str(error))
    except (LoginError, TimeoutError) as error:
        return Part("failed", cause=str(error))
