"""A job that reads a whole district from the simulator, with a fake clock.

It stands for a product's own job: it reads the students of a district and may be killed at any
time. `python -m tests.support.roster_job CLEVER_URL DISTRICT FILE PAGE_SIZE` appends each id to the
file, and continues after the last id in it. The last line of output is the peak memory in bytes.
"""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clever_login.api_versions import VERSIONS, RecordKind
from clever_login.clever.district_api.district_client import DistrictClient, DistrictTokens
from clever_login.clever.district_api.events import DistrictEvents
from clever_login.clever.district_api.rate_limit import RetryPolicy
from clever_login.clever.district_api.roster_client import Roster
from clever_login.clever.http import HttpClient
from clever_simulator.config import Config, default_config
from clever_simulator.server import RunningSimulator

APP_URL = "http://localhost:3000"


@dataclass
class FakeClock:
    """A clock that advances immediately on sleep, and the simulator's with it.

    `ahead` is by how many seconds it is fast, compared with Clever's clock.
    """

    clever: RunningSimulator
    slept: list[float] = field(default_factory=list)
    ahead: float = 0

    def clock(self) -> float:
        return time.time() + sum(self.slept) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clever.advance(seconds)


@dataclass
class RosterJob:
    """One app's job for one district."""

    client: DistrictClient
    time: FakeClock
    page_size: int = 10_000

    @property
    def roster(self) -> Roster:
        return Roster(client=self.client, page_size=self.page_size)

    @property
    def events(self) -> DistrictEvents:
        return DistrictEvents(client=self.client, page_size=self.page_size)

    def requested_paths(self) -> list[str]:
        """Return the requested API paths, in order."""
        return [
            request["path"]
            for request in self.time.clever.received_requests()
            if request["path"].startswith("/v")
        ]


def simulator_config(version: str = "v3.0", **changes: Any) -> Config:
    """Return the simulator's default apps, with a test's changes."""
    return replace(default_config(APP_URL, version), **changes)


def make_job(
    clever: RunningSimulator,
    version: str = "v3.0",
    *,
    district: str | None = None,
    app: str = "simulator",
    page_size: int = 10_000,
    **changes: Any,
) -> RosterJob:
    """Create a job for a district, by default the main one.

    `app` is the client id, and `changes` are further arguments of DistrictClient.
    """
    clock = FakeClock(clever)
    retries = RetryPolicy(clock=clock.clock, sleep=clock.sleep)
    transport = HttpClient()
    tokens = DistrictTokens(
        transport=transport,
        clever_url=clever.url,
        client_id=app,
        client_secret="simulator-secret",
        retries=retries,
    )
    client = DistrictClient(
        transport=transport,
        tokens=tokens,
        api_url=clever.url,
        version=VERSIONS[version],
        district_id=district or clever.people.districts[0].id,
        retries=retries,
        **changes,
    )
    return RosterJob(client, clock, page_size)


def main(clever_url: str, district_id: str, file: str, page_size: str) -> None:
    transport = HttpClient()
    tokens = DistrictTokens(
        transport=transport,
        clever_url=clever_url,
        client_id="simulator",
        client_secret="simulator-secret",
    )
    client = DistrictClient(
        transport=transport,
        tokens=tokens,
        api_url=clever_url,
        version=VERSIONS["v3.0"],
        district_id=district_id,
    )
    roster = Roster(client=client, page_size=int(page_size))
    finished = Path(file).read_text().split()
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
    tracemalloc.start()
    for student in roster.people(RecordKind.STUDENTS, after=finished[-1] if finished else None):
        os.write(descriptor, f"{student.id}\n".encode())
        print(student.id, flush=True)
    print(tracemalloc.get_traced_memory()[1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
