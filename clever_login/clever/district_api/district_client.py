"""District access tokens, and a client that reads records and lists with them.

Tokens are looked up when needed and kept in memory only. Calls are retried by RetryPolicy.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import requests

from clever_login.api_versions import ApiVersion
from clever_login.clever.deadlines import Deadline
from clever_login.clever.district_api.pagination import QueryValue, iterate_records, url_with_query
from clever_login.clever.district_api.rate_limit import RetryPolicy
from clever_login.clever.http import LIST_LIMITS, HttpClient, ResponseLimits
from clever_login.clever.parsing import Json, is_valid_id, parse_id
from clever_login.clever.retries import NOT_SHARED_STATUSES, CleverResponse
from clever_login.clever.user_client import json_object
from clever_login.errors import (
    CleverMisconfigured,
    CleverUnexpected,
    DistrictDisconnected,
    NoSecureSync,
    NotShared,
    QueryRefused,
)
from clever_login.logs.events import log_event

_TOKEN_PATTERN = re.compile(r"[\x21-\x7e]+")  # the characters allowed in a header
TOKEN_LOOKUP_TIMEOUT_SECONDS = 60.0  # for one response


@dataclass(frozen=True, kw_only=True)
class DistrictTokens:
    """Looks up which districts authorized this app, and their access tokens.

    Clever can replace a token, and the token ends when a district leaves, so tokens are not stored.
    """

    transport: HttpClient
    clever_url: str
    client_id: str
    client_secret: str = field(repr=False)
    retries: RetryPolicy = field(default_factory=RetryPolicy, repr=False)
    _kept: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def districts(self) -> tuple[str, ...]:
        """Return the ids of the districts that authorized the app, in Clever's order.

        An entry without an id or a token is skipped, and its district may be missing: ask for the
        district by its id before you conclude that it has left. Raises CleverMisconfigured when
        Clever rejects the app's own credentials.
        """
        entries = list(self._look_up())
        tokens = dict(entry for entry in entries if entry)
        if skipped := entries.count(None):
            log_event("district_tokens_skipped", level=logging.WARNING, entries=skipped)
        with self._lock:
            self._kept.clear()
            self._kept.update(tokens)
        return tuple(tokens)

    def token(self, district_id: str, *, fresh: bool = False) -> str:
        """Return the token of one district, from memory unless `fresh`.

        Raises DistrictDisconnected when Clever has no token for it.
        """
        with self._lock:
            cached = self._kept.get(district_id)
        if cached and not fresh:
            return cached
        entries = list(self._look_up(district_id))
        if None in entries:
            raise CleverUnexpected(
                "an entry in Clever's list of district tokens has no owner or no token"
            )
        token = dict(entry for entry in entries if entry).get(district_id)
        with self._lock:
            self._kept.pop(district_id, None)
            if token:
                self._kept[district_id] = token
        if not token:
            raise DistrictDisconnected(
                f"Clever has no token for the district {district_id}: the district has not "
                "connected this app, or has disconnected it."
            )
        return token

    def _look_up(self, district_id: str | None = None) -> Iterator[tuple[str, str] | None]:
        place = f"{self.clever_url}/oauth/tokens"
        url = url_with_query(place, owner_type="district", district=district_id)
        return map(_parse_entry, iterate_records(self._get, url, within=place))

    def _get(self, url: str) -> Json:
        basic = (self.client_id.encode(), self.client_secret.encode())
        request = requests.Request("GET", url, auth=basic)
        response = self.retries.ask(
            lambda: self.transport.send(
                request, Deadline(TOKEN_LOOKUP_TIMEOUT_SECONDS), LIST_LIMITS
            )
        )
        if response.status in {400, 401, 403}:
            raise CleverMisconfigured("Clever does not accept the client id and secret of this app")
        if response.status != 200:
            raise CleverUnexpected(
                f"Clever answered {response.status} to the request for the districts' tokens"
            )
        return json_object(response)


def _parse_entry(entry: object) -> tuple[str, str] | None:
    """Return a district's id and token, or None for an entry that lacks either."""
    fields: Json = entry if isinstance(entry, dict) else {}
    owner, token = fields.get("owner"), fields.get("access_token")
    district_id = owner.get("id") if isinstance(owner, dict) else None
    if (
        not is_valid_id(district_id)
        or not isinstance(token, str)
        or not _TOKEN_PATTERN.fullmatch(token)
    ):
        return None
    return district_id, token


