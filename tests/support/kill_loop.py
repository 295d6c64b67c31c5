"""Kills syncs at random moments.

Run `python -m tests.support.kill_loop --students 20000 --moments 100`.

Before each run the database is emptied or the district changes. After each killed run, a normal run
must make the database match the simulator, row by row.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from flask import Flask
from sqlalchemy import delete, func, select

from clever_login.db import models
from clever_login.db.database import database
from clever_simulator.directory.models import District
from clever_simulator.server import RunningSimulator
from tests.support import running_app
from tests.support.expected_rows import ExpectedRows, assert_rows_equal
from tests.support.reference_app.app import create_app
from tests.support.roster_job import APP_URL, simulator_config
from tests.support.running_app import ROOT
from tests.support.simulators import run_in_background

RunKind = Literal["fill", "read again", "events"]
RUN_KINDS: tuple[RunKind, ...] = get_args(RunKind)
TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class SyncedSchool:
    """A simulated district of any size, and an app's database for it."""

    clever: RunningSimulator
    app: Flask
    env: dict[str, str]
    folder: Path

    @property
    def district(self) -> District:
        return self.clever.people.districts[-1]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a sync of the district."""
        command = [sys.executable, "-m", "tests.support.sync_process", str(self.folder)]
        command += ["--district", self.district.id, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.env, cwd=ROOT, text=True, stdout=pipe, stderr=subprocess.STDOUT
        )

    def run(self, *words: str) -> str:
        """Run a complete sync and return its output."""
        with self.start(*words) as child:
            output = child.communicate(timeout=TIMEOUT_SECONDS)[0]
        assert child.returncode == 0, output
        return output

    def timeline(self, *words: str) -> list[float]:
        """Run a complete sync and return its timeline in seconds.

        The timeline has the moment it began work and the moment of each line of output. The last
        line is left out, because it is printed after the work is done.
        """
        began = time.monotonic()
        with self.start(*words) as child:
            self.wait_until_at_work(child)
            times = [time.monotonic() - began]
            assert child.stdout
            times += [time.monotonic() - began for _ in child.stdout]
        assert child.returncode == 0
        return times[:-1]

    def kill(self, moment: float, timeline: list[float], *words: str) -> bool:
        """Kill a sync at `moment` in seconds of its `timeline`. Returns whether it was at work.

        The sync's output lines serve as its clock, so the load on the machine doesn't matter.
        """
        passed = bisect(timeline, moment)
        with self.start(*words) as child:
            self.wait_until_at_work(child)
            assert child.stdout
            for _ in islice(child.stdout, passed - 1):
                pass
            with suppress(subprocess.TimeoutExpired):
                child.wait(moment - timeline[passed - 1])
            child.kill()
        return self.is_at_work()

    def wait_until_at_work(self, child: subprocess.Popen[str]) -> None:
        """Wait until the sync holds its lock or has ended."""
        while child.poll() is None and not self.is_at_work():
            time.sleep(0.01)

    def is_at_work(self) -> bool:
        """Return whether a sync holds the lock, or was killed while holding it."""
        with database(self.app).read_session() as session:
            return bool(session.scalar(select(func.count()).select_from(models.SyncLock)))

    def forget(self) -> None:
        """Empty the database."""
        with database(self.app).begin() as session:
            for table in reversed(models.Base.metadata.sorted_tables):
                session.execute(delete(table))

    def check(self) -> None:
        """Compare the database with the simulator row by row. Killed reads must leave no rows."""
        with database(self.app).read_session() as session:
            for table in (models.SeenRecord, models.StaleLink):
                assert session.scalar(select(func.count()).select_from(table)) == 0
        assert_rows_equal(ExpectedRows(self.clever, self.district), database(self.app).engine)


def start_school(
    stack: ExitStack, folder: Path, students: int, database_url: str | None
) -> SyncedSchool:
    """Start a simulator with an additional district, and create an empty database."""
    clever = stack.enter_context(run_in_background(simulator_config(students=students)))
    settings = running_app.settings_for(APP_URL, clever.url, folder, database_url=database_url)
    app = create_app(settings)
    result = app.test_cli_runner().invoke(args=["clever", "db", "upgrade"])
    assert result.exit_code == 0, result.output
    stack.callback(database(app).close)
    return SyncedSchool(clever, app, running_app.environment_variables(settings, 3000), folder)


def kill_at_random_moments(school: SyncedSchool, moments: int, seed: int) -> int:
    """Kill `moments` runs at work. Each is followed by a complete run and a check of every row.

    One third of the runs fill an empty database, one third do a full read after changes, and one
    third apply the events of changes. Returns how many kills came too early or too late to count.
    """
    chance = random.Random(seed)  # noqa: S311 # repeatable on purpose
    timelines: dict[RunKind, list[float]] = {}
    hit = missed = 0
    while hit < moments:
        kind = RUN_KINDS[hit % len(RUN_KINDS)]
        prepare_run(school, kind, chance)
        words = ["--full"] if kind == "read again" else []
        if kind not in timelines:
            timelines[kind] = school.timeline(*words)
            continue
        timeline = timelines[kind]
        moment = chance.uniform(timeline[0], timeline[-1])
        if not school.kill(moment, timeline, *words):
            missed += 1
            assert missed < moments + 10
            continue
        hit += 1
        began = time.monotonic()
        school.run()
        seconds = time.monotonic() - began
        try:
            school.check()
        except AssertionError as error:
            raise AssertionError(f"moment {hit} of seed {seed}, {kind}: {error}") from error
        now = time.strftime("%H:%M:%S", time.gmtime())
        print(
            f"{now} {hit}: {kind}, killed at {moment:.2f} of {timeline[-1]:.2f} s, equal after"
            f" another {seconds:.2f} s; {missed} missed",
            flush=True,
        )
    return missed


def prepare_run(school: SyncedSchool, kind: RunKind, chance: random.Random) -> None:
    """Make sure that the next run has work to do."""
    if kind == "fill":
        school.forget()
    else:
        make_random_changes(school, chance)


def make_random_changes(school: SyncedSchool, chance: random.Random) -> None:
    """Change names and sections, remove some people, and bring half of them back."""
    people = school.clever.people.people_of(school.district)
    students = [person for person in people if "student" in person.roles]
    sections = school.clever.people.sections_of(school.district)
    few = 1 + len(students) // 500
    changes: list[dict[str, object]] = [
        {"change": "name", "person": person.id, "last": f"Adler {chance.random()}"}
        for person in chance.sample(people, few)
    ]
    changes += [
        {"change": "class", "person": person.id, "section": chance.choice(sections).id}
        for person in chance.sample(students, 5 * few)
    ]
    removed = chance.sample(students, few)
    changes += [
        {"change": chance.choice(["unshared", "deleted"]), "person": person.id}
        for person in removed
    ]
    school.clever.changes(changes)
    school.clever.changes({"change": "back", "person": person.id} for person in removed[few // 2 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=20_000)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        url = stack.enter_context(running_app.run_postgres(folder)) if options.postgresql else None
        school = start_school(stack, folder, options.students, url)
        missed = kill_at_random_moments(school, options.moments, options.seed)
        print(
            f"{options.moments} runs of {options.students:,} students killed at work, no difference"
            f"; {missed} more were killed before or after their work; seed {options.seed}."
        )


if __name__ == "__main__":
    main()
