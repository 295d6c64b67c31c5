"""A clock for one module, which only moves when a test or the module's own sleep moves it."""

from __future__ import annotations

import time
from types import ModuleType

import pytest


class FakeTime:
    """Stands in for the module `time`. Other modules, such as those of the server, keep theirs."""

    time = staticmethod(time.time)

    def __init__(self) -> None:
        self._now = 1000.0

    def monotonic(self) -> float:
        """Return the seconds on this clock."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self._now += seconds


def fake_time(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> FakeTime:
    """Give a module a clock of its own."""
    clock = FakeTime()
    monkeypatch.setattr(module, "time", clock)
    return clock
