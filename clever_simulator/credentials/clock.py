"""The simulator's clock, which tests and the steps of the school year move forward."""

import time
from datetime import UTC, datetime


def format_timestamp(seconds: float) -> str:
    """Formats seconds since 1970 as ISO 8601 in UTC, with milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class Clock:
    """The current time in seconds since 1970, which a test can move forward."""

    def __init__(self) -> None:
        self.restore()

    def restore(self) -> None:
        """Resets to the real time."""
        self._offset = 0.0
        self._skipped = 0.0

    def now(self) -> float:
        """Returns seconds since 1970 as the simulator sees them."""
        return time.time() + self._offset

    def timestamp(self) -> str:
        """Returns the current time in the format of records."""
        return format_timestamp(self.now())

    def advance(self, seconds: float) -> None:
        """Moves the clock forward, so that codes, tokens and rate limits age without waiting."""
        self._offset += seconds

    def skip(self, seconds: float) -> None:
        """Moves the clock forward for a step of the school year, on the simulator's side only."""
        self._offset += seconds
        self._skipped += seconds

    def wall_time(self) -> float:
        """Returns the time without skipped seconds.

        ID tokens and the Date header use it: an app checks them against its own clock and would
        refuse a skipped time.
        """
        return self.now() - self._skipped
