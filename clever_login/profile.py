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


def of(client: Client, me: Me | None = None) -> Profile:
    """Read the whole person; raise a LoginError when Clever does not say who it is.

    `/me` is not asked where an id token has said it.
    """
    me = me or client.me()
    if me.type == "district":
        raise NotAPerson("the token is a district's")
    district = _start_district(client, me)
    record = _part(lambda: client.user(me))
    user = record.value or User(id=me.id, district_id=me.district_id, roles=_roles_of_type(me))
    role = _start_role(client, me, user)
    schools = _schools(client, user)
    sections = _sections(client, me, user)
    return Profile(
        user=user,
        role=_role(user, role.result() if role else me.login_role),
        user_record=record,
        district=district.result() if district else Part("none"),
        schools=schools,
        sections=sections,
    )


def _start_district(client: Client, me: Me) -> Future[Part[District]] | None:
    """Ask for the district at the same time as for the user; a Library login has none."""
    district_id = me.district_id
    if district_id is None:
        return None
    return client.transport.start(lambda: _part(lambda: _same_district(client, district_id)))


def _same_district(client: Client, district_id: str) -> District:
    district = client.district(district_id)
    if district.id != district_id:
        raise CleverUnexpected("the district record is another district's")
    return district


def _schools(client: Client, user: User) -> Part[tuple[School, ...]]:
    """The schools that the user record names, as many as are read; none may be named."""
    ids = user.school_ids
    if not ids:
        return Part("none")
    asked = [client.transport.start(_asking(client, user, each)) for each in ids[1:MOST_SCHOOLS]]
    parts = [_asking(client, user, ids[0])(), *(future.result() for future in asked)]
    found = tuple(part.value for part in parts if part.value is not None)
    worst = max(parts, key=lambda part: WORSE.index(part.outcome))
    return Part(worst.outcome, found or None, worst.cause)


def _asking(client: Client, user: User, school_id: str) -> Callable[[], Part[School]]:
    return lambda: _part(lambda: _same_school(client, user, school_id))


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
