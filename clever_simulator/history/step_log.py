"""The steps of the school year so far: what each did, and to whom."""

import threading
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that a step changed; `before` and `after` are what differs, empty where nothing.

    `kind` is person, section, district or app; `user_name` is that of a person.
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
    """One step that was made; `time` is the simulator's, `events` have id and type of v3.1."""

    step: str
    district: str
    time: str
    touched: tuple[Change, ...]
    events: tuple[dict[str, str], ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The step as JSON has it."""
        return asdict(self)


class StepLog:
    """All steps, oldest first; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """As if the year had not begun."""
        with self._lock:
            self._steps: list[LoggedStep] = []

    def note(self, step: LoggedStep) -> LoggedStep:
        """Keeps a step that was made, and gives it back."""
        with self._lock:
            self._steps.append(step)
        return step

    def read(self) -> list[LoggedStep]:
        """The steps so far, oldest first."""
        with self._lock:
            return list(self._steps)
