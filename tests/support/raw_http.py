"""HTTP over raw sockets, for requests that no client library sends."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Reply:
    """One response; the body is decoded as Latin-1."""

    status: int
    head: str
    body: str

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        match = re.search(rf"^{name}: *([^\r]*)", self.head, re.I | re.M)
        return match[1] if match else ""


def connect(place: str | Path) -> socket.socket:
    """Connect to a URL's port on this machine, or to a Unix socket."""
    if isinstance(place, Path):
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(PATIENCE)
        try:
            raw.connect(str(place))
        except OSError:
            raw.close()
            raise
        return raw
    return socket.create_connection(("127.0.0.1", urlsplit(place).port), PATIENCE)


def read_all(raw: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while data := raw.recv(65536):
            received += data
    return received


def replies(received: bytes) -> list[Reply]:
    """Split the received bytes into responses by Content-Length."""
    responses, text = [], received.decode("latin-1")
    while text:
        head, _, remaining = text.partition("\r\n\r\n")
        reply = Reply(int(head.split(" ")[1]), head, "")
        length = 0 if reply.status == 100 else int(reply.header("Content-Length") or len(remaining))
        responses.append(Reply(reply.status, head, remaining[:length]))
        text = remaining[length:]
    return responses


def one_reply(raw: socket.socket) -> Reply:
    """Read the next response on a connection that stays open. It must have a Content-Length.

    Raises ConnectionError when the server closes the connection before the end of the response.
    """
    received = b""
    while data := raw.recv(65536):
        received += data
        if b"\r\n\r\n" in received:
            reply = replies(received)[0]
            if len(reply.body) == int(reply.header("Content-Length")):
                return reply
    raise ConnectionError(f"closed after {len(received)} bytes")


def ask(place: str | Path, request: str | bytes) -> list[Reply]:
    """Send a request and read until the server closes.

    `Connection: close` makes that happen soon.
    """
    with connect(place) as raw:
        raw.sendall(request if isinstance(request, bytes) else request.encode("latin-1"))
        return replies(read_all(raw))


def get(place: str | Path, path: str, host: str, *lines: str) -> Reply:
    """Send one GET on a new connection."""
    head = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    return ask(place, "\r\n".join([*head, "", ""]))[-1]
