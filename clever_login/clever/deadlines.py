"""A deadline for several calls, and connections that enforce it at every read.

The timeout of requests applies to each read, so a response that arrives one byte at a time never
exceeds it. Here each read of headers or body waits only for the rest of the login's time; urllib3
closes the socket when a read raises.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

CONNECT_TIMEOUT_SECONDS = 2.0  # for a new connection, whatever the number of addresses


class Deadline:
    """A point in time, `seconds` from its creation, that all calls made under it share."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def sleep(self, seconds: float) -> bool:
        """Sleep, if time remains after it. Returns False at once if not."""
        if time.monotonic() + seconds >= self._end:
            return False
        time.sleep(seconds)
        return True

    def remaining(self, at_most: float) -> float:
        """Return the seconds left, `at_most` at most.

        Raises TimeoutError when no time is left.
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time limit for this login has passed")
        return min(seconds, at_most)


class _ThreadDeadline(threading.local):
    """The deadline of the call that this thread is making."""

    deadline: Deadline | None = None
    read_seconds: float = 0.0


thread_deadline = _ThreadDeadline()


class _DeadlineReader(io.RawIOBase):
    """A socket's raw reader that sets the socket's timeout from the deadline before each read."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw = sock, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if thread_deadline.deadline is not None:
            self._sock.settimeout(thread_deadline.deadline.remaining(thread_deadline.read_seconds))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach()))


class _DeadlineConnection(HTTPConnection):
    """Connects within one time budget for all addresses of a host.

    urllib3 allows the full connect timeout for each address. The DNS lookup is limited only by the
    resolver's own timeout: it cannot be interrupted.
    """

    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        budget, failure = Deadline(CONNECT_TIMEOUT_SECONDS), OSError("the host has no address")
        try:
            addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NewConnectionError(self, "the host was not found") from error
        for family, kind, protocol, _, address in addresses:
            try:
                return _connect(socket.socket(family, kind, protocol), address, budget)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "no address of the host answered in time") from failure
        raise NewConnectionError(self, "no address of the host accepted a connection") from failure


def _connect(sock: socket.socket, address: Any, budget: Deadline) -> socket.socket:
    try:
        deadline = thread_deadline.deadline or budget
        sock.settimeout(deadline.remaining(budget.remaining(CONNECT_TIMEOUT_SECONDS)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


class _DeadlineHTTPConnection(_DeadlineConnection):
    pass


class _DeadlineHTTPSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class DeadlineHTTPPool(HTTPConnectionPool):
    """urllib3's connection pool with connections that enforce the deadline."""

    ConnectionCls = _DeadlineHTTPConnection


class DeadlineHTTPSPool(HTTPSConnectionPool):
    """urllib3's connection pool with TLS connections that enforce the deadline."""

    ConnectionCls = _DeadlineHTTPSConnection
