"""First bell: a whole district at once, a bad morning, a Clever outage, and more machines."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench.harness.nginx import run_behind_nginx
from bench.harness.open_loop import (
    Login,
    WrongAnswer,
    WrongPersonPage,
    log_in,
    open_browser,
    run_open_loop,
)
from bench.harness.resources import cpu_seconds, pss_mb
from bench.harness.stack import Stack
from bench.harness.stats import RateStats, percentile, summarize_logins
from bench.peers.contenders import CONTENDERS, RunningContender, run_contender

WORKERS = 2
PEOPLE_COUNT, SPIKE_RATE = 20_000, 222.0
FAULT_SHARES = {"slow": 0.01, "error": 0.005, "reset": 0.001}
DOUBLE_CLICK_SHARE, RETRY_AFTER_SECONDS = (
    0.1,
    3.0,
)  # share who click twice; delay before a failed user retries
OUTAGE_SECONDS, BAD_MINUTE_SHARE = 30, 0.1
_student_numbers = itertools.count(1_000_000)  # new users


@dataclass(frozen=True)
class SpikeResult:
    """Logins at one rate, and the CPU time that each program used meanwhile, in seconds."""

    step: RateStats
    seconds: float
    cpu: dict[str, float]
    memory_mb: float  # of the larger worker, afterwards


@contextmanager
def _warm_app(stage: Stack) -> Iterator[RunningContender]:
    with run_contender(stage, CONTENDERS["ours"], workers=WORKERS) as app:
        asyncio.run(run_open_loop(range(100), 10, partial(log_in, app.site)))
        yield app


def find_highest_rate(
    stage: Stack, app: RunningContender, rates: tuple[float, ...], seconds: float
) -> list[SpikeResult]:
    """Measures increasing rates, `seconds` each, up to the first that is not sustained."""
    results: list[SpikeResult] = []
    for rate in rates:
        results.append(run_spike(stage, app, rate, int(rate * seconds)))
        if not results[-1].step.is_successful:
            break
    return results


def run_spike(stage: Stack, app: RunningContender, rate: float, people: int) -> SpikeResult:
    """Logs in this many new users at a constant rate."""
    cpu_before, began = _cpu(stage, app), time.perf_counter()
    logins = asyncio.run(
        run_open_loop(
            [next(_student_numbers) for _ in range(people)], rate, partial(log_in, app.site)
        )
    )
    after = _cpu(stage, app)
    cpu = {name: after[name] - cpu_before[name] for name in after}
    memory = max(pss_mb(pid) for pid in app.workers)
    return SpikeResult(
        summarize_logins(rate, logins, cpu["app"]), time.perf_counter() - began, cpu, memory
    )


def _cpu(stage: Stack, app: RunningContender) -> dict[str, float]:
    cpu_by_part = {
        "app": sum(cpu_seconds(pid) for pid in (app.pid, *app.others)),
        "browsers": time.process_time(),
        "nginx": cpu_seconds(app.proxy) if app.proxy else 0.0,
    }
    return cpu_by_part | stage.cpu()


def run_district_spike(
    stage: Stack, rates: tuple[float, ...], seconds: float, people: int
) -> tuple[list[SpikeResult], SpikeResult]:
    """Returns the sustained rates, and a run at 222 logins a second."""
    with _warm_app(stage) as app:
        results = find_highest_rate(stage, app, rates, seconds)
        return results, run_spike(stage, app, SPIKE_RATE, people)


@dataclass(frozen=True)
class DegradedResult:
    """The results of a bad morning."""

    logins: int
    tries: int
    worst_minute: float  # share of tries that failed
    never: int  # users who did not log in within three tries
    exchanged_again: int
    wrong_pages: int
    memory_mb: tuple[float, float]  # of a worker, before and after
    p99: float


def run_degraded(stage: Stack, rate: float, seconds: float) -> DegradedResult:
    """Logs in users who click twice and retry, while Clever is sometimes slow or failing."""
    chance = random.Random(3)  # noqa: S311 # a fixed seed, so that each run is the same
    attempts, wrong_people = list[tuple[float, bool]](), list[int]()

    async def arrive(app: RunningContender, login: Login) -> None:
        for attempt in range(3):
            clicks = 2 if chance.random() < DOUBLE_CLICK_SHARE else 1
            try:
                await log_in(app.site, login, clicks=clicks)
            except WrongPersonPage:
                wrong_people.append(login.number)
                raise
            except (WrongAnswer, OSError, EOFError) as error:
                attempts.append((time.perf_counter(), False))
                if attempt == 2:
                    raise WrongAnswer(f"never in: {error}") from error
                await asyncio.sleep(RETRY_AFTER_SECONDS)
            else:
                attempts.append((time.perf_counter(), True))
                return

    with _warm_app(stage) as app:
        memory_before = max(pss_mb(pid) for pid in app.workers)
        stage.counted(reset=True)
        stage.upstream.ask(shares=FAULT_SHARES)
        numbers = [next(_student_numbers) for _ in range(int(rate * seconds))]
        logins = asyncio.run(run_open_loop(numbers, rate, partial(arrive, app)))
        stage.upstream.ask(shares={})
        counters = stage.counted(reset=True)
        after = max(pss_mb(pid) for pid in app.workers)
    return DegradedResult(
        logins=len(logins),
        tries=len(attempts),
        worst_minute=_worst_minute(attempts),
        never=sum(bool(login.error) for login in logins),
        exchanged_again=counters["codes_exchanged_again"],
        wrong_pages=len(wrong_people),
        memory_mb=(memory_before, after),
        p99=percentile([login.seconds * 1000 for login in logins], 0.99),
    )


def _worst_minute(tries: list[tuple[float, bool]]) -> float:
    """Returns the highest failure share of any minute with over 100 tries.

    If no minute has over 100 tries, all minutes count.
    """
    first = min(moment for moment, _ in tries)
    minutes: dict[int, Counter[bool]] = {}
    for moment, succeeded in tries:
        minutes.setdefault(int((moment - first) / 60), Counter())[succeeded] += 1
    busy_minutes = [minute for minute in minutes.values() if minute.total() > 100] or list(
        minutes.values()
    )
    return max(minute[False] / minute.total() for minute in busy_minutes)


@dataclass(frozen=True)
class OutageResult:
    """What users saw during an outage of Clever."""

    errors: Counter[str]
    errors_p99: float  # milliseconds until the error page
    pages: Counter[int]  # by status
    pages_p99: float
    last_error_after: float  # seconds from the end of the outage to the last failed login


def run_outage(stage: Stack, rate: float, seconds: float = OUTAGE_SECONDS) -> OutageResult:
    """Measures before, during and after an outage, while a signed-in user opens pages."""
    with _warm_app(stage) as app:
        signed_in = Login(0, time.perf_counter())
        asyncio.run(log_in(app.site, signed_in))
        numbers = [next(_student_numbers) for _ in range(int(rate * 2 * seconds))]

        async def play() -> tuple[list[Login], list[tuple[float, int]], float, float]:
            pages: list[tuple[float, int]] = []
            looking = asyncio.create_task(_poll_dashboard(app, signed_in.cookies, pages))
            logins = asyncio.create_task(run_open_loop(numbers, rate, partial(log_in, app.site)))
            await asyncio.sleep(seconds / 2)
            stage.wire.ask(cut=True)
            cut = time.perf_counter()
            await asyncio.sleep(seconds)
            stage.wire.ask(cut=False)
            restored = time.perf_counter()
            logins_seen = await logins
            looking.cancel()
            return logins_seen, pages, cut, restored

        logins, pages, cut, restored = asyncio.run(play())
    failed = [login for login in logins if login.error]
    outage_milliseconds = [login.seconds * 1000 for login in failed if cut < login.due < restored]
    late = [login.due - restored for login in failed if login.due > restored]
    return OutageResult(
        errors=Counter(login.error for login in failed),
        errors_p99=percentile(outage_milliseconds, 0.99) if outage_milliseconds else 0.0,
        pages=Counter(status for _, status in pages),
        pages_p99=percentile([seconds * 1000 for seconds, _ in pages], 0.99),
        last_error_after=max(late, default=0.0),
    )


async def _poll_dashboard(
    app: RunningContender, cookies: dict[str, str], pages: list[tuple[float, int]]
) -> None:
    """Requests the dashboard ten times a second."""
    while True:
        began = time.perf_counter()
        async with open_browser(app.url, cookies) as browser:
            status = (await browser.get("/dashboard")).status
        pages.append((time.perf_counter() - began, status))
        await asyncio.sleep(0.1)


def run_scale_out(
    stage: Stack, counts: tuple[int, ...], rates: tuple[float, ...], seconds: float
) -> dict[int, list[SpikeResult]]:
    """Measures the sustained rates of different numbers of app processes behind one nginx."""
    results = {}
    for count in counts:
        with run_behind_nginx(stage, count) as app:
            asyncio.run(run_open_loop(range(100), 10, partial(log_in, app.site)))
            results[count] = find_highest_rate(stage, app, rates, seconds)
    return results
