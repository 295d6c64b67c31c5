"""Clever's public keys, and the validation of ID tokens (OpenID Connect Core, section 3.1.3.7).

The keys are found through the discovery document and cached for many logins. No JOSE code is loaded
before the first ID token arrives (R99): Clever enables OIDC per app.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.parsing import Json
from clever_login.clever.user_client import json_object
from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS, Settings
from clever_login.errors import CleverUnavailable, CleverUnexpected, KeysUnusable

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

KEYS_TTL_SECONDS = 24 * 60 * 60
REFRESH_AFTER_SECONDS = (
    12 * 60 * 60
)  # from then on they are fetched again, and still used if that fails
# An unknown kid may mean that Clever has new keys, or that it was made up: limit the fetches.
MIN_REFRESH_SECONDS = 60
RETRY_AFTER_FAILURE_SECONDS = 5  # after a failure
FETCH_TIMEOUT_SECONDS = 2.0  # of a login's ten; the other calls need the rest
RECENTLY_FETCHED = "Clever's keys were already requested a moment ago"
DISCOVERY_PATH = "/.well-known/openid-configuration"


class SigningKeys:
    """The cache of an issuer's signing keys, one per process."""

    def __init__(
        self, transport: HttpClient, issuer: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport, self._issuer, self._clock = transport, issuer, clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._asked: float | None = None  # when they were last fetched
        self._not_before = -math.inf  # when they may be fetched again
        self._last_failure = ""  # of the last fetch, with the class to raise
        self._failure_class: type[CleverUnavailable] = CleverUnavailable

    def for_kid(self, kid: str | None, deadline: Deadline) -> KeySet:
        """Return the keys, fetching them again if none of them has this id.

        Raises CleverUnavailable when they cannot be read now or were fetched too recently, and its
        subclass KeysUnusable when the discovery document or the keys are not as they must be.
        """
        if self._keys is not None and self._knows(kid, REFRESH_AFTER_SECONDS):
            return self._keys
        usable = self._keys if self._knows(kid, KEYS_TTL_SECONDS) else None
        try:
            return self._renewed(kid, deadline, wait=usable is None)
        except (CleverUnavailable, TimeoutError) as error:
            if usable is not None:
                return usable
            if isinstance(error, TimeoutError):
                raise CleverUnavailable(str(error)) from error
            raise

    def _renewed(self, kid: str | None, deadline: Deadline, *, wait: bool) -> KeySet:
        """Fetch the keys, unless another login does so first."""
        seconds = deadline.remaining(FETCH_TIMEOUT_SECONDS) if wait else 0.0
        if not self._lock.acquire(timeout=seconds):
            raise CleverUnavailable("another login is still fetching Clever's keys")
        try:
            if self._keys is None or not self._knows(kid, REFRESH_AFTER_SECONDS):
                self._keys = self._fetch(Deadline(deadline.remaining(FETCH_TIMEOUT_SECONDS)))
            return self._keys
        finally:
            self._lock.release()

    def _age(self) -> float:
        return math.inf if self._asked is None else self._clock() - self._asked

    def _knows(self, kid: str | None, seconds: float) -> bool:
        """Whether a key with this id was fetched less than `seconds` ago."""
        keys = self._keys.keys if self._keys else ()
        return self._age() < seconds and (kid is None or any(k.kid == kid for k in keys))

    def _fetch(self, deadline: Deadline) -> KeySet:
        """Fetch the keys. A failure is remembered for a while, so that not every login waits."""
        if self._clock() < self._not_before:
            raise self._failure_class(self._last_failure or RECENTLY_FETCHED)
        self._not_before = self._clock() + RETRY_AFTER_FAILURE_SECONDS
        try:
            keys = self._read(deadline)
        except CleverUnavailable as error:
            unusable = isinstance(error, KeysUnusable)
            self._failure_class = KeysUnusable if unusable else CleverUnavailable
            self._last_failure = str(error)
            raise
        self._failure_class, self._last_failure = CleverUnavailable, ""
        self._asked = self._clock()
        self._not_before = self._asked + MIN_REFRESH_SECONDS
        return keys

    def _read(self, deadline: Deadline) -> KeySet:
        discovery_url = self._issuer + DISCOVERY_PATH
        document = self._get(discovery_url, "the discovery document", deadline)
        keys_url = _jwks_uri(document, self._issuer)
        return _parse_key_set(self._get(keys_url, "the key set", deadline))

    def _get(self, url: str, what: str, deadline: Deadline) -> Json:
        response = self._transport.send(requests.Request("GET", url), deadline)
        if response.status != 200:
            message = f"Clever answered {response.status} to the request for {what}"
            raise (CleverUnavailable if response.temporary else KeysUnusable)(message)
        try:
            return json_object(response)
        except CleverUnexpected as error:
            raise KeysUnusable(f"{what} is not a JSON object") from error


def _jwks_uri(document: Json, issuer: str) -> str:
    """Return the URL of the keys from a discovery document.

    Raises KeysUnusable unless it has exactly this issuer (OpenID Discovery, 4.3), and keys there.
    """
    found, uri = document.get("issuer"), document.get("jwks_uri")
    if found is None or uri is None:
        missing = "issuer" if found is None else "jwks_uri"
        raise KeysUnusable(f"the discovery document has no {missing}")
    if found != issuer:
        difference = " (a trailing slash)" if found == f"{issuer}/" else ""
        raise KeysUnusable(f"the issuer of the discovery document is not {issuer}{difference}")
    if not isinstance(uri, str) or not uri.startswith(f"{issuer}/"):
        raise KeysUnusable(f"the jwks_uri of the discovery document is not below {issuer}/")
    return uri


def _parse_key_set(document: Json) -> KeySet:
    """Return the usable keys, skipping key types that the library does not support."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry, KeySet

    entries: Any = document.get("keys")
    if not isinstance(entries, list):
        raise KeysUnusable("the key set has no list of keys")
    keys = []
    for entry in entries:
        if isinstance(entry, dict) and entry.get("kty") in ("RSA", "EC"):
            with suppress(JoseError, ValueError, TypeError, KeyError):
                keys.append(JWKRegistry.import_key(entry))
    if not keys:
        raise KeysUnusable("the key set has no usable key")
    return KeySet(keys)


# Clever does not document its algorithm. These exclude shared-secret algorithms and "none".
SIGNING_ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
)


@dataclass(frozen=True, kw_only=True)
class IdToken:
    """An ID token as received, with the values it must match."""

    value: str = field(repr=False)
    access_token: str = field(repr=False)
    nonce: str = field(repr=False)


def verify_id_token(
    token: IdToken, settings: Settings, keys: SigningKeys, deadline: Deadline
) -> Json:
    """Return the claims of a valid ID token: from Clever, for this app and login, and not expired.

    Raises CleverUnexpected for any other token, and CleverUnavailable when Clever's keys cannot be
    read or are not usable.
    """
    header = _parse_header(token.value)
    if "crit" in header:
        raise CleverUnexpected("the id token requires an extension that this app does not support")
    kid = header.get("kid")
    key_set = keys.for_kid(kid if isinstance(kid, str) else None, deadline)
    from joserfc.errors import JoseError

    try:
        return _decode_verified(token, settings, key_set)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        cause = f"{type(error).__name__} {getattr(error, 'claim', '')}".strip()
        raise CleverUnexpected(f"the id token is not valid ({cause})") from None


def _decode_verified(token: IdToken, settings: Settings, keys: KeySet) -> Json:
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.jws import JWSRegistry

    # Headers that carry a key (jwk, jku, x5c) are ignored: only Clever's keys count.
    registry = JWSRegistry(algorithms=list(SIGNING_ALGORITHMS), strict_check_header=False)
    decoded = jwt.decode(token.value, keys, registry=registry)
    client_id = settings.clever_client_id
    id_token = CodeIDToken(
        decoded.claims,
        decoded.header,
        {
            "iss": {"essential": True, "value": settings.clever_url},
            "aud": {"essential": True, "value": client_id},
        },
        {"nonce": token.nonce, "client_id": client_id, "access_token": token.access_token},
    )
    id_token.validate(leeway=MAX_CLOCK_DIFFERENCE_SECONDS)
    return dict(id_token)


def _parse_header(value: str) -> Json:
    part = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise CleverUnexpected("the id token is not a JSON Web Token") from error
    if not isinstance(header, dict):
        raise CleverUnexpected("the id token has no header")
    return header
