"""Turns the signals that stop a command into an exception, at moments when that is safe."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


class StoppedBySignal(BaseException):
    """A signal asked the command to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopSignals:
    """Raises StoppedBySignal for the first signal. Later signals cannot interrupt the shutdown."""

    def __init__(self) -> None:
        self._is_held = False
        self._pending: int | None = None

    def install(self) -> None:
        """Handles SIGINT, SIGTERM and SIGHUP (unless nohup ignores SIGHUP)."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and not _is_nohup(number, name):
                signal.signal(number, self._arrived)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Holds signals during this block, and raises a pending one at its end."""
        before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before
        if self._pending is not None and not before:
            self._raise(self._pending)

    def _arrived(self, number: int, _frame: object) -> None:
        if self._is_held:
            self._pending = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> None:
        self._is_held = True
        raise StoppedBySignal(number)


def _is_nohup(number: int, name: str) -> bool:
    return name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN


stop_signals = StopSignals()
