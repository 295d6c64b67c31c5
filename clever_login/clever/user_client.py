"""The calls to Clever's data API with one user's access token.

A Clever Library teacher's sections and students are read with the teacher's own token, at each
login: without a district there is no district token.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import requests

from clever_login.api_versions import ApiVersion, missing_version
from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.models import (
    ROLES_BY_NAME,
    District,
    Me,
    Role,
    School,
    User,
    login_role,
)
from clever_login.clever.parsing import Json, unwrap_records
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import Section
from clever_login.clever.retries import (
    NOT_JSON,
    NOT_SHARED_STATUSES,
    TEMPORARY_STATUSES,
    CleverResponse,
)
from clever_login.errors import (
    CleverUnavailable,
    CleverUnexpected,
    LoginError,
    LoginRefused,
    NotJson,
    NotShared,
    NoUsableId,
    VersionMissing,
    WrongPerson,
)


@dataclass(frozen=True, kw_only=True)
class UserClient:
    """A client for one access token, with the deadline of its login."""

    transport: HttpClient
    api_url: str
    version: ApiVersion
    token: str = field(repr=False)
    deadline: Deadline

    def me(self) -> Me:
        """Return the user that the token belongs to.

        Raises LoginRefused when Clever does not accept the token, and VersionMissing when it does,
        but has no answer in this version of its API.
        """
        try:
            return Me.from_api(self._get(f"/{self.version.name}/me", "/me"))
        except NotShared as error:
            if self._is_accepted():
                raise VersionMissing(missing_version(self.version)) from error
            raise LoginRefused("Clever does not say who the token belongs to") from error

    def check_version(self) -> None:
        """Raise VersionMissing if Clever does not answer this app in this version of its API."""
        try:
            self.me()
        except VersionMissing:
            raise
        except LoginError:
            return

    def user(self, me: Me) -> User:
        """Return the record of the user that `me` names.

        Raises NotShared if this app may not read it.
        """
        path = self.version.user_paths.get(me.type)
        if path is None:
            raise NotShared(f"{self.version.name} has no record for this type of user")
        role = None if self.version.roles_in_record else ROLES_BY_NAME[me.type]
        return User.from_api(
            self._get(f"/{self.version.name}{path.format(id=me.id)}", "the user"), me, role
        )

    def district(self, district_id: str) -> District:
        """Return a district by id."""
        return District.from_api(
            self._get(f"/{self.version.name}/districts/{district_id}", "the district")
        )

    def school(self, school_id: str, district_id: str | None) -> School:
        """Return a school by id.

        Raises CleverUnexpected if it is not a school of this district.
        """
        body = self._get(f"/{self.version.name}/schools/{school_id}", "the school")
        return School.from_api(body, district_id)

    def records(self, path: str, what: str) -> list[object]:
        """Return the records of a list.

        Only the first response is read: such a token cannot page.
        """
        return unwrap_records(self._get(f"/{self.version.name}{path}", what))

    def login_role(self, person_id: str) -> Role | None:
        """Return the role of this login.

        Raises WrongPerson if `/userinfo` describes another user.
        """
        claims = self._get("/userinfo", "/userinfo")
        if claims.get("sub") != person_id:  # only a user of v3 and later has several roles
            raise WrongPerson("/userinfo describes another user")
        return login_role(claims)

    def _is_accepted(self) -> bool:
        """Whether Clever accepts the token where the version of the API does not matter."""
        try:
            self._get("/userinfo", "/userinfo")
        except (LoginError, NotShared):
            return False
        return True

    def _get(self, path: str, what: str) -> Json:
        request = requests.Request(
            "GET", f"{self.api_url}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        response = self.transport.send(request, self.deadline)
        _raise_for_status(response, what)
        return json_object(response)


def json_object(response: CleverResponse) -> Json:
    """Return the JSON object in a body.

    Raises NotJson for HTML or a truncated body, else CleverUnexpected.
    """
    if response.json is NOT_JSON:
        raise NotJson("Clever's response is not JSON")
    if not isinstance(response.json, dict):
        raise CleverUnexpected("Clever's response is not a JSON object")
    return response.json


def _raise_for_status(response: CleverResponse, what: str) -> None:
    """Raise the error for a status.

    401 is a bad token; 403, 404, and 501 (which Clever documents as unsupported) are not shared.
    """
    if response.status == 200:
        return
    if response.status == 401:
        raise LoginRefused("Clever does not accept the token")
    if response.status in NOT_SHARED_STATUSES:
        raise NotShared("Clever does not share this record with the app")
    if response.status in TEMPORARY_STATUSES or response.status >= 500:
        raise CleverUnavailable(f"Clever answered {response.status} to the request for {what}")
    raise CleverUnexpected(f"Clever answered {response.status} to the request for {what}")


T = TypeVar("T")
MAX_SECTIONS = 20  # loaded at login; a teacher with more sections sees these
MAX_STUDENTS = 200  # per section; a response has a hundred


@dataclass(frozen=True, kw_only=True)
class SharedSection:
    """A section with its students, whose last names are initials and who have no email."""

    section: Section
    students: tuple[Person, ...]


def load_shared_sections(client: UserClient, teacher_id: str) -> tuple[SharedSection, ...]:
    """Return the teacher's sections. All student lists are requested in parallel.

    Raises LoginError or NotShared when a list cannot be read: an incomplete class is not returned.
    """
    path = client.version.own_sections.format(id=teacher_id)
    sections = _with_ids(Section.from_api, client.records(path, "the sections"))[:MAX_SECTIONS]
    pending = [client.transport.start(_student_loader(client, section)) for section in sections[1:]]
    students = [_student_loader(client, section)() for section in sections[:1]]
    students += [future.result() for future in pending]
    return tuple(
        SharedSection(section=section, students=members)
        for section, members in zip(sections, students, strict=True)
    )


def _student_loader(client: UserClient, section: Section) -> Callable[[], tuple[Person, ...]]:
    path = client.version.section_students.format(id=section.id)
    role = None if client.version.roles_in_record else PersonRole.STUDENT

    def read() -> tuple[Person, ...]:
        records = client.records(path, "the students")[:MAX_STUDENTS]
        return tuple(_with_ids(lambda record: Person.from_api(record, role), records))

    return read


def _with_ids(read: Callable[[object], T], records: list[object]) -> list[T]:
    """Return the records as typed objects, skipping records without an id."""
    objects = []
    for record in records:
        with suppress(NoUsableId):
            objects.append(read(record))
    return objects
