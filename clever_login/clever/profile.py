"""District and school records, kept for ten minutes: everybody who logs in asks for the same few.

Any member of a district may read them. Nothing of a person is ever kept here.

One token -> one whole person: `/me`, then user and district together, then schools or sections.

Only `/me` can stop a login. What else is missing is marked with the reason, for the page to say.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from clever_login.clever import user_client
from clever_login.clever.models import (
    ROLES_BY_NAME,
    District,
    Fetched,
    FetchStatus,
    Me,
    Role,
    RoleRecord,
    School,
    User,
)
from clever_login.clever.user_client import SharedSection, UserClient
from clever_login.errors import (
    CleverUnexpected,
    LoginError,
    NotAPerson,
    NotShared,
    WrongPerson,
)

T = TypeVar("T")
CACHE_TTL_SECONDS = 10 * 60
MAX_CACHED_RECORDS = 2000  # records; the ones that were read first go first

# The version, the district by whose sharing the token reads (none in Clever Library), kind and id.
CacheKey = tuple[str, str | None, str, str]


class RecordCache:
    """One a process; what could not be read, or was refused, is not remembered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: OrderedDict[CacheKey, tuple[float, Any]] = OrderedDict()

    def knows(self, key: CacheKey) -> bool:
        """Whether `read` would not have to ask."""
        with self._lock:
            return self._clock() < self._records.get(key, (0.0, None))[0]

    def read(self, key: CacheKey, ask: Callable[[], T]) -> T:
        """The record, asked for if it is not known; raises whatever asking raises."""
        with self._lock:
            until, record = self._records.get(key, (0.0, None))
        if self._clock() >= until:
            record = ask()
            self._keep(key, record)
        found: T = record
        return found

    def _keep(self, key: CacheKey, record: object) -> None:
        with self._lock:
            self._records.pop(key, None)
            self._records[key] = self._clock() + CACHE_TTL_SECONDS, record
            if len(self._records) > MAX_CACHED_RECORDS:
                self._records.popitem(last=False)


MAX_SCHOOLS = 8  # read by name at login; whoever has more sees how many
STATUSES_BY_SEVERITY: tuple[FetchStatus, ...] = ("loaded", "refused", "failed")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A person as Clever shows them to this app at this login."""

    user: User
    role: Role | None
    user_record: Fetched[User]
    district: Fetched[District]
    schools: Fetched[tuple[School, ...]]
    sections: Fetched[tuple[SharedSection, ...]]  # of a Clever Library teacher

    @property
    def more_schools(self) -> int:
        """How many schools the person has beyond those that were read."""
        return max(0, len(self.user.school_ids) - MAX_SCHOOLS)


def load_profile(client: UserClient, kept: RecordCache, me: Me | None = None) -> Profile:
    """Read the whole person; raise a LoginError when Clever does not say who it is.

    `/me` is not asked where an id token has said it.
    """
    me = me or client.me()
    if me.type == "district":
        raise NotAPerson("the token is a district's")
    district = _start_district_fetch(client, kept, me)
    record = _fetch_part(lambda: client.user(me))
    if record.outcome != "loaded":
        kept = (
            RecordCache()
        )  # such a token may be refused more: it is served nothing that others have read
    user = record.value or User(id=me.id, district_id=me.district_id, roles=_roles_from_me(me))
    role = _start_role_fetch(client, me, user)
    schools = _load_schools(client, kept, user)
    sections = _load_sections(client, me, user)
    return Profile(
        user=user,
        role=_choose_role(user, role.result() if role else me.login_role),
        user_record=record,
        district=district.result() if district else _load_district(client, kept, me.district_id),
        schools=schools,
        sections=sections,
    )


def _start_district_fetch(
    client: UserClient, kept: RecordCache, me: Me
) -> Future[Fetched[District]] | None:
    """Ask for the district at the same time as for the user, unless it is known or none."""
    district_id = me.district_id
    if district_id is None or kept.knows(_cache_key(client, district_id, "district", district_id)):
        return None
    return client.transport.start(lambda: _load_district(client, kept, district_id))


def _load_district(
    client: UserClient, kept: RecordCache, district_id: str | None
) -> Fetched[District]:
    """The district; a Library login has none."""
    if district_id is None:
        return Fetched("none")
    key = _cache_key(client, district_id, "district", district_id)
    return _fetch_part(lambda: kept.read(key, lambda: _fetch_checked_district(client, district_id)))


def _cache_key(client: UserClient, district_id: str | None, kind: str, record_id: str) -> CacheKey:
    return client.version.name, district_id, kind, record_id


def _fetch_checked_district(client: UserClient, district_id: str) -> District:
    district = client.district(district_id)
    if district.id != district_id:
        raise CleverUnexpected("the district record is another district's")
    return district


def _load_schools(client: UserClient, kept: RecordCache, user: User) -> Fetched[tuple[School, ...]]:
    """The schools that the user record names, as many as are read; none may be named."""
    if not user.school_ids:
        return Fetched("none")
    first, *others = [
        _school_loader(client, kept, user, school_id) for school_id in user.school_ids[:MAX_SCHOOLS]
    ]
    asked = [client.transport.start(each) for each in others]
    parts = [first(), *(future.result() for future in asked)]
    found = tuple(part.value for part in parts if part.value is not None)
    worst = max(parts, key=lambda part: STATUSES_BY_SEVERITY.index(part.outcome))
    return Fetched(worst.outcome, found or None, worst.cause)


def _school_loader(
    client: UserClient, kept: RecordCache, user: User, school_id: str
) -> Callable[[], Fetched[School]]:
    key = _cache_key(client, user.district_id, "school", school_id)
    return lambda: _fetch_part(
        lambda: kept.read(key, lambda: _fetch_checked_school(client, user, school_id))
    )


def _fetch_checked_school(client: UserClient, user: User, school_id: str) -> School:
    school = client.school(school_id, user.district_id)
    if school.id != school_id:
        raise CleverUnexpected("the school record is another school's")
    return school


def _load_sections(client: UserClient, me: Me, user: User) -> Fetched[tuple[SharedSection, ...]]:
    """Read what a Clever Library teacher shares; nobody else's token reads sections.

    In this thread: what waits for others of the pool must not be in the pool itself.
    """
    if not me.by_library or Role.TEACHER not in [record.role for record in user.roles]:
        return Fetched("none")
    return _fetch_part(lambda: user_client.load_shared_sections(client, user.id))


def _start_role_fetch(client: UserClient, me: Me, user: User) -> Future[Role | None] | None:
    """Ask which of several roles this login is in, while the schools are read."""
    if len(user.roles) < 2 or me.login_role:
        return None
    return client.transport.start(lambda: _fetch_part(lambda: client.login_role(user.id)).value)


def _choose_role(user: User, named: Role | None) -> Role | None:
    """The only role; of several the one that Clever names for this login, else the widest."""
    roles = [record.role for record in user.roles]
    if not roles:
        return None
    return named if named in roles else max(roles, key=list(Role).index)


def _roles_from_me(me: Me) -> tuple[RoleRecord, ...]:
    """What `/me` alone tells of the role: all before v3, nothing from v3 on."""
    role = ROLES_BY_NAME.get(me.type)
    return (RoleRecord(role=role),) if role else ()


def _fetch_part(read: Callable[[], T | None]) -> Fetched[T]:
    """Turn a failure into its word; only a record of somebody else ends the login."""
    try:
        return Fetched("loaded", read())
    except WrongPerson:
        raise
    except NotShared as error:
        return Fetched("refused", cause=str(error))
    except (LoginError, TimeoutError) as error:
        return Fetched("failed", cause=str(error))
