"""Compares whole logins of this app with other libraries: `bench/run [--quick]`."""

from __future__ import annotations

import argparse
import runpy
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import plot, report, resources
from bench.harness.stack import Stack, start_stack
from bench.peers.contenders import CONTENDERS
from bench.scenarios import cpu_profile, load_spike_report, own_pages, soak
from bench.scenarios.own_pages import LoginTimes
from bench.scenarios.phases import (
    FULL,
    QUICK,
    ContenderFigures,
    PhaseLengths,
    measure_contenders,
)
from tests.support.running_app import ROOT

ALL_CONTENDERS = ("ours", "oidc", "allauth", "social_auth", "authlib", "bare")
ROUND_TRIP_MS = 40.0
TITLE = "Logins compared with other libraries"
PICTURE_PATH = ROOT / "docs" / "performance.svg"
METHOD_TEXT = """\
Measured with `bench/run{how}` on {day}: {machine}. The load average before the run was {load:.1f}.

All programs share these cores: the measured app (gunicorn, one worker, {threads} threads), Redis,
PostgreSQL, the simulated browsers, and a server in place of Clever (the upstream). The upstream
answers at once over TLS, under two host names like Clever's. A simulated network delays each byte
by {half:.0f} ms in each direction, and each new connection by another {rtt:.0f} ms.

Each login is a user in a separate browser who opens the login page, the callback with its state,
and the dashboard, which must show the user's name. Users arrive at random times at a constant rate,
even while earlier users are still waiting (an open loop). The time of a login starts at its
scheduled arrival. Clever's own login page takes no time. The same {pupils} students of one district
and eight schools log in repeatedly, and have logged in before. For the rate of 5 logins a second,
all contenders run side by side, and each is measured for a few seconds in turn, {turns} times,
because the speed of shared cores varies. For all other figures, only one contender runs.

The other libraries are configured as their documentation says (`bench/peers`). allauth and
social-auth store sessions in Redis and users in PostgreSQL, like this app. The app with Flask and
Authlib stores no accounts. None of them reads schools or districts, and their page only shows a
name. The page of this app shows six sections with their teachers, and is compressed. The floor is
three plain Flask responses and four plain `requests` calls on persistent connections, without
checks or storage.
"""
TABLE_ROWS: tuple[tuple[str, Callable[[ContenderFigures], str]], ...] = (
    ("login at 5/s, median, ms", lambda f: f"{f.steady.p50:.0f}"),
    ("95th percentile, ms", lambda f: f"{f.steady.p95:.0f}"),
    ("99th percentile, ms", lambda f: f"{f.steady.p99:.0f}"),
    ("median of the login page, ms", lambda f: f"{f.steady.pages[0]:.1f}"),
    ("median of the callback, ms", lambda f: f"{f.steady.pages[1]:.1f}"),
    ("median of the dashboard, ms", lambda f: f"{f.steady.pages[2]:.1f}"),
    ("CPU time per login, ms", lambda f: f"{f.steady.cpu_ms:.1f}"),
    ("logins per CPU second", lambda f: f"{1000 / f.steady.cpu_ms:.0f}"),
    ("highest sustained rate, 1/s", lambda f: f"{f.highest_rate:g}"),
    ("requests to Clever per login", lambda f: f"{f.a_login('requests'):.2f}"),
    ("connections to Clever per login", lambda f: f"{f.a_login('connections'):.2f}"),
    ("TLS handshakes per login", lambda f: f"{f.a_login('handshakes'):.2f}"),
    ("session store commands per login", lambda f: f"{f.commands['login'].store:.1f}"),
    ("database statements per login", lambda f: f"{f.commands['login'].database:.1f}"),
    ("session store commands per signed-in page", lambda f: f"{f.commands['page'].store:.1f}"),
    ("database statements per signed-in page", lambda f: f"{f.commands['page'].database:.1f}"),
    ("memory of an idle worker, MB", lambda f: f"{f.idle_mb:.0f}"),
    ("memory after the first login, MB", lambda f: f"{f.first_mb:.0f}"),
    ("memory after these logins, MB", lambda f: f"{f.used_mb:.0f}"),
    ("startup to first response, s", lambda f: f"{f.start_seconds:.2f}"),
)


