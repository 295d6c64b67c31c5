"""Whether one commit costs what another did: ratios of pairs, with a confidence interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MARGIN = 0.05  # processor time may differ by so much
SAME = 0.01  # of a login or page: counts are whole numbers, so less is a chance of the moment
# Student's t, two-sided 95 %, by degrees of freedom; beyond the table it changes little.
T_95 = (
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365),
    (8, 2.306), (9, 2.262), (10, 2.228), (11, 2.201), (12, 2.179), (13, 2.160), (14, 2.145),
    (15, 2.131), (17, 2.110), (19, 2.093), (23, 2.069), (29, 2.045), (39, 2.023), (59, 2.001),
)  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """New over old: the best guess, and a 95 % confidence interval."""

    middle: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """In a word or two, which `bench/ab` and its exit code go by."""
        if self.low >= 1 - MARGIN and self.high <= 1 + MARGIN:
            return "same"
        if self.low > 1 + MARGIN:
            return "more"
        if self.high < 1 - MARGIN:
            return "less"
        return "not decided"


def ratio(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """The ratio of pairs measured one after the other, by a t interval of its logarithm."""
    logs = [math.log(after / before) for before, after in zip(old, new, strict=True)]
    middle = statistics.fmean(logs)
    error = statistics.stdev(logs) / math.sqrt(len(logs)) * student(len(logs) - 1)
    return Ratio(math.exp(middle), math.exp(middle - error), math.exp(middle + error))


def student(degrees: int) -> float:
    """Student's t for a 95 % interval; between two rows of the table that of the fewer."""
    return next(value for known, value in reversed(T_95) if known <= degrees)


def counted(old: float, new: float) -> str:
    """Whether a count of whole things is the same."""
    if abs(new - old) <= SAME:
        return "same"
    return "more" if new > old else "less"
