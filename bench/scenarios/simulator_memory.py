"""Measures a large district in the simulator.

    .venv-test/bin/python -m bench.scenarios.simulator_memory

Each figure is compared with that of the standard districts in the same run.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness import report
from clever_simulator.directory.models import DEFAULT_PASSWORD
from tests.support.browser_client import Visitor, send_request
from tests.support.running_app import ROOT

START_COUNT = 5
STUDENT_COUNT = 20_000
TITLE = "A large district in the simulator"
TEXT_TEMPLATE = """\
Measured with `.venv-test/bin/python -m bench.scenarios.simulator_memory`: medians of {starts}
starts, each in a
separate process, on {cores} cores with {system} and Python {python}. The first login builds the
tables that find users. The third row reads all users and all sections of the district with the
district's token, 10,000 per page.

| | {students:,} students | only the regular districts |
|---|---|---|
| startup to first response, s | {large.start_s:.2f} | {usual.start_s:.2f} |
| first login, ms | {large.login_ms:.1f} | {usual.login_ms:.1f} |
| reading all users and sections, s | {large.read_s:.2f} | {usual.read_s:.2f} |
| peak memory, MB | {large.memory_mb:.0f} | {usual.memory_mb:.0f} |
"""


@dataclass(frozen=True)
class StartFigures:
    """The measurements of one start."""

    start_s: float
    login_ms: float
    read_s: float
    memory_mb: float


def main() -> None:
    """Measures, prints, and writes a section of docs/performance.md."""
    large, usual = [], []
    for _ in range(START_COUNT):
        large.append(_measure("broad-plains", "1000001", "--students", str(STUDENT_COUNT)))
        usual.append(_measure("harrow-creek", "student"))
    text = TEXT_TEMPLATE.format(
        large=_medians(large),
        usual=_medians(usual),
        students=STUDENT_COUNT,
        starts=START_COUNT,
        python=platform.python_version(),
        system=platform.system(),
        cores=os.cpu_count(),
    )
    sys.stdout.write(text)
    report.write_section(TITLE, text)


def _medians(all_figures: list[StartFigures]) -> StartFigures:
    return StartFigures(
        statistics.median(figures.start_s for figures in all_figures),
        statistics.median(figures.login_ms for figures in all_figures),
        statistics.median(figures.read_s for figures in all_figures),
        statistics.median(figures.memory_mb for figures in all_figures),
    )


def _measure(shortname: str, user_name: str, *options: str) -> StartFigures:
    began = time.perf_counter()
    with _run_simulator(*options) as (child, url):
        visitor = Visitor("https://app.example").open(f"{url}/in/{shortname}")
        start = time.perf_counter() - began
        began = time.perf_counter()
        visitor.press("Log in", username=user_name, password=DEFAULT_PASSWORD)
        login = (time.perf_counter() - began) * 1000
        assert visitor.heading.startswith("Hello")
        began = time.perf_counter()
        _read_all(url, shortname)
        return StartFigures(start, login, time.perf_counter() - began, _peak_memory_mb(child.pid))


def _read_all(url: str, shortname: str) -> None:
    basic = ("simulator", "simulator-secret")
    tokens = send_request(f"{url}/oauth/tokens?owner_type=district", auth=basic).json()["data"]
    for record in tokens:
        bearer = {"Authorization": f"Bearer {record['access_token']}"}
        district = send_request(
            f"{url}/v3.0/districts/{record['owner']['id']}", headers=bearer
        ).json()
        if district["data"]["portal_url"].endswith(f"/{shortname}"):
            for collection in ("users", "sections"):
                _read(url, f"/v3.0/{collection}?limit=10000", bearer)


def _read(url: str, path: str, bearer: dict[str, str]) -> None:
    while path:
        page = send_request(url + path, headers=bearer).json()
        path = next((link["uri"] for link in page["links"] if link["rel"] == "next"), "")


@contextmanager
def _run_simulator(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "clever_simulator", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline().split()[-1]
        finally:
            child.terminate()


def _peak_memory_mb(pid: int) -> float:
    """Returns the peak memory of the process in MB. Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
