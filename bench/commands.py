"""What a login and a page say to the store and to the database."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

from bench.contenders import Served
from bench.load import Login, browser, log_in
from bench.stage import Stage


@dataclass(frozen=True)
class Commands:
    """To Redis and to PostgreSQL, on average."""

    store: float
    database: float


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
