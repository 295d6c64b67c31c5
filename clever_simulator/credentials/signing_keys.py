"""The keys that sign ID tokens: one for each algorithm, created on first use."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any, Literal

from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, RSAKey

Algorithm = Literal["RS256", "ES256"]
_KEY_BITS = 2048


class SigningKeys:
    """The signing key and the older keys that are still published. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[RSAKey | ECKey] = []

    def published(self) -> list[dict[str, Any]]:
        """Returns the public keys as JWKs, newest last."""
        with self._lock:
            if not self._keys:
                self._newest("RS256")
            return [dict(key.as_dict(private=False)) for key in self._keys]

    def sign(self, claims: Mapping[str, object], algorithm: Algorithm = "RS256") -> str:
        """Returns a JWT with these claims, signed with the newest key. The header has its `kid`."""
        with self._lock:
            key = self._newest(algorithm)
        header = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, dict(claims), key, algorithms=[algorithm])

    def rotate(self, *, keep_old: bool = False) -> str:
        """Creates a new signing key and returns its `kid`.

        Unpublishes older keys unless `keep_old`.
        """
        with self._lock:
            self._keys = [*(self._keys if keep_old else ()), _new_key("RS256")]
            return str(self._keys[-1].kid)

    def _newest(self, algorithm: Algorithm) -> RSAKey | ECKey:
        keys = [key for key in self._keys if key.as_dict(private=False)["alg"] == algorithm]
        if not keys:
            keys.append(_new_key(algorithm))
            self._keys.append(keys[-1])
        return keys[-1]


def _new_key(algorithm: Algorithm) -> RSAKey | ECKey:
    parameters: KeyParameters = {"kid": secrets.token_hex(8), "use": "sig", "alg": algorithm}
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", parameters)
    return RSAKey.generate_key(_KEY_BITS, parameters)