def main() -> None:
    """Measures, prints, and writes sections of docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of fifteen")
    parser.add_argument(
        "--only",
        nargs="*",
        choices=ALL_CONTENDERS,
        default=ALL_CONTENDERS,
        help="of the contenders",
    )
    parser.add_argument(
        "--bell", action="store_true", help="first bell instead: see bench/scenarios/load_spike.py"
    )
    parser.add_argument("--soak", action="store_true", help="ten minutes of logins instead")
    parser.add_argument("--print", action="store_true", help="write no file")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        start_stack(Path(name), milliseconds=ROUND_TRIP_MS) as stack,
    ):
        drawn = ""
        if options.bell:
            title, text = (
                load_spike_report.TITLE,
                load_spike_report.measure_and_report(stack, quick=options.quick),
            )
        elif options.soak:
            title, text = (
                soak.TITLE,
                soak.measure_and_report(stack, minutes=1 if options.quick else 10),
            )
        else:
            title = TITLE
            text, drawn = compare_contenders(stack, options.only, QUICK if options.quick else FULL)
    sys.stdout.write(text)
    if not options.print:
        report.write_section(title, text)
        if drawn:
            PICTURE_PATH.write_text(drawn)


def compare_contenders(stack: Stack, names: list[str], length: PhaseLengths) -> tuple[str, str]:
    """Returns the text and the picture."""
    load = resources.load_average()
    figures_by_name = dict(
        zip(names, measure_contenders(stack, [CONTENDERS[n] for n in names], length), strict=True)
    )
    text = _method_text(load, length) + "\n" + build_table([*figures_by_name.values()])
    if {"ours", "oidc", "bare"} <= figures_by_name.keys():
        text += above_floor_text(figures_by_name, own_pages.measure_login_times(stack, length))
    text += own_results_text(
        own_pages.measure_burst(stack), own_pages.measure_pages_per_second(stack, 8)
    )
    text += "\nCPU time of a login of this app, by component:\n\n"
    text += "".join(
        f"- {name}: {of:.0%}\n"
        for name, of in cpu_profile.measure_shares(stack, 4 * length.counted).items()
    )
    return (
        text + "\n![99th percentile of the login time over the arrival rate](performance.svg)\n",
        draw_picture([*figures_by_name.values()]),
    )


def _method_text(load: float, length: PhaseLengths) -> str:
    return METHOD_TEXT.format(
        threads=runpy.run_path(str(ROOT / "gunicorn.conf.py"))["threads"],
        how=" --quick" if length is QUICK else "",
        day=datetime.now(UTC).date().isoformat(),
        machine=resources.machine_description(),
        load=load,
        half=ROUND_TRIP_MS / 2,
        rtt=ROUND_TRIP_MS,
        pupils=length.pupils,
        turns=length.turns,
    )


def build_table(figures: list[ContenderFigures]) -> str:
    """Returns a table with one column per contender."""
    head = ["", *(contender_figures.contender.label for contender_figures in figures)]
    return _format_table([head, *([name, *map(show, figures)] for name, show in TABLE_ROWS)])


def above_floor_text(figures_by_name: dict[str, ContenderFigures], ways: LoginTimes) -> str:
    """Returns each kind of login compared with the round trips that it needs."""
    wire = figures_by_name["bare"].steady.pages[1] / 4
    trips = (
        ("login, nothing cached", 4, ways.cold),
        ("login, district and school cached", 3, figures_by_name["ours"].steady.p50),
        ("login with ID token, district and school cached", 2, figures_by_name["oidc"].steady.p50),
        ("Portal launch: additional response", 0, ways.portal),
    )
    rows = [["", "round trips", "floor, ms", "measured, ms", "difference, ms"]]
    for name, count, seconds in trips:
        floor = count * wire
        rows.append([name, str(count), f"{floor:.0f}", f"{seconds:.0f}", f"{seconds - floor:.1f}"])
    cost = {name: figures.steady.cpu_ms for name, figures in figures_by_name.items()}
    other_costs = "".join(
        f", {cost['ours'] / milliseconds:.0%} of {figures_by_name[name].contender.label}'s"
        for name, milliseconds in cost.items()
        if name in {"allauth", "social_auth", "authlib"}
    )
    return (
        f"\n{_format_table(rows)}\n"
        "A round trip is the time of the four plain calls, divided by four.\n\n"
        f"A login of this app takes {cost['ours'] / cost['bare']:.2f} times the CPU time of the "
        f"floor{other_costs}.\n"
    )


def own_results_text(burst: dict[str, int], pages: dict[str, float]) -> str:
    """Returns this app's burst, and its pages compared with a floor of the same run."""
    bursts = "\n".join(f"- {name}: {count}" for name, count in burst.items())
    share = pages["ours"] / pages["hello"] * 100
    return (
        f"\n64 simultaneous logins with one worker:\n\n{bursts}\n\n"
        f"Signed-in dashboards per CPU second: {pages['ours']:.0f}. A hello-world page with a "
        f"session in the same Redis: {pages['hello']:.0f}. The dashboard reaches {share:.0f} % of "
        "it.\n"
    )


def _format_table(rows: list[list[str]]) -> str:
    head, *body_rows = rows
    lines = [head, ["---"] * len(head), *body_rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw_picture(figures: list[ContenderFigures]) -> str:
    """Draws the 99th percentile of each contender over the arrival rate."""
    lines = {f.contender.label: [(s.rate, s.p99) for s in f.steps] for f in figures}
    return plot.draw_svg(lines, x="logins per second", y="99th percentile, ms", max_y=2000)


if __name__ == "__main__":
    main()
