"""Where sessions and one-time claims are kept: files (one machine) or Redis (many).

Values are bytes and keys are short ASCII words; what they mean is the callers' business.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from clever_login.errors import StoreUnavailable
from clever_login.settings import Settings

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")
SWEEP_SECONDS = 5 * 60
NEW = "new-"  # how the name of a file begins that is not whole yet
_EXPIRY = struct.Struct(">d")  # each file begins with the time (Unix seconds) at which it ends


class Store(Protocol):
    """What every store can do; each method raises StoreUnavailable when it does not answer."""

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or its time is over."""

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """Keep a value for so many seconds; with `only_existing`, never bring one back."""

    def claim(self, key: str, seconds: int) -> bool:
        """Take a name for so many seconds; True for exactly one of many callers."""

    def delete(self, key: str) -> None:
        """Forget a value."""

    def delete_matching(self, pattern: str) -> int:
        """Forget every value whose key matches (`*` stands for anything); how many there were."""

    def ping(self) -> None:
        """Raise StoreUnavailable unless the store answers."""


def open_store(settings: Settings, folder: Path) -> Store:
    """Redis where REDIS_URL says so, else files in `folder`."""
    return RedisStore(settings) if settings.redis_url else FileStore(folder)


class FileStore:
    """One file a value, replaced whole, readable by this user alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = 0.0

    def get(self, key: str) -> bytes | None:
        """See Store."""
        return _or_unavailable(lambda: self._read(self._folder / key))

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        _or_unavailable(lambda: self._put(key, value, seconds, only_existing))
        self._sweep()

    def claim(self, key: str, seconds: int) -> bool:
        """See Store; a hard link is made by one caller only."""
        self.get(key)  # removes what has expired
        return _or_unavailable(lambda: self._link(self._write(b"", seconds), self._folder / key))

    def delete(self, key: str) -> None:
        """See Store."""
        _or_unavailable(lambda: self._forget(key))

    def delete_matching(self, pattern: str) -> int:
        """See Store."""
        paths = _or_unavailable(lambda: list(self._folder.glob(pattern)))
        for path in paths:
            self.delete(path.name)
        return len(paths)

    def ping(self) -> None:
        """See Store."""
        _or_unavailable(lambda: self._write(b"", 1).unlink())

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if len(data) < _EXPIRY.size or _EXPIRY.unpack_from(data)[0] <= time.time():
            path.unlink(missing_ok=True)
            return None
        return data[_EXPIRY.size :]

    def _put(self, key: str, value: bytes, seconds: int, only_existing: bool) -> None:
        path = self._folder / key
        if not only_existing:
            self._write(value, seconds).replace(path)
            return
        with self._alone():
            if self._read(path) is not None:
                self._write(value, seconds).replace(path)

    def _forget(self, key: str) -> None:
        with self._alone():
            (self._folder / key).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time, over all processes: a session must not come back once it was ended."""
        self._make_folder()
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # which lets go

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _write(self, value: bytes, seconds: int) -> Path:
        """A new file that nobody else knows yet."""
        self._make_folder()
        path = self._folder / f"{NEW}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_EXPIRY.pack(time.time() + seconds) + value)
        return path

    def _link(self, source: Path, target: Path) -> bool:
        try:
            target.hardlink_to(source)
        except FileExistsError:
            return False
        finally:
            source.unlink()
        return True

    def _sweep(self) -> None:
        """Now and then, remove what has expired: nobody asks for it any more."""
        if time.time() - self._swept < SWEEP_SECONDS:
            return
        self._swept = time.time()
        with suppress(OSError):  # another process sweeps, too
            for path in self._folder.iterdir():
                self._sweep_one(path)

    def _sweep_one(self, path: Path) -> None:
        """Remove one file if it has expired; a new one may still be in the writing."""
        with suppress(OSError):
            if not path.name.startswith(NEW) or time.time() - path.stat().st_mtime > SWEEP_SECONDS:
                self._read(path)


class RedisStore:
    """Values in Redis or Valkey, shared by every process and machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Redis | None = None

    def get(self, key: str) -> bytes | None:
        """See Store."""
        value = _or_unavailable(lambda: self._client().get(key))
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        _or_unavailable(lambda: self._client().set(key, value, ex=seconds, xx=only_existing))

    def claim(self, key: str, seconds: int) -> bool:
        """See Store.

        The client repeats a command whose answer was lost: our own mark tells that the first try
        did succeed.
        """
        mark = secrets.token_bytes(16)
        taken = _or_unavailable(lambda: self._client().set(key, mark, ex=seconds, nx=True))
        return bool(taken) or self.get(key) == mark

    def delete(self, key: str) -> None:
        """See Store."""
        _or_unavailable(lambda: self._client().delete(key))

    def delete_matching(self, pattern: str) -> int:
        """See Store; it walks the keys in steps, so that others are served meanwhile."""
        return _or_unavailable(
            lambda: sum(
                int(self._client().delete(key))
                for key in self._client().scan_iter(match=pattern, count=1000)
            )
        )

    def ping(self) -> None:
        """See Store."""
        _or_unavailable(lambda: self._client().ping())

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


def _or_unavailable(call: Callable[[], T]) -> T:
    """Make a call; whatever the file system or Redis raises becomes StoreUnavailable."""
    try:
        return call()
    except OSError as error:
        raise StoreUnavailable(type(error).__name__) from error
    except Exception as error:
        if type(error).__module__.startswith("redis."):  # not imported unless it is in use
            raise StoreUnavailable(type(error).__name__) from error
        raise
