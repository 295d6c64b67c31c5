"""A job that reads a whole district from the simulator, with a clock that takes no time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from clever_login.api.district_client import DistrictClient
from clever_login.api.district_tokens import DistrictTokens
from clever_login.api.events import Events
from clever_login.api.patience import Patience
from clever_login.api.rosters import Roster
from clever_login.api.transport import Transport
from clever_login.api.versions import VERSIONS
from clever_simulator.config import Config, default_config
from clever_simulator.server import Running

APP_URL = "http://localhost:3000"


@dataclass
class Time:
    """A clock that a sleep puts forward at once, the simulator's with it; `ahead` of Clever's."""

    clever: Running
    slept: list[float] = field(default_factory=list)
    ahead: float = 0

    def clock(self) -> float:
        return time.time() + sum(self.slept) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clever.advance(seconds)


@dataclass
class Job:
    """One app's job over one district."""

    client: DistrictClient
    time: Time
    page_size: int = 10_000

    @property
    def roster(self) -> Roster:
        return Roster(client=self.client, page_size=self.page_size)

    @property
    def events(self) -> Events:
        return Events(client=self.client, page_size=self.page_size)

    def asked(self) -> list[str]:
        """The paths of the API that were asked for, in their order."""
        return [
            each["path"] for each in self.time.clever.journal() if each["path"].startswith("/v")
        ]


def config(version: str = "v3.0", **changes: Any) -> Config:
    """The simulator's usual apps, and what a test changes."""
    return replace(default_config(APP_URL, version), **changes)


def job(
    clever: Running,
    version: str = "v3.0",
    *,
    district: str | None = None,
    app: str = "simulator",
    page_size: int = 10_000,
    **changes: Any,
) -> Job:
    """A job on the main district, or on another; `app` is the client id, `changes` the client's."""
    clock = Time(clever)
    patience = Patience(clock=clock.clock, sleep=clock.sleep)
    transport = Transport()
    tokens = DistrictTokens(
        transport=transport,
        clever_url=clever.url,
        client_id=app,
        client_secret="simulator-secret",
        patience=patience,
    )
    client = DistrictClient(
        transport=transport,
        tokens=tokens,
        api_url=clever.url,
        version=VERSIONS[version],
        district_id=district or clever.people.districts[0].id,
        patience=patience,
        **changes,
    )
    return Job(client, clock, page_size)
