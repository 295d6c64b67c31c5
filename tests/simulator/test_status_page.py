"""Tests the simulator's status page, which has the format of Clever's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from clever_simulator.config import default_config
from clever_simulator.server import RunningSimulator
from tests.support.browser_client import Visitor, send_request
from tests.support.simulator_client import APP_URL
from tests.support.simulators import run_in_background


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def summary(clever: RunningSimulator) -> dict[str, Any]:
    content: dict[str, Any] = send_request(f"{clever.url}/_status/api/v2/summary.json").json()
    return content


def test_the_status_is_none_until_an_incident_begins_and_after_it_ends(
    clever: RunningSimulator,
) -> None:
    without_incidents = summary(clever)
    assert without_incidents["status"] == {
        "indicator": "none",
        "description": "All Systems Operational",
    }
    assert without_incidents["incidents"] == without_incidents["scheduled_maintenances"] == []
    clever.add_incident("Logins are slow", "minor", "We are looking into it.")
    clever.add_incident("Nobody can log in", "critical")
    with_incidents = summary(clever)
    assert with_incidents["status"]["indicator"] == "critical"
    assert [(incident["name"], incident["impact"]) for incident in with_incidents["incidents"]] == [
        ("Nobody can log in", "critical"),
        ("Logins are slow", "minor"),
    ]
    update = with_incidents["incidents"][1]["incident_updates"][0]
    assert update["body"] == "We are looking into it."
    assert datetime.fromisoformat(with_incidents["incidents"][1]["created_at"]).tzinfo
    clever.clear_incidents()
    assert summary(clever)["status"] == without_incidents["status"]


def test_maintenance_in_progress_is_not_listed_as_an_incident(clever: RunningSimulator) -> None:
    clever.add_incident("We move to another data center", "maintenance")
    content = summary(clever)
    assert content["incidents"] == []
    assert content["scheduled_maintenances"][0]["status"] == "in_progress"
    assert content["status"]["indicator"] == "maintenance"


def test_status_json_agrees_with_summary_json(clever: RunningSimulator) -> None:
    clever.add_incident("Logins are slow")
    short = send_request(f"{clever.url}/_status/api/v2/status.json").json()
    full = summary(clever)
    assert set(short) == {"page", "status"}
    assert short["status"] == full["status"]
    assert set(short["page"]) == set(full["page"])


def test_incidents_can_be_added_and_cleared_over_http_and_by_a_reset(
    clever: RunningSimulator,
) -> None:
    url = f"{clever.url}/_simulator/incidents"
    for end in (lambda: send_request(url, "DELETE"), clever.reset):
        assert (
            send_request(url, "POST", json={"name": "Slow", "impact": "minor"}).status_code == 201
        )
        assert summary(clever)["incidents"][0]["name"] == "Slow"
        end()
        assert summary(clever)["incidents"] == []


@pytest.mark.parametrize(
    "incident", [{}, [], {"name": " "}, {"name": "x", "impact": "huge"}, {"name": "x", "body": 1}]
)
def test_an_invalid_incident_is_refused_with_a_message(
    clever: RunningSimulator, incident: object
) -> None:
    response = send_request(f"{clever.url}/_simulator/incidents", "POST", json=incident)
    assert response.status_code == 400
    assert ":" in response.json()["message"]


def test_incidents_can_be_controlled_on_the_control_page(clever: RunningSimulator) -> None:
    visitor = Visitor(APP_URL).open(f"{clever.url}/_simulator").press("Start an incident")
    assert summary(clever)["incidents"][0]["impact"] == "critical"
    assert "Logins are slow (critical)" in visitor.text
    visitor.press("End all incidents")
    assert summary(clever)["incidents"] == []


def test_faults_can_target_the_status_page(clever: RunningSimulator) -> None:
    clever.add_fault("status", body="html")
    response = send_request(f"{clever.url}/_status/api/v2/summary.json")
    assert "text/html" in response.headers["Content-Type"]
    assert summary(clever)["status"]["indicator"] == "none"
