"""A Clever simulator for development and tests. It is not Clever and not for production."""

import re
import secrets

from flask import Flask, Response, render_template, request
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, abort

from clever_simulator.config import Config
from clever_simulator.control_panel import faults, roster_changes, school_year
from clever_simulator.state import simulator_state, start_over
from clever_simulator.views import (
    authorize,
    data_api,
    events,
    fault_hooks,
    impersonation,
    oauth,
    oidc,
    portal,
    status_page,
)

__all__ = ["create_app"]

_LOOPBACK_HOST_PATTERN = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?")
# Clever's names, for machines whose hosts file maps them to this machine.
_CLEVER_HOST_PATTERN = re.compile(r"(api\.)?clever\.com(:[0-9]+)?")
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def create_app(config: Config) -> Flask:
    """Builds the simulator as a Flask app. To run it, use `python -m clever_simulator`."""
    app = Flask(__name__, static_url_path="/_simulator/static")
    app.config.update(
        SECRET_KEY=secrets.token_hex(32),
        SESSION_COOKIE_NAME="clever_simulator_session",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=1_000_000,
    )
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # a switch of an app decides about the order of roles
    start_over(app, config)
    clever_views = (oauth, oidc, data_api, events, authorize, impersonation, portal, status_page)
    for module in (*clever_views, faults, roster_changes, school_year):
        app.register_blueprint(module.bp)
    app.register_error_handler(authorize.LinkError, _handle_link_error)
    app.register_error_handler(HTTPException, _handle_http_error)
    _add_hooks(app)
    return app


def _add_hooks(app: Flask) -> None:
    app.before_request(_refuse_unknown_hosts)
    app.before_request(_start_log_entry)
    app.before_request(fault_hooks.apply_next_fault)
    # Flask runs these in reverse order: spoil the response, log it, then deliver it.
    app.after_request(fault_hooks.deliver_response)
    app.after_request(_finish_log_entry)
    app.after_request(fault_hooks.spoil_response)
    app.after_request(_add_headers)


def _start_log_entry() -> None:
    simulator_state().journal.start()


def _finish_log_entry(response: Response) -> Response:
    return simulator_state().journal.finish(response)


def _refuse_unknown_hosts() -> None:
    # DNS rebinding: a website could point its own name at this machine and run in our origin.
    # Clever's own names are accepted over TLS only, because that needs a certificate that this
    # machine was configured to trust.
    as_clever = request.is_secure and _CLEVER_HOST_PATTERN.fullmatch(request.host)
    if not (as_clever or _LOOPBACK_HOST_PATTERN.fullmatch(request.host)):
        abort(400, "The simulator accepts only requests to 127.0.0.1, localhost and [::1].")


def _add_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _handle_link_error(error: Exception) -> ResponseReturnValue:
    page = render_template(
        "error.html", title="This login cannot continue", text=str(error), at_clever=True
    )
    return page, 400


def _handle_http_error(error: HTTPException) -> ResponseReturnValue:
    text = "There is no page at this address." if error.code == 404 else error.description
    page = render_template("error.html", title=error.name, text=text)
    return page, error.code or 500
