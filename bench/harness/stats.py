"""Statistics of logins at one rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.harness.open_loop import Login

LATE_SECONDS = 1.0


@dataclass(frozen=True)
class RateStats:
    """Logins at one rate."""

    rate: float
    logins: int
    errors: Counter[str]
    p50: float  # milliseconds
    p95: float
    p99: float
    # The medians of the login page, the callback and the dashboard, in milliseconds.
    pages: list[float]
    cpu_ms: float  # of the whole process tree, per login

    @property
    def is_successful(self) -> bool:
        """Whether no login failed and the 99th percentile is below a second."""
        return not self.errors and self.p99 < LATE_SECONDS * 1000


def summarize_logins(rate: float, logins: list[Login], cpu: float) -> RateStats:
    """Summarizes logins. Failed logins count for times only if all failed."""
    successful = [login for login in logins if not login.error] or logins
    milliseconds = [login.seconds * 1000 for login in successful]
    starts = [[login.due, *login.steps] for login in successful]
    pages = [
        percentile(
            [(login[n + 1] - login[n]) * 1000 for login in starts if len(login) > n + 1], 0.5
        )
        for n in range(min(map(len, starts)) - 1)
    ]
    return RateStats(
        rate=rate,
        logins=len(logins),
        errors=Counter(login.error for login in logins if login.error),
        p50=percentile(milliseconds, 0.5),
        p95=percentile(milliseconds, 0.95),
        p99=percentile(milliseconds, 0.99),
        pages=pages[:3],
        cpu_ms=cpu / len(logins) * 1000,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
