"""Patience for long work: waits as Clever asks, and asks again as often as Clever advises.

A login has no time for this. It is for jobs and commands that read a whole district.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clever_login.api.transport import Answer
from clever_login.errors import CleverUnavailable

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds; Clever's advice is to stop after five
WINDOW = 61.0  # seconds: calls are counted by the minute, and clocks differ a little
AGAIN = {429, 500, 502, 503}


@dataclass
class Patience:
    """The pace of one token. `clock` (seconds since 1970) and `sleep` may be a test's own."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _not_before: float = field(default=0.0, init=False)

    def ask(self, send: Callable[[], Answer]) -> Answer:
        """Send until there is an answer other than 429, 500, 502, 503 or silence.

        After five pauses it is CleverUnavailable. A status that blames the request is an answer.
        """
        for pause in PAUSES:
            answer = self._once(send)
            if isinstance(answer, Answer):
                if answer.status not in AGAIN:
                    return answer
                pause = max(pause, self._until_reset(answer) if answer.status == 429 else 0)
            self.sleep(pause)
        answer = self._once(send)
        if isinstance(answer, CleverUnavailable):
            raise answer
        if answer.status in AGAIN:
            raise CleverUnavailable(f"Clever answered {answer.status} too many times in a row")
        return answer

    def _once(self, send: Callable[[], Answer]) -> Answer | CleverUnavailable:
        wait = min(self._not_before - self.clock(), WINDOW)
        if wait > 0:
            self.sleep(wait)
        try:
            answer = send()
        except CleverUnavailable as silence:
            return silence
        last_one = answer.headers.get("X-RateLimit-Remaining") == "0"
        if last_one and answer.status not in AGAIN:
            self._not_before = self.clock() + self._until_reset(answer)
        return answer

    def _until_reset(self, answer: Answer) -> float:
        """Seconds until Clever counts anew, by its own word."""
        try:
            left = float(answer.headers["X-RateLimit-Reset"]) - self.clock()
        except (KeyError, ValueError):
            return 0.0
        return min(max(left, 0.0), WINDOW)
