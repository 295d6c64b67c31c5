"""The school year's steps so far: what each did, and to whom."""

import threading
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change made by a step. `before` and `after` are the old and new value, or empty.

    `kind` is person, section, district or app. `user_name` is set for a person.
    """

    kind: str
    id: str
    name: str
    what: str
    user_name: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class LoggedStep:
    """One completed step. `time` is the simulator's. `events` have the ID and type of v3.1."""

    step: str
    district: str
    time: str
    touched: tuple[Change, ...]
    events: tuple[dict[str, str], ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The step as JSON."""
        return asdict(self)


class StepLog:
    """All steps, oldest first. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Removes all steps."""
        with self._lock:
            self._steps: list[LoggedStep] = []

    def add(self, step: LoggedStep) -> LoggedStep:
        """Adds a completed step and returns it."""
        with self._lock:
            self._steps.append(step)
        return step

    def read(self) -> list[LoggedStep]:
        """Returns the steps so far, oldest first."""
        with self._lock:
            return list(self._steps)
