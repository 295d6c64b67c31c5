"""The keys that ID tokens are signed with; made when first needed, replaced when told to."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"
_KEY_BITS = 2048


class SigningKeys:
    """One signing key and those that are still published; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[RSAKey] = []

    def published(self) -> list[dict[str, Any]]:
        """The public halves as JWKs, the newest last."""
        with self._lock:
            self._newest()
            return [dict(key.as_dict(private=False)) for key in self._keys]

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JWT with these claims, signed with the newest key, whose kid is in the header."""
        with self._lock:
            key = self._newest()
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, dict(claims), key)

    def rotate(self, *, keep_old: bool = False) -> str:
        """Signs with a new key from now on, and says its kid; else only that one is published."""
        with self._lock:
            self._keys = [*(self._keys if keep_old else ()), _new_key()]
            return str(self._keys[-1].kid)

    def _newest(self) -> RSAKey:
        if not self._keys:
            self._keys.append(_new_key())
        return self._keys[-1]


def _new_key() -> RSAKey:
    return RSAKey.generate_key(
        _KEY_BITS, {"kid": secrets.token_hex(8), "use": "sig", "alg": ALGORITHM}
    )
