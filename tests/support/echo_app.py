"""WSGI apps for the server tests. They answer with what they received."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, g, request

from clever_login.server import channel, parser
from clever_login.web.body_limits import body_limit
from clever_login.web.routing import public
from tests.support.reference_app.app import create_app

LARGE = 1024 * 1024


def environ(variables: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with the WSGI environ and the body length as JSON. /fails raises ValueError."""
    if variables["PATH_INFO"] == "/fails":
        raise ValueError(variables["QUERY_STRING"])
    body = variables["wsgi.input"].read()
    values = {
        name: value for name, value in variables.items() if isinstance(value, str | int | float)
    }
    body_bytes = json.dumps(values | {"body": len(body)}).encode()
    length = str(len(body_bytes))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", length)])
    return [body_bytes]


def with_uploads() -> Flask:
    """Return the app with a view that accepts a larger body than the others, and one that sends.

    /bytes/1000 sends a body of a thousand bytes.
    """
    app = create_app()

    @public
    @body_limit(LARGE)
    def upload() -> Response:
        return Response(f"{len(request.get_data())}\n", mimetype="text/plain")

    @public
    def send_bytes(size: int) -> Response:
        return Response(b"a" * size, mimetype="text/plain")

    app.add_url_rule("/bytes/<int:size>", view_func=send_bytes)
    app.add_url_rule("/upload", view_func=upload, methods=["POST"])
    app.extensions["csrf"].exempt(upload)
    return app


def with_request_page() -> Flask:
    """Return the app with a page that shows what it knows of its request, as JSON.

    The page reads the body of a POST as a form.
    """
    app = create_app()

    @public
    def shown() -> dict[str, Any]:
        return {
            "scheme": request.scheme,
            "address": request.remote_addr,
            "host": request.host,
            "root": request.root_path,
            "user": request.remote_user,
            "id": g.request_id,
            "form": request.form,
        }

    app.add_url_rule("/request", view_func=shown, methods=["GET", "POST"])
    app.extensions["csrf"].exempt(shown)
    return app


def impatient() -> Flask:
    """Return the app of `with_uploads`. Its server waits a second instead of 10 or 30."""
    channel.STALL_SECONDS = parser.REQUEST_TIMEOUT_SECONDS = 1.0
    return with_uploads()


def slow_to_start() -> Flask:
    """Return the app after three seconds."""
    time.sleep(3)
    return create_app()
