"""Rate limits and retries for jobs that read a whole district.

Waits as long as Clever asks, MAX_WAIT_SECONDS at most, and retries as often as Clever advises. A
login has no time for this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clever_login.clever.retries import CleverResponse
from clever_login.errors import CleverUnavailable, NotJson

RETRY_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds; Clever advises to stop after five
ATTEMPTS = len(RETRY_PAUSES_SECONDS) + 1


@dataclass
class RetryPolicy:
    """Waits and retries for one token.

    Tests may replace `clock` (seconds since 1970) and `sleep`.
    """

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _not_before: float = field(default=0.0, init=False)

    def ask(self, send: Callable[[], CleverResponse]) -> CleverResponse:
        """Send a request until the response is not temporary (see clever/retries).

        A status that blames the request is returned, not retried. After five pauses, raises NotJson
        if the last response was cut off, otherwise CleverUnavailable.
        """
        for pause in RETRY_PAUSES_SECONDS:
            response = self._once(send)
            if isinstance(response, CleverResponse):
                if not response.temporary:
                    return response
                pause = max(pause, response.seconds_to_wait(self.clock()) or 0.0)
            self.sleep(pause)
        return _last(self._once(send))

    def _once(self, send: Callable[[], CleverResponse]) -> CleverResponse | CleverUnavailable:
        wait = self._not_before - self.clock()
        if wait > 0:
            self.sleep(wait)
        try:
            response = send()
        except CleverUnavailable as silence:
            return silence
        last_one = response.headers.get("X-RateLimit-Remaining") == "0"
        if last_one and not response.temporary:
            now = self.clock()
            self._not_before = now + (response.seconds_until_reset(now) or 0.0)
        return response


def _last(response: CleverResponse | CleverUnavailable) -> CleverResponse:
    """Return the response to the last attempt, or raise the reason why there is none."""
    if isinstance(response, CleverUnavailable):
        raise response
    if response.cut_off:
        raise NotJson(
            f"Clever's response was not complete JSON {ATTEMPTS} times in a row: it was cut off, "
            "or a proxy answered instead of Clever"
        )
    if response.temporary:
        raise CleverUnavailable(f"Clever answered {response.status} too many times in a row")
    return response
