"""Connections to Redis: few for each process, shared by its threads, and waited for briefly."""

from __future__ import annotations

import time
from queue import LifoQueue
from ssl import SSLEOFError
from typing import Any

from redis import BlockingConnectionPool, RedisError
from redis import TimeoutError as NoAnswer
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import ResponseError

WAIT_SECONDS = 2  # for a connection that another thread uses, or that the server is out of
PAUSE_SECONDS = 0.05
FULL, BUSY = "max number of clients reached", "No connection available."  # Redis's, redis-py's
# Answers of a server that is not the one to ask (any more): after a failover its connections stay.
MOVED_AWAY = {"READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "NOAUTH", "NOPERM", "WRONGPASS"}
ERRORS = (RedisError, OSError)
WORDS = {
    "READONLY": "Redis is a read-only replica",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "Redis is a replica without its master",
    "MISCONF": "Redis refuses writes because it cannot save its data",
    "NOAUTH": "Redis wants a password",
    "WRONGPASS": "Redis does not accept the user name or password",
    "NOPERM": "Redis does not permit this user the command or the key",
    "OOM": "Redis is full (maxmemory)",
}


class _ConnectedFirst(LifoQueue[Any]):
    """The slots of the pool, so that one without a working connection is taken last.

    redis-py puts a connection that has just failed on top, where the next thread takes it again
    while working ones lie below.
    """

    def _put(self, item: Any) -> None:
        if item is not None and item.is_connected:
            self.queue.append(item)
        else:
            self.queue.insert(0, item)


class Pool(BlockingConnectionPool):
    """A bounded pool that also waits while the server takes no further connection."""

    def __init__(self, **options: Any) -> None:
        options |= {"timeout": WAIT_SECONDS, "queue_class": _ConnectedFirst}
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def get_connection(self, *_: Any, **__: Any) -> Any:
        """A connection, within a short wait.

        Raises redis-py's ConnectionError or TimeoutError.
        """
        give_up = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                return super().get_connection()  # type: ignore[no-untyped-call]
            except NotConnected as error:
                if not _is_turned_away(error) or time.monotonic() > give_up:
                    raise
            time.sleep(PAUSE_SECONDS)

    def failed(self, error: BaseException) -> None:
        """Close the idle connections if the error shows that they lead to the wrong server."""
        if isinstance(error, RedisError) and _code(error) in MOVED_AWAY:
            self.disconnect(inuse_connections=False)


def cause(error: BaseException, connections: int) -> str:
    """Why a command failed, for the log: never the message, which may quote keys and values."""
    if isinstance(error, NoAnswer):
        return "Redis did not answer in time"
    if isinstance(error, NotConnected) and BUSY in str(error):
        limit = f"REDIS_CONNECTIONS is {connections}"
        return f"no connection to Redis was free for {WAIT_SECONDS} s ({limit})"
    if FULL in str(error):
        return f"Redis takes no more connections ({FULL})"
    if code := _code(error):
        return f"{WORDS.get(code, 'Redis refused a command')} ({code})"
    kind = type(_origin(error)).__name__
    return f"the connection to Redis failed ({kind})"


def _is_turned_away(error: NotConnected) -> bool:
    """Whether the server hung up on a new connection; by TLS it cannot say why."""
    return FULL in str(error) or isinstance(_origin(error), SSLEOFError | ConnectionResetError)


def _origin(error: BaseException) -> BaseException:
    return error.__cause__ or error.__context__ or error


def _code(error: BaseException) -> str:
    """The first word of an error reply, such as READONLY; empty for other errors."""
    code = getattr(error, "status_code", None)
    if not code and isinstance(error, ResponseError):
        code = str(error).partition(" ")[0]
    return str(code) if code and str(code).isascii() and str(code).isupper() else ""
