"""A simulator whose school year goes on, and what its data says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clever_simulator.config import default_config
from clever_simulator.people import Person
from clever_simulator.server import Running, running
from tests.clever_client import APP_URL
from tests.test_simulator_data import OLD, all_pages, get, ids
from tests.test_simulator_events import told
from tests.visitor import Visitor

VERSIONS = ["v2.1", "v3.0", "v3.1"]
CHILD = "talia.thompson"
LIBRARY = "simulator-library"
DAY = 24 * 60 * 60


@pytest.fixture
def clever() -> Iterator[Running]:
    with running(default_config(APP_URL)) as started:
        yield started


def people(version: str) -> str:
    return "students" if version in OLD else "users"


def child(clever: Running) -> Person:
    return clever.people.person(CHILD)


def record(clever: Running, version: str, one_id: str) -> Any:
    return get(clever, f"/{version}/{people(version)}/{one_id}")["data"]


def role(version: str, data: Any) -> Any:
    """What a record says of somebody as a student."""
    return data if version in OLD else data["roles"]["student"]


def classes(clever: Running, version: str, one_id: str) -> list[str]:
    return ids(get(clever, f"/{version}/{people(version)}/{one_id}/sections"))


def guardians(clever: Running, version: str, one_id: str) -> list[str]:
    below = "contacts" if version in OLD else "mycontacts"
    return ids(get(clever, f"/{version}/{people(version)}/{one_id}/{below}"))


def all_of(clever: Running, path: str) -> dict[str, Any]:
    return {
        each["data"]["id"]: each["data"]
        for page in all_pages(clever, path)
        for each in page["data"]
    }


def students(clever: Running, version: str) -> dict[str, Any]:
    return all_of(
        clever, f"/{version}/{'students?' if version in OLD else 'users?role=student&'}limit=50"
    )


def a_grade_after(grade: str) -> str:
    return "1" if grade == "Kindergarten" else str(int(grade) + 1)


def touched(step: dict[str, Any], what: str) -> list[dict[str, str]]:
    return [each for each in step["touched"] if each["what"] == what]


def refused_at_clever(visitor: Visitor) -> bool:
    """Whether Clever has kept somebody on a page of its own, with nothing for the app."""
    return not visitor.url.startswith(APP_URL) and visitor.response.status_code in (400, 403)


def replayed(clever: Running, version: str, before: dict[str, Any], collection: str) -> Any:
    """What an app that applies the events one by one now holds of one collection."""
    held = dict(before)
    for event in told(clever, version):
        kind, _, verb = event["type"].partition(".")
        one = event["data"]["object"]
        if kind != collection:
            continue
        assert (verb == "created") == (one["id"] not in held), event["type"]
        held[one["id"]] = one
        if verb == "deleted":
            del held[one["id"]]
    return held
