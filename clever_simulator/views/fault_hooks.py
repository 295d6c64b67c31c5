"""Flask hooks that apply faults before and after every view."""

import contextlib
import gzip
import json
import socket
import struct
import time
from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify, render_template, request

from clever_simulator.faults.faults import Fault
from clever_simulator.state import simulator_state
from clever_simulator.views.data_api import error_response, too_many_requests
from clever_simulator.views.oauth import oauth_error

# The fault endpoint of each view.
_FAULT_ENDPOINT_BY_VIEW = {
    "launch.authorize": "authorize",
    "oauth.exchange": "token",
    "oauth.district_tokens": "token",
    "oauth.tokeninfo": "tokeninfo",
    "oidc.discovery": "discovery",
    "oidc.certs": "certs",
    "status.summary": "status",
    "status.status": "status",
    "api.me": "me",
    "api.me_of_app": "me",
    "api.userinfo": "userinfo",
    "api.user": "user",
    "api.school": "school",
    "api.district": "district",
    "api.districts": "district",
    "api.data": "data",
    "events.events": "events",
    "events.event": "events",
    "events.events_of_record": "events",
}
_OAUTH_ERRORS = {400: ("invalid_grant", "invalid code"), 401: ("invalid_client", "unknown client")}


def apply_next_fault() -> Response | None:
    """Takes the next fault for this endpoint. Returns a response if it replaces the view's."""
    fault = simulator_state().faults.take(
        _FAULT_ENDPOINT_BY_VIEW.get(request.endpoint or ""), request.path
    )
    if fault is None:
        return None
    g.fault = fault
    time.sleep(fault.delay_s)
    if fault.drop == "before":
        g.cut = True
        return Response(status=503)
    return _fault_response(fault) if fault.replaces_response else None


def spoil_response(response: Response) -> Response:
    """Truncates the response and changes its status and headers, as the fault says."""
    fault: Fault | None = g.get("fault")
    if fault is None:
        return response
    _spoil_body(response, fault)
    if fault.status is not None:
        response.status_code = fault.status
    for name, text in fault.headers.items():
        response.headers.remove(name)
        if text is not None:
            response.headers[name] = text
    if fault.drop:
        g.cut = True
    return response


def _spoil_body(response: Response, fault: Fault) -> None:
    if fault.rows is not None and response.is_json:
        response.set_data(_cut(response.get_json(), fault.rows))
    if fault.fields and response.is_json and isinstance(body := response.get_json(), dict):
        changed = {**body, **fault.fields}
        response.set_data(json.dumps({k: v for k, v in changed.items() if v is not None}))
    if fault.body == "truncated":
        body = response.get_data()
        response.set_data(body[: len(body) // 2])
    if fault.cut in ("gzip", "damaged"):
        _spoil_gzip(response, damaged=fault.cut == "damaged")


def deliver_response(response: Response) -> Response:
    """Runs last: drops the connection before or during the response, or sends it slowly."""
    fault: Fault | None = g.get("fault")
    if fault is None:
        return response
    during_response = fault.cut in ("length", "chunked", "reset")
    if not (fault.drop or fault.drip or during_response):
        return response
    connection: socket.socket = request.environ["werkzeug.socket"]
    with contextlib.suppress(OSError):  # the client disconnected
        if during_response and not fault.drop:
            _cut_off(connection, response, fault.cut)
        elif not fault.drop:
            _send_slowly(connection, response)
        connection.shutdown(socket.SHUT_RDWR)
    return response


def _spoil_gzip(response: Response, *, damaged: bool) -> None:
    """Sends half of a gzip body, or a complete one with a wrong byte."""
    compressed = bytearray(gzip.compress(response.get_data()))
    if damaged:
        compressed[len(compressed) // 2] ^= 0xFF
    response.set_data(bytes(compressed if damaged else compressed[: len(compressed) // 2]))
    response.headers["Content-Encoding"] = "gzip"


def _cut_off(connection: socket.socket, response: Response, cut: str | None) -> None:
    """Sends half of a response whose headers promise more, then resets the connection if asked."""
    body = response.get_data()
    half = body[: len(body) // 2]
    if cut == "chunked":
        del response.headers["Content-Length"]
        response.headers["Transfer-Encoding"] = "chunked"
        half = b"%x\r\n%b\r\n" % (len(half), half)
    connection.sendall(_head(response) + half)
    if cut == "reset":
        time.sleep(0.1)  # otherwise the reset discards data that the client has not read
        # Take over the file descriptor, so that closing this socket resets the connection.
        with socket.socket(fileno=connection.detach()) as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _head(response: Response) -> bytes:
    response.headers["Connection"] = "close"
    lines = [
        f"HTTP/1.1 {response.status}",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _fault_response(fault: Fault) -> Response:
    status = fault.status or 200
    if fault.body == "html":
        return Response(_error_page(status), status, mimetype="text/html")
    if fault.body == "empty":
        response = Response(status=status)
        del response.headers["Content-Type"]
        return response
    if fault.body is not None:
        return Response(fault.body, status, mimetype="application/json")
    return _typical_response(fault.endpoint, status)


def _typical_response(endpoint: str, status: int) -> Response:
    """Returns the endpoint's own error response for this status, where it is known."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return too_many_requests()
    if endpoint == "authorize":
        return Response(_error_page(status), status, mimetype="text/html")
    if endpoint == "token" and status in _OAUTH_ERRORS:
        return oauth_error(status, *_OAUTH_ERRORS[status])
    if status < HTTPStatus.BAD_REQUEST:
        return jsonify(data={}, links=[])
    return error_response(status, _status_phrase(status))


def _error_page(status: int) -> str:
    return render_template(
        "error.html",
        title=_status_phrase(status),
        text="A fault of the simulator caused this answer.",
    )


def _cut(body: dict[str, Any], rows: int) -> str:
    """Truncates a list to its first records, as if it ended there."""
    links = [link for link in body.get("links", ()) if link.get("rel") != "next"]
    records = body.get("data")
    remaining = records[:rows] if isinstance(records, list) else records
    return json.dumps(body | {"data": remaining, "links": links})


def _status_phrase(status: int) -> str:
    phrases = {status_code.value: status_code.phrase for status_code in HTTPStatus}
    return phrases.get(status, f"Status {status}")


def _send_slowly(connection: socket.socket, response: Response) -> None:
    raw = _head(response) + response.get_data()
    for index in range(len(raw)):
        connection.sendall(raw[index : index + 1])
        time.sleep(1)
