"""Writes the section of docs/performance.md for bench/scenarios/load_spike.py."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence

from bench.harness import resources
from bench.harness.stack import Stack
from bench.scenarios import load_spike
from bench.scenarios.load_spike import DegradedResult, OutageResult, SpikeResult

TITLE = "First bell"
RATES = tuple(float(rate) for rate in range(20, 201, 20))
CLEVER_PEAK_RATE = 1000  # logins a second, over all apps, in 2018
TEXT_TEMPLATE = """\
Measured with `bench/run --bell{how}`: {machine}. All programs share these cores, including the
browsers and the upstream. gunicorn has {workers} workers. Every user is new, so each login creates
an account.

**A whole district at once.** Increasing constant rates, {seconds:.0f} s each, up to the first rate
at which a login failed or 1 in 100 took longer than a second; then {bell_rate:.0f} logins a second.

{rates}
The app reaches its limit {bend}. In the last run, it completed {inside:.0f} logins a second, half
of them within {half_in:.1f} s. Failed logins by reason: {lost}.

CPU time of the last run, in s, of {cores} cores for {took:.0f} s: {shares}. Programs other than the
app used {not_ours:.0f} % of it. The larger worker had {first_mb:.0f} MB after the first row, and
{last_mb:.0f} MB after the last.

At the highest sustained rate, a login took {cost:.1f} ms of the app's CPU time, and {beside:.1f} ms
of the CPU time of Redis and PostgreSQL. At 222 logins a second, the app would need {bell_cores:.1f}
such cores, and Redis and PostgreSQL {bell_beside:.1f}.

**A bad morning**, at {half:g}/s: 1 % of Clever's responses take 5 s, 0.5 % are 502, and 0.1 % end
in a connection reset. 10 % of the users click twice, and users whose login fails try again after 3
s. {morning}

**An outage of Clever** of {gone_seconds} s, at {half:g}/s. {gone}

**More machines**: app processes with one worker each behind one nginx, with one Redis and one
PostgreSQL, on the same cores. The highest sustained rate by number of processes:

