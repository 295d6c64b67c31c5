"""Compares two commits in alternating turns, so that other load affects both: `bench/ab OLD NEW`.

Each commit runs as its Procfile says, with one worker, next to a Redis, a PostgreSQL and an
upstream in place of Clever. All measurements come from outside: HTTP, /proc, and the counters of
Redis and PostgreSQL. The code that measures is from the working tree, never from OLD or NEW.

Exit code 1: a count grew, or CPU time is more than 5 % above the old with 95 % confidence.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.commits.checkout import CannotCheckOut, Checkout, check_out, uncommitted
from bench.commits.deployment import DidNotRun, install
from bench.commits.measurement import (
    CALLS,
    LOGIN,
    PAGES_A_LOGIN,
    STATEMENTS,
    STORE,
    STUDENT,
    TEACHER,
    Turn,
    turn,
)
from bench.commits.ratios import Ratio, compare_counts, ratio
from bench.harness import resources
from bench.harness.open_loop import WrongAnswer
from bench.harness.stack import Stack, start_stack

PAIRS, LOGINS = 12, 40
Pair = tuple[Turn, Turn]


def main(arguments: list[str] | None = None) -> int:
    """Compares, prints a report, and returns the exit code."""
    options = _options(arguments)
    try:
        with (
            tempfile.TemporaryDirectory() as name,
            start_stack(Path(name), milliseconds=2) as stack,
        ):
            old, new = check_out(Path(name), [options.old, options.new])
            print(_head(old, new, options))
            pairs = _pairs(stack, (old, new), options)
    except (CannotCheckOut, DidNotRun, WrongAnswer) as error:
        print(error, file=sys.stderr)
        return 2
    lines, worse = report(pairs)
    print("\n".join(lines))
    return 1 if worse else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/ab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", help="a commit, as git names it")
    parser.add_argument("new", help="another one, or the same")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"turns of each: {PAIRS}")
    parser.add_argument("--logins", type=int, default=LOGINS, help=f"in a turn: {LOGINS}")
    options = parser.parse_args(arguments)
    if options.pairs < 2 or options.logins < 1:
        parser.error("an interval needs at least two pairs, and a pair one login")
    return options


def _head(old: Checkout, new: Checkout, options: argparse.Namespace) -> str:
    pages = options.logins * PAGES_A_LOGIN
    text = (
        f"old: {old.commit} {old.subject}\nnew: {new.commit} {new.subject}\n"
        f"{options.pairs} pairs of {options.logins} logins and 2 x {pages} pages, one worker, on "
        f"{resources.machine_description()}; load average {resources.load_average():.1f}"
    )
    return text + ("\nUncommitted changes are not measured." if uncommitted() else "")


def _pairs(
    stack: Stack, both: tuple[Checkout, Checkout], options: argparse.Namespace
) -> list[Pair]:
    """Alternates old and new. Each turn is a fresh start."""
    old, new = (install(stack, checkout, place) for place, checkout in enumerate(both, 1))
    stack.log_statements(on=True)
    pairs = []
    for number in range(options.pairs):
        sys.stderr.write(f"pair {number + 1} of {options.pairs}\n")
        pairs.append((turn(stack, old, options.logins), turn(stack, new, options.logins)))
    return pairs


def report(pairs: list[Pair]) -> tuple[list[str], list[str]]:
    """Returns the lines of a table, and what has become worse."""
    lines, worse, open_questions = ["", "| | old | new | |", "| --- | --- | --- | --- |"], [], []
    for unit in (LOGIN, STUDENT, TEACHER):
        cpu_ms, cpu = _cpu(pairs, unit)
        lines.append(f"| {unit}: CPU, ms | {cpu_ms[0]:.2f} | {cpu_ms[1]:.2f} | {_in_words(cpu)} |")
        if cpu.verdict == "more":
            worse.append(f"CPU of a {unit}")
        if cpu.verdict == "not decided":
            open_questions.append(unit)
        for kind in (STATEMENTS, STORE, CALLS):
            old, new = _counts(pairs, unit, kind)
            report_text = compare_counts(old, new)
            lines.append(f"| {unit}: {kind} | {old:.2f} | {new:.2f} | {report_text} |")
            if report_text != "same":
                lines += _differences(pairs, unit, kind)
            if report_text == "more":
                worse.append(f"{kind} of a {unit}")
    return [*lines, *_beside(pairs), "", *_verdict(worse, open_questions)], worse


def _cpu(pairs: list[Pair], unit: str) -> tuple[list[float], Ratio]:
    old, new = ([turns[side].costs[unit].cpu_ms for turns in pairs] for side in (0, 1))
    return [statistics.median(old), statistics.median(new)], ratio(old, new)


def _in_words(cpu: Ratio) -> str:
    text = f"{cpu.verdict}: new / old = {cpu.middle:.3f}, 95 % interval {cpu.low:.3f} to"
    return f"{text} {cpu.high:.3f}" + (", within 5 %" if cpu.verdict == "same" else "")


def _counts(pairs: list[Pair], unit: str, kind: str) -> list[float]:
    """Returns the medians of all turns, so that chance events in one turn do not count."""
    sides = (0, 1)
    return [
        statistics.median(pair[side].costs[unit].count(kind) for pair in pairs) for side in sides
    ]


def _differences(pairs: list[Pair], unit: str, kind: str) -> Iterator[str]:
    """Yields a row for each command, statement or path whose count differs."""
    old, new = (pairs[-1][side].costs[unit].by_name(kind) for side in (0, 1))
    for name in sorted(old.keys() | new.keys()):
        old_count, new_count = old.get(name, 0.0), new.get(name, 0.0)
        if compare_counts(old_count, new_count) != "same":
            yield f"| of these {name} | {old_count:.2f} | {new_count:.2f} | |"


def _beside(pairs: list[Pair]) -> Iterator[str]:
    """Yields rows that are shown but do not affect the exit code."""
    for name, digits, values in (
        (
            "idle worker, MB",
            1,
            [[checkout_figures.idle_mb for checkout_figures in pair] for pair in pairs],
        ),
        (
            "start to first answer, s",
            2,
            [[checkout_figures.start_seconds for checkout_figures in pair] for pair in pairs],
        ),
    ):
        old, new = (statistics.median(side) for side in zip(*values, strict=True))
        yield f"| {name} | {old:.{digits}f} | {new:.{digits}f} | |"


def _verdict(worse: list[str], open_questions: list[str]) -> Iterator[str]:
    yield f"Worse: {', '.join(worse)}." if worse else "No count grew, and no CPU by more than 5 %."
    if open_questions:
        yield (
            f"CPU not decided: {', '.join(open_questions)}. The interval is too wide to tell "
            "whether it is within 5 %: use more --pairs, or a machine with less to do."
        )


if __name__ == "__main__":
    sys.exit(main())
