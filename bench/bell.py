"""First bell: a whole district at once, a bad morning, Clever gone, and more machines."""

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

from bench.contenders import CONTENDERS, Served, served
from bench.load import Login, SomebodyElses, Wrong, browser, log_in, open_loop
from bench.machine import cpu_seconds, pss_mb
from bench.nginx import balanced
from bench.stage import Stage
from bench.step import Step, percentile, step

WORKERS = 2
PEOPLE, BELL_RATE = 20_000, 222.0
BAD = {"slow": 0.01, "error": 0.005, "reset": 0.001}
TWICE, AGAIN_SECONDS = 0.1, 3.0  # who clicks twice; after how long who failed tries again
GONE_SECONDS, SHARE_OF_A_BAD_MINUTE = 30, 0.1
_numbers = itertools.count(1_000_000)  # nobody has been here before


@dataclass(frozen=True)
class Bell:
    """Logins at one rate, and what each program took of the processors meanwhile, in seconds."""

    step: Step
    seconds: float
    cpu: dict[str, float]
    memory_mb: float  # of the larger worker, afterwards


@contextmanager
def _app(stage: Stage) -> Iterator[Served]:
    with served(stage, CONTENDERS["ours"], workers=WORKERS) as app:
        asyncio.run(open_loop(range(100), 10, partial(log_in, app.site)))
        yield app


def highest(stage: Stage, app: Served, rates: tuple[float, ...], seconds: float) -> list[Bell]:
    """Ever higher rates, each for so many seconds, up to the first that is not kept."""
    found: list[Bell] = []
    for rate in rates:
        found.append(ring(stage, app, rate, int(rate * seconds)))
        if not found[-1].step.well:
            break
    return found


def ring(stage: Stage, app: Served, rate: float, people: int) -> Bell:
    """So many people who have never been here, at a constant rate."""
    before, began = _cpu(stage, app), time.perf_counter()
    logins = asyncio.run(
        open_loop([next(_numbers) for _ in range(people)], rate, partial(log_in, app.site))
    )
    after = _cpu(stage, app)
    cpu = {name: after[name] - before[name] for name in after}
    memory = max(pss_mb(pid) for pid in app.workers)
    return Bell(step(rate, logins, cpu["app"]), time.perf_counter() - began, cpu, memory)


def _cpu(stage: Stage, app: Served) -> dict[str, float]:
    own = {
        "app": sum(cpu_seconds(pid) for pid in (app.pid, *app.others)),
        "browsers": time.process_time(),
        "nginx": cpu_seconds(app.proxy) if app.proxy else 0.0,
    }
    return own | stage.cpu()


def district_bell(
    stage: Stage, rates: tuple[float, ...], seconds: float, people: int
) -> tuple[list[Bell], Bell]:
    """What is kept, and 222 a second beside it."""
    with _app(stage) as app:
        kept = highest(stage, app, rates, seconds)
        return kept, ring(stage, app, BELL_RATE, people)


@dataclass(frozen=True)
class Morning:
    """What became of everybody in a bad morning."""

    logins: int
    tries: int
    worst_minute: float  # share of tries that failed
    never: int  # who did not get in by the third try
    exchanged_again: int
    wrong_pages: int
    memory_mb: tuple[float, float]  # of a worker, before and after
    p99: float


