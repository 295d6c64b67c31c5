"""How many log in at once, and who is asked to come again when more come than can be answered.

A process has threads for many logins, since each waits for Clever most of its time, and keeps some
threads for all else. Were everybody let in who comes, all would wait ever longer, until routers
hang up on them after 30 seconds, and the work done for those would be lost. So in a crowd no login
is begun; who is on the way back from Clever is served, and who is inside.
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
    64  # logins a process; fewer than gunicorn.conf.py's threads, as a test holds
)
AVERAGING_SECONDS, OVERLOAD_SECONDS = (
    3.0,
    0.5,
)  # a class at the same moment is no crowd: it is soon in
_free_slots = deque(range(MAX_CONCURRENT_LOGINS))


class QueueTime:
    """How long people have been in line lately: a mean that forgets, and rest counts as no wait."""

    def __init__(self) -> None:
        self._mean, self._at, self._lock = 0.0, time.monotonic(), Lock()

    def add(self, waited: float) -> float:
        """Take in how long somebody has waited, and return the mean; both in seconds."""
        with self._lock:
            now = time.monotonic()
            passed, self._at = now - self._at, now
            kept, new = (math.exp(-each / AVERAGING_SECONDS) for each in (passed, min(passed, 1.0)))
            self._mean = kept * self._mean + (1 - new) * waited
            return self._mean


_queue_time = QueueTime()


def refuse_if_overloaded() -> None:
    """Raise Crowded where a login is not to be begun: this one waited, as others have lately."""
    waited = request.environ.get(QUEUE_SECONDS_KEY, 0.0)  # other servers do not measure it
    lately = _queue_time.add(waited)
    if waited > LONG_WAIT_SECONDS and lately > OVERLOAD_SECONDS:
        raise Overloaded(f"{waited:.1f} s in line, and lately {lately:.1f} s")


@contextmanager
def login_slot() -> Iterator[None]:
    """Hold one of the places for logins; TooBusy when Clever has stalled and all are taken.

    So a stalled Clever cannot occupy every thread: health, static files and pages still answer.
    """
    try:
        place = _free_slots.pop()
    except IndexError:
        raise TooBusy("too many logins wait for Clever") from None
    try:
        yield
    finally:
        _free_slots.append(place)
