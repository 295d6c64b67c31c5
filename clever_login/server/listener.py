"""A listening socket, and the connections accepted from it."""

from __future__ import annotations

import socket
import sys
import time
from datetime import timedelta
from typing import Any

from waitress import wasyncore
from waitress.server import BaseWSGIServer

from clever_login.server.channel import SEND_BUFFER_BYTES, Channel


def seconds_since_last_byte(sock: socket.socket) -> float:
    """Return the seconds since the last byte arrived, which may not have been read yet.

    Linux reports it, even for a connection that was not accepted yet. Returns 0 where it is
    unknown: on other systems, and on a Unix socket.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
        return int.from_bytes(info[52:56], sys.byteorder) / 1000  # tcpi_last_data_recv
    except (AttributeError, OSError):
        return 0.0


class Listener(BaseWSGIServer):
    """Waitress's server on a socket opened by gunicorn: TCP or Unix."""

    channel_class = Channel
    active_channels: dict[int, Channel]
    stopping = False

    def __init__(self, worker: Any, sock: socket.socket) -> None:
        self._worker = worker
        self._started = time.monotonic()  # waiting for the app to start does not count as overload
        self.multiprocess = worker.cfg.workers > 1
        super().__init__(
            worker.wsgi,
            map=worker.map,
            _sock=sock,
            dispatcher=worker.threads,
            adj=worker.limits,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )

    def getsockname(self) -> tuple[str, int]:
        """Return host and port, for SERVER_PORT. A Unix socket has neither."""
        if self.family == socket.AF_UNIX:
            return "localhost", 80
        host, port = self.socket.getsockname()[:2]
        return str(host), int(port)

    def set_socket_options(self, conn: socket.socket) -> None:
        """Limit the memory of unread responses.

        Disable Nagle's algorithm, so that small responses are sent at once.
        """
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if self.family != socket.AF_UNIX:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fix_addr(self, addr: Any) -> Any:
        """Return the client's address. It is unknown on a Unix socket; a proxy may send it."""
        return ("", "") if self.family == socket.AF_UNIX else addr

    def readable(self) -> bool:
        """Whether another connection can be accepted now."""
        return bool(self.accepting) and self._worker.can_accept()

    def handle_accept(self) -> None:
        """Accept a connection, and close an idle one if there are too many."""
        super().handle_accept()
        self._worker.close_excess()

    def add_task(self, channel: Channel) -> None:
        """Answer the first complete request of a connection as soon as a thread is free."""
        channel.received_at = max(
            time.monotonic() - seconds_since_last_byte(channel.socket), self._started
        )
        self._worker.dispatch(channel)

    def log_access(self, response: Any, duration: timedelta) -> None:
        """Write an access log line for a response, if gunicorn's access log is on."""
        self._worker.log_access(response, duration)

    def stop(self) -> None:
        """Accept the pending connections, then close the socket. Open connections stay open."""
        count = -1
        while count != len(self.active_channels):
            count = len(self.active_channels)
            super().handle_accept()  # does nothing when no connection is pending
        wasyncore.dispatcher.close(self)
