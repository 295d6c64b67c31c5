"""Measures one contender, phase by phase."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from bench.harness.open_loop import Login, log_in, run_open_loop
from bench.harness.query_counter import QueryCounts, count_queries
from bench.harness.resources import cpu_seconds, pss_mb
from bench.harness.seed_rosters import STUDENT_COUNT
from bench.harness.stack import Stack
from bench.harness.stats import RateStats, percentile, summarize_logins
from bench.peers.contenders import Contender, RunningContender, run_contender

# The upstream's counters, for each contender.
COUNTER_NAMES = ("requests", "connections", "handshakes")


@dataclass(frozen=True)
class PhaseLengths:
    """The length of each phase."""

    steady_seconds: float = 40
    turns: int = 8
    steady_rate: float = 5
    warm_rate: float = 10
    starts: int = 3
    pupils: int = STUDENT_COUNT
    counted: int = 20  # logins and pages whose commands are counted
    step_seconds: float = 8
    rates: tuple[float, ...] = (10, 20, 40, 60, 80, 120)


FULL = PhaseLengths()
QUICK = PhaseLengths(
    steady_seconds=8,
    turns=2,
    warm_rate=20,
    starts=1,
    pupils=20,
    counted=5,
    step_seconds=3,
    rates=(40,),
)
# For a test: slow enough for a busy machine to refuse no login.
TINY = replace(QUICK, steady_seconds=5, steady_rate=4, warm_rate=5, rates=())


@dataclass
class ContenderFigures:
    """All measurements of one contender."""

    contender: Contender
    start_seconds: float = 0.0
    idle_mb: float = 0.0
    first_mb: float = 0.0
    used_mb: float = 0.0
    upstream: Counter[str] = field(default_factory=Counter)
    commands: dict[str, QueryCounts] = field(default_factory=dict)
    steps: list[RateStats] = field(default_factory=list)  # the steady rate, then increasing rates

    @property
    def steady(self) -> RateStats:
        """The step at a rate without overload."""
        return self.steps[0]

    @property
    def highest_rate(self) -> float:
        """The highest rate at which no login failed or was late."""
        return max((step.rate for step in self.steps if step.is_successful), default=0)

    def a_login(self, name: str) -> float:
        """Returns an upstream counter of the steady step, per login."""
        return self.upstream[name] / self.steady.logins


def measure_contenders(
    stage: Stack, contenders: Sequence[Contender], length: PhaseLengths
) -> list[ContenderFigures]:
    """Measures each contender alone, then all side by side."""
    figures = [_measure_alone(stage, contender, length) for contender in contenders]
    _measure_side_by_side(stage, figures, length)
    return figures


def _measure_alone(stage: Stack, contender: Contender, length: PhaseLengths) -> ContenderFigures:
    """Measures startup, sustained rates, store and database commands, and memory."""
    figures = ContenderFigures(contender)
    starts = []
    for _ in range(length.starts):
        with run_contender(stage, contender) as app:
            starts.append(app.start_seconds)
    figures.start_seconds = percentile(starts, 0.5)
    with run_contender(stage, contender) as app:
        figures.idle_mb = pss_mb(app.workers[0])
        asyncio.run(log_in(app.site, Login(0, time.perf_counter())))
        figures.first_mb = pss_mb(app.workers[0])
        run_at_rate(app, every_student(length))
        figures.commands = count_queries(stage, app, length.counted)
        for rate in length.rates:
            if not figures.steps or figures.steps[-1].is_successful:
                figures.steps.append(
                    run_at_rate(app, student_batch(length, rate, length.step_seconds))
                )
        figures.used_mb = pss_mb(app.workers[0])
    sys.stderr.write(f"{contender.label}: {figures.steps}\n")
    return figures


def _measure_side_by_side(
    stage: Stack, all_figures: list[ContenderFigures], length: PhaseLengths
) -> None:
    """Measures logins at one rate, a few seconds of each contender in turn.

    The speed of a shared machine varies. Taking turns exposes all contenders to the same variation.
    """
    seconds = length.steady_seconds / length.turns
    with ExitStack() as stack:
        apps = [
            stack.enter_context(run_contender(stage, contender_figures.contender))
            for contender_figures in all_figures
        ]
        for app in apps:
            run_at_rate(app, every_student(length))
        logins: list[list[Login]] = [[] for _ in apps]
        cpu = [0.0 for _ in apps]
        for turn in range(length.turns):
            for index, app in enumerate(apps):
                stage.counted(reset=True)
                cpu_before = cpu_seconds(app.pid)
                numbers, rate = student_batch(length, length.steady_rate, seconds)
                load = run_open_loop(numbers, rate, partial(log_in, app.site), seed=turn)
                logins[index] += asyncio.run(load)
                cpu[index] += cpu_seconds(app.pid) - cpu_before
                counters = stage.counted(reset=True)
                all_figures[index].upstream.update({name: counters[name] for name in COUNTER_NAMES})
    for index, figures in enumerate(all_figures):
        figures.steps.insert(0, summarize_logins(length.steady_rate, logins[index], cpu[index]))


def every_student(length: PhaseLengths) -> tuple[list[int], float]:
    """Returns each student once, so that all have logged in before, and the warm-up rate."""
    return [*range(length.pupils)], length.warm_rate


def student_batch(length: PhaseLengths, rate: float, seconds: float) -> tuple[list[int], float]:
    """Returns the students who log in during this many seconds, in order, and their rate."""
    return [number % length.pupils for number in range(int(rate * seconds))], rate


def run_at_rate(app: RunningContender, numbers_and_rate: tuple[Sequence[int], float]) -> RateStats:
    """Runs logins at a constant rate, in an open loop."""
    numbers, rate = numbers_and_rate
    cpu_before = cpu_seconds(app.pid)
    logins = asyncio.run(run_open_loop(numbers, rate, partial(log_in, app.site)))
    cpu = cpu_seconds(app.pid) - cpu_before
    return summarize_logins(rate, logins, cpu)
