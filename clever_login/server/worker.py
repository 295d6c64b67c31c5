"""A gunicorn worker on waitress's event loop: only complete requests occupy a thread."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
# Bytes of requests that have not been answered, and of responses that clients have not read. Two
# workers and a sync in 512 MB leave 120 MB.
MAX_BUFFERED_BYTES = 24 * 1024 * 1024
MEMORY_CHECK_SECONDS = 0.1
MALLOPT_MMAP_THRESHOLD, LARGE_BLOCK_BYTES = -3, 128 * 1024  # glibc's malloc.h, and its default
LINGER_SECONDS = 2.0  # for which a stopping worker with connections still accepts requests


def _return_large_blocks_when_freed() -> None:
    """Let glibc return the memory of a freed response to the system.

    After the first large block, glibc raises the size from which blocks have memory of their own.
    Freed blocks below that size stay in the heap of one of the threads. Setting the size keeps it.
    Other systems and C libraries have no such function.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(MALLOPT_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


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
        _return_large_blocks_when_freed()
        self.map: dict[int, Any] = {}
        self.threads = ThreadPoolExecutor(self.cfg.threads, "answer")
        # Refusals are fast and must not wait for the app's threads.
        self._refusals = ThreadPoolExecutor(1, "refusal")
        self.limits = self._limits()
        self._next_check = self._next_memory_check = 0.0
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The app may use the other half of the file descriptors.
        self._max_connections = min(self.cfg.worker_connections, files // 2)
        _SignalDispatcher(self.PIPE[0], self.map)
        self._listeners = [Listener(self, sock) for sock in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self._run_loop_once()
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
        get_limit = getattr(self.wsgi, "extensions", {}).get(BODY_LIMIT_KEY)
        size = int(get_limit(method, path)) if get_limit else MAX_BODY_BYTES
        if (
            size > MAX_BODY_BYTES
            and sum(channel.has_large_body for channel in self._channels()) >= MAX_LARGE_BODIES
        ):
            return 0
        return max(size, MAX_BODY_BYTES)

    def _run_loop_once(self) -> None:
        """Wait until a socket is ready, for one second at most, and end expired connections."""
        wasyncore.loop(timeout=1, use_poll=True, map=self.map, count=1)
        now = time.monotonic()
        if now >= self._next_memory_check:
            self._next_memory_check = now + MEMORY_CHECK_SECONDS
            self._limit_memory()
        if now >= self._next_check:
            self._next_check = now + 1
            self.notify()
            for channel in self._channels():
                channel.expire(now, self.cfg.keepalive)

    def _stop(self) -> None:
        """Answer all requests that have arrived, within gunicorn's graceful timeout."""
        for listener in self._listeners:
            listener.stopping = True
        deadline = time.monotonic() + self.cfg.graceful_timeout
        linger_deadline = min(time.monotonic() + LINGER_SECONDS, deadline)
        if not self._reached_max_requests:
            self._serve_until(linger_deadline)
        # A connection that arrives between the last accept and the close is reset. The loop needs
        # the interpreter's lock in between, so it must not wait 5 ms for each busy thread.
        sys.setswitchinterval(0.0001)
        for listener in self._listeners:
            listener.stop()
        self._serve_until(linger_deadline)
        self._serve_until(deadline, close_idle=True)
        if cut_off := len(self._channels()):
            self.log.warning(
                "%d connections were closed, because the graceful timeout has passed", cut_off
            )
        self.threads.shutdown(wait=False)
        self._refusals.shutdown(wait=False)

    def _serve_until(self, deadline: float, *, close_idle: bool = False) -> None:
        """Serve until no connection is left or the time is `deadline` (monotonic seconds)."""
        while self._channels() and time.monotonic() < deadline:
            self._run_loop_once()
            if close_idle:
                for channel in self._channels():
                    channel.close_if_idle()

    def _channels(self) -> list[Channel]:
        return [
            channel
            for listener in self._listeners
            for channel in list(listener.active_channels.values())
        ]

    def can_accept(self) -> bool:
        """Whether one more connection can be accepted."""
        return len(self.map) < self._max_connections or self._longest_idle() is not None

    def close_excess(self) -> None:
        """If there are too many connections, close the one that has been idle for the longest time.

        So many connections that send nothing, or only part of a request, cannot shut out others.
        """
        if len(self.map) > self._max_connections and (channel := self._longest_idle()):
            channel.hang_up()

    def _limit_memory(self) -> None:
        """While too much is buffered, close the connection that was still for the longest time.

        Connections on which the app answers a request stay open.
        """
        buffered = {channel: channel.buffered_bytes for channel in self._channels()}
        excess = sum(buffered.values()) - MAX_BUFFERED_BYTES
        if excess <= 0:
            return
        waiting = [channel for channel in buffered if buffered[channel] and not channel.requests]
        for channel in sorted(waiting, key=lambda channel: channel.last_activity):
            channel.hang_up()
            excess -= buffered[channel]
            if excess <= 0:
                return

    def _longest_idle(self) -> Channel | None:
        idle = [channel for channel in self._channels() if not channel.requests]
        return min(idle, key=lambda channel: channel.idle_since, default=None)

    def dispatch(self, channel: Channel) -> None:
        """Have a thread answer the first request of a connection."""
        self.nr += 1
        if self._reached_max_requests and self.alive:
            self.log.info("Restarting this worker: it has served its maximum number of requests.")
            self.alive = False
        pool = self._refusals if channel.requests[0].error else self.threads
        pool.submit(self._serve, channel)

    @property
    def _reached_max_requests(self) -> bool:
        """Whether this worker has reached max_requests, so that another worker takes over."""
        return bool(self.nr >= self.max_requests)

    def _serve(self, channel: Channel) -> None:
        try:
            channel.service()
        except Exception:
            self.log.exception("A request could not be answered")
            channel.will_close = True
            channel.server.pull_trigger()

    def log_access(self, response: ResponseTask, duration: timedelta) -> None:
        """Write a line of gunicorn's access log, if it is on."""
        if not self.log.access_log_enabled:
            return
        request = response.channel.requests[0]
        environ = {
            "REQUEST_METHOD": request.command,
            "PATH_INFO": request.path,
            "RAW_URI": "",  # it contains the query
            "SERVER_PROTOCOL": f"HTTP/{response.version}",
            "REMOTE_ADDR": response.channel.addr[0],
        }
        self.log.access(
            response, [], environ | (getattr(response, "environ", None) or {}), duration
        )
