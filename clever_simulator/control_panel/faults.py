"""Control endpoints for the request log, faults, keys, incidents and reset: JSON and a page."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator.faults.faults import ENDPOINTS, FaultError
from clever_simulator.faults.incidents import DESCRIPTIONS, IncidentError
from clever_simulator.state import simulator_state
from clever_simulator.views.data_api import error_response

bp = Blueprint("control", __name__, url_prefix="/_simulator")

# The faults that have a button: (key, button label, fault fields).
COMMON_FAULTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("503", "Answer 503", {"status": 503}),
    ("504", "Answer 504", {"status": 504}),
    ("522", "Answer 522, as Cloudflare does", {"status": 522}),
    ("429", "Answer 429", {"status": 429}),
    ("404", "Answer 404", {"status": 404}),
    ("401", "Answer 401", {"status": 401}),
    ("html", "Answer with HTML", {"body": "html"}),
    ("truncated", "Send only half of the answer", {"body": "truncated"}),
    ("cut", "Close the connection in the middle of the answer", {"cut": "length"}),
    ("slow", "Wait 15 seconds before the answer", {"delay_s": 15}),
    ("before", "Close the connection before the request is processed", {"drop": "before"}),
    ("after", "Close the connection after the request is processed", {"drop": "after"}),
    ("drip", "Send one byte per second", {"drip": True}),
)


@bp.before_request
def refuse_cross_site_changes() -> Response | None:
    """Refuses cross-site changes: accepts JSON, or a form from the simulator's own page."""
    if request.method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        return None  # cross-site DELETE needs a CORS preflight, which we never grant
    if request.mimetype == "application/json" or _is_same_origin():
        return None
    return error_response(
        403, "Send application/json, or use the forms of the simulator's own pages."
    )


@bp.get("/", strict_slashes=False)
def switches() -> str:
    """Shows the same controls as a page, with the request log as a table."""
    return render_template(
        "switches.html",
        title="Journal and switches",
        endpoints=ENDPOINTS,
        common=COMMON_FAULTS,
        pending=[
            {key: value for key, value in fault.items() if value}
            | {"times": fault["times"] or "always"}
            for fault in simulator_state().faults.read()
        ],
        impacts=DESCRIPTIONS,
        incidents=simulator_state().incidents.read(),
        entries=simulator_state().journal.read()[:-201:-1],
    )


@bp.get("/journal")
def journal() -> Response:
    """Returns the requests so far, oldest first."""
    return jsonify(requests=simulator_state().journal.read())


@bp.get("/faults")
def list_faults() -> Response:
    """Returns the pending faults. `times` is how many more times each one applies."""
    return jsonify(faults=simulator_state().faults.read())


@bp.post("/faults")
def add_fault() -> ResponseReturnValue:
    """Adds a fault. Returns 201 with the list, or 400 naming the invalid field."""
    try:
        simulator_state().faults.add(_fault_description())
    except FaultError as error:
        return error_response(400, str(error))
    return _success_response() if _is_form() else (list_faults(), 201)


@bp.delete("/faults")
def clear_faults() -> ResponseReturnValue:
    """Removes all faults."""
    simulator_state().faults.clear()
    return "", 204


@bp.post("/faults/clear")
def clear_faults_form() -> ResponseReturnValue:
    """Removes all faults, for a form, which cannot send DELETE."""
    simulator_state().faults.clear()
    return _success_response()


@bp.post("/keys")
def rotate_keys() -> ResponseReturnValue:
    """Signs ID tokens with a new key. With `keep_old`, the old keys stay published."""
    kid = simulator_state().keys.rotate(keep_old=bool(_request_fields().get("keep_old")))
    return _success_response() if _is_form() else (jsonify(kid=kid), 201)


@bp.post("/incidents")
def add_incident() -> ResponseReturnValue:
    """Adds an incident to the status page. Returns 201 with its ID, or 400 naming the field."""
    fields = _request_fields()
    texts = fields.get("name"), fields.get("impact", "major"), fields.get("body", "")
    try:
        incident = simulator_state().incidents.add(*texts, since=simulator_state().clock.now())
    except IncidentError as error:
        return error_response(400, str(error))
    return _success_response() if _is_form() else (jsonify(id=incident.id), 201)


@bp.delete("/incidents")
def clear_incidents() -> ResponseReturnValue:
    """Ends every incident."""
    simulator_state().incidents.clear()
    return "", 204


@bp.post("/incidents/clear")
def clear_incidents_form() -> ResponseReturnValue:
    """Ends every incident, for a form, which cannot send DELETE."""
    simulator_state().incidents.clear()
    return _success_response()


@bp.post("/reset")
def reset() -> ResponseReturnValue:
    """Resets the simulator: codes, tokens, consents, faults, incidents, request log, roster."""
    simulator_state().reset()
    return _success_response() if _is_form() else ("", 204)


def _fault_description() -> object:
    if not _is_form():
        return request.get_json(silent=True)
    chosen_key = request.form.get("fault")
    fault = next((fields for key, _, fields in COMMON_FAULTS if key == chosen_key), {})
    times = 0 if request.form.get("always") else 1
    return {"endpoint": request.form.get("endpoint"), "times": times, **fault}


def _request_fields() -> Mapping[str, Any]:
    """Returns the fields of a form or of a JSON object, or an empty mapping for anything else."""
    if _is_form():
        return request.form.to_dict()
    fields = request.get_json(silent=True)
    return fields if isinstance(fields, dict) else {}


def _is_form() -> bool:
    return request.mimetype != "application/json"


def _success_response() -> ResponseReturnValue:
    return redirect(url_for("control.switches"), 303)


def _is_same_origin() -> bool:
    if "Sec-Fetch-Site" in request.headers:
        return request.headers["Sec-Fetch-Site"] in ("same-origin", "none")
    origin = urlsplit(request.headers.get("Origin", ""))
    return (origin.scheme, origin.netloc) == (request.scheme, request.host)
