"""Clients that are slow on purpose: cheap for the sender, and each may cost a server a thread."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

REQUESTS_AHEAD = 200  # of a client that reads no answer: more than any buffer on the way holds
SMALL_BUFFER = 4096  # bytes


@dataclass(frozen=True)
class Attack:
    """So many connections on each of which `data` is sent; nothing is read, and they stay open."""

    connections: int
    lines: tuple[str, ...]
    rest: str = "\r\n\r\n"
    times: int = 1

    def data(self, host: str) -> bytes:
        """What is sent on each connection."""
        first, *more = self.lines
        head = "\r\n".join([f"{first} HTTP/1.1", f"Host: {host}", *more])
        return (head + self.rest).encode() * self.times


FORM = "Content-Type: application/x-www-form-urlencoded"
ATTACKS = {
    "lingering": Attack(20, ("GET /healthz", "Connection: close")),
    # Any view that takes forms: the token against forgery is looked for in the body.
    "slow bodies": Attack(170, ("POST /role", FORM, "Content-Length: 99"), "\r\n\r\ncsrf_"),
    "half headers": Attack(300, ("GET /healthz",), "\r\nX-Half: "),
    "slow readers": Attack(170, ("GET /static/style.css",), times=REQUESTS_AHEAD),
}


@contextmanager
def under(attack: Attack, url: str) -> Iterator[list[socket.socket]]:
    """While this goes on; yields the attacker's sockets."""
    address = urlsplit(url)
    with ExitStack() as stack:
        opened = []
        for _ in range(attack.connections):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            one.settimeout(10)
            one.connect(("127.0.0.1", address.port))
            one.setblocking(False)
            one.send(attack.data(address.netloc))
            opened.append(one)
        yield opened
