"""A gunicorn worker on waitress's event loop: only complete requests occupy a thread."""

from __future__ import annotations

import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from gunicorn.workers import base
from waitress import wasyncore

from clever_login.server.channel import Channel
from clever_login.server.contract import BODY_LIMIT_KEY, MAX_BODY_BYTES
from clever_login.server.listener import Listener
from clever_login.server.parser import MAX_HEADER_BYTES, ServerLimits
from clever_login.server.responses import ResponseTask

MAX_LARGE_BODIES = (
    20  # bodies above 64 KiB at a time: each may be a temporary file up to its view's limit
)
LINGER_SECONDS = 2.0  # for which a stopping worker with connections still accepts requests


class _SignalDispatcher(wasyncore.file_dispatcher):
    """Wakes the loop on a signal: Python then writes a byte into gunicorn's pipe."""

    def handle_read(self) -> None:
        self.recv(4096)

    def writable(self) -> bool:
        return False


class Worker(base.Worker):
    """Gunicorn starts, monitors, and stops this worker. Waitress does its I/O in one event loop.

    The app runs in a thread pool.
    """

    alive: bool

    @classmethod
    def check_config(cls, cfg: Any, _log: object) -> None:
        """Exit with an error for options that this worker does not support."""
        if cfg.is_ssl:
            sys.exit(
                "gunicorn was given a certificate or a key, but this app's worker does not "
                "support TLS. Use TLS in a router or proxy in front of the app. To try TLS on "
                "your own machine, add --worker-class gthread."
            )
        if cfg.proxy_protocol != "off":
            sys.exit(
                "gunicorn was given --proxy-protocol, which this app's worker does not support. "
                "Let the proxy send X-Forwarded-For instead, and set TRUSTED_PROXIES."
            )

    def run(self) -> None:
        """Serve until gunicorn stops this worker, or gunicorn itself has ended."""
        self.map: dict[int, Any] = {}
        self.threads = ThreadPoolExecutor(self.cfg.threads, "answer")
        # Refusals are fast and must not wait for the app's threads.
        self._refusals = ThreadPoolExecutor(1, "refusal")
        self.limits = self._limits()
        self._next_look = 0.0
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = min(self.cfg.worker_connections, files // 2)  # the rest is for the app
        _SignalDispatcher(self.PIPE[0], self.map)
        self._listeners = [Listener(self, each) for each in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self._turn()
        self._stop()

    def _limits(self) -> ServerLimits:
        limits = ServerLimits(
            clear_untrusted_proxy_headers=False,  # web.request_checks decides
            ident=None,
            backlog=self.cfg.backlog,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=sys.maxsize,  # the parser has its own limit
            log_socket_errors=False,
        )
        limits.body_limit = self._body_limit
        return limits

    def _body_limit(self, method: str, path: str) -> int:
        """Return the app's body limit for a path, or 0 while too many large bodies are arriving."""
        ask = getattr(self.wsgi, "extensions", {}).get(BODY_LIMIT_KEY)
        size = int(ask(method, path)) if ask else MAX_BODY_BYTES
        if (
            size > MAX_BODY_BYTES
            and sum(each.has_large_body for each in self._channels()) >= MAX_LARGE_BODIES
        ):
            return 0
        return max(size, MAX_BODY_BYTES)

    def _turn(self) -> None:
        """Wait until a socket is ready, for one second at most, and end expired connections."""
        wasyncore.loop(timeout=1, use_poll=True, map=self.map, count=1)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + 1
            self.notify()
            for channel in self._channels():
                channel.expire(now, self.cfg.keepalive)

    def _stop(self) -> None:
        """Answer all requests that have arrived, within gunicorn's graceful timeout."""
        for listener in self._listeners:
            listener.stopping = True
        end = time.monotonic() + self.cfg.graceful_timeout
        end_of_rest = min(time.monotonic() + LINGER_SECONDS, end)
        if not self._is_spent:
            self._serve_until(end_of_rest)
        # A connection that arrives between the last accept and the close is reset. The loop needs
        # the interpreter's lock in between, so it must not wait 5 ms for each busy thread.
        sys.setswitchinterval(0.0001)
        for listener in self._listeners:
            listener.stop()
        self._serve_until(end_of_rest)
        self._serve_until(end, close_idle=True)
        if cut := len(self._channels()):
            self.log.warning(
                "%d connections were closed, because the graceful timeout has passed", cut
            )
        self.threads.shutdown(wait=False)
        self._refusals.shutdown(wait=False)

    def _serve_until(self, end: float, *, close_idle: bool = False) -> None:
        """Serve until no connection is left or the time is `end` (monotonic seconds)."""
        while self._channels() and time.monotonic() < end:
            self._turn()
            if close_idle:
                for channel in self._channels():
                    channel.close_if_idle()

    def _channels(self) -> list[Channel]:
        return [each for one in self._listeners for each in list(one.active_channels.values())]

    def has_room(self) -> bool:
        """Whether one more connection can be accepted."""
        return len(self.map) < self._most or self._longest_at_rest() is not None

    def make_room(self) -> None:
        """If there are too many connections, close the one that has been idle for the longest time.

        So many connections that send nothing, or only part of a request, cannot shut out others.
        """
        if len(self.map) > self._most and (one := self._longest_at_rest()):
            one.hang_up()

    def _longest_at_rest(self) -> Channel | None:
        resting = [each for each in self._channels() if not each.requests]
        return min(resting, key=lambda each: each.rests_since, default=None)

    def answer(self, channel: Channel) -> None:
        """Have a thread answer the first request of a connection."""
        self.nr += 1
        if self._is_spent and self.alive:
            self.log.info("Restarting this worker: it has served its maximum number of requests.")
            self.alive = False
        pool = self._refusals if channel.requests[0].error else self.threads
        pool.submit(self._answer, channel)

    @property
    def _is_spent(self) -> bool:
        """Whether this worker has reached max_requests, so that another worker takes over."""
        return bool(self.nr >= self.max_requests)

    def _answer(self, channel: Channel) -> None:
        try:
            channel.service()
        except Exception:
            self.log.exception("A request could not be answered")
            channel.will_close = True
            channel.server.pull_trigger()

    def log_access(self, answer: ResponseTask, took: timedelta) -> None:
        """Write a line of gunicorn's access log, if it is on."""
        if not self.log.access_log_enabled:
            return
        request = answer.channel.requests[0]
        environ = {
            "REQUEST_METHOD": request.command,
            "PATH_INFO": request.path,
            "RAW_URI": "",  # it contains the query
            "SERVER_PROTOCOL": f"HTTP/{answer.version}",
            "REMOTE_ADDR": answer.channel.addr[0],
        }
        self.log.access(answer, [], environ | (getattr(answer, "environ", None) or {}), took)
