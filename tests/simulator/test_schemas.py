"""Tests the simulator against Clever's OpenAPI files, as far as they are on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clever_simulator.config import default_config
from clever_simulator.server import RunningSimulator
from tests.simulator.test_data_api import VERSIONS, district_tokens
from tests.support.running_app import ROOT
from tests.support.simulator_client import APP_URL
from tests.support.simulators import run_in_background

SPECS = Path(os.environ.get("CLEVER_SPECS") or ROOT.parent / "shared" / "specs")
FILES = [f"{version}{kind}" for version in VERSIONS for kind in ("", "-events")]
# Statuses that Clever's documentation names, but not its OpenAPI files.
ONLY_IN_TEXTS = {400, 401, 403, 413, 429, 501}
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
QUERIES: dict[str, list[str]] = {
    "count": ["true", "false", ""],
    "ending_before": ["last", "6", "~"],
    "include": ["schools"],
    "limit": ["1", "10000", "10001", "many"],
    "primary": ["true", ""],
    "record_type": ["users", "students"],
    "role": ["student", "teacher", "staff", "contact", "district_admin"],
    "school": ["nowhere"],
    "show_links": ["true"],
    "starting_after": ["0", "zzz", ""],
    "where": ['{"district": "none"}', "{}", "{"],
}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not SPECS.is_dir(),
        reason="Clever's own files are not here: set CLEVER_SPECS to their folder",
    ),
]


@pytest.fixture(scope="module")
def clever() -> Iterator[RunningSimulator]:
    # The third district has the edge cases; the last two are generated or imported.
    config = replace(default_config(APP_URL), students=60, data=ROOT / "tests/data/pine_hollow")
    with run_in_background(config) as started:
        for district in started.people.districts:
            started.make_step("rollover", district=district.id)
        started.make_step("pause", district=started.people.districts[1].id)
        for step in ("new_teacher", "new_school", "new_id"):
            started.make_step(step)
        for user_name in ("student", "teacher", "school_admin", "district_admin", "teacher_admin"):
            started.change_roster("name", user_name, last="Changed")
        started.change_roster("deleted", "student")
        started.change_roster("back", "student")
        yield started


class Caller:
    """Sends requests to the endpoints of one file, with a district token."""

    def __init__(self, clever: RunningSimulator, version: str) -> None:
        self.clever, self.base_url = clever, f"{clever.url}/{version}"
        self.token, *self.other_tokens = district_tokens(clever)
        self.session = requests.Session()
        self._ids: dict[str, list[str]] = {}

    def ids(self, path: str) -> list[str]:
        """Return several real ids for the {id} in a path."""
        collection = path.split("/")[1]
        if collection not in self._ids:
            url = f"{self.base_url}/{collection}?limit=10000"
            page = self.session.get(url, headers=self._headers(self.token)).json()
            ids = [str((row.get("data") or row)["id"]) for row in page["data"]]
            self._ids[collection] = ids[:: max(1, len(ids) // 6)]
        return self._ids[collection]

    def check(self, case: Any, token: str = "") -> int:
        """Send a request, validate the response against the file, and return the status."""
        self.clever.advance(0.1)  # keeps the calls below 1,200 per minute
        headers = self._headers(token or self.token)
        response = case.call(base_url=self.base_url, session=self.session, headers=headers)
        checks = list(CHECKS)
        if response.status_code not in ONLY_IN_TEXTS:
            checks.append(status_code_conformance)
        case.validate_response(response, checks=checks)
        return int(response.status_code)

    def check_elsewhere(self, operation: Any) -> None:
        """Request the whole list with the tokens of all other districts."""
        for token in self.other_tokens:
            status = self.check(operation.Case(query={"limit": "10000"}), token)
            assert status == 200

    def _headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}


def operations(name: str) -> list[Any]:
    """Return every endpoint of one of Clever's files."""
    schema = schemathesis.openapi.from_path(SPECS / f"{name}.yml")
    results: list[Any] = list(schema.get_all_operations())
    return [result.ok() for result in results]


def paths_of(operation: Any, caller: Caller) -> list[dict[str, str]]:
    """Return the path parameters, with real ids."""
    if "{id}" not in operation.path:
        return [{}]
    return [{"id": record_id} for record_id in caller.ids(operation.path)]


@pytest.mark.parametrize("name", FILES)
def test_every_endpoint_in_clevers_schemas_exists_and_conforms(
    clever: RunningSimulator, name: str
) -> None:
    caller = Caller(clever, name.removesuffix("-events"))
    for operation in operations(name):
        paths = paths_of(operation, caller)
        statuses = [caller.check(operation.Case(path_parameters=path)) for path in paths]
        assert statuses.count(200) > 0, f"nothing at {operation.label}"
        for query in (parameter.name for parameter in operation.query):
            for value in QUERIES[query]:
                caller.check(operation.Case(path_parameters=paths[0], query={query: value}))
        if paths[0]:
            caller.check(operation.Case(path_parameters={"id": "nobody"}))
        else:
            caller.check_elsewhere(operation)


@pytest.mark.parametrize("name", FILES)
def test_random_requests_get_only_responses_allowed_by_clevers_schemas(
    clever: RunningSimulator, name: str
) -> None:
    caller = Caller(clever, name.removesuffix("-events"))
    for operation in operations(name):
        paths = paths_of(operation, caller)

        @settings(
            max_examples=4,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), path=st.sampled_from([None, *paths]))
        def ask_anything(case: Any, path: dict[str, str] | None) -> None:
            if path:
                case.path_parameters = path
            caller.check(case)

        ask_anything()
