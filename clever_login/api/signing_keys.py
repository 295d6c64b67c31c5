"""Clever's public keys, found by its discovery document and kept: one fetch for many logins.

Nothing of JOSE is loaded before the first id token arrives (R99): Clever switches OIDC on per app.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests

from clever_login.api.client import json_object
from clever_login.api.deadline import Deadline
from clever_login.api.transport import Transport
from clever_login.errors import CleverUnavailable, CleverUnexpected
from clever_login.values import Json

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

KEPT_SECONDS = 24 * 60 * 60
RENEWED_SECONDS = 12 * 60 * 60  # from then on they are asked for again, and used if that fails
# An unknown kid may mean that Clever has new keys, or that somebody plays: ask so often at most.
REFRESH_SECONDS = 60
FAILED_SECONDS = 5  # after a failure
FETCH_SECONDS = 2.0  # of a login's ten: what is left has to do for the rest
DISCOVERY = "/.well-known/openid-configuration"


class SigningKeys:
    """One a process: the keys with which this issuer signs id tokens."""

    def __init__(
        self, transport: Transport, issuer: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport, self._issuer, self._clock = transport, issuer, clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._asked: float | None = None  # when they were last read
        self._not_before = -math.inf  # when they may be asked for again

    def for_kid(self, kid: str | None, deadline: Deadline) -> KeySet:
        """The keys, fetched anew if none of them has this id.

        CleverUnavailable when they cannot be read now, or may not be asked for so soon again.
        """
        if self._keys is not None and self._knows(kid, RENEWED_SECONDS):
            return self._keys
        usable = self._keys if self._knows(kid, KEPT_SECONDS) else None
        try:
            return self._renewed(kid, deadline, wait=usable is None)
        except (CleverUnavailable, CleverUnexpected):
            if usable is None:
                raise
            return usable

    def _renewed(self, kid: str | None, deadline: Deadline, *, wait: bool) -> KeySet:
        """Read the keys, unless another login does so first."""
        seconds = deadline.remaining(FETCH_SECONDS) if wait else 0.0
        if not self._lock.acquire(timeout=seconds):
            raise CleverUnavailable("another login waits for Clever's keys")
        try:
            if self._keys is None or not self._knows(kid, RENEWED_SECONDS):
                self._keys = self._fetch(Deadline(deadline.remaining(FETCH_SECONDS)))
            return self._keys
        finally:
            self._lock.release()

    def _age(self) -> float:
        return math.inf if self._asked is None else self._clock() - self._asked

    def _knows(self, kid: str | None, seconds: float) -> bool:
        """Whether a key with this id was read within so many seconds."""
        known = self._keys.keys if self._keys else ()
        return self._age() < seconds and (kid is None or any(k.kid == kid for k in known))

    def _fetch(self, deadline: Deadline) -> KeySet:
        """Read them anew; a failure is remembered for a while, so that not every login waits."""
        if self._clock() < self._not_before:
            raise CleverUnavailable("Clever's keys were asked for a moment ago")
        self._not_before = self._clock() + FAILED_SECONDS
        keys = _key_set(self._get(self._jwks_uri(deadline), deadline))
        self._asked = self._clock()
        self._not_before = self._asked + REFRESH_SECONDS
        return keys

    def _jwks_uri(self, deadline: Deadline) -> str:
        """Where the keys are; the document must be this issuer's (OpenID Discovery, 4.3)."""
        document = self._get(self._issuer + DISCOVERY, deadline)
        uri = document.get("jwks_uri")
        if document.get("issuer") != self._issuer:
            raise CleverUnexpected("the discovery document is another issuer's")
        if not isinstance(uri, str) or not uri.startswith(f"{self._issuer}/"):
            raise CleverUnexpected("the discovery document has its keys somewhere else")
        return uri

    def _get(self, url: str, deadline: Deadline) -> Json:
        answer = self._transport.send(requests.Request("GET", url), deadline)
        if answer.status != 200:
            raise CleverUnavailable(f"Clever answered {answer.status} for its keys")
        try:
            return json_object(answer)
        except CleverUnexpected as error:
            raise CleverUnavailable("Clever's keys cannot be read now") from error


def _key_set(document: Json) -> KeySet:
    """The keys that can be of use; a kind that this library does not know is passed over."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry, KeySet

    entries: Any = document.get("keys")
    if not isinstance(entries, list):
        raise CleverUnexpected("Clever's keys are not a list")
    keys = []
    for entry in entries:
        if isinstance(entry, dict) and entry.get("kty") in ("RSA", "EC"):
            with suppress(JoseError, ValueError, TypeError, KeyError):
                keys.append(JWKRegistry.import_key(entry))
    if not keys:
        raise CleverUnexpected("Clever has no key that could sign an id token")
    return KeySet(keys)
