"""A connection pool for Redis: few connections per process, shared by threads, with short waits."""

from __future__ import annotations

import time
from queue import Empty, LifoQueue
from ssl import SSLEOFError
from typing import Any

from redis import BlockingConnectionPool, RedisError
from redis import TimeoutError as NoAnswer
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import ResponseError

# A thread waits for a connection that other threads use, or while the server has too many clients.
# It gives up when Redis has answered no thread for CONNECTION_WAIT_SECONDS, and after
# MAX_CONNECTION_WAIT_SECONDS in any case.
CONNECTION_WAIT_SECONDS, MAX_CONNECTION_WAIT_SECONDS = 2, 8
RETRY_PAUSE_SECONDS = 0.05
MAX_CLIENTS_MESSAGE, POOL_EXHAUSTED_MESSAGE = (
    "max number of clients reached",
    "No connection available.",
)  # from Redis, from redis-py
# Error codes of a server that is no longer the right one: connections survive a failover.
WRONG_SERVER_CODES = {
    "READONLY",
    "MASTERDOWN",
    "LOADING",
    "CLUSTERDOWN",
    "NOAUTH",
    "NOPERM",
    "WRONGPASS",
}
REDIS_ERRORS = (RedisError, OSError)
CAUSE_BY_CODE = {
    "READONLY": "Redis is a read-only replica",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "Redis is a replica without its master",
    "MISCONF": "Redis refuses writes because it cannot save its data",
    "NOAUTH": "Redis requires a password",
    "WRONGPASS": "Redis does not accept the user name or password",
    "NOPERM": "Redis does not allow this user to use the command or the key",
    "OOM": "Redis is full (maxmemory)",
}


class _ConnectedFirstQueue(LifoQueue[Any]):
    """The pool's queue of connections, with the unconnected ones taken last.

    redis-py puts a connection that has just failed on top, where the next thread takes it again
    although working ones are below. It also waits for a fixed time, however many commands of other
    threads succeed meanwhile: in a burst, a working Redis would seem to refuse the last ones.
    """

    _last_answer = float("-inf")

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Return an item. Raises Empty when no time is left."""
        waiting_since = time.monotonic()
        while True:
            try:
                return super().get(timeout=max(self.time_left(waiting_since), 0))
            except Empty:
                if self.time_left(waiting_since) <= 0:
                    raise

    def time_left(self, waiting_since: float) -> float:
        """Return the seconds that a thread waiting since `waiting_since` may still wait."""
        end = min(
            max(waiting_since, self._last_answer) + CONNECTION_WAIT_SECONDS,
            waiting_since + MAX_CONNECTION_WAIT_SECONDS,
        )
        return end - time.monotonic()

    def _put(self, item: Any) -> None:
        if item is not None and item.is_connected:  # redis-py disconnects it after a failure
            self._last_answer = time.monotonic()
            self.queue.append(item)
        else:
            self.queue.insert(0, item)


class RedisPool(BlockingConnectionPool):
    """A bounded pool that also waits while the server accepts no more clients."""

    def __init__(self, **options: Any) -> None:
        options |= {"queue_class": _ConnectedFirstQueue}
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def get_connection(self, *_: Any, **__: Any) -> Any:
        """Return a connection, waiting as long as Redis answers other threads.

        Raises redis-py's ConnectionError or TimeoutError.
        """
        waiting_since = time.monotonic()
        while True:
            try:
                return super().get_connection()  # type: ignore[no-untyped-call]
            except NotConnected as error:
                if not _is_rejected_by_server(error) or self.pool.time_left(waiting_since) <= 0:
                    raise
            time.sleep(RETRY_PAUSE_SECONDS)

    def handle_failure(self, error: BaseException) -> None:
        """Close the idle connections if the error shows that they lead to the wrong server."""
        if isinstance(error, RedisError) and _reply_code(error) in WRONG_SERVER_CODES:
            self.disconnect(inuse_connections=False)


def describe_failure(error: BaseException, connections: int) -> str:
    """Return why a command failed, for the log, without the error's message.

    The message may quote keys and values.
    """
    if isinstance(error, NoAnswer):
        return "Redis did not answer in time"
    if isinstance(error, NotConnected) and POOL_EXHAUSTED_MESSAGE in str(error):
        return (
            f"no Redis connection became free in time: this worker has {connections} of them "
            "(REDIS_MAX_CONNECTIONS)"
        )
    if MAX_CLIENTS_MESSAGE in str(error):
        return f"Redis accepts no more connections ({MAX_CLIENTS_MESSAGE})"
    if code := _reply_code(error):
        return f"{CAUSE_BY_CODE.get(code, 'Redis refused a command')} ({code})"
    kind = type(_original_error(error)).__name__
    return f"the connection to Redis failed ({kind})"


def _is_rejected_by_server(error: NotConnected) -> bool:
    """Whether the server closed a new connection. Over TLS it cannot send the reason."""
    return MAX_CLIENTS_MESSAGE in str(error) or isinstance(
        _original_error(error), SSLEOFError | ConnectionResetError
    )


def _original_error(error: BaseException) -> BaseException:
    return error.__cause__ or error.__context__ or error


def _reply_code(error: BaseException) -> str:
    """Return the first word of an error reply, such as READONLY; empty for other errors."""
    code = getattr(error, "status_code", None)
    if not code and isinstance(error, ResponseError):
        code = str(error).partition(" ")[0]
    return str(code) if code and str(code).isascii() and str(code).isupper() else ""
