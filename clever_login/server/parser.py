"""One request as it arrives: read strictly, limited in size and in time."""

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
)  # of a whole header; browsers send less than 8 KiB
REQUEST_TIMEOUT_SECONDS = 10.0  # from the first byte of a request to its last
WHITESPACE = b"\r\n\t "
# Printable ASCII alone: RFC 9112, 3.2 and RFC 3986, 2. No authority form: this is no proxy.
REQUEST_LINE_PATTERN = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Z]+ (?:/[!-~]*|https?://[!-~]+|\*) HTTP/(\d\.\d)"
)
CONTENT_LENGTH_PATTERN = re.compile(rb"\d{1,15}")
SINGLE_HEADERS = (b"host", b"content-length", b"content-type", b"transfer-encoding")


class ServerLimits(Adjustments):
    """Waitress's settings, and how many bytes of a body are accepted for a method and a path."""

    body_limit: Callable[[str, str], int]  # 0: not now


class RequestRefused(Error):
    """A request that no view sees; `channel.TEXTS` has the words for each code."""

    def __init__(self, code: int) -> None:
        super().__init__("")
        self.code = code


class RequestParser(HTTPRequestParser):
    """Waitress's, and stricter: what two servers could read in two ways is refused."""

    adj: ServerLimits
    error: Any  # an Error, once the request is refused
    body_rcv: Any  # where a body goes; None without one
    body_bytes_received: int
    version = "1.1"  # of the answer to what cannot be read
    command = path = "-"  # in the access log, until they are known
    began: float | None = None  # monotonic seconds; None until a byte has come that is not blank
    body_limit = MAX_BODY_BYTES

    def received(self, data: bytes) -> int:
        """Take in bytes, and return how many of them belong to this request."""
        if self.began is None and data.strip(WHITESPACE):
            self.began = time.monotonic()
        used = int(super().received(data))
        if self.error is None and self._body_is_too_large():
            self.refuse(413)
        if getattr(self.error, "code", 0) == 431:
            self.command = self.path = "-"  # waitress has made something up
        if self.error is not None or self.body_rcv is None:
            self.expect_continue = False  # waitress would ask for a body, and then wait for it
        return used

    def parse_header(self, header_plus: bytes) -> None:
        """Refuse what is ambiguous, and a body that is declared larger than its view allows."""
        if code := _header_error(header_plus):
            self.refuse(code)
            return
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # of urlsplit
            raise ParsingError("the request target cannot be read") from error
        if "close" in re.split(r"[ \t]*,[ \t]*", self.headers.get("CONNECTION", "").lower()):
            self.headers["CONNECTION"] = "close"  # waitress only knows it when it stands alone
        if self.chunked or self.content_length > MAX_BODY_BYTES:
            self.body_limit = self.adj.body_limit(self.command, self.path)
        if not self.body_limit:
            self.refuse(503)
        elif self.content_length > self.body_limit:
            self.refuse(413)

    def refuse(self, code: int) -> None:
        """Answer with this status instead of passing the request on."""
        self.error = RequestRefused(code)
        self.completed = True

    def is_late(self, now: float) -> bool:
        """Whether it should be complete; a body above 64 KiB has ten seconds for each of these."""
        if self.began is None:
            return False
        return now - self.began > REQUEST_TIMEOUT_SECONDS * max(
            1.0, self.body_bytes_received / MAX_BODY_BYTES
        )

    def _body_is_too_large(self) -> bool:
        """In chunks the size is not declared, and what stands between the chunks counts, too."""
        if self.body_rcv is None:
            return False
        return (
            len(self.body_rcv) > self.body_limit or self.body_bytes_received > 2 * self.body_limit
        )


class DiscardingParser(RequestParser):
    """What a client sends before it has the answer to its last request: it is dropped unread.

    Neither browsers nor routers do that. One client could occupy many threads, and a server may
    close the connection instead (RFC 9112, 9.3.2).
    """

    def received(self, data: bytes) -> int:
        """Take all of it."""
        if data.strip(WHITESPACE):
            self.began = time.monotonic()
        return len(data)


def _header_error(header: bytes) -> int:
    """The status for a header that cannot be accepted, else 0; waitress checks the rest."""
    first, *lines = header.split(b"\r\n")
    request_line = REQUEST_LINE_PATTERN.fullmatch(first)
    if not request_line or any(line.startswith((b" ", b"\t")) for line in lines):
        return 400  # a folded header is the latter
    if len(lines) > MAX_HEADER_LINES:
        return 431
    version = request_line[1]
    if version not in (b"1.0", b"1.1"):
        return 505
    return _fields_error(version, lines)


def _fields_error(version: bytes, lines: list[bytes]) -> int:
    """The status for fields that make the message ambiguous (RFC 9112, 6.3), else 0."""
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
