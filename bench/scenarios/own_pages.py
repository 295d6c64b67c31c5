"""Measurements of this app alone: its logins and its pages, with floors of the same run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass

from bench.harness.open_loop import Login, Site, log_in, open_browser
from bench.harness.resources import cpu_seconds
from bench.harness.stack import Stack
from bench.harness.stats import percentile
from bench.peers.contenders import CONTENDERS, RunningContender, run_contender
from bench.scenarios.phases import PhaseLengths, every_student, run_at_rate, student_batch

MANY_RECORDS = 1_000_000  # so many districts and schools that none is cached yet
BURST_SIZE = 64


@dataclass(frozen=True)
class LoginTimes:
    """Median times in milliseconds, measured for this app only."""

    cold: float
    portal: float


def measure_login_times(stage: Stack, length: PhaseLengths) -> LoginTimes:
    """Measures logins with nothing cached, and launches from the Portal."""
    numbers, rate = student_batch(length, length.steady_rate, length.steady_seconds / 2)
    with run_contender(stage, CONTENDERS["ours"]) as app:
        run_at_rate(app, every_student(length))
        portal = asyncio.run(_measure_portal(app.site, len(numbers)))
        stage.upstream.ask(districts=MANY_RECORDS, schools=MANY_RECORDS)
        cold = run_at_rate(
            app, ([FIRST_UNSEEN_STUDENT + number for number in range(len(numbers))], rate)
        ).p50
        stage.upstream.ask(districts=1, schools=8)
    return LoginTimes(cold, portal)


FIRST_UNSEEN_STUDENT = 500_000


async def _measure_portal(site: Site, times: int) -> float:
    """Measures what a Portal launch adds: the callback without a state, redirected to Clever."""
    milliseconds = []
    for number in range(times):
        async with open_browser(site.url) as browser:
            began = time.perf_counter()
            page = await browser.get(f"{site.callback}?code=launch-{number}")
            milliseconds.append((time.perf_counter() - began) * 1000)
            assert page.status == 302
    return percentile(milliseconds, 0.5)


def measure_burst(stage: Stack) -> dict[str, int]:
    """Runs two bursts of simultaneous logins, and counts failures and connections."""
    with run_contender(stage, CONTENDERS["ours"]) as app:
        stage.counted(reset=True)
        figures = {}
        for burst in ("first", "second"):
            logins = asyncio.run(_log_in_at_once(app.site))
            figures[f"{burst} burst: failed logins"] = sum(bool(login.error) for login in logins)
            counters = stage.counted(reset=True)
            figures[f"{burst} burst: TLS handshakes"] = counters["handshakes"]
            figures[f"{burst} burst: simultaneous requests to Clever"] = counters["most_in_flight"]
    return figures


async def _log_in_at_once(site: Site) -> list[Login]:
    now = time.perf_counter()
    logins = [Login(number, now) for number in range(BURST_SIZE)]
    results = await asyncio.gather(
        *(log_in(site, login) for login in logins), return_exceptions=True
    )
    for login, error in zip(logins, results, strict=True):
        login.error = str(error) if error else ""
    return logins


def measure_pages_per_second(stage: Stack, seconds: float, turns: int = 8) -> dict[str, float]:
    """Measures signed-in dashboards per CPU second, alternating with a hello-world page."""
    counts, cpu = Counter[str](), defaultdict[str, float](float)
    with ExitStack() as stack:
        apps = {
            name: stack.enter_context(run_contender(stage, CONTENDERS[name]))
            for name in ("ours", "hello")
        }
        cookies = {name: asyncio.run(_session_cookies(app)) for name, app in apps.items()}
        for name, app in apps.items():
            asyncio.run(_count_pages(app, cookies[name], 0.5))
        for _ in range(turns):
            for name, app in apps.items():
                cpu_before = cpu_seconds(app.pid)
                counts[name] += asyncio.run(_count_pages(app, cookies[name], seconds / turns))
                cpu[name] += cpu_seconds(app.pid) - cpu_before
    return {name: counts[name] / cpu[name] for name in apps}


async def _session_cookies(app: RunningContender) -> dict[str, str]:
    if app.contender.callback:
        login = Login(0, time.perf_counter())
        await log_in(app.site, login)
        return login.cookies
    async with open_browser(app.url) as browser:
        await browser.get("/login")
        return browser.cookies


async def _count_pages(app: RunningContender, cookies: dict[str, str], seconds: float) -> int:
    """Counts the pages that four browsers request repeatedly."""
    until, counts = time.perf_counter() + seconds, []

    async def look() -> None:
        count = 0
        async with open_browser(app.url, cookies) as browser:
            while time.perf_counter() < until:
                assert (await browser.get("/dashboard")).status == 200
                count += 1
        counts.append(count)

    await asyncio.gather(*(look() for _ in range(4)))
    return sum(counts)
