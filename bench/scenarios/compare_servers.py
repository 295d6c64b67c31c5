"""Compares web servers running this app, under logins and slow clients.

    python -m bench.scenarios.compare_servers --help

The servers are installed separately, in .venv-servers, from bench/servers.txt.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import requests

from bench.commits.ratios import Ratio, ratio
from bench.harness import report, resources, seed_rosters
from bench.harness.open_loop import Login, WrongAnswer, log_in
from bench.harness.resources import cpu_seconds, process_tree, pss_mb
from bench.harness.stack import Stack, start_stack
from bench.peers.contenders import CONTENDERS
from bench.peers.servers import CANDIDATES, THREADS, WORKERS, Candidate, Running, running
from tests.support import running_app
from tests.support.raw_http import connect
from tests.support.running_app import ROOT
from tests.support.slow_clients import ATTACKS, under_attack
from tests.support.steady_load import steady_load

TITLE = "Web servers with logins and slow clients"
AT_ONCE = 32  # browsers
PROBES, PATIENCE_SECONDS = 4, 25.0  # of a health check; a host times out sooner
CLIENTS = {"busy": 8, "new": 8, "resting": 40}
TEXT = """\
Measured with `.venv-test/bin/python -m bench.scenarios.compare_servers` on {date}: {machine}. The
load average before
the run was {load:.1f}. Each server has {workers} processes with {threads} threads each (gevent:
greenlets). They share the cores with Redis, PostgreSQL, the browsers, and the upstream.

For the logins, {at_once} browsers log in at the same time: {logins} logins per turn, the servers
in turn, {rounds} turns. The table shows the medians. The second column is the mean ratio of the CPU
time of a turn to that of the first server in the same turn, with its 95 % confidence interval. MB
is the memory of all processes after that. The columns of slow clients show the longest of {probes}
health checks in seconds, during the attack named in the column; "none" means no response within
{patience:.0f} s. A request is lost if it was sent on an open connection and got no response:
{clients} clients request /login when SIGTERM arrives.

{table}
"""
HEAD = (
    "",
    "CPU ms per login",
    "CPU over the first row's",
    "logins/s",
    *(f"{attack.connections} {name}" for name, attack in ATTACKS.items()),
    "lost at SIGTERM",
    "MB",
)


@dataclass
class Figures:
    """The measurements of one server."""

    cpu_ms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    failed: int = 0
    checks: dict[str, float | None] = field(default_factory=dict)  # by attack; None: no response
    lost: int = 0
    answered: int = 0
    mb: float = 0.0

    def row(self, label: str, first: Figures) -> str:
        """Returns a row of the table. The CPU of each turn is compared with the first server's."""
        checks = [
            "none" if seconds is None else f"{seconds:.2f}" for seconds in self.checks.values()
        ]
        failed = f" ({self.failed} failed)" if self.failed else ""
        cells = [
            label,
            f"{statistics.median(self.cpu_ms):.1f}",
            "" if self is first else _interval(ratio(first.cpu_ms, self.cpu_ms)),
            f"{statistics.median(self.rates):.0f}{failed}",
            *checks,
            f"{self.lost} of {self.lost + self.answered}",
            f"{self.mb:.0f}",
        ]
        return "| " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Place:
    """What the servers need to start."""

    stage: Stack
    programs: Path
    variables: dict[str, str]

    def running(self, candidate: Candidate) -> Any:
        """Starts a candidate."""
        return running(candidate, self.programs, self.variables, self.stage.folder)


def _interval(ratio_of_cpu: Ratio) -> str:
    """Returns a ratio with its 95 % confidence interval."""
    return f"{ratio_of_cpu.middle:.3f} [{ratio_of_cpu.low:.3f} to {ratio_of_cpu.high:.3f}]"


