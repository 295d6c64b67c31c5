"""Sessions and claims in Redis or Valkey, for many machines."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from clever_login.settings import Settings
from clever_login.store import Chosen, anything, or_unavailable

if TYPE_CHECKING:
    from redis import Redis


class RedisStore:
    """Values in Redis or Valkey, shared by every process and machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Redis | None = None

    def get(self, key: str) -> bytes | None:
        """See Store."""
        value = or_unavailable(lambda: self._client().get(key))
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        or_unavailable(lambda: self._client().set(key, value, ex=seconds, xx=only_existing))

    def claim(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """See Store.

        The client repeats a command whose answer was lost: our own mark tells that the first try
        did succeed.
        """
        mark = note + secrets.token_bytes(16)
        taken = or_unavailable(lambda: self._client().set(key, mark, ex=seconds, nx=True))
        return bool(taken) or self.get(key) == mark

    def delete(self, key: str) -> None:
        """See Store."""
        or_unavailable(lambda: self._client().delete(key))

    def delete_matching(self, pattern: str, chosen: Chosen = anything) -> int:
        """See Store; it walks the keys in steps, so that others are served meanwhile."""
        return or_unavailable(
            lambda: sum(
                int(self._client().delete(key))
                for key in self._client().scan_iter(match=pattern, count=1000)
                if chosen(key.decode())
            )
        )

    def ping(self) -> None:
        """See Store."""
        or_unavailable(lambda: self._client().ping())

    def load(self) -> None:
        """See Store."""
        self._client()

    def _client(self) -> Redis:
        """Made at first use: the import takes a tenth of a second, and a fork comes before."""
        if self._made is None:
            self._made = connect(self._settings)
        return self._made


def connect(settings: Settings) -> Redis:
    """A client of REDIS_URL; nothing is opened yet."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    url = settings.redis_url or ""
    # Heroku's chain is self-signed; on redis:// these two arguments are an error.
    lax = url.startswith("rediss://") and not settings.redis_tls_verify
    tls = {"ssl_cert_reqs": None, "ssl_check_hostname": False} if lax else {}
    return Redis.from_url(
        url,
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 1),  # one more try for a connection that the server has closed
        **tls,
    )
