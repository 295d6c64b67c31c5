"""What is measured of our own app alone: its ways in, its pages, against floors of the same run."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bench.contenders import CONTENDERS, Served, served
from bench.load import Login, Site, browser, log_in, percentile
from bench.machine import cpu_seconds
from bench.phases import Length, at_rate, everybody, pupils
from bench.stage import Stage

MANY = 1_000_000  # so many districts and schools that nobody's is known yet
BURST = 64


@dataclass(frozen=True)
class Ways:
    """Medians in milliseconds, beside what the wire alone takes."""

    wire: float  # one round trip, measured
    cold: float
    warm: float
    oidc: float
    portal: float


def ways_in(stage: Stage, length: Length) -> Ways:
    """Logins that know nothing yet, that know district and school, by id token, from the Portal."""
    who = pupils(length, length.steady_rate, length.steady_seconds)
    with served(stage, CONTENDERS["bare"]) as app:
        at_rate(app, everybody(length))
        wire = at_rate(app, who).pages[1] / 4
    with served(stage, CONTENDERS["ours"]) as app:
        at_rate(app, everybody(length))
        warm = at_rate(app, who).p50
        portal = asyncio.run(_portal(app.site, len(who[0])))
        stage.upstream.ask(districts=MANY, schools=MANY)
        cold = at_rate(app, ([PUPILS_ELSEWHERE + each for each in range(len(who[0]))], who[1])).p50
        stage.upstream.ask(districts=1, schools=8)
    with served(stage, CONTENDERS["oidc"]) as app:
        at_rate(app, everybody(length))
        oidc = at_rate(app, who).p50
    return Ways(wire, cold, warm, oidc, portal)


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
            told[f"{which} burst: lost"] = sum(bool(each.error) for each in logins)
            counted = stage.counted(reset=True)
            told[f"{which} burst: handshakes"] = counted["handshakes"]
            told[f"{which} burst: calls in flight"] = counted["most_in_flight"]
    return told


async def _at_once(site: Site) -> list[Login]:
    now = time.perf_counter()
    logins = [Login(number, now) for number in range(BURST)]
    done = await asyncio.gather(*(log_in(site, each) for each in logins), return_exceptions=True)
    for login, error in zip(logins, done, strict=True):
        login.error = str(error) if error else ""
    return logins


def pages_a_second(stage: Stage, seconds: float) -> dict[str, float]:
    """Signed-in dashboards a processor-second, beside hello world with a session in Redis."""
    rates = {}
    for name in ("ours", "hello"):
        with served(stage, CONTENDERS[name]) as app:
            cookies = asyncio.run(_cookies(app))
            asyncio.run(_look(app, cookies, 0.5))
            before = cpu_seconds(app.pid)
            count = asyncio.run(_look(app, cookies, seconds))
            rates[name] = count / (cpu_seconds(app.pid) - before)
    return rates


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