def programs() -> Path:
    """Returns the folder of all servers' programs, installing them if necessary."""
    environment = importlib.import_module("tools.venv").Environment
    python: Path = environment(".venv-servers", "bench/servers.txt").ready()
    return python.parent


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Starts Clever, Redis and PostgreSQL with a roster, and yields the settings of an app."""
    with tempfile.TemporaryDirectory() as name, start_stack(Path(name)) as stack:
        database = running_app.new_database(stack.postgres_url)
        ours = CONTENDERS["ours"]
        variables = ours.environment(stack, "http://localhost:1", database)
        inherited = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        subprocess.run(
            [sys.executable, *ours.prepare], check=True, cwd=ROOT, env=inherited | variables
        )
        seed_rosters.seed_database(database)
        yield Place(stack, folder, variables)


def measure(place_of_test: Place, names: list[str], rounds: int, logins: int) -> dict[str, Figures]:
    """Measures everything for each of these servers."""
    figures_by_name = {name: Figures() for name in names}
    with ExitStack() as stack:
        up = {name: stack.enter_context(place_of_test.running(CANDIDATES[name])) for name in names}
        for number in range(-1, rounds):  # the first turn loads what the first logins need
            for name, server in up.items():
                one_turn(server, figures_by_name[name], logins, is_warm=number >= 0)
        for name, server in up.items():
            figures_by_name[name].mb = sum(pss_mb(pid) for pid in process_tree(server.pid))
    for name in names:
        for attack in ATTACKS:
            with place_of_test.running(CANDIDATES[name]) as server:
                figures_by_name[name].checks[attack] = longest_check(server, attack)
        with place_of_test.running(CANDIDATES[name]) as server:
            stop_under_load(server, figures_by_name[name])
        print(name, figures_by_name[name], flush=True)
    return figures_by_name


def one_turn(server: Running, figures: Figures, logins: int, *, is_warm: bool) -> None:
    """Runs this many logins at full speed."""
    cpu, began = cpu_seconds(server.pid), time.perf_counter()
    failed = asyncio.run(closed_loop(server, logins))
    seconds, cpu = time.perf_counter() - began, cpu_seconds(server.pid) - cpu
    if is_warm:
        figures.cpu_ms.append(cpu / logins * 1000)
        figures.rates.append((logins - failed) / seconds)
        figures.failed += failed


async def closed_loop(server: Running, logins: int) -> int:
    """Runs the logins, AT_ONCE at a time. Returns how many failed."""
    turn = asyncio.Semaphore(AT_ONCE)
    reasons: Counter[str] = Counter()

    async def run_login(number: int) -> int:
        async with turn:
            try:
                await asyncio.wait_for(log_in(server.site, Login(number, 0.0)), PATIENCE_SECONDS)
            except (WrongAnswer, OSError, EOFError, TimeoutError) as error:
                reasons[repr(error)[:200]] += 1
                return 1
        return 0

    failed = sum(await asyncio.gather(*(run_login(number % 100) for number in range(logins))))
    for reason, count in reasons.items():
        print(f"{server.candidate.name}: {count} logins failed: {reason}", file=sys.stderr)
    return failed


def longest_check(server: Running, attack: str) -> float | None:
    """Returns the longest of some health checks during an attack, in seconds. None: no response."""
    durations = []
    with under_attack(ATTACKS[attack], server.url):
        for _ in range(PROBES):
            began = time.perf_counter()
            try:
                requests.get(f"{server.url}/healthz", timeout=PATIENCE_SECONDS)
            except requests.RequestException:
                return None
            durations.append(time.perf_counter() - began)
    return max(durations)


def stop_under_load(server: Running, figures: Figures) -> None:
    """Sends SIGTERM while many clients send requests, and counts requests without a response."""
    request = f"GET /login HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode()
    with steady_load(partial(connect, server.url), request, CLIENTS) as load:
        load.wait_for(100)
        before = len(load.answered)
        os.kill(server.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while resources.parent_pid(server.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    figures.lost, figures.answered = len(load.lost), len(load.answered) - before


def main() -> None:
    """Measures, prints, and writes docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES))
    parser.add_argument("--rounds", type=int, default=8, help="turns of logins")
    parser.add_argument("--logins", type=int, default=100, help="logins a turn")
    parser.add_argument("--dry", action="store_true", help="do not write docs/performance.md")
    options = parser.parse_args()
    load = resources.load_average()
    with place(programs()) as servers:
        figures_by_name = measure(servers, options.only, options.rounds, options.logins)
    first = figures_by_name[options.only[0]]
    rows = [figures_by_name[name].row(CANDIDATES[name].label, first) for name in options.only]
    heads = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    text = TEXT.format(
        date=datetime.now(UTC).date(),
        machine=resources.machine_description(),
        load=load,
        workers=WORKERS,
        threads=THREADS,
        at_once=AT_ONCE,
        logins=options.logins,
        rounds=options.rounds,
        probes=PROBES,
        patience=PATIENCE_SECONDS,
        clients=sum(CLIENTS.values()),
        table="\n".join([*heads, *rows]),
    )
    sys.stdout.write(text)
    if not options.dry:
        report.write_section(TITLE, text)


if __name__ == "__main__":
    main()
