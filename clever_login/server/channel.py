"""One client connection, with limits on what the server waits for and how long."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import HTTPChannel

from clever_login.server.contract import LONG_WAIT_SECONDS, MAX_BODY_BYTES
from clever_login.server.parser import DiscardingParser, RequestParser, ServerLimits
from clever_login.server.responses import AppResponse, RefusalResponse

# A client must read part of a response in this time; routers wait as long. The system accepts more
# when a third of its buffer is free, so a part is at least 40 KiB or the rest.
STALL_SECONDS = 30.0
SEND_BUFFER_BYTES = 64 * 1024  # Linux doubles it, and otherwise buffers megabytes per connection
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: drop what was not sent, and tell the client
LINGER_SECONDS = 2.0  # in this time, the client of a refused request can still read the response


class Channel(HTTPChannel):
    """Waitress's channel with a time limit on everything that it waits for the client to do."""

    server: Any  # a Listener, whose module imports this one
    request: RequestParser | None
    requests: list[RequestParser]
    task_class = AppResponse
    error_task_class = RefusalResponse

    received_at = 0.0  # monotonic seconds: when the current request was complete
    queue_seconds = 0.0  # seconds from then until a thread started it
    idle_since = 0.0  # monotonic seconds: when it was accepted, or its last response was complete
    # Whether the response is a refusal. Further input from the client is then not read.
    is_refusal = False
    _lingers_until = 0.0  # monotonic seconds; 0 before the end of the last response

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.idle_since = time.monotonic()
        super().__init__(*arguments, **options)

    def parser_class(self, limits: ServerLimits) -> RequestParser:
        """Return a parser for the next request. One request is served at a time."""
        return DiscardingParser(limits) if self.requests else RequestParser(limits)

    def received(self, data: bytes) -> bool:
        """Process received bytes. After the last response they are dropped."""
        if self._lingers_until:
            return False
        if isinstance(self.request, DiscardingParser) and not self.requests:
            self.request = None  # only blank lines were sent ahead
        return bool(super().received(data))

    def service(self) -> None:
        """Answer the complete request."""
        with self.requests_lock:  # until the data that came with it has been processed
            self.idle_since = time.monotonic()
        self.queue_seconds = self.idle_since - self.received_at
        super().service()
        self.idle_since = time.monotonic()

    def closes_after_response(self) -> bool:
        """Whether the response about to be sent is the last on this connection.

        It is when the rest of the input is dropped, when the server is stopping, and under load, so
        that no connection is kept open.
        """
        return (
            self._discards_input or self.queue_seconds > LONG_WAIT_SECONDS or self.server.stopping
        )

    @property
    def _discards_input(self) -> bool:
        return self.is_refusal or (isinstance(self.request, DiscardingParser) and self._has_started)

    @property
    def _has_started(self) -> bool:
        return self.request is not None and self.request.started_at is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in progress: no request, no partial request, and no response."""
        return not (self.requests or self._has_started or self.total_outbufs_len)

    def expire(self, now: float, idle_seconds: float) -> None:
        """End what has taken too long. `now` is in monotonic seconds.

        Call only from the loop's thread.
        """
        if self._lingers_until:
            if now > self._lingers_until:
                self.hang_up()
        elif self.total_outbufs_len:
            if time.time() - self.last_activity > STALL_SECONDS:
                self.hang_up()
        elif not (self.requests or self.close_when_flushed or self.will_close):
            if self.request is not None and self.request.is_late(now):
                self._refuse(self.request, 408)
            elif now - self.idle_since > idle_seconds:
                self.close_if_idle()

    @property
    def buffered_bytes(self) -> int:
        """The bytes of requests and responses of this connection that are in memory."""
        requests = [*self.requests, self.request]
        received = sum(request.buffered_bytes for request in requests if request is not None)
        return received + sum(
            min(len(buffer), int(self.adj.outbuf_overflow))  # a larger one is a file
            for buffer in list(self.outbufs)
            if not isinstance(buffer, ReadOnlyFileBasedBuffer)
        )

    @property
    def has_large_body(self) -> bool:
        """Whether an incoming request may have a body above the usual limit."""
        requests = [*self.requests, self.request]
        return any(
            request is not None and request.body_limit > MAX_BODY_BYTES for request in requests
        )

    def _refuse(self, request: RequestParser, code: int) -> None:
        with self.requests_lock:
            request.refuse(code)
            self.request = None
            self.requests.append(request)
            self.server.add_task(self)

    def handle_close(self) -> None:
        """Close the connection.

        After a refusal, wait until the client could read it (RFC 9112, 9.6).
        """
        if self._discards_input and not self._lingers_until and self.socket is not None:
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.will_close = False
                return
        super().handle_close()

    def handle_expt(self) -> None:
        """Close on urgent data, which HTTP does not use.

        Waitress would log a warning in a loop.
        """
        self.hang_up()

    def handle_error(self) -> None:
        """Log the error, and close this connection only."""
        self._lingers_until = time.monotonic()
        super().handle_error()

    def hang_up(self) -> None:
        """Close the connection at once, and free the memory of what the client has not read."""
        if self.total_outbufs_len and self.socket is not None:
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._lingers_until = self._lingers_until or time.monotonic()
        self.handle_close()

    def close_if_idle(self) -> None:
        """Close the connection, unless a request is in progress or has just arrived."""
        if not self.is_idle:
            return
        with suppress(BlockingIOError):
            if self.socket.recv(1, socket.MSG_PEEK):
                return
        self.hang_up()
