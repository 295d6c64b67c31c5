"""Ten minutes of logins: checks that memory, connections and responses stay stable."""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import partial

from bench.harness import resources
from bench.harness.open_loop import log_in, run_open_loop
from bench.harness.resources import pss_mb
from bench.harness.stack import Stack
from bench.harness.stats import percentile
from bench.peers.contenders import CONTENDERS, run_contender

TITLE = "Ten minutes of logins"
LOGINS_PER_SECOND = 20.0
TEXT_TEMPLATE = """\
Measured with `bench/run --soak`: {machine}. Two workers, {rate:g} logins a second by new users.
Memory is the memory of the larger worker.

| minute | logins | failed | p99, ms | TLS handshakes with Clever | MB |
|---|---|---|---|---|---|
"""


def measure_and_report(stage: Stack, *, minutes: int, seconds: int = 60) -> str:
    """Returns a table with a row per minute. A test uses shorter minutes."""
    rows, numbers = [], itertools.count(2_000_000)
    with run_contender(stage, CONTENDERS["ours"], workers=2) as app:
        rows.append(f"| 0 | 0 | 0 |  | 0 | {max(map(pss_mb, app.workers)):.0f} |\n")
        for minute in range(1, minutes + 1):
            stage.counted(reset=True)
            numbers_of_round = [next(numbers) for _ in range(int(LOGINS_PER_SECOND * seconds))]
            logins = asyncio.run(
                run_open_loop(numbers_of_round, LOGINS_PER_SECOND, partial(log_in, app.site))
            )
            failed = sum(bool(login.error) for login in logins)
            p99 = percentile([login.seconds * 1000 for login in logins], 0.99)
            shakes = stage.counted()["handshakes"]
            memory = max(map(pss_mb, app.workers))
            rows.append(
                f"| {minute} | {len(logins)} | {failed} | {p99:.0f} | {shakes} | {memory:.0f} |\n"
            )
            sys.stderr.write(rows[-1])
    return TEXT_TEMPLATE.format(
        machine=resources.machine_description(), rate=LOGINS_PER_SECOND
    ) + "".join(rows)
