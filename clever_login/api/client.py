"""The client's verbs: what one bearer token may ask of Clever's data API."""

from __future__ import annotations

from dataclasses import dataclass, field

import requests

from clever_login.api.deadline import Deadline
from clever_login.api.retries import NOT_JSON, TEMPORARY, Answer
from clever_login.api.transport import Transport
from clever_login.api.versions import Version
from clever_login.errors import (
    CleverUnavailable,
    CleverUnexpected,
    LoginRefused,
    NotJson,
    NotShared,
    WrongPerson,
)
from clever_login.models import (
    ROLES_BY_NAME,
    District,
    Me,
    Role,
    School,
    User,
    is_about,
    login_role,
)
from clever_login.values import Json, listed


@dataclass(frozen=True, kw_only=True)
class Client:
    """One token of one login, with what is left of that login's time."""

    transport: Transport
    api_url: str
    version: Version
    token: str = field(repr=False)
    deadline: Deadline

    def me(self) -> Me:
        """Whom the token belongs to; LoginRefused when Clever does not accept it."""
        try:
            return Me.from_api(self._get(f"/{self.version.name}/me", "/me"))
        except NotShared as error:
            raise LoginRefused("Clever does not say whose token this is") from error

    def user(self, me: Me) -> User:
        """The record of the person that `me` names; NotShared where this app may not read it."""
        path = self.version.user_paths.get(me.type)
        if path is None:
            raise NotShared(f"{self.version.name} has no record for this type of user")
        role = None if self.version.roles_in_record else ROLES_BY_NAME[me.type]
        return User.from_api(
            self._get(f"/{self.version.name}{path.format(id=me.id)}", "the user"), me, role
        )

    def district(self, district_id: str) -> District:
        """A district by its id."""
        return District.from_api(
            self._get(f"/{self.version.name}/districts/{district_id}", "the district")
        )

    def school(self, school_id: str, district_id: str | None) -> School:
        """A school by its id, which must be one of this district."""
        body = self._get(f"/{self.version.name}/schools/{school_id}", "the school")
        return School.from_api(body, district_id)

    def records(self, path: str, what: str) -> list[object]:
        """The records of a list, as far as one answer holds them: such a token cannot page."""
        return listed(self._get(f"/{self.version.name}{path}", what))

    def login_role(self, person_id: str) -> Role | None:
        """The role in which the person came this time; WrongPerson if `/userinfo` is another's."""
        claims = self._get("/userinfo", "/userinfo")
        if not is_about(claims, person_id):
            raise WrongPerson("/userinfo speaks of somebody else")
        return login_role(claims)

    def _get(self, path: str, what: str) -> Json:
        request = requests.Request(
            "GET", f"{self.api_url}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        answer = self.transport.send(request, self.deadline)
        _raise_for_status(answer, what)
        return json_object(answer)


def json_object(answer: Answer) -> Json:
    """The JSON object in a body; NotJson for HTML and for half a body, else CleverUnexpected."""
    if answer.json is NOT_JSON:
        raise NotJson("an answer of Clever's is not JSON")
    if not isinstance(answer.json, dict):
        raise CleverUnexpected("an answer of Clever's is not a JSON object")
    return answer.json


def _raise_for_status(answer: Answer, what: str) -> None:
    """Clever's table of errors: 401 bad token, 404 not shared; temporary ones try again."""
    if answer.status == 200:
        return
    if answer.status == 401:
        raise LoginRefused("Clever does not accept the token")
    if answer.status in {403, 404}:
        raise NotShared("Clever does not share this with the app")
    if answer.status in TEMPORARY or answer.status >= 500:
        raise CleverUnavailable(f"Clever answered {answer.status} for {what}")
    raise CleverUnexpected(f"Clever answered {answer.status} for {what}")
