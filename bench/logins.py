"""Whole logins, ours beside what people would use instead: `bench/run [--quick]`."""

from __future__ import annotations

import argparse
import runpy
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import first_bell, machine, ours, page, plot, soak, where
from bench.contenders import CONTENDERS
from bench.ours import Ways
from bench.phases import FULL, QUICK, Figures, Length, measure
from bench.stage import Stage, stage
from tests.sites import ROOT

ALL = ("ours", "oidc", "allauth", "social_auth", "authlib", "bare")
ROUND_TRIP = 40.0
TITLE = "Logins, beside what people would use instead"
PICTURE = ROOT / "docs" / "performance.svg"
METHOD = """\
By `bench/run{how}` on {day}: {machine}; before it began, {load:.1f} processes wanted a processor.
Everything shares these cores: the contender (gunicorn, one worker, {threads} threads), a Redis, a
PostgreSQL, the browsers, and an upstream in Clever's place. It answers at once over TLS, by two
names as Clever's, behind a wire on which every byte waits {half:.0f} ms each way and a new
connection {rtt:.0f} ms more.

A login is a person with a browser of their own: login page, callback with its state, own dashboard,
whose name is looked for. They come at random moments at a constant rate, whoever has been answered
(an open loop), and a login's time counts from when it was due. Clever's own page takes no time. The
same {pupils} pupils of one district and eight schools come again and again, and have come before.
At 5 a second all contenders are up, and it is each one's turn for a few seconds, {turns} times, as
processors that others share are now fast and now slow. All the rest is measured of each alone.

The others are set up as their documentation says (`bench/peers`), allauth and social-auth with
sessions in Redis and users in PostgreSQL as ours; Flask and Authlib keep no accounts at all. They
read neither school nor district, and their page is a name, where ours has six classes of a roster
with their teachers, and is packed. The floor is three bare Flask answers and four bare calls of
`requests` on kept connections: nothing is checked and nothing kept.
"""
ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("a login at 5/s, ms: half are under", lambda f: f"{f.steady.p50:.0f}"),
    ("95 of 100 are under", lambda f: f"{f.steady.p95:.0f}"),
    ("99 of 100 are under", lambda f: f"{f.steady.p99:.0f}"),
    ("of the half: login page", lambda f: f"{f.steady.pages[0]:.1f}"),
    ("callback", lambda f: f"{f.steady.pages[1]:.1f}"),
    ("dashboard", lambda f: f"{f.steady.pages[2]:.1f}"),
    ("processor time a login, ms", lambda f: f"{f.steady.cpu_ms:.1f}"),
    ("logins a processor-second", lambda f: f"{1000 / f.steady.cpu_ms:.0f}"),
    ("highest rate measured that was kept, 1/s", lambda f: f"{f.kept:g}"),
    ("requests to Clever a login", lambda f: f"{f.a_login('requests'):.2f}"),
    ("connections to Clever a login", lambda f: f"{f.a_login('connections'):.2f}"),
    ("TLS handshakes a login", lambda f: f"{f.a_login('handshakes'):.2f}"),
    ("store commands a login", lambda f: f"{f.commands['login'].store:.1f}"),
    ("database statements a login", lambda f: f"{f.commands['login'].database:.1f}"),
    ("store commands a signed-in page", lambda f: f"{f.commands['page'].store:.1f}"),
    ("database statements a signed-in page", lambda f: f"{f.commands['page'].database:.1f}"),
    ("an idle worker, MB", lambda f: f"{f.idle_mb:.0f}"),
    ("after its first login, MB", lambda f: f"{f.first_mb:.0f}"),
    ("after these logins, MB", lambda f: f"{f.used_mb:.0f}"),
    ("start to first answer, s", lambda f: f"{f.start_seconds:.2f}"),
)


