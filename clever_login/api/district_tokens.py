"""The tokens of whole districts: looked up when needed, kept in memory only."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import requests

from clever_login.api.client import json_object
from clever_login.api.deadline import Deadline
from clever_login.api.paging import items, with_query
from clever_login.api.patience import Patience
from clever_login.api.transport import LIST_BOUNDS, Transport
from clever_login.errors import CleverMisconfigured, CleverUnexpected, DistrictGone
from clever_login.values import Json, is_identifier

_TOKEN = re.compile(r"[\x21-\x7e]+")  # what may stand in a header
SECONDS = 60.0  # for one answer


@dataclass(frozen=True, kw_only=True)
class DistrictTokens:
    """Asks Clever which districts authorised this app, and with which tokens it may read them.

    A token is Clever's to change, and it goes when a district leaves: nothing here is stored.
    """

    transport: Transport
    clever_url: str
    client_id: str
    client_secret: str = field(repr=False)
    patience: Patience = field(default_factory=Patience, repr=False)
    _kept: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def districts(self) -> tuple[str, ...]:
        """The ids of the districts that authorised the app, in Clever's order.

        CleverMisconfigured when Clever does not accept the app's own credentials.
        """
        found = dict(self._look_up())
        with self._lock:
            self._kept.clear()
            self._kept.update(found)
        return tuple(found)

    def token(self, district_id: str, *, anew: bool = False) -> str:
        """The token of one district, from memory unless `anew`; DistrictGone when it has left."""
        with self._lock:
            kept = self._kept.get(district_id)
        if kept and not anew:
            return kept
        found = dict(self._look_up(district_id)).get(district_id)
        with self._lock:
            self._kept.pop(district_id, None)
            if found:
                self._kept[district_id] = found
        if not found:
            raise DistrictGone(
                f"Clever has no token for the district {district_id}: it has not authorised"
                " this app, or it has left."
            )
        return found

    def _look_up(self, district_id: str | None = None) -> Iterator[tuple[str, str]]:
        place = f"{self.clever_url}/oauth/tokens"
        url = with_query(place, owner_type="district", district=district_id)
        return map(_entry, items(self._get, url, within=place))

    def _get(self, url: str) -> Json:
        basic = (self.client_id.encode(), self.client_secret.encode())
        request = requests.Request("GET", url, auth=basic)
        answer = self.patience.ask(
            lambda: self.transport.send(request, Deadline(SECONDS), LIST_BOUNDS)
        )
        if answer.status in {400, 401, 403}:
            raise CleverMisconfigured("Clever does not accept the client id and secret of this app")
        if answer.status != 200:
            raise CleverUnexpected(f"Clever answered {answer.status} for the districts' tokens")
        return json_object(answer)


def _entry(entry: object) -> tuple[str, str]:
    known: Json = entry if isinstance(entry, dict) else {}
    owner, token = known.get("owner"), known.get("access_token")
    district_id = owner.get("id") if isinstance(owner, dict) else None
    if not is_identifier(district_id) or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise CleverUnexpected("an entry of the districts' tokens has no owner or no token")
    return district_id, token
