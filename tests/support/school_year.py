"""A simulator whose school year advances, and helpers that read its data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clever_simulator.config import default_config
from clever_simulator.directory.models import Person
from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import OLD, all_pages, get, ids
from tests.simulator.test_events import list_events
from tests.support.browser_client import Visitor
from tests.support.simulator_client import APP_URL
from tests.support.simulators import run_in_background

VERSIONS = ["v2.1", "v3.0", "v3.1"]
STUDENT_USER_NAME = "talia.thompson"
LIBRARY_CLIENT_ID = "simulator-library"
DAY_SECONDS = 24 * 60 * 60


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def people_collection(version: str) -> str:
    return "students" if version in OLD else "users"


def find_student(clever: RunningSimulator) -> Person:
    return clever.people.person(STUDENT_USER_NAME)


def read_record(clever: RunningSimulator, version: str, one_id: str) -> Any:
    return get(clever, f"/{version}/{people_collection(version)}/{one_id}")["data"]


def student_data(version: str, data: Any) -> Any:
    """Return the student part of a record."""
    return data if version in OLD else data["roles"]["student"]


def section_ids(clever: RunningSimulator, version: str, one_id: str) -> list[str]:
    return ids(get(clever, f"/{version}/{people_collection(version)}/{one_id}/sections"))


def guardian_ids(clever: RunningSimulator, version: str, one_id: str) -> list[str]:
    below = "contacts" if version in OLD else "mycontacts"
    return ids(get(clever, f"/{version}/{people_collection(version)}/{one_id}/{below}"))


def read_all(clever: RunningSimulator, path: str) -> dict[str, Any]:
    return {
        row["data"]["id"]: row["data"] for page in all_pages(clever, path) for row in page["data"]
    }


def read_students(clever: RunningSimulator, version: str) -> dict[str, Any]:
    return read_all(
        clever, f"/{version}/{'students?' if version in OLD else 'users?role=student&'}limit=50"
    )


def next_grade(grade: str) -> str:
    return "1" if grade == "Kindergarten" else str(int(grade) + 1)


def changes_of(step: dict[str, Any], change: str) -> list[dict[str, str]]:
    return [record for record in step["touched"] if record["what"] == change]


def is_refused_at_clever(visitor: Visitor) -> bool:
    """Return whether Clever kept the user on its own error page without returning to the app."""
    return not visitor.url.startswith(APP_URL) and visitor.response.status_code in (400, 403)


def replay_events(
    clever: RunningSimulator, version: str, before: dict[str, Any], collection: str
) -> Any:
    """Return one collection as an app has it after applying all events one by one."""
    held = dict(before)
    for event in list_events(clever, version):
        kind, _, verb = event["type"].partition(".")
        record = event["data"]["object"]
        if kind != collection:
            continue
        assert (verb == "created") == (record["id"] not in held), event["type"]
        held[record["id"]] = record
        if verb == "deleted":
            del held[record["id"]]
    return held
