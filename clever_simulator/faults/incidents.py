"""What is wrong at Clever at this moment, as its status page would have it."""

import secrets
import threading
from dataclasses import dataclass

# What Statuspage says of the whole, by the worst that is going on, from bad to good.
DESCRIPTIONS = {
    "critical": "Major Service Outage",
    "major": "Partial System Outage",
    "minor": "Minor Service Outage",
    "maintenance": "Service Under Maintenance",
    "none": "All Systems Operational",
}


class IncidentError(ValueError):
    """An incident that cannot be; the message names the field."""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One incident, or a maintenance under way; `since` is in seconds since 1970."""

    id: str
    name: str
    impact: str
    body: str
    since: float


class Incidents:
    """All incidents that are not over; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Incident] = []

    def add(self, name: object, impact: object, body: object, since: float) -> Incident:
        """Begins one; raises IncidentError when a field is wrong."""
        if not (isinstance(name, str) and name.strip()):
            raise IncidentError("name: expected what is wrong, in a few words.")
        if not isinstance(impact, str) or impact not in DESCRIPTIONS:
            raise IncidentError("impact: expected one of " + ", ".join(DESCRIPTIONS) + ".")
        if not isinstance(body, str):
            raise IncidentError("body: expected a text.")
        one = Incident(id=secrets.token_hex(6), name=name, impact=impact, body=body, since=since)
        with self._lock:
            self._open.append(one)
        return one

    def read(self) -> list[Incident]:
        """Those that are not over, the newest first."""
        with self._lock:
            return self._open[::-1]

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._open.clear()
