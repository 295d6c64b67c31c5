"""The requests that the simulator received, in order of arrival, without secrets."""

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, g, request

MAX_ENTRIES = 10_000
SECRET_PARAMETERS = {"code", "client_secret", "access_token", "token", "password"}


@dataclass(kw_only=True)
class LoggedRequest:
    """One request. `status` and `ms` are None until there is a response."""

    method: str
    path: str
    query: str
    status: int | None
    ms: float | None
    time: str


class RequestLog:
    """The last 10,000 requests, except those to the simulator's control pages. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=MAX_ENTRIES)

    def clear(self) -> None:
        """Removes all entries."""
        with self._lock:
            self._entries.clear()

    def read(self) -> list[dict[str, Any]]:
        """Returns the entries as dictionaries, oldest first."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def start(self) -> None:
        """Flask hook: logs the request before anything can fail."""
        if request.path.startswith("/_simulator"):
            return
        g.journal_entry = LoggedRequest(
            method=request.method,
            path=request.path,
            query=mask_query(request.query_string.decode("latin-1")),
            status=None,
            ms=None,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        g.journal_started = time.perf_counter()
        with self._lock:
            self._entries.append(g.journal_entry)

    def finish(self, response: Response) -> Response:
        """Flask hook: logs the response just before it is sent, unless the connection is cut."""
        if "journal_entry" in g and "cut" not in g:
            g.journal_entry.ms = round((time.perf_counter() - g.journal_started) * 1000, 1)
            g.journal_entry.status = response.status_code
        return response


def mask_query(query: str) -> str:
    """Masks secrets in a query string with ***. `state` stays readable."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(
        [(name, "***" if name in SECRET_PARAMETERS else value) for name, value in pairs], safe="*:/"
    )
