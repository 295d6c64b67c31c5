"""Writes the table of faults into docs/reliability.md."""

from __future__ import annotations

import re

from tests.deployed.faults.traffic import LOGGED_OUT, NO_ANSWER
from tests.deployed.faults.trial import KINDS, RECOVERY_SECONDS, Result
from tests.support.running_app import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: written by bin/test --faults -->", "<!-- faults: end -->"
STEPS = (1, 2, 5, 10, 15, 30, 60)  # seconds; a measured time is rounded up to one of these
WORDS = {NO_ANSWER: "no answer", LOGGED_OUT: "logged out"}
TABLE = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)


def write_table(results: list[Result]) -> None:
    """Replace the table on the page."""
    text = PAGE.read_text()
    assert TABLE.search(text), f"{PAGE.name} has no place for the table"
    PAGE.write_text(TABLE.sub(lambda _: f"{BEGIN}\n\n{table(results)}\n{END}", text))


def table(results: list[Result]) -> str:
    """Return the table, one row for each fault."""
    head = ["what fails", *KINDS, "longest", "recovered", "wrong users", "lost"]
    rows = [head, ["---"] * len(head), *(_row(result) for result in results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(result: Result) -> list[str]:
    return [
        str(result.fault),
        *(_statuses(result.statuses[kind]) for kind in KINDS),
        _rounded(max(result.longest.values())),
        _rounded(max(result.recovered, RECOVERY_SECONDS)),
        str(result.wrong_users),
        "; ".join(result.lost) or "nothing",
    ]


def _statuses(statuses: set[int]) -> str:
    return ", ".join(WORDS.get(status, str(status)) for status in sorted(statuses)) or "-"


def _rounded(seconds: float) -> str:
    return f"within {next((step for step in STEPS if seconds <= step), STEPS[-1])} s"
