"""Loads a user's profile with one token, and caches district and school records.

The order is `/me`, then user and district in parallel, then schools or sections. Only a failure of
`/me` ends the login. Any other missing part is marked with the reason, for the page.

District and school records are cached for ten minutes: many users request the same few, and any
member of a district may read them. Data of a user is never cached.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

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
MAX_CACHED_RECORDS = 2000  # records; the oldest are removed first

# The version, the district that authorized the token (None in Clever Library), kind, and id.
CacheKey = tuple[str, str | None, str, str]


class RecordCache:
    """A cache of records, one per process. Failures and refusals are not cached."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: OrderedDict[CacheKey, tuple[float, Any]] = OrderedDict()

    def knows(self, key: CacheKey) -> bool:
        """Whether the record is cached."""
        with self._lock:
            return self._clock() < self._records.get(key, (0.0, None))[0]

    def read(self, key: CacheKey, fetch: Callable[[], T]) -> T:
        """Return the cached record, or call `fetch` and cache its result.

        Raises what `fetch` raises.
        """
        with self._lock:
            expires, record = self._records.get(key, (0.0, None))
        if self._clock() >= expires:
            record = fetch()
            self._add(key, record)
        return cast(T, record)

    def _add(self, key: CacheKey, record: object) -> None:
        with self._lock:
            self._records.pop(key, None)
            self._records[key] = self._clock() + CACHE_TTL_SECONDS, record
            if len(self._records) > MAX_CACHED_RECORDS:
                self._records.popitem(last=False)


MAX_SCHOOLS = 8  # loaded at login; a user with more schools sees the number of the others
STATUSES_BY_SEVERITY: tuple[FetchStatus, ...] = ("loaded", "refused", "failed")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A user's data as Clever shows it to this app at this login."""

    user: User
    role: Role | None
    user_record: Fetched[User]
    district: Fetched[District]
    schools: Fetched[tuple[School, ...]]
    sections: Fetched[tuple[SharedSection, ...]]  # of a Clever Library teacher

    @property
    def more_schools(self) -> int:
        """The number of the user's schools beyond those that were loaded."""
        return max(0, len(self.user.school_ids) - MAX_SCHOOLS)


@dataclass(frozen=True, kw_only=True)
class ProfileLoader:
    """Loads the profile that belongs to one access token, with the records that users share."""

    client: UserClient
    cache: RecordCache

    def load(self, me: Me | None = None) -> Profile:
        """Load a user's whole profile.

        Calls `/me` only if `me`, taken from an ID token, is missing, or if the user's record is
        refused: a version of the API may be missing. Raises LoginError when Clever does not
        identify the user.
        """
        is_from_token = me is not None
        me = me or self.client.me()
        if me.type == "district":
            raise NotAPerson("the token belongs to a district, not to a person")
        district = self._start_district_fetch(me)
        record = _fetch_part(lambda: self.client.user(me))
        if is_from_token and record.outcome == "refused":
            self.client.check_version()
        user = record.value or User(id=me.id, district_id=me.district_id, roles=_roles_from_me(me))
        # A token that cannot read its user may have fewer permissions: do not serve it records
        # that were read with other tokens.
        cache = self.cache if record.outcome == "loaded" else RecordCache()
        loader = replace(self, cache=cache)
        role = loader._start_role_fetch(me, user)
        schools = loader._load_schools(user)
        sections = loader._load_sections(me, user)
        return Profile(
            user=user,
            role=_choose_role(user, role.result() if role else me.login_role),
            user_record=record,
            district=district.result() if district else loader._load_district(me.district_id),
            schools=schools,
            sections=sections,
        )

    def _start_district_fetch(self, me: Me) -> Future[Fetched[District]] | None:
        """Start loading the district in parallel to the user, unless it is cached or missing."""
        district_id = me.district_id
        if district_id is None or self.cache.knows(self._key(district_id, "district", district_id)):
            return None
        return self.client.transport.start(lambda: self._load_district(district_id))

    def _load_district(self, district_id: str | None) -> Fetched[District]:
        """Return the district. A Clever Library login has none."""
        if district_id is None:
            return Fetched("none")
        key = self._key(district_id, "district", district_id)
        return _fetch_part(lambda: self.cache.read(key, lambda: self._fetch_district(district_id)))

    def _fetch_district(self, district_id: str) -> District:
        district = self.client.district(district_id)
        if district.id != district_id:
            raise CleverUnexpected("the district record belongs to another district")
        return district

    def _load_schools(self, user: User) -> Fetched[tuple[School, ...]]:
        """Return the schools named in the user record, MAX_SCHOOLS at most; it may name none."""
        if not user.school_ids:
            return Fetched("none")
        first, *other_ids = user.school_ids[:MAX_SCHOOLS]
        pending = [
            self.client.transport.start(self._school_task(user, other)) for other in other_ids
        ]
        parts = [self._school_task(user, first)(), *(future.result() for future in pending)]
        schools = tuple(part.value for part in parts if part.value is not None)
        worst = max(parts, key=lambda part: STATUSES_BY_SEVERITY.index(part.outcome))
        return Fetched(worst.outcome, schools or None, worst.cause)

    def _school_task(self, user: User, school_id: str) -> Callable[[], Fetched[School]]:
        key = self._key(user.district_id, "school", school_id)
        return lambda: _fetch_part(
            lambda: self.cache.read(key, lambda: self._fetch_school(user, school_id))
        )

    def _fetch_school(self, user: User, school_id: str) -> School:
        school = self.client.school(school_id, user.district_id)
        if school.id != school_id:
            raise CleverUnexpected("the school record belongs to another school")
        return school

    def _load_sections(self, me: Me, user: User) -> Fetched[tuple[SharedSection, ...]]:
        """Return what a Clever Library teacher shares. Other tokens cannot read sections.

        Runs in this thread: a task that waits for tasks of the pool must not run in the pool.
        """
        if not me.by_library or Role.TEACHER not in [record.role for record in user.roles]:
            return Fetched("none")
        return _fetch_part(lambda: user_client.load_shared_sections(self.client, user.id))

    def _start_role_fetch(self, me: Me, user: User) -> Future[Role | None] | None:
        """Start asking which of several roles this login is in, in parallel to the schools."""
        if len(user.roles) < 2 or me.login_role:
            return None
        return self.client.transport.start(
            lambda: _fetch_part(lambda: self.client.login_role(user.id)).value
        )

    def _key(self, district_id: str | None, kind: str, record_id: str) -> CacheKey:
        return self.client.version.name, district_id, kind, record_id


def _choose_role(user: User, login_role: Role | None) -> Role | None:
    """Return the role of this login.

    With several roles, it is the one that Clever names for the login, else the widest.
    """
    roles = [record.role for record in user.roles]
    if not roles:
        return None
    return login_role if login_role in roles else max(roles, key=list(Role).index)


def _roles_from_me(me: Me) -> tuple[RoleRecord, ...]:
    """Return the role in `/me`: the user's role before v3, none from v3 on."""
    role = ROLES_BY_NAME.get(me.type)
    return (RoleRecord(role=role),) if role else ()


def _fetch_part(read: Callable[[], T | None]) -> Fetched[T]:
    """Turn a failure into a FetchStatus. Only another user's record ends the login."""
    try:
        return Fetched("loaded", read())
    except WrongPerson:
        raise
    except NotShared as error:
        return Fetched("refused", cause=str(error))
    except LoginError as error:
        return Fetched("failed", cause=str(error))
