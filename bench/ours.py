"""What is measured of our own app alone: its ways in, its pages, against floors of the same run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass

from bench.contenders import CONTENDERS, Served, served
from bench.load import Login, Site, browser, log_in
from bench.machine import cpu_seconds
from bench.phases import Length, at_rate, everybody, pupils
from bench.stage import Stage
from bench.step import percentile

MANY = 1_000_000  # so many districts and schools that nobody's is known yet
BURST = 64


@dataclass(frozen=True)
class Ways:
    """Medians in milliseconds, of what is measured of us alone."""

    cold: float
    portal: float


def ways_in(stage: Stage, length: Length) -> Ways:
    """Logins that know nothing yet, and launches from the Portal."""
    numbers, rate = pupils(length, length.steady_rate, length.steady_seconds / 2)
    with served(stage, CONTENDERS["ours"]) as app:
        at_rate(app, everybody(length))
        portal = asyncio.run(_portal(app.site, len(numbers)))
        stage.upstream.ask(districts=MANY, schools=MANY)
        cold = at_rate(app, ([PUPILS_ELSEWHERE + each for each in range(len(numbers))], rate)).p50
        stage.upstream.ask(districts=1, schools=8)
    return Ways(cold, portal)


PUPILS_ELSEWHERE = 500_000


async def _portal(site: Site, times: int) -> float:
    """What a launch by Clever adds: the callback without a state, led back to Clever."""
    took = []
    for number in range(times):
        async with browser(site.url) as here:
            began = time.perf_counter()
            page = await here.get(f"{site.callback}?code=launch-{number}")
            took.append((time.perf_counter() - began) * 1000)
            assert page.status == 302
    return percentile(took, 0.5)


def burst(stage: Stage) -> dict[str, int]:
    """So many logins at the same moment, twice: who fails, and what is opened."""
    with served(stage, CONTENDERS["ours"]) as app:
        stage.counted(reset=True)
        told = {}
        for which in ("first", "second"):
            logins = asyncio.run(_at_once(app.site))
            told[f"{which} burst: failed logins"] = sum(bool(each.error) for each in logins)
            counted = stage.counted(reset=True)
            told[f"{which} burst: TLS handshakes"] = counted["handshakes"]
            told[f"{which} burst: simultaneous requests to Clever"] = counted["most_in_flight"]
    return told


async def _at_once(site: Site) -> list[Login]:
    now = time.perf_counter()
    logins = [Login(number, now) for number in range(BURST)]
    done = await asyncio.gather(*(log_in(site, each) for each in logins), return_exceptions=True)
    for login, error in zip(logins, done, strict=True):
        login.error = str(error) if error else ""
    return logins


def pages_a_second(stage: Stage, seconds: float, turns: int = 8) -> dict[str, float]:
    """Signed-in dashboards a processor-second, and those of hello world, in turn."""
    counts, cpu = Counter[str](), defaultdict[str, float](float)
    with ExitStack() as stack:
        apps = {
            name: stack.enter_context(served(stage, CONTENDERS[name])) for name in ("ours", "hello")
        }
        cookies = {name: asyncio.run(_cookies(app)) for name, app in apps.items()}
        for name, app in apps.items():
            asyncio.run(_look(app, cookies[name], 0.5))
        for _ in range(turns):
            for name, app in apps.items():
                before = cpu_seconds(app.pid)
                counts[name] += asyncio.run(_look(app, cookies[name], seconds / turns))
                cpu[name] += cpu_seconds(app.pid) - before
    return {name: counts[name] / cpu[name] for name in apps}


async def _cookies(app: Served) -> dict[str, str]:
    if app.contender.callback:
        login = Login(0, time.perf_counter())
        await log_in(app.site, login)
        return login.cookies
    async with browser(app.url) as here:
        await here.get("/login")
        return here.cookies


async def _look(app: Served, cookies: dict[str, str], seconds: float) -> int:
    """Four browsers that look again and again."""
    until, counts = time.perf_counter() + seconds, []

    async def look() -> None:
        count = 0
        async with browser(app.url, cookies) as here:
            while time.perf_counter() < until:
                assert (await here.get("/dashboard")).status == 200
                count += 1
        counts.append(count)

    await asyncio.gather(*(look() for _ in range(4)))
    return sum(counts)
