"""The keys that sign ID tokens. The first key is created on first use."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"
_KEY_BITS = 2048


class SigningKeys:
    """The signing key and the older keys that are still published. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[RSAKey] = []

    def published(self) -> list[dict[str, Any]]:
        """Returns the public keys as JWKs, newest last."""
        with self._lock:
            self._newest()
            return [dict(key.as_dict(private=False)) for key in self._keys]

    def sign(self, claims: Mapping[str, object]) -> str:
        """Returns a JWT with these claims, signed with the newest key. The header has its `kid`."""
        with self._lock:
            key = self._newest()
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, dict(claims), key)

    def rotate(self, *, keep_old: bool = False) -> str:
        """Creates a new signing key and returns its `kid`.

        Unpublishes older keys unless `keep_old`.
        """
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
