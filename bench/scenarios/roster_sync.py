"""Measures full and incremental roster syncs of a large district.

.venv-test/bin/python -m bench.scenarios.roster_sync
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import delete, insert, select

from bench.harness import report
from clever_login.clever.district_api.pagination import MAX_PAGE_SIZE
from clever_login.db import models
from clever_login.db.database import database
from tests.support import running_app
from tests.support.kill_loop import SyncedSchool, start_school

STUDENT_COUNT, CHANGE_COUNT = 20_000, 1_000
SYNCED_MODELS = (
    *(models.School, models.Term, models.Person),
    *(models.RoleAssignment, models.Section, models.Enrollment),
)
TITLE = "Roster sync of a large district"
TEXT_TEMPLATE = """\
Measured with `.venv-test/bin/python -m bench.scenarios.roster_sync`: one run each, on {cores}
cores with {system}
and Python {python}, shared with the simulator, the database, and other programs (load average at
the start: {busy:.1f}). Each run is a separate process, measured from start to exit. The rows are
schools, terms, users, their schools, sections, and enrollments: {rows:,}. In this measurement,
PostgreSQL does not wait for the disk; SQLite does.

| | SQLite | PostgreSQL |
|---|---|---|
| full sync of {students:,} students, empty database, s | {sqlite.first:.1f} | {pg.first:.1f} |
| CPU time of the sync process, s | {sqlite.cpu:.1f} | {pg.cpu:.1f} |
| floor: the same requests alone, s | {sqlite.reading:.1f} | {pg.reading:.1f} |
| floor: the same rows with executemany alone, s | {sqlite.writing:.1f} | {pg.writing:.1f} |
| rows per second | {sqlite.rate:,.0f} | {pg.rate:,.0f} |
| rows per second, executemany alone | {sqlite.bare_rate:,.0f} | {pg.bare_rate:,.0f} |
| requests | {sqlite.requests} | {pg.requests} |
| minimum number of requests with pages of {page:,} records | {sqlite.least} | {pg.least} |
| peak memory, MB | {sqlite.memory:.0f} | {pg.memory:.0f} |
| another full sync without changes, s | {sqlite.repeated:.1f} | {pg.repeated:.1f} |
| sync of the events of {changes:,} changes, s | {sqlite.events:.1f} | {pg.events:.1f} |
| requests of that sync | {sqlite.event_requests} | {pg.event_requests} |
"""


@dataclass(frozen=True, kw_only=True)
class SyncFigures:
    """The measurements of one database engine."""

    rows: int
    first: float
    cpu: float
    reading: float
    writing: float
    requests: int
    least: int
    memory: float
    repeated: float
    events: float
    event_requests: int

    @property
    def rate(self) -> float:
        """Rows per second of the first sync."""
        return self.rows / self.first

    @property
    def bare_rate(self) -> float:
        """Rows per second when only the database works."""
        return self.rows / self.writing


def main() -> None:
    """Measures, prints, and writes a section of docs/performance.md."""
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        sqlite = _measure(Path(name), postgresql=False)
        pg = _measure(Path(name), postgresql=True)
    text = TEXT_TEMPLATE.format(
        sqlite=sqlite,
        pg=pg,
        rows=sqlite.rows,
        students=STUDENT_COUNT,
        changes=CHANGE_COUNT,
        page=MAX_PAGE_SIZE,
        busy=busy,
        python=platform.python_version(),
        system=platform.system(),
        cores=os.cpu_count(),
    )
    sys.stdout.write(text)
    report.write_section(TITLE, text)


def _measure(folder: Path, *, postgresql: bool) -> SyncFigures:
    with ExitStack() as stack:
        url = stack.enter_context(running_app.run_postgres(folder)) if postgresql else None
        school = start_school(stack, folder, STUDENT_COUNT, url)
        school.clever.people.people_of(school.district)  # builds the simulator's tables in advance
        cpu_before = _children_cpu_seconds()
        first, requests, output = _time_sync(school)
        cpu = _children_cpu_seconds() - cpu_before
        reading, least = _measure_bare_reading(school, requests)
        repeated_seconds, _, _ = _time_sync(school, "--full")
        people = school.clever.people.people_of(school.district)
        school.clever.changes(
            {"change": "name", "person": person.id, "last": f"Adler {number}"}
            for number, person in enumerate(people[:CHANGE_COUNT])
        )
        events, asked_again, _ = _time_sync(school)
        school.check()
        rows, writing = _measure_bare_writing(school)
        return SyncFigures(
            rows=rows,
            first=first,
            cpu=cpu,
            reading=reading,
            writing=writing,
            requests=len(requests),
            least=least,
            memory=int(output.split()[-1]) / 1024,
            repeated=repeated_seconds,
            events=events,
            event_requests=len(asked_again),
        )


def _time_sync(school: SyncedSchool, *arguments: str) -> tuple[float, list[str], str]:
    journal_length = len(school.clever.received_requests())
    began = time.perf_counter()
    output = school.run(*arguments)
    seconds = time.perf_counter() - began
    requests = school.clever.received_requests()[journal_length:]
    return (
        seconds,
        [_request_uri(request) for request in requests if request["path"].startswith("/v")],
        output,
    )


def _children_cpu_seconds() -> float:
    """Returns the CPU time of all child processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _request_uri(entry: dict[str, Any]) -> str:
    return f"{entry['path']}?{entry['query']}"


def _measure_bare_reading(school: SyncedSchool, uris: list[str]) -> tuple[float, int]:
    """Sends the same requests on one connection.

    Returns the seconds and the minimum number of requests: the pages of each list.
    """
    with requests.Session() as http:
        http.trust_env = False
        tokens = http.get(
            f"{school.clever.url}/oauth/tokens?owner_type=district",
            auth=("simulator", "simulator-secret"),
            timeout=60,
        ).json()["data"]
        (token,) = (t["access_token"] for t in tokens if t["owner"]["id"] == school.district.id)
        http.headers["Authorization"] = f"Bearer {token}"
        began = time.perf_counter()
        for uri in uris:
            assert http.get(school.clever.url + uri, timeout=60).status_code == 200
        seconds = time.perf_counter() - began
        lists = {path for path, _, query in (u.partition("?") for u in uris) if "limit" in query}
        least = len({u.partition("?")[0] for u in uris} - lists)
        for path in lists:
            count = (
                http.get(f"{school.clever.url}{path}?count=true", timeout=60).json().get("count")
            )
            least += max(1, -(-(count or 1) // MAX_PAGE_SIZE))
    return seconds, least


def _measure_bare_writing(school: SyncedSchool) -> tuple[int, float]:
    """Deletes and reinserts all rows. Returns their number and the seconds of the insert."""
    with database(school.app).engine.connect() as db:
        rows = [
            (m, [dict(r) for r in db.execute(select(m.__table__)).mappings()])
            for m in SYNCED_MODELS
        ]
        db.rollback()
        with db.begin():
            for model in reversed(SYNCED_MODELS):
                db.execute(delete(model))
        began = time.perf_counter()
        with db.begin():
            for model, table_rows in rows:
                db.execute(insert(model), table_rows)
        return sum(len(table_rows) for _, table_rows in rows), time.perf_counter() - began


if __name__ == "__main__":
    main()
