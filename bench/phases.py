"""What is measured of one contender, phase by phase."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.contenders import Contender, Served, served
from bench.load import Login, browser, log_in, open_loop, percentile
from bench.machine import cpu_seconds, pss_mb
from bench.roster import PUPILS
from bench.stage import Stage

LATE_SECONDS = 1.0


@dataclass(frozen=True)
class Length:
    """How long each phase is."""

    steady_seconds: float = 30
    steady_rate: float = 5
    warm_rate: float = 10
    starts: int = 3
    pupils: int = PUPILS
    counted: int = 20  # logins and pages whose commands are counted
    step_seconds: float = 8
    rates: tuple[float, ...] = (10, 20, 40, 60, 80, 120)


FULL = Length()
QUICK = Length(
    steady_seconds=5, step_seconds=3, rates=(40,), warm_rate=20, starts=1, pupils=20, counted=5
)
TINY = Length(
    steady_seconds=2, steady_rate=10, rates=(), warm_rate=50, starts=1, pupils=20, counted=5
)  # for a test


@dataclass(frozen=True)
class Step:
    """Logins at one rate."""

    rate: float
    logins: int
    errors: Counter[str]
    p50: float  # milliseconds
    p95: float
    p99: float
    pages: list[float]  # the medians of the login page, the callback, the dashboard
    cpu_ms: float  # of the whole process tree, a login

    @property
    def well(self) -> bool:
        """Whether nobody was lost, and nearly nobody waited long."""
        return not self.errors and self.p99 < LATE_SECONDS * 1000


@dataclass(frozen=True)
class Commands:
    """To Redis and to PostgreSQL, on average."""

    store: float
    database: float


@dataclass
class Figures:
    """All that was measured of one contender."""

    contender: Contender
    start_seconds: float = 0.0
    idle_mb: float = 0.0
    used_mb: float = 0.0
    upstream: dict[str, int] = field(default_factory=dict)
    commands: dict[str, Commands] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)  # a steady one, and then ever more

    @property
    def steady(self) -> Step:
        """The one at which nothing is short."""
        return self.steps[0]

    @property
    def kept(self) -> float:
        """The highest rate at which nobody was lost or late."""
        return max((each.rate for each in self.steps if each.well), default=0)

    def a_login(self, name: str) -> float:
        """What the upstream has counted in the steady step, a login."""
        return self.upstream[name] / self.steady.logins


def measure(stage: Stage, contender: Contender, length: Length) -> Figures:
    """Start it, warm it, and go through the phases."""
    figures = Figures(contender)
    starts = []
    for _ in range(length.starts):
        with served(stage, contender) as app:
            starts.append(app.start_seconds)
    figures.start_seconds = percentile(starts, 0.5)
    with served(stage, contender) as app:
        figures.idle_mb = pss_mb(app.workers[0])
        at_rate(app, everybody(length))
        stage.counted(reset=True)
        figures.steps.append(
            at_rate(app, pupils(length, length.steady_rate, length.steady_seconds))
        )
        figures.upstream = stage.counted(reset=True)
        figures.commands = commands(stage, app, length.counted)
        for rate in length.rates:
            if figures.steps[-1].well:
                figures.steps.append(at_rate(app, pupils(length, rate, length.step_seconds)))
        figures.used_mb = pss_mb(app.workers[0])
    return figures


def everybody(length: Length) -> tuple[list[int], float]:
    """Each pupil once, so that all have been here before."""
    return [*range(length.pupils)], length.warm_rate


def pupils(length: Length, rate: float, seconds: float) -> tuple[list[int], float]:
    """Those who log in in so many seconds, one after the other, and their rate."""
    return [number % length.pupils for number in range(int(rate * seconds))], rate


def at_rate(app: Served, who: tuple[Sequence[int], float]) -> Step:
    """Logins at a constant rate, in an open loop."""
    numbers, rate = who
    before = cpu_seconds(app.pid)
    logins = asyncio.run(open_loop(numbers, rate, partial(log_in, app.site)))
    cpu = cpu_seconds(app.pid) - before
    return step(rate, logins, cpu)


def step(rate: float, logins: list[Login], cpu: float) -> Step:
    """What these logins were like."""
    well = [each for each in logins if not each.error] or logins
    took = [each.seconds * 1000 for each in well]
    starts = [[each.due, *each.steps] for each in well]
    pages = [
        percentile([(each[n + 1] - each[n]) * 1000 for each in starts if len(each) > n + 1], 0.5)
        for n in range(min(map(len, starts)) - 1)
    ]
    return Step(
        rate=rate,
        logins=len(logins),
        errors=Counter(each.error for each in logins if each.error),
        p50=percentile(took, 0.5),
        p95=percentile(took, 0.95),
        p99=percentile(took, 0.99),
        pages=pages[:3],
        cpu_ms=cpu / len(logins) * 1000,
    )


def commands(stage: Stage, app: Served, times: int) -> dict[str, Commands]:
    """Store commands and database statements of a login, a signed-in page, an anonymous page."""
    login = Login(0, time.perf_counter())
    asyncio.run(log_in(app.site, login))
    pages = {
        "login": partial(_log_in, app),
        "page": partial(_look, app, "/dashboard", login.cookies),
        "anonymous page": partial(_look, app, "/", {}),
    }
    return {name: _counted(stage, do, times) for name, do in pages.items()}


def _counted(stage: Stage, do: partial[None], times: int) -> Commands:
    stage.log_statements(on=True)
    do()  # a connection of this setting
    commands, statements = stage.store_commands(), stage.statements()
    for _ in range(times):
        do()
    told = sum((Counter(stage.store_commands()) - Counter(commands)).values())
    counted = Commands(told / times, (stage.statements() - statements) / times)
    stage.log_statements(on=False)
    return counted


def _log_in(app: Served) -> None:
    asyncio.run(log_in(app.site, Login(0, time.perf_counter())))


def _look(app: Served, path: str, cookies: dict[str, str]) -> None:
    async def look() -> None:
        async with browser(app.url, cookies) as here:
            await here.get(path)

    asyncio.run(look())
