"""Tests a district of 8,000 students, read by a job that is killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clever_simulator.server import RunningSimulator
from tests.support import running_app
from tests.support.roster_job import simulator_config
from tests.support.running_app import ROOT
from tests.support.simulators import run_in_background

pytestmark = pytest.mark.servers

STUDENTS = 8_000
PAGE = 1000
MOST_BYTES = 12_000_000  # for pages of 1,000 records; all records at once are over 40 MB


@pytest.fixture(scope="module")
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(simulator_config(students=STUDENTS)) as started:
        yield started


def start(clever: RunningSimulator, progress_file: Path) -> subprocess.Popen[str]:
    district = clever.people.districts[-1].id
    command = [
        sys.executable,
        "-m",
        "tests.support.roster_job",
        clever.url,
        district,
        str(progress_file),
    ]
    return subprocess.Popen([*command, str(PAGE)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_killed_job_resumes_and_reads_each_student_once_with_constant_memory(
    clever: RunningSimulator, tmp_path: Path
) -> None:
    progress_file = tmp_path / "done"
    progress_file.touch()
    soon = str(int(time.time()) + 2)
    clever.add_fault("data", status=429, headers={"X-RateLimit-Reset": soon})
    clever.add_fault("data", status=503)
    with start(clever, progress_file) as first:
        assert first.stdout
        for _ in range(STUDENTS // 3):  # the pipe's buffer limits how far the job runs ahead
            first.stdout.readline()
        first.kill()
    before = progress_file.read_text().split()
    assert STUDENTS // 3 <= len(before) < STUDENTS
    with start(clever, progress_file) as second:
        output = second.communicate(timeout=300)[0].split()
    assert second.returncode == 0
    district = clever.people.districts[-1].id
    expected = {
        person.id
        for person in clever.people.people
        if person.district.id == district and "student" in person.roles
    }
    student_ids = progress_file.read_text().split()
    assert len(student_ids) == len(expected) == STUDENTS
    assert set(student_ids) == expected
    assert student_ids[: len(before)] == before
    assert int(output[-1]) < MOST_BYTES
    statuses = [
        request["status"]
        for request in clever.received_requests()
        if request["path"] == "/v3.0/users"
    ]
    assert sorted(set(statuses)) == [200, 429, 503]
    assert statuses.count(200) <= STUDENTS / PAGE + 2  # the current page is read again


def test_a_long_list_reports_progress_on_standard_error(
    clever: RunningSimulator, tmp_path: Path
) -> None:
    settings = running_app.settings_for("http://localhost:3000", clever.url, tmp_path)
    district = clever.people.districts[-1].id
    result = subprocess.run(
        [sys.executable, "-m", "flask", "clever", "sections", district, "--json"],
        env=running_app.environment_variables(settings, 3000),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    expected = [
        section for section in clever.people.sections if section.school.district.id == district
    ]
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {section["id"] for section in rows} == {section.id for section in expected}
    assert f"1000 of {len(expected)} sections" in result.stderr
    assert f"{len(expected)} sections in total." in result.stderr
