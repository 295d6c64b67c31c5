"""Clever Library consents: which teachers have connected which app to their sections."""

import threading

from clever_simulator.config import RegisteredApp
from clever_simulator.directory.models import Person


class Consents:
    """The consents given so far. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._consents: set[tuple[str, str]] = set()

    def add(self, app: RegisteredApp, teacher: Person) -> None:
        """Records that this teacher consented to this app."""
        with self._lock:
            self._consents.add((app.client_id, teacher.id))

    def has_consent(self, app: RegisteredApp, teacher: Person) -> bool:
        """Whether this teacher consented to this app."""
        with self._lock:
            return (app.client_id, teacher.id) in self._consents

    def clear(self) -> None:
        """Removes all consents, so that every teacher is asked again."""
        with self._lock:
            self._consents.clear()
