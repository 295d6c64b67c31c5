"""Syncs that are killed, and that run beside each other and beside logins, in processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kills import School, a_school, kill_at_random

pytestmark = pytest.mark.servers

STUDENTS, MOMENTS = 1000, 6  # `python -m tests.kills` does a hundred moments with 20,000 students
MOST_KILOBYTES = 300_000  # however large the district is: Python, and a page of 10,000 records


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[School]:
    with ExitStack() as stack:
        yield a_school(stack, tmp_path, STUDENTS, database_url)


def test_a_sync_that_is_killed_at_any_moment_loses_and_doubles_nothing(school: School) -> None:
    assert kill_at_random(school, MOMENTS, seed=int(time.time())) > MOMENTS / 3


def test_a_large_district_is_read_in_flat_memory(database_url: str | None, tmp_path: Path) -> None:
    with ExitStack() as stack:
        school = a_school(stack, tmp_path, 20_000, database_url)
        assert int(school.run().split()[-1]) < MOST_KILOBYTES
        school.check()
