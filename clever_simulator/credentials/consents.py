"""Clever Library: which teachers have let which app into their classes."""

import threading

from clever_simulator.config import RegisteredApp
from clever_simulator.directory.models import Person


class Consents:
    """Every Yes on a consent page; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: set[tuple[str, str]] = set()

    def give(self, app: RegisteredApp, teacher: Person) -> None:
        """Lets the app into this teacher's classes."""
        with self._lock:
            self._given.add((app.client_id, teacher.id))

    def given(self, app: RegisteredApp, teacher: Person) -> bool:
        """Whether this teacher said Yes to this app."""
        with self._lock:
            return (app.client_id, teacher.id) in self._given

    def forget(self) -> None:
        """Asks every teacher again."""
        with self._lock:
            self._given.clear()
