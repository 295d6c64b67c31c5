"""What Clever's status page says: asked in the background, never waited for by a person."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.parsing import Json, parse_text
from clever_login.clever.user_client import json_object
from clever_login.errors import LoginError

POLL_SECONDS = 60  # at most once in so many, a process
STALE_AFTER_SECONDS = 10 * 60  # what is older is not said any more
SUMMARY_PATH = "/api/v2/summary.json"  # of Atlassian Statuspage


_IMPACTS_BY_SEVERITY = (
    "critical",
    "major",
    "minor",
    "maintenance",
)  # from bad to good, as Statuspage says it


@dataclass(frozen=True, kw_only=True)
class Incident:
    """Something that goes wrong at Clever, in the words of its status page."""

    name: str
    impact: str

    @classmethod
    def worst_of(cls, summary: Json) -> Incident | None:
        """The worst that goes on in a Statuspage summary; what cannot be read is passed over."""
        begun = [
            each for each in _objects_in(summary, "incidents") if each.get("status") != "resolved"
        ]
        for each in _objects_in(summary, "scheduled_maintenances"):
            if each.get("status") == "in_progress":
                begun.append(each | {"impact": "maintenance"})
        found = [
            cls(name=name, impact=impact)
            for impact in _IMPACTS_BY_SEVERITY
            for each in begun
            if each.get("impact") == impact and (name := parse_text(each.get("name")))
        ]
        return found[0] if found else None


class StatusPage:
    """One a process; without an address nothing is ever asked."""

    def __init__(
        self, transport: HttpClient, url: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport, self._url, self._clock = transport, url, clock
        self._lock = threading.Lock()
        self._known: Incident | None = None
        self._known_at = self._asked_at = float("-inf")

    def incident(self) -> Incident | None:
        """The worst of what is known to go on; asks anew in the background, and never waits."""
        if self._url and self._may_ask():
            self._transport.start(self._ask)
        fresh = self._clock() - self._known_at < STALE_AFTER_SECONDS
        return self._known if fresh else None

    def _may_ask(self) -> bool:
        with self._lock:
            if self._clock() - self._asked_at < POLL_SECONDS:
                return False
            self._asked_at = self._clock()
            return True

    def _ask(self) -> None:
        """A status page that does not answer is nobody's trouble: what was known is kept."""
        request = requests.Request("GET", f"{self._url}{SUMMARY_PATH}")
        try:
            answer = self._transport.send(request, Deadline(5))
            if answer.status == 200:
                self._known = Incident.worst_of(json_object(answer))
                self._known_at = self._clock()
        except (LoginError, TimeoutError):
            return


def _objects_in(body: Json, key: str) -> list[Json]:
    value = body.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
