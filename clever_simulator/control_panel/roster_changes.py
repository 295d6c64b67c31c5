"""Control endpoints that change rosters: POST /_simulator/events and /_simulator/records."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from clever_simulator.control_panel.faults import refuse_cross_site_changes
from clever_simulator.data_api.record_overrides import OverrideError
from clever_simulator.history.changes import ChangeError
from clever_simulator.state import simulator_state
from clever_simulator.views.data_api import error_response

bp = Blueprint("roster_changes", __name__, url_prefix="/_simulator")
bp.before_request(refuse_cross_site_changes)


@bp.post("/events")
def change() -> ResponseReturnValue:
    """Makes a change. Returns 201 with its events in v3.1, or 400 naming the invalid field."""
    try:
        events = simulator_state().changes.make(request.get_json(silent=True))
    except ChangeError as error:
        return error_response(400, str(error))
    response: Response = jsonify(events=events)
    return response, 201


@bp.post("/records")
def alter() -> ResponseReturnValue:
    """Overrides a record's fields. Returns 201 with its events in v3.1, or 400 naming the field."""
    try:
        events = simulator_state().changes.override(request.get_json(silent=True))
    except (OverrideError, ChangeError) as error:
        return error_response(400, str(error))
    response: Response = jsonify(events=events)
    return response, 201
