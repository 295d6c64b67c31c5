"""The JSON of Clever's status page, in the format of Atlassian Statuspage."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from clever_simulator.faults.incidents import DESCRIPTIONS, Incident
from clever_simulator.state import simulator_state

bp = Blueprint("status", __name__, url_prefix="/_status")

_PAGE_ID = "simulatorstatus"


@bp.get("/api/v2/summary.json")
def summary() -> Response:
    """Returns the overall status, open incidents, and maintenance in progress."""
    incidents = simulator_state().incidents.read()
    return jsonify(
        page=_page_object(),
        components=[],
        incidents=[
            _incident_object(incident) for incident in incidents if incident.impact != "maintenance"
        ],
        scheduled_maintenances=[
            _incident_object(incident) for incident in incidents if incident.impact == "maintenance"
        ],
        status=_status_object(incidents),
    )


@bp.get("/api/v2/status.json")
def status() -> Response:
    """Returns the overall status."""
    return jsonify(page=_page_object(), status=_status_object(simulator_state().incidents.read()))


def _page_object() -> dict[str, str]:
    return {
        "id": _PAGE_ID,
        "name": "Clever simulator",
        "url": url_for("portal.index", _external=True),
        "time_zone": "America/Los_Angeles",
        "updated_at": _format_time(simulator_state().clock.now()),
    }


def _status_object(incidents: list[Incident]) -> dict[str, str]:
    impacts = {incident.impact for incident in incidents} | {"none"}
    worst = next(impact for impact in DESCRIPTIONS if impact in impacts)
    return {"indicator": worst, "description": DESCRIPTIONS[worst]}


def _incident_object(incident: Incident) -> dict[str, Any]:
    started_at = _format_time(incident.since)
    stage = "in_progress" if incident.impact == "maintenance" else "investigating"
    update = {
        "id": incident.id[::-1],
        "incident_id": incident.id,
        "status": stage,
        "body": incident.body or incident.name,
        "affected_components": [],
        **dict.fromkeys(("created_at", "updated_at", "display_at"), started_at),
    }
    return {
        "id": incident.id,
        "name": incident.name,
        "status": stage,
        "impact": incident.impact,
        "page_id": _PAGE_ID,
        "shortlink": url_for("portal.index", _external=True),
        "monitoring_at": None,
        "resolved_at": None,
        "components": [],
        "incident_updates": [update],
        **dict.fromkeys(("created_at", "updated_at", "started_at"), started_at),
    }


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
