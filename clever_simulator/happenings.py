"""The control endpoint that changes the districts: POST /_simulator/events."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from clever_simulator.alterations import AlterationError
from clever_simulator.api import message
from clever_simulator.changes import ChangeError
from clever_simulator.control import only_from_here
from clever_simulator.world import world

bp = Blueprint("happenings", __name__, url_prefix="/_simulator")
bp.before_request(only_from_here)


@bp.post("/events")
def change() -> ResponseReturnValue:
    """Makes a change: 201 with its events in v3.1, or 400 naming the field that is wrong."""
    try:
        told = world().changes.make(request.get_json(silent=True))
    except ChangeError as error:
        return message(400, str(error))
    answer: Response = jsonify(events=told)
    return answer, 201


@bp.post("/records")
def alter() -> ResponseReturnValue:
    """Gives a record other values: 201 with its events in v3.1, or 400 naming the wrong field."""
    try:
        told = world().changes.alter(request.get_json(silent=True))
    except (AlterationError, ChangeError) as error:
        return message(400, str(error))
    answer: Response = jsonify(events=told)
    return answer, 201
