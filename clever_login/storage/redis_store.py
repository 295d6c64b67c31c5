"""Sessions and one-time keys in Redis or Valkey, for several machines."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from clever_login.config import Settings
from clever_login.errors import StoreUnavailable
from clever_login.storage.base import KeyFilter, every_key

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")


class RedisStore:
    """Stores values in Redis or Valkey, shared by all processes and machines."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis: Redis | None = None

    def get(self, key: str) -> bytes | None:
        """See Store."""
        value = self._run(lambda redis: redis.get(key))
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        self._run(lambda redis: redis.set(key, value, ex=seconds, xx=only_existing))

    def add_if_absent(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """See Store.

        The client repeats a command whose response was lost. The random mark shows that the first
        try succeeded.
        """
        mark = note + secrets.token_bytes(16)
        added = self._run(lambda redis: redis.set(key, mark, ex=seconds, nx=True))
        return bool(added) or self.get(key) == mark

    def delete(self, key: str) -> None:
        """See Store."""
        self._run(lambda redis: redis.delete(key))

    def delete_matching(self, pattern: str, matches: KeyFilter = every_key) -> int:
        """See Store.

        The keys are scanned in steps, so that Redis serves other clients meanwhile.
        """
        return self._run(
            lambda redis: sum(
                int(redis.delete(key))
                for key in redis.scan_iter(match=pattern, count=1000)
                if matches(key.decode())
            )
        )

    def find(self, pattern: str, matches: KeyFilter = every_key) -> dict[str, bytes]:
        """See Store."""
        keys = self._run(lambda redis: list(redis.scan_iter(match=pattern, count=1000)))
        names = (key.decode() for key in keys)
        values = {name: self.get(name) for name in names if matches(name)}
        return {name: value for name, value in values.items() if value is not None}

    def load(self) -> None:
        """See Store."""
        self._client()

    def _run(self, command: Callable[[Redis], T]) -> T:
        """Send commands.

        Every Redis error becomes StoreUnavailable, with a description of the cause.
        """
        client = self._client()
        try:
            return command(client)
        except Exception as error:
            from clever_login.storage import redis_pool

            if not isinstance(error, redis_pool.REDIS_ERRORS):
                raise
            pool = client.connection_pool
            if isinstance(pool, redis_pool.RedisPool):
                pool.handle_failure(error)
            reason = redis_pool.describe_failure(error, self._settings.worker_redis_connections)
            raise StoreUnavailable(reason) from error

    def _client(self) -> Redis:
        """Create the client at first use: the import takes 0.1 s, and gunicorn forks before it."""
        if self._redis is None:
            self._redis = create_client(self._settings)
        return self._redis


def create_client(settings: Settings) -> Redis:
    """Return a client for REDIS_URL, without opening a connection."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from clever_login.storage.redis_pool import RedisPool

    url = settings.redis_url or ""
    # Heroku's certificate chain is self-signed. With redis:// these two arguments are an error.
    skip_verification = url.startswith("rediss://") and not settings.redis_tls_verify
    tls = {"ssl_cert_reqs": None, "ssl_check_hostname": False} if skip_verification else {}
    pool = RedisPool.from_url(
        url,
        max_connections=settings.worker_redis_connections,
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 1),  # one more try if the server has closed the connection
        **tls,
    )
    return Redis.from_pool(pool)
