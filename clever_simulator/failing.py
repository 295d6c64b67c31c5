"""Plays the faults: hooks that Flask calls around every view."""

import contextlib
import socket
import time
from http import HTTPStatus

from flask import Response, g, jsonify, render_template, request

from clever_simulator.api import message, too_many
from clever_simulator.faults import Fault
from clever_simulator.oauth import refusal
from clever_simulator.world import world

# The name of a fault's endpoint for each view that it stands for.
_ENDPOINT_OF = {
    "launch.authorize": "authorize",
    "oauth.exchange": "token",
    "oauth.district_tokens": "token",
    "oauth.tokeninfo": "tokeninfo",
    "oidc.discovery": "discovery",
    "oidc.certs": "certs",
    "status.summary": "status",
    "status.status": "status",
    "api.me": "me",
    "api.userinfo": "userinfo",
    "api.user": "user",
    "api.school": "school",
    "api.district": "district",
    "api.districts": "district",
    "api.data": "data",
    "feed.events": "events",
    "feed.event": "events",
    "feed.events_of_record": "events",
}
_OAUTH_ERRORS = {400: ("invalid_grant", "invalid code"), 401: ("invalid_client", "unknown client")}


def before() -> Response | None:
    """Takes the next fault for this endpoint; an answer of its own replaces the view's."""
    fault = world().faults.take(_ENDPOINT_OF.get(request.endpoint or ""))
    if fault is None:
        return None
    g.fault = fault
    time.sleep(fault.delay_s)
    if fault.drop == "before":
        g.cut = True
        return Response(status=503)
    return _answer(fault) if fault.replaces else None


def spoil(response: Response) -> Response:
    """Cuts the answer in half and changes its status and headers, as far as asked for."""
    fault: Fault | None = g.get("fault")
    if fault is None:
        return response
    if fault.body == "truncated":
        whole = response.get_data()
        response.set_data(whole[: len(whole) // 2])
    if fault.status is not None:
        response.status_code = fault.status
    response.headers.update(fault.headers)
    if fault.drop:
        g.cut = True
    return response


def deliver(response: Response) -> Response:
    """Last of all: closes the connection instead of answering, or lets the answer drip."""
    fault: Fault | None = g.get("fault")
    if fault and (fault.drop or fault.drip):
        connection: socket.socket = request.environ["werkzeug.socket"]
        if not fault.drop:
            _drip(connection, response)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    return response


def _answer(fault: Fault) -> Response:
    status = fault.status or 200
    if fault.body == "html":
        return Response(_page(status), status, mimetype="text/html")
    if fault.body == "empty":
        answer = Response(status=status)
        del answer.headers["Content-Type"]
        return answer
    if fault.body is not None:
        return Response(fault.body, status, mimetype="application/json")
    return _plausible(fault.endpoint, status)


def _plausible(endpoint: str, status: int) -> Response:
    """What the endpoint itself would say with this status, as far as that is known."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return too_many()
    if endpoint == "authorize":
        return Response(_page(status), status, mimetype="text/html")
    if endpoint == "token" and status in _OAUTH_ERRORS:
        return refusal(status, *_OAUTH_ERRORS[status])
    if status < HTTPStatus.BAD_REQUEST:
        return jsonify(data={}, links=[])
    return message(status, _phrase(status))


def _page(status: int) -> str:
    return render_template(
        "error.html", title=_phrase(status), text="This answer was asked for as a fault."
    )


def _phrase(status: int) -> str:
    known = {one.value: one.phrase for one in HTTPStatus}
    return known.get(status, f"Status {status}")


def _drip(connection: socket.socket, response: Response) -> None:
    response.headers["Connection"] = "close"
    head = [f"HTTP/1.1 {response.status}", *(f"{k}: {v}" for k, v in response.headers)]
    raw = "\r\n".join([*head, "", ""]).encode("latin-1") + response.get_data()
    with contextlib.suppress(OSError):  # the client went away, which is what a drip is for
        for index in range(len(raw)):
            connection.sendall(raw[index : index + 1])
            time.sleep(1)
