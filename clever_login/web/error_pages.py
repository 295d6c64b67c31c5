"""Answers every failure: what happened, what to do now, and a reference for support.

Browsers get a page, and other clients get problem details in JSON (RFC 9457). Neither ever repeats
anything from the request or from Clever.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, make_response, render_template
from flask_wtf.csrf import CSRFError
from jinja2 import TemplateError
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from clever_login import signals
from clever_login.config import DEVELOPMENT, Settings
from clever_login.errors import (
    AccountRefused,
    DatabaseUnavailable,
    LoginError,
    StoreUnavailable,
    WrongHost,
)
from clever_login.i18n import languages
from clever_login.logs import app_logging
from clever_login.logs.events import log_failure
from clever_login.logs.notifications import notify
from clever_login.services import services
from clever_login.web import fetch_metadata, template_errors
from clever_login.web.messages.error_messages import ADULT_MESSAGES, CHILD_MESSAGES
from clever_login.web.messages.operator_hints import OPERATOR_HINTS

REFERENCE_LETTERS = "23456789BCDFGHJKMNPQRTVWXYZ"  # no two of them look or sound alike


FALLBACK_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Something went wrong</title></head>
<body><main><h1>Something went wrong</h1>
<p>It is our fault, not yours. <a href="{home}">Try again.</a></p>
<p>Code: {code}. Reference: {reference}</p></main></body></html>
"""


class ReadOnlySession(Forbidden):
    """The link of the login claimed an impersonation, so the session can change nothing.

    An app without the part ErrorPages handles it like any other 403.
    """


RETRY_AFTER_SECONDS = {
    "clever_unavailable": "30",
    "crowded": "60",
    "database_unavailable": "5",
    "store_unavailable": "5",
    "too_busy": "10",
}


def init_app(app: Flask | Blueprint, settings: Settings) -> None:
    """Register a handler for every exception in the app, or in the views of a blueprint."""
    app.register_error_handler(LoginError, _handle_login_error)
    app.register_error_handler(
        StoreUnavailable, partial(_render_error, code="store_unavailable", status=503)
    )
    app.register_error_handler(
        DatabaseUnavailable, partial(_render_error, code="database_unavailable", status=503)
    )
    app.register_error_handler(WrongHost, partial(_render_error, code="wrong_host", status=400))
    app.register_error_handler(CSRFError, partial(_render_error, code="form_expired", status=400))
    app.register_error_handler(
        ReadOnlySession, partial(_render_error, code="read_only", status=403)
    )
    app.register_error_handler(HTTPException, _handle_http_error)
    if isinstance(app, Flask):
        app_logging.keep_user_data_out(app, settings)


def replace_response(response: Response, error: StoreUnavailable) -> None:
    """Turn a finished response into the error for a session that could not be saved."""
    page = _render_error(error, "store_unavailable", 503)
    for name in ("Set-Cookie", "Location", "Content-Encoding"):  # the error page is not compressed
        response.headers.remove(name)
    response.status_code = page.status_code
    response.headers["Retry-After"] = page.headers["Retry-After"]
    response.content_type = page.content_type
    response.vary.update(page.vary)
    languages.set_content_language(response)  # the functions after a request have already run
    response.set_data(page.get_data())


def _handle_login_error(error: LoginError) -> Response:
    message = error.message if isinstance(error, AccountRefused) else None
    reference = _new_reference()
    notify(signals.login_failed, code=error.code, reference=reference)
    return _render_error(error, error.code, error.status, message, reference)


def _handle_http_error(error: HTTPException) -> Response:
    """Handle any other HTTP status, including crashes (Flask wraps those in a 500)."""
    status = error.code or 500
    cause = getattr(error, "original_exception", None) or error
    response = _render_error(cause, f"http_{status}", status)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _render_error(
    error: BaseException,
    code: str,
    status: int,
    message: str | None = None,
    reference: str | None = None,
) -> Response:
    """Return the page or the JSON of a failure, and log the failure once."""
    # The URL of the first page is absolute: the request may have gone to another host.
    home = f"{services().settings.app_url}/"
    values = {"code": code, "reference": reference or _new_reference(), "home": home}
    log_failure(error, code=code, status=status, reference=values["reference"])
    words = code if code in CHILD_MESSAGES else "http_400" if status < 500 else "http_500"
    if fetch_metadata.wants_page():
        response = make_response(_page(error, words, message, values), status)
    else:
        response = _problem(status, message or str(ADULT_MESSAGES[words].cause), values)
    response.vary.update(fetch_metadata.PAGE_HEADERS)
    if code in RETRY_AFTER_SECONDS:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS[code]
    return response


def _page(error: BaseException, words: str, message: str | None, values: Mapping[str, str]) -> str:
    """Render the page of a failure.

    If the template fails, too, the page is FALLBACK_PAGE, which needs no template.
    """
    in_development = services().settings.app_env == DEVELOPMENT
    texts = {
        "page": CHILD_MESSAGES[words],
        "cause": ADULT_MESSAGES[words],
        "message": message,
        "hint": OPERATOR_HINTS[words] if in_development else None,
    }
    try:
        body = render_template("clever_login/error.html", **texts, **values)
    except Exception as second:  # noqa: BLE001 # whatever it is, the user gets a response
        log_failure(second, code="error_page", status=500, reference=values["reference"])
        body, error = FALLBACK_PAGE.format(**values), second
    if isinstance(error, TemplateError) and in_development:
        body = template_errors.render_template_error(error, Path(current_app.root_path))
    return body


def _problem(status: int, detail: str, values: Mapping[str, str]) -> Response:
    """Return a failure as problem details: the members of RFC 9457, our code, and the reference."""
    members = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES.get(status, "Error"),  # as RFC 9457 asks with about:blank
        "status": status,
        "detail": detail,
        "code": values["code"],
        "reference": values["reference"],
    }
    return Response(json.dumps(members) + "\n", status, mimetype=languages.PROBLEM_TYPE)


def _new_reference() -> str:
    """Return six letters to read out, such as K7Q-2MX."""
    letters = [secrets.choice(REFERENCE_LETTERS) for _ in range(6)]
    return "".join([*letters[:3], "-", *letters[3:]])
