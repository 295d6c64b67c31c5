"""One connection: what it may make the server wait for, and how long."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel

from clever_login.server.contract import LONG_WAIT_SECONDS, MAX_BODY_BYTES
from clever_login.server.parser import DiscardingParser, RequestParser, ServerLimits
from clever_login.server.responses import AppResponse, RefusalResponse

STALL_SECONDS = 30.0  # in which a client must take some of an answer; routers wait as long
LINGER_SECONDS = 2.0  # in which the client of a refused request may still read the answer


class Channel(HTTPChannel):
    """Waitress's, with a limit on everything that a client may make it wait for."""

    server: Any  # a Listener, whose module imports this one
    request: RequestParser | None
    requests: list[RequestParser]
    task_class = AppResponse
    error_task_class = RefusalResponse

    came = 0.0  # monotonic seconds: when the request that is answered now was complete
    waited = 0.0  # seconds from then until a thread took it
    rests_since = 0.0  # monotonic seconds: when it was accepted, or its last answer was made
    refuses = False  # whether the answer is a refusal: what the client still sends is not read
    _lingers_until = 0.0  # monotonic seconds; 0 before the end of the last answer

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.rests_since = time.monotonic()
        super().__init__(*arguments, **options)

    def parser_class(self, limits: ServerLimits) -> RequestParser:
        """For the next request; there is one at a time."""
        return DiscardingParser(limits) if self.requests else RequestParser(limits)

    def received(self, data: bytes) -> bool:
        """Take in what came; after the last answer it is dropped."""
        if self._lingers_until:
            return False
        if isinstance(self.request, DiscardingParser) and not self.requests:
            self.request = None  # only blank lines were sent ahead
        return bool(super().received(data))

    def service(self) -> None:
        """Answer the request that is complete."""
        with self.requests_lock:  # until everything that came with it has been looked at
            self.rests_since = time.monotonic()
        self.waited = self.rests_since - self.came
        super().service()
        self.rests_since = time.monotonic()

    def ends_now(self) -> bool:
        """Whether the answer that is about to be sent is the last on this connection.

        It is when the server stops, and when so many come that nobody's connection is kept.
        """
        return self._drops_rest or self.waited > LONG_WAIT_SECONDS or self.server.stopping

    @property
    def _drops_rest(self) -> bool:
        return self.refuses or (isinstance(self.request, DiscardingParser) and self._is_begun)

    @property
    def _is_begun(self) -> bool:
        return self.request is not None and self.request.began is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight: no request, no part of one, and no answer."""
        return not (self.requests or self._is_begun or self.total_outbufs_len)

    def expire(self, now: float, idle_seconds: float) -> None:
        """End what has taken too long; `now` is monotonic. Only the loop's thread may call this."""
        if self._lingers_until:
            if now > self._lingers_until:
                self.hang_up()
        elif self.total_outbufs_len:
            if time.time() - self.last_activity > STALL_SECONDS:
                self.hang_up()
        elif not (self.requests or self.close_when_flushed or self.will_close):
            if self.request is not None and self.request.is_late(now):
                self._refuse(self.request, 408)
            elif now - self.rests_since > idle_seconds:
                self.close_if_idle()

    @property
    def has_large_body(self) -> bool:
        """Whether a request is coming that may have more than the usual body."""
        here = [*self.requests, self.request]
        return any(each is not None and each.body_limit > MAX_BODY_BYTES for each in here)

    def _refuse(self, request: RequestParser, code: int) -> None:
        with self.requests_lock:
            request.refuse(code)
            self.request = None
            self.requests.append(request)
            self.server.add_task(self)

    def handle_close(self) -> None:
        """Close; after a refusal only once its client could read it (RFC 9112, 9.6)."""
        if self._drops_rest and not self._lingers_until and self.socket is not None:
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.will_close = False
                return
        super().handle_close()

    def handle_expt(self) -> None:
        """Hang up on urgent data, which HTTP does not have; waitress would warn of it in a loop."""
        self.hang_up()

    def handle_error(self) -> None:
        """Log what went wrong here, and close this connection, not more."""
        self._lingers_until = time.monotonic()
        super().handle_error()

    def hang_up(self) -> None:
        """Close at once."""
        self._lingers_until = self._lingers_until or time.monotonic()
        self.handle_close()

    def close_if_idle(self) -> None:
        """Close, unless a request is in flight or has just come."""
        if not self.is_idle:
            return
        with suppress(BlockingIOError):
            if self.socket.recv(1, socket.MSG_PEEK):
                return
        self.hang_up()
