"""Clients that are slow on purpose. They are cheap to run, and each may block a server thread."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.raw_http import PATIENCE

REQUESTS_AHEAD = 200  # sent by a client that reads no responses: more than any buffer holds
SMALL_BUFFER = 4096  # bytes


@dataclass(frozen=True)
class Attack:
    """A number of connections that each send `data`, read nothing, and stay open."""

    connections: int
    lines: tuple[str, ...]
    rest: str = "\r\n\r\n"
    times: int = 1

    def data(self, host: str) -> bytes:
        """Return what is sent on each connection."""
        first, *other_lines = self.lines
        head = "\r\n".join([f"{first} HTTP/1.1", f"Host: {host}", *other_lines])
        return (head + self.rest).encode() * self.times


FORM = "Content-Type: application/x-www-form-urlencoded"
ATTACKS = {
    "lingering": Attack(20, ("GET /healthz", "Connection: close")),
    # Any view that accepts forms works: the CSRF token is read from the body.
    "slow bodies": Attack(170, ("POST /role", FORM, "Content-Length: 99"), "\r\n\r\ncsrf_"),
    "half headers": Attack(300, ("GET /healthz",), "\r\nX-Half: "),
    "slow readers": Attack(170, ("GET /static/clever_login/clever.css",), times=REQUESTS_AHEAD),
}


@contextmanager
def under_attack(attack: Attack, url: str) -> Iterator[list[socket.socket]]:
    """Keep the attack running. Yields the attacker's sockets."""
    address = urlsplit(url)
    with ExitStack() as stack:
        opened = []
        for _ in range(attack.connections):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", address.port))
            connection.setblocking(False)
            connection.send(attack.data(address.netloc))
            opened.append(connection)
        yield opened


def small_connection(url: str) -> socket.socket:
    """Return a blocking connection that receives little before it is read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    raw.settimeout(PATIENCE)
    raw.connect(("127.0.0.1", urlsplit(url).port))
    return raw
