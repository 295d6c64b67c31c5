"""Syncs that are killed at random moments: `python -m tests.kills --students 20000 --moments 100`.

Before each, something happens in the district. After each, an ordinary run must leave the store as
the simulator has it, row by row.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import delete

from app import create_app
from clever_login.school import tables
from clever_login.school.database import database
from clever_simulator.people import District
from clever_simulator.server import Running, running
from tests import sites
from tests.reading import APP_URL, config
from tests.sites import ROOT
from tests.truth import Truth, assert_equal


@dataclass(frozen=True)
class School:
    """A simulated district of any size, and an app's store of it."""

    clever: Running
    app: Flask
    env: dict[str, str]
    folder: Path

    @property
    def district(self) -> District:
        return self.clever.people.districts[-1]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a sync of the district."""
        command = [sys.executable, "-m", "tests.sync_job", str(self.folder)]
        command += ["--district", self.district.id, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.env, cwd=ROOT, text=True, stdout=pipe, stderr=subprocess.STDOUT
        )

    def run(self, *words: str) -> str:
        """A whole sync; what it said."""
        with self.start(*words) as child:
            said = child.communicate(timeout=300)[0]
        assert child.returncode == 0, said
        return said

    def kill(self, after: float, *words: str) -> bool:
        """Kill a sync after so many seconds; whether it was still at work."""
        with self.start(*words) as child:
            try:
                child.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
        return child.returncode != 0

    def forget(self) -> None:
        """Empty the store."""
        with database(self.app).begin() as session:
            for table in reversed(tables.Base.metadata.sorted_tables):
                session.execute(delete(table))

    def check(self) -> None:
        """Compare row by row."""
        assert_equal(Truth(self.clever, self.district), database(self.app).engine)


def a_school(stack: ExitStack, folder: Path, students: int, database_url: str | None) -> School:
    """Start a simulator with one more district, and make an empty store."""
    clever = stack.enter_context(running(config(students=students)))
    settings = sites.settings_for(APP_URL, clever.url, folder, database_url=database_url)
    app = create_app(settings)
    made = app.test_cli_runner().invoke(args=["clever", "db", "upgrade"])
    assert made.exit_code == 0, made.output
    stack.callback(database(app).close)
    return School(clever, app, sites.environment(settings, 3000), folder)


def kill_at_random(school: School, moments: int, seed: int) -> int:
    """So many moments; how many runs were still at work when they were killed."""
    chance = random.Random(seed)  # noqa: S311 # repeatable on purpose
    began = time.monotonic()
    school.run()
    whole, killed = time.monotonic() - began, 0
    for moment in range(moments):
        a_day_at_school(school, chance)
        words = [] if moment % 3 else ["--full"]
        if moment % 3 == 1:
            school.forget()
        seconds = whole if moment % 3 < 2 else min(whole, 2.0)  # events take a moment only
        killed += school.kill(chance.uniform(0.3 * min(whole, 2.0), seconds), *words)
        school.run()
        try:
            school.check()
        except AssertionError as error:
            raise AssertionError(f"moment {moment} of seed {seed}: {error}") from error
    return killed


def a_day_at_school(school: School, chance: random.Random) -> None:
    """A name, a class, somebody gone, and whoever had gone is back."""
    everyone = school.clever.people.people_of(school.district)
    students = [each for each in everyone if "student" in each.roles]
    sections = school.clever.people.sections_of(school.district)
    one, two, three = chance.sample(students, 3)
    school.clever.change("name", one.id, last=f"Adler {chance.random()}")
    school.clever.change("class", two.id, section=chance.choice(sections).id, enrolled=True)
    school.clever.change(chance.choice(["unshared", "deleted"]), three.id)
    if chance.random() < 0.5:
        school.clever.change("back", three.id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=20_000)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--postgresql", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        url = stack.enter_context(sites.postgres_server(folder)) if given.postgresql else None
        school = a_school(stack, folder, given.students, url)
        killed = kill_at_random(school, given.moments, given.seed)
        print(f"{given.moments} moments, {killed} in the middle of a run, seed {given.seed}.")


if __name__ == "__main__":
    main()
