"""The section of docs/performance.md with the measurements of bench/bell.py."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence

from bench import bell, machine
from bench.bell import Bell, Gone, Morning
from bench.stage import Stage

TITLE = "First bell"
RATES = tuple(float(rate) for rate in range(20, 201, 20))
CLEVERS_PEAK = 1000  # logins a second, over all apps, in 2018
TEXT = """\
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


def text(stage: Stage, *, quick: bool) -> str:
    """Ring the bell; `quick` with a tenth of the people."""
    seconds, people = (4.0, 2_000) if quick else (15.0, bell.PEOPLE)
    rates, counts = (RATES[:4], (1, 2)) if quick else (RATES, (1, 2, 4))
    kept, whole = bell.district_bell(stage, rates, seconds, people)
    _say("district bell", *kept, whole)
    best = max((each.step.rate for each in kept if each.step.well), default=rates[0])
    morning = bell.bad_morning(stage, best / 2, 20 if quick else 180)
    _say("bad morning", morning)
    gone_seconds = 6 if quick else bell.GONE_SECONDS
    gone = bell.clever_gone(stage, best / 2, gone_seconds)
    _say("Clever gone", gone)
    more = bell.more_machines(stage, counts, rates, seconds)
    well = [each for each in kept if each.step.well] or kept
    cost = well[-1].step.cpu_ms
    stores = well[-1].cpu["Redis"] + well[-1].cpu["PostgreSQL"]
    beside = stores / well[-1].step.logins * 1000
    total = sum(whole.cpu.values())
    return TEXT.format(
        how=" --quick" if quick else "",
        machine=machine.description(),
        workers=bell.WORKERS,
        seconds=seconds,
        bell_rate=bell.BELL_RATE,
        rates=_rates([*kept, whole]),
        cores=os.cpu_count(),
        shares=", ".join(f"{name} {took:.0f}" for name, took in whole.cpu.items() if took),
        not_ours=(1 - whole.cpu["app"] / total) * 100,
        first_mb=kept[0].memory_mb,
        last_mb=whole.memory_mb,
        half=best / 2,
        morning=_morning(morning),
        gone_seconds=gone_seconds,
        gone=_gone(gone),
        more="".join(
            f"- {count}: {max((e.step.rate for e in found if e.step.well), default=0):g}/s\n"
            for count, found in more.items()
        ),
        took=whole.seconds,
        bend=_bend(kept),
        half_in=whole.step.p50 / 1000,
        inside=(whole.step.logins - whole.step.errors.total()) / whole.seconds,
        lost=_times(_said(whole.step.errors, LOST)) or "none",
        cost=cost,
        beside=beside,
        bell_cores=bell.BELL_RATE * cost / 1000,
        bell_beside=bell.BELL_RATE * beside / 1000,
        peak=CLEVERS_PEAK,
        needed=CLEVERS_PEAK * cost / 1000,
        needed_beside=CLEVERS_PEAK * beside / 1000,
    )


def _bend(kept: Sequence[Bell]) -> str:
    good = max((each.step.rate for each in kept if each.step.well), default=0)
    last = kept[-1].step
    return (
        f"above {good:g} a second" if last.well else f"between {good:g} and {last.rate:g} a second"
    )


def _times(what: Counter[str]) -> str:
    return "; ".join(f"{each}: {number}" for each, number in what.most_common())


def _said(what: Counter[str], words: dict[str, str]) -> Counter[str]:
    return Counter({words.get(why, why): number for why, number in what.items()})


def _say(*parts: object) -> None:
    sys.stderr.write("".join(f"{each}\n" for each in parts))


def _rates(bells: Sequence[Bell]) -> str:
    lines = [
        "| logins per second | logins | failed | p50, ms | p99, ms | CPU ms of the app per login |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for each in bells:
        one = each.step
        lost = one.errors.total()
        cells = (f"{one.rate:g}", one.logins, lost, f"{one.p50:.0f}", f"{one.p99:.0f}")
        lines.append("| " + " | ".join(map(str, (*cells, f"{one.cpu_ms:.1f}"))) + " |")
    return "\n".join(lines) + "\n"


def _morning(one: Morning) -> str:
    before, after = one.memory_mb
    return (
        f"Of {one.logins} users, {one.never} could not log in within three tries. In the worst "
        f"minute, {one.worst_minute * 100:.1f} % of all tries failed. {one.exchanged_again} codes "
        f"were exchanged twice, and {one.wrong_pages} users saw another user's page. "
        f"A worker had {before:.0f} MB before and {after:.0f} MB after the run."
    )


LOST = {
    "status 503 instead of the way to Clever": "refused before the user went to Clever",
    "status 503 instead of the own page": "refused at the callback",
    "TimeoutError": "not complete after 30 s, when routers close the connection",
}
SEEN = {
    "status 503 instead of the own page": '"Clever is not answering" (503)',
    "status 200 instead of the own page": "a dashboard without the name (200)",
}


def _gone(one: Gone) -> str:
    failed = one.pages.total() - one.pages[200]
    told = _times(_said(one.told, SEEN))
    return (
        f"Pages that users saw at logins: {told or 'no error'}. The 99th percentile of "
        f"these responses was {one.told_p99:.0f} ms. Of {one.pages.total()} signed-in pages, "
        f"{failed} failed, with a 99th percentile of {one.pages_p99:.0f} ms. The last failed login "
        f"arrived {one.well_after:.1f} s after the end of the outage."
    )
