"""District and school records, kept for ten minutes: everybody who logs in asks for the same few.

Any member of a district may read them. Nothing of a person is ever kept here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
KEPT_SECONDS = 10 * 60
MOST = 2000  # records; the ones that were read first go first

# The version, the district by whose sharing the token reads (none in Clever Library), kind and id.
Key = tuple[str, str | None, str, str]


class Kept:
    """One a process; what could not be read, or was refused, is not remembered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: OrderedDict[Key, tuple[float, Any]] = OrderedDict()

    def knows(self, key: Key) -> bool:
        """Whether `read` would not have to ask."""
        with self._lock:
            return self._clock() < self._records.get(key, (0.0, None))[0]

    def read(self, key: Key, ask: Callable[[], T]) -> T:
        """The record, asked for if it is not known; raises whatever asking raises."""
        with self._lock:
            until, record = self._records.get(key, (0.0, None))
        if self._clock() >= until:
            record = ask()
            self._keep(key, record)
        found: T = record
        return found

    def _keep(self, key: Key, record: object) -> None:
        with self._lock:
            self._records.pop(key, None)
            self._records[key] = self._clock() + KEPT_SECONDS, record
            if len(self._records) > MOST:
                self._records.popitem(last=False)
