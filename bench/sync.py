"""Rosters of a large district, read and kept up: `.venv-test/bin/python -m bench.sync`."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import page
from tests import sites
from tests.kills import School, a_school
from tests.truth import Truth

STUDENTS, CHANGES = 20_000, 1_000
TITLE = "Keeping the rosters of a large district"
TEXT = """\
Written by `.venv-test/bin/python -m bench.sync`: one run each, on {cores} cores with {system} and
Python {python}, which the simulator and the database share. A run is a process of its own, from its
start to its end. Rows are those of schools, terms, people, their schools, sections and enrolments:
{rows:,}. Requests are those to the API; a list comes 10,000 records a page.

| | SQLite | PostgreSQL |
|---|---|---|
| full sync of {students:,} students into an empty store, s | {sqlite.first:.1f} | {pg.first:.1f} |
| rows a second | {sqlite.rate:,.0f} | {pg.rate:,.0f} |
| requests made | {sqlite.requests} | {pg.requests} |
| most memory in use, MB | {sqlite.memory:.0f} | {pg.memory:.0f} |
| full sync again, nothing changed, s | {sqlite.again:.1f} | {pg.again:.1f} |
| events of {changes:,} changes, s | {sqlite.events:.1f} | {pg.events:.1f} |
| requests made | {sqlite.event_requests} | {pg.event_requests} |
"""


@dataclass
class Figures:
    """What one engine took."""

    rows: int
    first: float
    requests: int
    memory: float
    again: float
    events: float
    event_requests: int

    @property
    def rate(self) -> float:
        """Rows a second of the first sync."""
        return self.rows / self.first


def main() -> None:
    """Measure, print, and write our section of docs/performance.md."""
    with tempfile.TemporaryDirectory() as name:
        sqlite, pg = _measure(Path(name), postgresql=False), _measure(Path(name), postgresql=True)
    text = TEXT.format(
        sqlite=sqlite,
        pg=pg,
        rows=sqlite.rows,
        students=STUDENTS,
        changes=CHANGES,
        python=platform.python_version(),
        system=platform.system(),
        cores=os.cpu_count(),
    )
    sys.stdout.write(text)
    page.put(TITLE, text)


def _measure(folder: Path, *, postgresql: bool) -> Figures:
    with ExitStack() as stack:
        url = stack.enter_context(sites.postgres_server(folder)) if postgresql else None
        school = a_school(stack, folder, STUDENTS, url)
        first, requests, said = _timed(school)
        again, _, _ = _timed(school, "--full")
        everyone = school.clever.people.people_of(school.district)
        for number, one in enumerate(everyone[:CHANGES]):
            school.clever.change("name", one.id, last=f"Adler {number}")
        events, event_requests, _ = _timed(school)
        memory = int(said.split()[-1]) / 1024
        return Figures(_rows(school), first, requests, memory, again, events, event_requests)


def _timed(school: School, *words: str) -> tuple[float, int, str]:
    before = _asked(school)
    began = time.perf_counter()
    said = school.run(*words)
    return time.perf_counter() - began, _asked(school) - before, said


def _asked(school: School) -> int:
    return sum(each["path"].startswith("/v") for each in school.clever.journal())


def _rows(school: School) -> int:
    return sum(map(len, Truth(school.clever, school.district).rows().values()))


if __name__ == "__main__":
    main()