{more}
Clever's own peak, {peak} logins a second over all its apps (2018), would need {needed:.0f} such
cores for the app and {needed_beside:.0f} for Redis and PostgreSQL.
"""


def measure_and_report(stage: Stack, *, quick: bool) -> str:
    """Runs all load spike scenarios. `quick` uses a tenth of the users."""
    seconds, people = (4.0, 2_000) if quick else (15.0, load_spike.PEOPLE_COUNT)
    rates, counts = (RATES[:4], (1, 2)) if quick else (RATES, (1, 2, 4))
    results, spike = load_spike.run_district_spike(stage, rates, seconds, people)
    _print_progress("district bell", *results, spike)
    best = max(
        (result.step.rate for result in results if result.step.is_successful), default=rates[0]
    )
    morning = load_spike.run_degraded(stage, best / 2, 20 if quick else 180)
    _print_progress("bad morning", morning)
    gone_seconds = 6 if quick else load_spike.OUTAGE_SECONDS
    outage = load_spike.run_outage(stage, best / 2, gone_seconds)
    _print_progress("Clever gone", outage)
    scale_out = load_spike.run_scale_out(stage, counts, rates, seconds)
    successful = [result for result in results if result.step.is_successful] or results
    cost = successful[-1].step.cpu_ms
    stores = successful[-1].cpu["Redis"] + successful[-1].cpu["PostgreSQL"]
    beside = stores / successful[-1].step.logins * 1000
    total = sum(spike.cpu.values())
    return TEXT_TEMPLATE.format(
        how=" --quick" if quick else "",
        machine=resources.machine_description(),
        workers=load_spike.WORKERS,
        seconds=seconds,
        bell_rate=load_spike.SPIKE_RATE,
        rates=_rate_table([*results, spike]),
        cores=os.cpu_count(),
        shares=", ".join(f"{name} {seconds:.0f}" for name, seconds in spike.cpu.items() if seconds),
        not_ours=(1 - spike.cpu["app"] / total) * 100,
        first_mb=results[0].memory_mb,
        last_mb=spike.memory_mb,
        half=best / 2,
        morning=_degraded_text(morning),
        gone_seconds=gone_seconds,
        gone=_outage_text(outage),
        more="".join(
            f"- {count}: {_highest_rate(results_of_count):g}/s\n"
            for count, results_of_count in scale_out.items()
        ),
        took=spike.seconds,
        bend=_breaking_rate_text(results),
        half_in=spike.step.p50 / 1000,
        inside=(spike.step.logins - spike.step.errors.total()) / spike.seconds,
        lost=_format_counts(_label_errors(spike.step.errors, LOST_LOGIN_LABELS)) or "none",
        cost=cost,
        beside=beside,
        bell_cores=load_spike.SPIKE_RATE * cost / 1000,
        bell_beside=load_spike.SPIKE_RATE * beside / 1000,
        peak=CLEVER_PEAK_RATE,
        needed=CLEVER_PEAK_RATE * cost / 1000,
        needed_beside=CLEVER_PEAK_RATE * beside / 1000,
    )


def _highest_rate(results: Sequence[SpikeResult]) -> float:
    return max((result.step.rate for result in results if result.step.is_successful), default=0)


def _breaking_rate_text(results: Sequence[SpikeResult]) -> str:
    good = _highest_rate(results)
    last = results[-1].step
    return (
        f"above {good:g} a second"
        if last.is_successful
        else f"between {good:g} and {last.rate:g} a second"
    )


def _format_counts(counts: Counter[str]) -> str:
    return "; ".join(f"{label}: {number}" for label, number in counts.most_common())


def _label_errors(counts: Counter[str], labels: dict[str, str]) -> Counter[str]:
    return Counter({labels.get(error, error): number for error, number in counts.items()})


def _print_progress(*parts: object) -> None:
    sys.stderr.write("".join(f"{part}\n" for part in parts))


def _rate_table(bells: Sequence[SpikeResult]) -> str:
    lines = [
        "| logins per second | logins | failed | p50, ms | p99, ms | CPU ms of the app per login |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for spike in bells:
        step = spike.step
        failed = step.errors.total()
        cells = (f"{step.rate:g}", step.logins, failed, f"{step.p50:.0f}", f"{step.p99:.0f}")
        lines.append("| " + " | ".join(map(str, (*cells, f"{step.cpu_ms:.1f}"))) + " |")
    return "\n".join(lines) + "\n"


def _degraded_text(result: DegradedResult) -> str:
    before, after = result.memory_mb
    return (
        f"Of {result.logins} users, {result.never} could not log in within three tries. In the "
        f"worst minute, {result.worst_minute * 100:.1f} % of all tries failed. "
        f"{result.exchanged_again} codes were exchanged twice, and {result.wrong_pages} users saw "
        "another user's page. "
        f"A worker had {before:.0f} MB before and {after:.0f} MB after the run."
    )


LOST_LOGIN_LABELS = {
    "status 503 instead of the way to Clever": "refused before the user went to Clever",
    "status 503 instead of the dashboard": "refused at the callback",
    "TimeoutError": "not complete after 30 s, when routers close the connection",
}
OUTAGE_PAGE_LABELS = {
    "status 503 instead of the dashboard": '"Clever is not working right now" (503)',
    "status 200 instead of the dashboard": "a dashboard without the name (200)",
}


def _outage_text(result: OutageResult) -> str:
    failed = result.pages.total() - result.pages[200]
    error_counts = _format_counts(_label_errors(result.errors, OUTAGE_PAGE_LABELS))
    return (
        f"Pages that users saw at logins: {error_counts or 'no error'}. The 99th percentile of "
        f"these responses was {result.errors_p99:.0f} ms. Of {result.pages.total()} signed-in "
        f"pages, {failed} failed, with a 99th percentile of {result.pages_p99:.0f} ms. The last "
        f"failed login arrived {result.last_error_after:.1f} s after the end of the outage."
    )
