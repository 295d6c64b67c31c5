"""Faults on request: validates them and decides which one applies next."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

ENDPOINTS = (
    *("authorize", "token", "tokeninfo", "discovery", "certs"),
    *("me", "userinfo", "user", "school", "district", "data", "events", "status"),
)
MAX_DELAY_SECONDS = 600
Cut = Literal["length", "chunked", "gzip", "damaged", "reset"]
_HEADER_NAME_PATTERN = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. `times` 0 means until cleared. `delay_s` is in seconds.

    With `path`, the fault applies to requests whose path ends with it. `rows` truncates a list
    after this many records and removes the link to the next page. `fields` replaces fields of the
    JSON object in the response; None removes one.
    """

    endpoint: str
    times: int = 1
    status: int | None = None
    body: str | None = None
    path: str | None = None
    rows: int | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    delay_s: float = 0
    drop: Literal["before", "after"] | None = None
    cut: Cut | None = None
    drip: bool = False

    @property
    def replaces_response(self) -> bool:
        """Whether the fault replaces the response.

        Otherwise the view runs and its response is altered.
        """
        return self.body != "truncated" and (self.status is not None or self.body is not None)


class FaultError(ValueError):
    """An invalid fault. The message names the field."""


class FaultQueue:
    """The pending faults, first in, first out for each endpoint. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[tuple[Fault, int]] = []

    def add(self, description: object) -> Fault:
        """Adds one fault. Raises FaultError if the description is invalid."""
        fault = parse_fault(description)
        with self._lock:
            self._pending.append((fault, fault.times))
        return fault

    def clear(self) -> None:
        """Removes all faults."""
        with self._lock:
            self._pending.clear()

    def read(self) -> list[dict[str, Any]]:
        """Returns the pending faults. `times` is how many more times each one applies."""
        with self._lock:
            return [asdict(fault) | {"times": remaining} for fault, remaining in self._pending]

    def take(self, endpoint: str | None, path: str) -> Fault | None:
        """Returns the next fault for a request to this endpoint, and counts one use of it."""
        with self._lock:
            for index, (fault, remaining) in enumerate(self._pending):
                if fault.endpoint == endpoint and path.endswith(fault.path or ""):
                    if remaining == 1:
                        del self._pending[index]
                    elif remaining > 1:
                        self._pending[index] = (fault, remaining - 1)
                    return fault
        return None


def parse_fault(description: object) -> Fault:
    """Parses decoded JSON into a Fault. Raises FaultError naming the first invalid field."""
    if not isinstance(description, dict):
        raise FaultError("A fault is a JSON object with at least the field endpoint.")
    for key, value in description.items():
        if key not in _FIELD_RULES:
            raise FaultError(f"{key}: a fault has no such field.")
        is_valid, expected = _FIELD_RULES[key]
        if not is_valid(value):
            raise FaultError(f"{key}: expected {expected}.")
    if "endpoint" not in description:
        raise FaultError(f"endpoint: expected {_FIELD_RULES['endpoint'][1]}.")
    fault = Fault(**description)
    if fault == Fault(endpoint=fault.endpoint, times=fault.times, path=fault.path):
        raise FaultError(
            "status: use one of status, body, rows, fields, headers, delay_s, drop, cut or drip."
        )
    return fault


def _is_integer_between(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_valid_delay(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= MAX_DELAY_SECONDS  # type: ignore[operator] # `is_number` says so


def _is_valid_headers(value: object) -> bool:
    # A line break in a header value would start another header or end the headers.
    return isinstance(value, dict) and all(
        _HEADER_NAME_PATTERN.fullmatch(name)
        and (text is None or (isinstance(text, str) and text.isprintable() and text.isascii()))
        for name, text in value.items()
    )


_FIELD_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "endpoint": (lambda value: value in ENDPOINTS, "one of " + ", ".join(ENDPOINTS)),
    "times": (
        lambda value: _is_integer_between(value, 0, 1_000_000),
        "a whole number, 0 for always",
    ),
    "status": (
        lambda value: value is None or _is_integer_between(value, 200, 599),
        "a status, 200 to 599",
    ),
    "body": (
        lambda value: value is None or isinstance(value, str),
        "html, empty, truncated, or the text to send",
    ),
    "path": (lambda value: value is None or isinstance(value, str), "the end of a path"),
    "rows": (
        lambda value: value is None or _is_integer_between(value, 0, 10_000),
        "the number of records to keep in a list",
    ),
    "fields": (
        lambda value: isinstance(value, dict),
        "an object with new values of fields, or null to remove a field",
    ),
    "headers": (
        _is_valid_headers,
        "an object of header names and their texts without line breaks, or null to remove a header",
    ),
    "delay_s": (_is_valid_delay, f"seconds, 0 to {MAX_DELAY_SECONDS}"),
    "drop": (lambda value: value in (None, "before", "after"), "before or after"),
    "cut": (lambda value: value in (None, *get_args(Cut)), "one of " + ", ".join(get_args(Cut))),
    "drip": (lambda value: isinstance(value, bool), "true or false"),
}
