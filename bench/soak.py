"""Ten minutes of logins: whether memory, connections and answers stay as they were."""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import partial

from bench import machine
from bench.contenders import CONTENDERS, served
from bench.load import log_in, open_loop
from bench.machine import pss_mb
from bench.stage import Stage
from bench.step import percentile

TITLE = "Ten minutes of logins"
RATE = 20.0
TEXT = """\
Measured with `bench/run --soak`: {machine}. Two workers, {rate:g} logins a second by new users.
Memory is the memory of the larger worker.

| minute | logins | failed | p99, ms | TLS handshakes with Clever | MB |
|---|---|---|---|---|---|
"""


def text(stage: Stage, *, minutes: int, seconds: int = 60) -> str:
    """A row for each minute, which a test makes shorter."""
    rows, numbers = [], itertools.count(2_000_000)
    with served(stage, CONTENDERS["ours"], workers=2) as app:
        rows.append(f"| 0 | 0 | 0 |  | 0 | {max(map(pss_mb, app.workers)):.0f} |\n")
        for minute in range(1, minutes + 1):
            stage.counted(reset=True)
            who = [next(numbers) for _ in range(int(RATE * seconds))]
            logins = asyncio.run(open_loop(who, RATE, partial(log_in, app.site)))
            lost = sum(bool(each.error) for each in logins)
            p99 = percentile([each.seconds * 1000 for each in logins], 0.99)
            shakes = stage.counted()["handshakes"]
            memory = max(map(pss_mb, app.workers))
            rows.append(
                f"| {minute} | {len(logins)} | {lost} | {p99:.0f} | {shakes} | {memory:.0f} |\n"
            )
            sys.stderr.write(rows[-1])
    return TEXT.format(machine=machine.description(), rate=RATE) + "".join(rows)