CALL_TIMEOUT_SECONDS = 120.0  # for one response: a page may have 10,000 records


class TokenSource(Protocol):
    """Provides district tokens."""

    def token(self, district_id: str, *, fresh: bool = False) -> str:
        """Return the token, looked up again with `fresh`.

        Raises DistrictDisconnected when Clever has none.
        """


@dataclass(frozen=True, kw_only=True)
class DistrictClient:
    """Reads one district with the district's own token, without an overall time limit.

    A rejected token is looked up once more. If Clever rejects that, too, the district has left:
    calls raise DistrictDisconnected.
    """

    transport: HttpClient
    tokens: TokenSource
    api_url: str
    version: ApiVersion
    district_id: str
    retries: RetryPolicy = field(default_factory=RetryPolicy, repr=False)
    bounds: ResponseLimits = LIST_LIMITS

    @property
    def base(self) -> str:
        """The base URL of this API version. Links to any other place are not followed."""
        return f"{self.api_url}/{self.version.name}/"

    def get(self, path: str) -> Json:
        """Return the JSON object at a path of this version, which may include a query.

        Raises NotShared on 403, 404, and 501.
        """
        return self._get(self.base + path.removeprefix("/"))

    def record(self, path: str) -> Json | None:
        """Return the record at a path without its wrapper, or None if the token may not read it."""
        try:
            data = self.get(path).get("data")
        except NotShared:
            return None
        if isinstance(data, list):  # as the status of a district is
            data = data[0].get("data") if data and isinstance(data[0], dict) else None
        if not isinstance(data, dict):
            raise CleverUnexpected("Clever's response contains no record")
        return data

    def listed(self, path: str) -> Json:
        """Return the response of a list.

        Raises NoSecureSync if this token can read only `/districts`.
        """
        try:
            return self.get(path)
        except NotShared:
            self.check_secure_sync()
            raise

    def can_read(self, path: str) -> bool:
        """Whether the token can read a path."""
        try:
            self.get(path)
        except NotShared:
            return False
        return True

    def items(self, path: str, **parameters: QueryValue) -> Iterator[object]:
        """Iterate over every entry of a list.

        Raises NoSecureSync if this token can read only `/districts`.
        """
        url = url_with_query(self.base + path.removeprefix("/"), **parameters)
        try:
            yield from iterate_records(self._get, url, within=self.base)
        except NotShared:
            self.check_secure_sync()
            raise

    def check_secure_sync(self) -> None:
        """Raise NoSecureSync if the token can read `/districts` but not `/schools`.

        Only Secure Sync gives a token access to schools.
        """
        own = f"/districts/{parse_id(self.district_id)}"
        if self.can_read("/schools?limit=1") or not self.can_read(own):
            return
        raise NoSecureSync(
            f"The token of the district {self.district_id} can read only /districts: this app "
            "does not have Secure Sync in this district."
        )

    def _get(self, url: str) -> Json:
        response = self._answer(url)
        if response.status == 200:
            return json_object(response)
        if response.status in NOT_SHARED_STATUSES:
            raise NotShared("Clever does not share this record with the app")
        error = QueryRefused if response.status == 400 else CleverUnexpected
        raise error(f"Clever answered {response.status} for a record of the district")

    def _answer(self, url: str) -> CleverResponse:
        for fresh in (False, True):
            token = self.tokens.token(self.district_id, fresh=fresh)
            request = requests.Request("GET", url, headers={"Authorization": f"Bearer {token}"})
            response = self.retries.ask(partial(self._send, request))
            if response.status != 401:
                return response
        raise DistrictDisconnected(
            f"Clever refuses the token of the district {self.district_id}: the district has "
            "disconnected this app."
        )

    def _send(self, request: requests.Request) -> CleverResponse:
        return self.transport.send(request, Deadline(CALL_TIMEOUT_SECONDS), self.bounds)
