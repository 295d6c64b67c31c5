"""Current incidents at Clever, as its status page reports them."""

import secrets
import threading
from dataclasses import dataclass

# Statuspage's overall descriptions, from worst to best impact.
DESCRIPTIONS = {
    "critical": "Major Service Outage",
    "major": "Partial System Outage",
    "minor": "Minor Service Outage",
    "maintenance": "Service Under Maintenance",
    "none": "All Systems Operational",
}


class IncidentError(ValueError):
    """An invalid incident. The message names the field."""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One incident or maintenance in progress. `since` is in seconds since 1970."""

    id: str
    name: str
    impact: str
    body: str
    since: float


class Incidents:
    """All open incidents. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Incident] = []

    def add(self, name: object, impact: object, body: object, since: float) -> Incident:
        """Opens an incident. Raises IncidentError if a field is invalid."""
        if not (isinstance(name, str) and name.strip()):
            raise IncidentError("name: expected a short description of the problem.")
        if not isinstance(impact, str) or impact not in DESCRIPTIONS:
            raise IncidentError("impact: expected one of " + ", ".join(DESCRIPTIONS) + ".")
        if not isinstance(body, str):
            raise IncidentError("body: expected a text.")
        incident = Incident(
            id=secrets.token_hex(6), name=name, impact=impact, body=body, since=since
        )
        with self._lock:
            self._open.append(incident)
        return incident

    def read(self) -> list[Incident]:
        """Returns the open incidents, newest first."""
        with self._lock:
            return self._open[::-1]

    def clear(self) -> None:
        """Ends all incidents."""
        with self._lock:
            self._open.clear()
