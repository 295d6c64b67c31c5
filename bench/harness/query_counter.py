"""Counts the store commands and database statements of a login and a page."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

from bench.harness.open_loop import Login, log_in, open_browser
from bench.harness.stack import Stack
from bench.peers.contenders import RunningContender


@dataclass(frozen=True)
class QueryCounts:
    """The average number of commands to Redis and statements to PostgreSQL."""

    store: float
    database: float


def count_queries(stage: Stack, app: RunningContender, times: int) -> dict[str, QueryCounts]:
    """Counts commands and statements of a login, a signed-in page and an anonymous page."""
    login = Login(0, time.perf_counter())
    asyncio.run(log_in(app.site, login))
    pages = {
        "login": partial(_log_in, app),
        "page": partial(_open_page, app, "/dashboard", login.cookies),
        "anonymous page": partial(_open_page, app, "/", {}),
    }
    return {name: _average_counts(stage, do, times) for name, do in pages.items()}


def _average_counts(stage: Stack, do: partial[None], times: int) -> QueryCounts:
    stage.log_statements(on=True)
    do()  # opens a connection with this setting
    commands, statements = stage.store_commands(), stage.statements()
    for _ in range(times):
        do()
    command_counts = sum((Counter(stage.store_commands()) - Counter(commands)).values())
    counts = QueryCounts(command_counts / times, (stage.statements() - statements) / times)
    stage.log_statements(on=False)
    return counts


def _log_in(app: RunningContender) -> None:
    asyncio.run(log_in(app.site, Login(0, time.perf_counter())))


def _open_page(app: RunningContender, path: str, cookies: dict[str, str]) -> None:
    async def look() -> None:
        async with open_browser(app.url, cookies) as browser:
            await browser.get(path)

    asyncio.run(look())
