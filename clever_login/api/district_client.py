"""What a district's token may ask: single records and whole lists, with patience."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import requests

from clever_login.api.client import json_object
from clever_login.api.deadline import Deadline
from clever_login.api.paging import Parameter, items, with_query
from clever_login.api.patience import Patience
from clever_login.api.retries import Answer
from clever_login.api.transport import LIST_BOUNDS, Bounds, Transport
from clever_login.api.versions import Version
from clever_login.errors import CleverUnexpected, DistrictGone, NoSecureSync, NotShared
from clever_login.values import Json, identifier

SECONDS = 120.0  # for one answer: a page may have 10,000 records


class TokenSource(Protocol):
    """Where a district's token comes from."""

    def token(self, district_id: str, *, anew: bool = False) -> str:
        """The token; DistrictGone when there is none, or none but the one that was refused."""


@dataclass(frozen=True, kw_only=True)
class DistrictClient:
    """One district, read with its own token, for as long as it takes.

    A token that is refused is looked up anew once; then the district has left: DistrictGone.
    """

    transport: Transport
    tokens: TokenSource
    api_url: str
    version: Version
    district_id: str
    patience: Patience = field(default_factory=Patience, repr=False)
    bounds: Bounds = LIST_BOUNDS

    @property
    def base(self) -> str:
        """Under which all of this version is; no link is followed to anywhere else."""
        return f"{self.api_url}/{self.version.name}/"

    def get(self, path: str) -> Json:
        """The JSON object at a path of this version, with its query; NotShared on 404."""
        return self._get(self.base + path.removeprefix("/"))

    def record(self, path: str) -> Json | None:
        """A record by its path, without its wrapper; None where the token may not read it."""
        try:
            data = self.get(path).get("data")
        except NotShared:
            return None
        if isinstance(data, list):  # as the status of a district is
            data = data[0].get("data") if data and isinstance(data[0], dict) else None
        if not isinstance(data, dict):
            raise CleverUnexpected("an answer of Clever's has no record in it")
        return data

    def listed(self, path: str) -> Json:
        """The answer of a list; NoSecureSync where this token reads `/districts` alone."""
        try:
            return self.get(path)
        except NotShared:
            self.check_secure_sync()
            raise

    def can_read(self, path: str) -> bool:
        """Whether the token reaches a path."""
        try:
            self.get(path)
        except NotShared:
            return False
        return True

    def items(self, path: str, **parameters: Parameter) -> Iterator[object]:
        """Every entry of a list; NoSecureSync where this token reads `/districts` alone."""
        url = with_query(self.base + path.removeprefix("/"), **parameters)
        try:
            yield from items(self._get, url, within=self.base)
        except NotShared:
            self.check_secure_sync()
            raise

    def check_secure_sync(self) -> None:
        """Raise NoSecureSync unless the token reaches what only Secure Sync opens."""
        own = f"/districts/{identifier(self.district_id)}"
        if self.can_read("/schools?limit=1") or not self.can_read(own):
            return
        raise NoSecureSync(
            f"The token of the district {self.district_id} reaches /districts alone: this app has"
            " no Secure Sync there."
        )

    def _get(self, url: str) -> Json:
        answer = self._answer(url)
        if answer.status == 200:
            return json_object(answer)
        if answer.status in {403, 404}:
            raise NotShared("Clever does not share this with the app's token for the district")
        raise CleverUnexpected(f"Clever answered {answer.status} for a record of the district")

    def _answer(self, url: str) -> Answer:
        for anew in (False, True):
            token = self.tokens.token(self.district_id, anew=anew)
            request = requests.Request("GET", url, headers={"Authorization": f"Bearer {token}"})
            answer = self.patience.ask(partial(self._send, request))
            if answer.status != 401:
                return answer
        raise DistrictGone(
            f"Clever refuses the token of the district {self.district_id}: it has left this app."
        )

    def _send(self, request: requests.Request) -> Answer:
        return self.transport.send(request, Deadline(SECONDS), self.bounds)
