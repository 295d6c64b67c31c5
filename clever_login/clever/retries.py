"""Which failures of a call to Clever are temporary, and how long to wait before a retry."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from requests.structures import CaseInsensitiveDict

from clever_login.errors import CleverConnectionLost, CleverUnavailable, CleverUnreachable

# RFC 9110 and RFC 8470; 520 to 530 are from Cloudflare, which is in front of Clever.
TEMPORARY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 531)})
MAX_WAIT_SECONDS = 61.0  # seconds: rate limits are counted per minute, and clocks differ a little
BUSY_STATUSES = frozenset({429, 503})  # Clever is busy: do not restart a login at once
NOT_SHARED_STATUSES = frozenset({403, 404, 501})  # Clever documents 501 as unsupported
NOT_JSON: Any = object()
MAX_NUMBER_DIGITS = 100  # of an integer in JSON


@dataclass(frozen=True)
class CleverResponse:
    """A complete response: status, headers (case-insensitive names), and body."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes

    @classmethod
    def of_json(cls, status: int, value: object) -> CleverResponse:
        """Return a response with this JSON value."""
        return cls(status, CaseInsensitiveDict(), json.dumps(value).encode())

    @cached_property
    def json(self) -> Any:
        """The JSON value of the body; NOT_JSON for HTML, a truncated body, or an empty body."""
        try:
            return json.loads(self.body, parse_int=_parse_int)
        except (ValueError, RecursionError):
            return NOT_JSON

    @property
    def cut_off(self) -> bool:
        """Whether this is a 200 without JSON: truncated in transit, or sent by a proxy."""
        return self.status == 200 and self.json is NOT_JSON

    @property
    def temporary(self) -> bool:
        """Whether a GET with this response may succeed if it is retried soon."""
        return self.status in TEMPORARY_STATUSES or self.cut_off

    def seconds_to_wait(self, now: float) -> float | None:
        """Return how long Clever asks to wait, MAX_WAIT_SECONDS at most; None if it does not say.

        `now` is in seconds since 1970. Retry-After is in seconds or a date (RFC 9110, 10.2.3). A
        date is compared with the response's own Date header, because clocks differ.
        """
        seconds = _parse_seconds(self.headers.get("Retry-After"))
        if seconds is None:
            seconds = _subtract(
                _parse_date(self.headers, "Retry-After"), _parse_date(self.headers, "Date", now)
            )
        if seconds is None and self.status == 429:
            return self.seconds_until_reset(now)
        return _clamp_wait(seconds)

    def seconds_until_reset(self, now: float) -> float | None:
        """Return the seconds until Clever's rate limit resets, capped, or None if not given.

        Uses the response's own Date if there is one: if our clock is ahead, the wait would be too
        short.
        """
        clevers_now = _parse_date(self.headers, "Date", now)
        return _clamp_wait(
            _subtract(_parse_seconds(self.headers.get("X-RateLimit-Reset")), clevers_now)
        )


def may_send_again(method: str | None, failure: CleverUnavailable) -> bool:
    """Whether a request that got no response may be sent again.

    Any request may be, if no connection was made. If the connection ended later, Clever may have
    received the request: then only a GET may be, because it changes nothing.
    """
    if isinstance(failure, CleverUnreachable):
        return True
    return method == "GET" and isinstance(failure, CleverConnectionLost)


def _parse_seconds(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parse_date(
    headers: Mapping[str, str], name: str, otherwise: float | None = None
) -> float | None:
    """Return the HTTP date in a header, in seconds since 1970."""
    try:
        date = parsedate_to_datetime(headers.get(name, ""))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return otherwise


def _clamp_wait(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT_SECONDS)


def _subtract(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier


def _parse_int(digits: str) -> int | None:
    """Return None for an integer with too many digits, which Python refuses to parse."""
    return int(digits) if len(digits) <= MAX_NUMBER_DIGITS else None
