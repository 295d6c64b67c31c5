"""Which failures of a call to Clever are temporary, and how long to wait before trying again."""

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

# RFC 9110 and RFC 8470; 520 to 530 are Cloudflare's, which stands in front of Clever.
TEMPORARY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 531)})
MAX_WAIT_SECONDS = (
    61.0  # seconds: rate limits are counted by the minute, and clocks differ a little
)
BUSY_STATUSES = frozenset({429, 503})  # Clever is busy: a login is not restarted at once
NOT_JSON: Any = object()
MAX_NUMBER_DIGITS = 100  # digits


@dataclass(frozen=True)
class CleverResponse:
    """A response read to its end: status, headers (names without case), body."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The JSON value in the body; NOT_JSON for a page, for half a body, and for nothing."""
        try:
            return json.loads(self.body, parse_int=_parse_int)
        except (ValueError, RecursionError):
            return NOT_JSON

    @property
    def cut_off(self) -> bool:
        """Whether this is a 200 without JSON: cut off on its way, or sent by a proxy."""
        return self.status == 200 and self.json is NOT_JSON

    @property
    def temporary(self) -> bool:
        """Whether a GET that got this answer may get a better one soon."""
        return self.status in TEMPORARY_STATUSES or self.cut_off

    def seconds_to_wait(self, now: float) -> float | None:
        """How long Clever asks us to wait, at most LONGEST_WAIT; None if it does not say.

        `now` is in seconds since 1970. Retry-After is seconds or a date (RFC 9110, 10.2.3). A date
        is compared with the answer's own Date header, because clocks differ.
        """
        asked = _parse_seconds(self.headers.get("Retry-After"))
        if asked is None:
            asked = _subtract(
                _parse_date(self.headers, "Retry-After"), _parse_date(self.headers, "Date", now)
            )
        if asked is None and self.status == 429:
            return self.seconds_until_reset(now)
        return _clamp_wait(asked)

    def seconds_until_reset(self, now: float) -> float | None:
        """How long until Clever counts calls from zero; bounded and None as above.

        By the answer's own Date if there is one: with our clock ahead the wait would be too short.
        """
        clevers_now = _parse_date(self.headers, "Date", now)
        return _clamp_wait(
            _subtract(_parse_seconds(self.headers.get("X-RateLimit-Reset")), clevers_now)
        )


def may_send_again(method: str | None, failure: CleverUnavailable) -> bool:
    """Whether a request that got no answer may be sent again.

    Any request, if no connection was made. If the connection ended later, Clever may have received
    the request: then only a GET, which changes nothing.
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
    """The HTTP date in a header, in seconds since 1970."""
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
    """None for a number with too many digits: Python refuses to parse those."""
    return int(digits) if len(digits) <= MAX_NUMBER_DIGITS else None
