"""Parses one request as it arrives: strictly, and limited in size and in time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import Error

from clever_login.server.contract import MAX_BODY_BYTES

MAX_HEADER_BYTES, MAX_HEADER_LINES = (
    32 * 1024,
    100,
)  # of the whole header; browsers send less than 8 KiB
REQUEST_TIMEOUT_SECONDS = 10.0  # from the first byte of a request to its last
WHITESPACE = b"\r\n\t "
# Printable ASCII only: RFC 9112, 3.2 and RFC 3986, 2. No authority form: this is no proxy.
REQUEST_LINE_PATTERN = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Z]+ (?:/[!-~]*|https?://[!-~]+|\*) HTTP/(\d\.\d)"
)
CONTENT_LENGTH_PATTERN = re.compile(rb"\d{1,15}")
SINGLE_HEADERS = (b"host", b"content-length", b"content-type", b"transfer-encoding")


class ServerLimits(Adjustments):
    """Waitress's settings, plus a function that returns the body limit for a method and a path."""

    body_limit: Callable[[str, str], int]  # 0: not now


class RequestRefused(Error):
    """A request that no view sees. `responses.REFUSAL_TEXTS` has the text for each code."""

    def __init__(self, code: int) -> None:
        super().__init__("")
        self.code = code


class RequestParser(HTTPRequestParser):
    """Waitress's parser, made stricter: it refuses what two servers could interpret differently."""

    adj: ServerLimits
    error: Any  # an Error, once the request is refused
    body_rcv: Any  # the receiver of the body; None without one
    body_bytes_received: int
    header_plus: bytes
    version = "1.1"  # of the response to an unreadable request
    command = path = "-"  # in the access log, until they are known
    started_at: float | None = None  # monotonic seconds; None until a non-blank byte has arrived
    body_limit = MAX_BODY_BYTES

    def received(self, data: bytes) -> int:
        """Process bytes, and return how many of them belong to this request."""
        if self.started_at is None and data.strip(WHITESPACE):
            self.started_at = time.monotonic()
        used = int(super().received(data))
        if self.error is None and self._body_is_too_large():
            self.refuse(413)
        if getattr(self.error, "code", 0) == 431:
            self.command = self.path = "-"  # waitress sets made-up values
        if self.error is not None or self.body_rcv is None:
            # Otherwise waitress would request a body, and then wait for it.
            self.expect_continue = False
        return used

    def parse_header(self, header_plus: bytes) -> None:
        """Refuse ambiguous headers, and a declared body larger than its view allows."""
        if code := _header_error(header_plus):
            self.refuse(code)
            return
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # from urlsplit
            raise ParsingError("the request target cannot be read") from error
        if "close" in re.split(r"[ \t]*,[ \t]*", self.headers.get("CONNECTION", "").lower()):
            self.headers["CONNECTION"] = "close"  # waitress recognizes it only if it stands alone
        if self.chunked or self.content_length > MAX_BODY_BYTES:
            self.body_limit = self.adj.body_limit(self.command, self.path)
        if not self.body_limit:
            self.refuse(503)
        elif self.content_length > self.body_limit:
            self.refuse(413)

    def refuse(self, code: int) -> None:
        """Answer with this status instead of passing the request to the app."""
        self.error = RequestRefused(code)
        self.completed = True

    def is_late(self, now: float) -> bool:
        """Whether the request should be complete by now.

        The limit is ten seconds, or for a body above 64 KiB ten seconds per 64 KiB received.
        """
        if self.started_at is None:
            return False
        return now - self.started_at > REQUEST_TIMEOUT_SECONDS * max(
            1.0, self.body_bytes_received / MAX_BODY_BYTES
        )

    def _body_is_too_large(self) -> bool:
        """Check a body without a declared size, and what is sent between its chunks.

        Chunks of a byte each, or lines without end between them, would take much time to read.
        """
        if self.body_rcv is None:
            return False
        size = len(self.body_rcv)
        framing = self.body_bytes_received - size
        return size > self.body_limit or framing > MAX_BODY_BYTES + size // 8

    @property
    def buffered_bytes(self) -> int:
        """The bytes of this request that are in memory."""
        body = 0 if self.body_rcv is None else min(len(self.body_rcv), self.adj.inbuf_overflow)
        return len(self.header_plus) + body


class DiscardingParser(RequestParser):
    """Drops unread what a client sends before it has the response to its last request.

    Neither browsers nor routers pipeline requests. One client could occupy many threads, and a
    server may close the connection instead (RFC 9112, 9.3.2).
    """

    def received(self, data: bytes) -> int:
        """Drop all bytes."""
        if data.strip(WHITESPACE):
            self.started_at = time.monotonic()
        return len(data)


def _header_error(header: bytes) -> int:
    """Return the status for an unacceptable header, else 0. Waitress checks the rest."""
    first_line, *lines = header.removesuffix(b"\r\n\r\n").split(b"\r\n")
    request_line = REQUEST_LINE_PATTERN.fullmatch(first_line)
    if not request_line or any(line.startswith((b" ", b"\t")) for line in lines):
        return 400  # the latter is a folded header
    if len(lines) > MAX_HEADER_LINES:
        return 431
    version = request_line[1]
    if version not in (b"1.0", b"1.1"):
        return 505
    return _fields_error(version, lines)


def _fields_error(version: bytes, lines: list[bytes]) -> int:
    """Return the status for fields that make the message ambiguous (RFC 9112, 6.3), else 0."""
    values: dict[bytes, list[bytes]] = {name: [] for name in SINGLE_HEADERS}
    for line in lines:
        name, _, value = line.partition(b":")
        values.setdefault(name.lower(), []).append(value.strip(b" \t"))
    host, length, _type, coding = (values[name] for name in SINGLE_HEADERS)
    if any(len(values[name]) > 1 for name in SINGLE_HEADERS) or (version == b"1.1" and not host):
        return 400
    if length and not CONTENT_LENGTH_PATTERN.fullmatch(length[0]):
        return 400
    if coding and (length or version == b"1.0"):
        return 400
    return 501 if coding and coding[0].lower() != b"chunked" else 0
