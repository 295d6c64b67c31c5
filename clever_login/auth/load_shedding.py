"""Load shedding: limits concurrent logins, and refuses new logins under overload.

A process has threads for many logins, since each login waits for Clever most of its time, and keeps
some threads for other requests. If every login were accepted, all of them would wait longer and
longer, until routers close their connections after 30 seconds and the work done for them is lost.
So under overload, new logins are refused. Logins already in progress and signed-in users are still
served.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flask import request

from clever_login.errors import Overloaded, TooBusy
from clever_login.server.contract import LONG_WAIT_SECONDS, QUEUE_SECONDS_KEY

MAX_CONCURRENT_LOGINS = (
    64  # logins per process; a test checks that gunicorn.conf.py has more threads
)
AVERAGING_SECONDS, OVERLOAD_SECONDS = (
    3.0,
    0.5,
)  # a class that logs in at once waits less than this, and is not overload
_free_slots = deque(range(MAX_CONCURRENT_LOGINS))


class QueueTime:
    """Exponential moving average of the time that requests wait in the queue.

    Time without requests counts as time without waiting.
    """

    def __init__(self) -> None:
        self._mean, self._at, self._lock = 0.0, time.monotonic(), Lock()

    def add(self, waited: float) -> float:
        """Add one request's wait, and return the average. Both are in seconds."""
        with self._lock:
            now = time.monotonic()
            passed, self._at = now - self._at, now
            decay, capped_decay = (
                math.exp(-seconds / AVERAGING_SECONDS) for seconds in (passed, min(passed, 1.0))
            )
            self._mean = decay * self._mean + (1 - capped_decay) * waited
            return self._mean


_queue_time = QueueTime()


def refuse_if_overloaded() -> None:
    """Raise Overloaded if this request waited too long and the recent average is high, too."""
    waited = request.environ.get(QUEUE_SECONDS_KEY, 0.0)  # other servers do not measure it
    lately = _queue_time.add(waited)
    if waited > LONG_WAIT_SECONDS and lately > OVERLOAD_SECONDS:
        raise Overloaded(
            f"the request waited {waited:.1f} s, and recent requests {lately:.1f} s on average"
        )


@contextmanager
def login_slot() -> Iterator[None]:
    """Hold one of the slots for logins.

    So a stalled Clever cannot occupy every thread: health checks, static files, and pages still
    work. Raises TooBusy when all slots are taken.
    """
    try:
        place = _free_slots.pop()
    except IndexError:
        raise TooBusy("too many logins are waiting for Clever") from None
    try:
        yield
    finally:
        _free_slots.append(place)
