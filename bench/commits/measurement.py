"""One turn of a comparison: starts a commit, warms it up, and measures logins and pages."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial

from bench.commits.deployment import Deployed, Installed, deployed
from bench.fake_clever.responses import ENROLLED, TEACHERS
from bench.harness.open_loop import Login, Site, WrongAnswer, log_in, open_browser
from bench.harness.stack import Stack

WARM_LOGINS = 12  # psycopg prepares a statement at its fifth use
PAGES_A_LOGIN = 2  # a page costs a quarter of a login, so measure more for the same precision
STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): *(\w+)")
LOGIN, STUDENT, TEACHER = "login", "dashboard of a student", "dashboard of a teacher"
STATEMENTS, STORE, CALLS = "SQL statements", "store commands", "calls to Clever"
Do = Callable[[int], Coroutine[None, None, None]]


@dataclass(frozen=True)
class Cost:
    """The average cost of one login or one page."""

    cpu_ms: float
    counts: dict[str, Counter[str]]  # by kind: totals by name, over all `times`
    times: int

    def count(self, kind: str) -> float:
        """Returns the average count of a kind."""
        return self.counts[kind].total() / self.times

    def by_name(self, kind: str) -> dict[str, float]:
        """Returns the average counts of a kind, by command, statement or path."""
        return {name: count / self.times for name, count in self.counts[kind].items()}


@dataclass(frozen=True)
class Turn:
    """The measurements of a commit from start to stop."""

    start_seconds: float
    idle_mb: float
    costs: dict[str, Cost] = field(default_factory=dict)


def turn(stage: Stack, installed: Installed, logins: int) -> Turn:
    """Starts a commit, warms it up, measures it, and stops it."""
    with deployed(installed) as app:
        result = Turn(app.start_seconds, app.worker_mb())
        asyncio.run(_logins(app, WARM_LOGINS))
        pages = logins * PAGES_A_LOGIN
        units: dict[str, tuple[Do, int]] = {
            LOGIN: (partial(_logins, app), logins),
            STUDENT: (partial(_pages, app, asyncio.run(_cookies(app, 0))), pages),
            TEACHER: (partial(_pages, app, asyncio.run(_cookies(app, TEACHERS))), pages),
        }
        for unit, (do, times) in units.items():
            asyncio.run(do(WARM_LOGINS))
            result.costs[unit] = _cost(stage, app, do, times)
    return result


def _cost(stage: Stack, app: Deployed, do: Do, times: int) -> Cost:
    stage.counted(reset=True)
    log = stage.folder / "postgres.log"
    store, read, cpu = Counter(stage.store_commands()), log.stat().st_size, app.cpu_seconds()
    asyncio.run(do(times))
    cpu = app.cpu_seconds() - cpu
    with log.open("rb") as file:
        file.seek(read)
        statements = STATEMENT.findall(file.read().decode("utf-8", "replace"))
    counts = {
        STATEMENTS: Counter(statements),
        STORE: Counter(stage.store_commands()) - store,
        CALLS: Counter(stage.counted()["by_path"]),
    }
    return Cost(cpu / times * 1000, counts, times)


async def _logins(app: Deployed, times: int) -> None:
    """Logs in one user after another, each in a new browser: login page, callback, dashboard."""
    for number in range(times):
        await _cookies(app, number % ENROLLED)


async def _cookies(app: Deployed, number: int) -> dict[str, str]:
    """Returns the cookies of a user's browser after login."""
    login = Login(number, time.perf_counter())
    await log_in(Site(app.url, "/login", "/oauth/callback"), login)
    return login.cookies


async def _pages(app: Deployed, cookies: dict[str, str], times: int) -> None:
    """Requests one user's dashboard repeatedly."""
    async with open_browser(app.url, cookies) as browser:
        for _ in range(times):
            page = await browser.get("/dashboard")
            if page.status != 200:
                raise WrongAnswer(f"status {page.status} instead of the dashboard")
