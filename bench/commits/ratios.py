"""Compares the costs of two commits: ratios of pairs, with a confidence interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MARGIN = 0.05  # CPU time may differ by this share
SAME = 0.01  # per login or page; smaller differences are chance, because counts are whole numbers
# Student's t, two-sided 95 %, by degrees of freedom. Beyond the table it changes little.
T_95 = (
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365),
    (8, 2.306), (9, 2.262), (10, 2.228), (11, 2.201), (12, 2.179), (13, 2.160), (14, 2.145),
    (15, 2.131), (17, 2.110), (19, 2.093), (23, 2.069), (29, 2.045), (39, 2.023), (59, 2.001),
)  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """New divided by old: the estimate and its 95 % confidence interval."""

    middle: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """The result in words, which `bench/ab` prints and uses for its exit code."""
        if self.low >= 1 - MARGIN and self.high <= 1 + MARGIN:
            return "same"
        if self.low > 1 + MARGIN:
            return "more"
        if self.high < 1 - MARGIN:
            return "less"
        return "not decided"


def ratio(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """Returns the ratio of pairs measured in turn, with a t interval of its logarithm."""
    logs = [math.log(new_value / old_value) for old_value, new_value in zip(old, new, strict=True)]
    middle = statistics.fmean(logs)
    error = statistics.stdev(logs) / math.sqrt(len(logs)) * student(len(logs) - 1)
    return Ratio(math.exp(middle), math.exp(middle - error), math.exp(middle + error))


def student(degrees: int) -> float:
    """Returns Student's t for a 95 % interval.

    Between two rows of the table, uses the row with fewer degrees of freedom.
    """
    return next(value for row_degrees, value in reversed(T_95) if row_degrees <= degrees)


def compare_counts(old: float, new: float) -> str:
    """Returns whether a count is the same, more or less."""
    if abs(new - old) <= SAME:
        return "same"
    return "more" if new > old else "less"