def bad_morning(stage: Stage, rate: float, seconds: float) -> Morning:
    """Clever is slow, fails and hangs up now and then; people click twice and try again."""
    chance, tries, wrong = random.Random(3), list[tuple[float, bool]](), list[int]()  # noqa: S311 # the same each time

    async def arrive(app: Served, login: Login) -> None:
        for attempt in range(3):
            clicks = 2 if chance.random() < TWICE else 1
            try:
                await log_in(app.site, login, clicks=clicks)
            except SomebodyElses:
                wrong.append(login.number)
                raise
            except (Wrong, OSError, EOFError) as error:
                tries.append((time.perf_counter(), False))
                if attempt == 2:
                    raise Wrong(f"never in: {error}") from error
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                tries.append((time.perf_counter(), True))
                return

    with _app(stage) as app:
        before = max(pss_mb(pid) for pid in app.workers)
        stage.counted(reset=True)
        stage.upstream.ask(shares=BAD)
        numbers = [next(_numbers) for _ in range(int(rate * seconds))]
        logins = asyncio.run(open_loop(numbers, rate, partial(arrive, app)))
        stage.upstream.ask(shares={})
        counted = stage.counted(reset=True)
        after = max(pss_mb(pid) for pid in app.workers)
    return Morning(
        logins=len(logins),
        tries=len(tries),
        worst_minute=_worst_minute(tries),
        never=sum(bool(each.error) for each in logins),
        exchanged_again=counted["codes_exchanged_again"],
        wrong_pages=len(wrong),
        memory_mb=(before, after),
        p99=percentile([each.seconds * 1000 for each in logins], 0.99),
    )


def _worst_minute(tries: list[tuple[float, bool]]) -> float:
    """The largest share of failures in any whole minute, or in all if it was shorter."""
    first = min(moment for moment, _ in tries)
    minutes: dict[int, Counter[bool]] = {}
    for moment, well in tries:
        minutes.setdefault(int((moment - first) / 60), Counter())[well] += 1
    enough = [each for each in minutes.values() if each.total() > 100] or list(minutes.values())
    return max(each[False] / each.total() for each in enough)


@dataclass(frozen=True)
class Gone:
    """What people saw while Clever was gone."""

    told: Counter[str]
    told_p99: float  # milliseconds until they were told
    pages: Counter[int]  # by status
    pages_p99: float
    well_after: float  # seconds after it was back until the last login failed


def clever_gone(stage: Stage, rate: float, seconds: float = GONE_SECONDS) -> Gone:
    """Before, during and after an outage of so many seconds; somebody signed in looks all along."""
    with _app(stage) as app:
        signed_in = Login(0, time.perf_counter())
        asyncio.run(log_in(app.site, signed_in))
        numbers = [next(_numbers) for _ in range(int(rate * 2 * seconds))]

        async def play() -> tuple[list[Login], list[tuple[float, int]], float, float]:
            pages: list[tuple[float, int]] = []
            looking = asyncio.create_task(_look(app, signed_in.cookies, pages))
            logins = asyncio.create_task(open_loop(numbers, rate, partial(log_in, app.site)))
            await asyncio.sleep(seconds / 2)
            stage.wire.ask(cut=True)
            cut = time.perf_counter()
            await asyncio.sleep(seconds)
            stage.wire.ask(cut=False)
            mended = time.perf_counter()
            found = await logins
            looking.cancel()
            return found, pages, cut, mended

        logins, pages, cut, mended = asyncio.run(play())
    failed = [each for each in logins if each.error]
    told = [each.seconds * 1000 for each in failed if cut < each.due < mended]
    late = [each.due - mended for each in failed if each.due > mended]
    return Gone(
        told=Counter(each.error for each in failed),
        told_p99=percentile(told, 0.99) if told else 0.0,
        pages=Counter(status for _, status in pages),
        pages_p99=percentile([took * 1000 for took, _ in pages], 0.99),
        well_after=max(late, default=0.0),
    )


async def _look(app: Served, cookies: dict[str, str], pages: list[tuple[float, int]]) -> None:
    """The dashboard, ten times a second."""
    while True:
        began = time.perf_counter()
        async with browser(app.url, cookies) as here:
            status = (await here.get("/dashboard")).status
        pages.append((time.perf_counter() - began, status))
        await asyncio.sleep(0.1)


def more_machines(
    stage: Stage, counts: tuple[int, ...], rates: tuple[float, ...], seconds: float
) -> dict[int, list[Bell]]:
    """So many app processes behind one nginx: what each number of them keeps."""
    found = {}
    for count in counts:
        with balanced(stage, count) as app:
            asyncio.run(open_loop(range(100), 10, partial(log_in, app.site)))
            found[count] = highest(stage, app, rates, seconds)
    return found
