"""How many log in at once, and who is asked to come again when more come than can be answered.

A process has threads for many logins, since each waits for Clever most of its time, and keeps some
threads for all else. Were everybody let in who comes, all would wait ever longer, until routers
hang up on them after 30 seconds, and the work done for those would be lost. So in a crowd no login
is begun; who is on the way back from Clever is served, and who is inside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from clever_login.errors import Crowded, TooBusy

MOST_AT_ONCE = 64  # logins a process; fewer than gunicorn.conf.py's threads, as a test holds
WAITED = "X-Waited-Seconds"  # gunicorn.conf.py says it, and lets no visitor say it
LONG_SECONDS, TOO_LONG_SECONDS = 0.1, 1.0
_free_places = deque(range(MOST_AT_ONCE))


def turn_away() -> None:
    """Raise Crowded where a login is not to be begun.

    That is when half the places are taken, and not because Clever is slow: this request had to wait
    for a thread, too. When it waited very long, it is enough that it did.
    """
    waited = request.headers.get(WAITED, 0.0, type=float)
    many = len(_free_places) < MOST_AT_ONCE / 2
    if waited > TOO_LONG_SECONDS or (waited > LONG_SECONDS and many):
        raise Crowded(f"{waited:.1f} s in line, and {len(_free_places)} places free")


@contextmanager
def one_of_few() -> Iterator[None]:
    """Hold one of the places for logins; TooBusy when Clever has stalled and all are taken.

    So a stalled Clever cannot occupy every thread: health, static files and pages still answer.
    """
    try:
        place = _free_places.pop()
    except IndexError:
        raise TooBusy("too many logins wait for Clever") from None
    try:
        yield
    finally:
        _free_places.append(place)