def main() -> None:
    """Measure, print, and write our sections of docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of fifteen")
    parser.add_argument("--only", nargs="*", choices=ALL, default=ALL, help="of the contenders")
    parser.add_argument("--bell", action="store_true", help="first bell instead: see bench/bell.py")
    parser.add_argument("--soak", action="store_true", help="ten minutes of logins instead")
    parser.add_argument("--print", action="store_true", help="write no file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, stage(Path(name), milliseconds=ROUND_TRIP) as here:
        drawn = ""
        if options.bell:
            title, text = first_bell.TITLE, first_bell.text(here, quick=options.quick)
        elif options.soak:
            title, text = soak.TITLE, soak.text(here, minutes=1 if options.quick else 10)
        else:
            title = TITLE
            text, drawn = compared(here, options.only, QUICK if options.quick else FULL)
    sys.stdout.write(text)
    if not options.print:
        page.put(title, text)
        if drawn:
            PICTURE.write_text(drawn)


def compared(here: Stage, names: list[str], length: Length) -> tuple[str, str]:
    """The text and the picture."""
    load = machine.load()
    found = dict(zip(names, measure(here, [CONTENDERS[n] for n in names], length), strict=True))
    text = _method(load, length) + "\n" + tables([*found.values()])
    if {"ours", "oidc", "bare"} <= found.keys():
        text += above_floor(found, ours.ways_in(here, length))
    text += own(ours.burst(here), ours.pages_a_second(here, 8))
    text += "\nWhat the processor time of a login of ours goes to:\n\n"
    text += "".join(
        f"- {name}: {of:.0%}\n" for name, of in where.shares(here, 4 * length.counted).items()
    )
    return text + "\n![latency over arrival rate](performance.svg)\n", picture([*found.values()])


def _method(load: float, length: Length) -> str:
    return METHOD.format(
        threads=runpy.run_path(str(ROOT / "gunicorn.conf.py"))["threads"],
        how=" --quick" if length is QUICK else "",
        day=datetime.now(UTC).date().isoformat(),
        machine=machine.description(),
        load=load,
        half=ROUND_TRIP / 2,
        rtt=ROUND_TRIP,
        pupils=length.pupils,
        turns=length.turns,
    )


def tables(found: list[Figures]) -> str:
    """One column a contender."""
    head = ["", *(each.contender.label for each in found)]
    return _table([head, *([name, *map(show, found)] for name, show in ROWS)])


def above_floor(found: dict[str, Figures], ways: Ways) -> str:
    """Each way in, beside the round trips that it cannot do without."""
    wire = found["bare"].steady.pages[1] / 4
    trips = (
        ("login, nothing known", 4, ways.cold),
        ("login, district and school known", 3, found["ours"].steady.p50),
        ("login by id token, district and school known", 2, found["oidc"].steady.p50),
        ("Portal launch: one answer more", 0, ways.portal),
    )
    rows = [["", "round trips", "floor, ms", "measured, ms", "above"]]
    for name, count, took in trips:
        floor = count * wire
        rows.append([name, str(count), f"{floor:.0f}", f"{took:.0f}", f"{took - floor:.1f}"])
    cost = {name: each.steady.cpu_ms for name, each in found.items()}
    others = "".join(
        f", {cost['ours'] / took:.0%} of {found[name].contender.label}'s"
        for name, took in cost.items()
        if name in {"allauth", "social_auth", "authlib"}
    )
    return (
        f"\n{_table(rows)}\nA round trip is what the four bare calls took, divided by four.\n\n"
        f"A login of ours takes {cost['ours'] / cost['bare']:.2f} times the processor time of the "
        f"floor{others}.\n"
    )


def own(burst: dict[str, int], pages: dict[str, float]) -> str:
    """Ours at once, and its pages beside a floor of the same run."""
    bursts = "\n".join(f"- {name}: {count}" for name, count in burst.items())
    share = pages["ours"] / pages["hello"] * 100
    return (
        f"\n64 logins at the same moment, at one worker:\n\n{bursts}\n\n"
        f"Signed-in dashboards a processor-second: {pages['ours']:.0f}; hello world with a session "
        f"in the same Redis: {pages['hello']:.0f}, so ours is {share:.0f} % of it.\n"
    )


def _table(rows: list[list[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def picture(found: list[Figures]) -> str:
    """The p99 of each over the arrival rate."""
    lines = {f.contender.label: [(s.rate, s.p99) for s in f.steps] for f in found}
    return plot.svg(lines, x="logins a second", y="99 of 100 are faster, ms", most=2000)


if __name__ == "__main__":
    main()
