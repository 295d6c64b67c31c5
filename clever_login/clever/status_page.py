"""Clever's status page, polled in the background: no request waits for it."""

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

POLL_SECONDS = 60  # at most one request per process in this time
STALE_AFTER_SECONDS = 10 * 60  # older information is not shown
SUMMARY_PATH = "/api/v2/summary.json"  # of Atlassian Statuspage


_IMPACTS_BY_SEVERITY = (
    "critical",
    "major",
    "minor",
    "maintenance",
)  # Statuspage's impacts, from worst to least


@dataclass(frozen=True, kw_only=True)
class Incident:
    """A current problem at Clever, in the words of its status page."""

    name: str
    impact: str

    @classmethod
    def worst_of(cls, summary: Json) -> Incident | None:
        """Return the worst current incident of a Statuspage summary, or None.

        Entries that cannot be parsed are skipped.
        """
        begun = [
            incident
            for incident in _objects_in(summary, "incidents")
            if incident.get("status") != "resolved"
        ]
        for maintenance in _objects_in(summary, "scheduled_maintenances"):
            if maintenance.get("status") == "in_progress":
                begun.append(maintenance | {"impact": "maintenance"})
        incidents = [
            cls(name=name, impact=impact)
            for impact in _IMPACTS_BY_SEVERITY
            for incident in begun
            if incident.get("impact") == impact and (name := parse_text(incident.get("name")))
        ]
        return incidents[0] if incidents else None


class StatusPage:
    """The status page as last seen, one per process. Without a URL it makes no requests."""

    def __init__(
        self, transport: HttpClient, url: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport, self._url, self._clock = transport, url, clock
        self._lock = threading.Lock()
        self._known: Incident | None = None
        self._known_at = self._asked_at = float("-inf")

    def incident(self) -> Incident | None:
        """Return the worst known incident, or None. Never waits: updates run in the background."""
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
        """Fetch the status page. On a failure, keep the last known incident."""
        request = requests.Request("GET", f"{self._url}{SUMMARY_PATH}")
        try:
            response = self._transport.send(request, Deadline(5))
            if response.status == 200:
                self._known = Incident.worst_of(json_object(response))
                self._known_at = self._clock()
        except LoginError:
            return


def _objects_in(body: Json, key: str) -> list[Json]:
    value = body.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
