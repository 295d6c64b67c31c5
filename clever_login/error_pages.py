"""Every failure as a page: what happened, what to do now, and a reference to read out.

The words stand here in one table, by the stable code of the failure. Nothing that was sent to us,
and nothing that Clever said, is ever repeated on a page.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from flask import Flask, Response, make_response, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from clever_login import logs
from clever_login.errors import AccountRefused, LoginError, StoreUnavailable
from clever_login.settings import Settings

REFERENCE_LETTERS = "23456789BCDFGHJKMNPQRTVWXYZ"  # none that look or sound like another


@dataclass(frozen=True)
class Page:
    """The words of one failure: for a child, then for the adult beside it."""

    title: str
    text: str
    adult: str
    action: Literal["login", "home"] = "login"


PAGES = {
    "login_cancelled": Page(
        "You did not log in",
        "You stopped at Clever. You can try again.",
        "Clever reported that the person cancelled the login.",
    ),
    "login_expired": Page(
        "Please log in again",
        "This page was open for too long. Try again.",
        "The login was started in another browser, or too long ago. If this keeps happening, "
        "cookies are blocked in this browser: allow them for this site.",
    ),
    "code_used": Page(
        "Please log in again",
        "That link worked once. It does not work twice.",
        "Clever's authorization code was used before, or is older than a minute.",
    ),
    "bad_callback": Page(
        "This link does not work",
        "Go back to Clever. Open the app from there.",
        "The address was not one that Clever sends a browser to.",
    ),
    "login_refused": Page(
        "You can not use this app yet",
        "Clever did not let you in. Tell your teacher.",
        "Clever refused the login. Most often the app is not shared with this person: the "
        "district's Clever administrator can share it.",
    ),
    "not_a_person": Page(
        "Only people can log in here",
        "Clever sent a district and not a person.",
        "The token belongs to a district, not to a student or a member of staff.",
    ),
    "account_refused": Page(
        "You can not use this app yet",
        "Tell your teacher.",
        "This app turned the account away.",
    ),
    "clever_misconfigured": Page(
        "Log in is not working yet",
        "It is not your fault. Tell your teacher.",
        "Clever does not accept this app's credentials or redirect URI. Whoever runs the app must "
        "compare its settings with Clever's dashboard.",
    ),
    "clever_unavailable": Page(
        "Clever is not answering",
        "Wait a minute. Then try again.",
        "Clever did not answer in time. Its state is shown at status.clever.com.",
    ),
    "clever_unexpected": Page(
        "Something went wrong",
        "Clever sent us something strange. Try again.",
        "Clever's answer did not have the shape that its documentation describes.",
    ),
    "wrong_person": Page(
        "We are not sure who you are",
        "So we did not log you in. Try again.",
        "Clever's records named two different people for one login.",
    ),
    "store_unavailable": Page(
        "We need a short break",
        "Wait a minute. Then try again.",
        "The app's session store does not answer.",
        "home",
    ),
    "form_expired": Page(
        "Please try again",
        "That page was too old.",
        "The form's token did not belong to the session: the page was open for too long, or "
        "somebody else has logged in since.",
        "home",
    ),
    "http_400": Page(
        "This link does not work",
        "Something in it is wrong.",
        "The request was not one that this app can answer.",
        "home",
    ),
    "http_401": Page("Please log in", "You were away for a while.", "The session had ended."),
    "http_403": Page(
        "This page is not for you",
        "Go back to your own page.",
        "The current role may not open this page, or the form came from another site.",
        "home",
    ),
    "http_404": Page(
        "This page is not here",
        "Look at the address, or go back.",
        "There is no page at this address.",
        "home",
    ),
    "http_405": Page(
        "This page does not work that way",
        "Go back and try again.",
        "The address does not take this kind of request.",
        "home",
    ),
    "http_413": Page(
        "That is too much", "Send us less.", "The request was larger than any of ours.", "home"
    ),
    "http_500": Page(
        "Something went wrong",
        "It is our fault, not yours. Try again.",
        "The app failed. The reference leads whoever runs it to the log line.",
        "home",
    ),
}
LAST_RESORT = (
    "<!doctype html><html lang=en><title>Something went wrong</title>"
    "<h1>Something went wrong</h1><p>It is our fault, not yours. Try again. Reference: {}</p>"
)
RETRY_SECONDS = {"clever_unavailable": "30", "store_unavailable": "5"}


def init_app(app: Flask, settings: Settings) -> None:  # noqa: ARG001 # every room is called alike
    """Turn every exception into its page."""
    app.register_error_handler(LoginError, _login_failed)
    app.register_error_handler(StoreUnavailable, _store_unavailable)
    app.register_error_handler(CSRFError, _form_expired)
    app.register_error_handler(HTTPException, _http_error)


def _login_failed(error: LoginError) -> Response:
    message = error.message if isinstance(error, AccountRefused) else None
    return _page(error, error.code, error.status, message)


def _store_unavailable(error: StoreUnavailable) -> Response:
    return _page(error, "store_unavailable", 503)


def _form_expired(error: CSRFError) -> Response:
    return _page(error, "form_expired", 400)


def _http_error(error: HTTPException) -> Response:
    """Any other status, crashes among them (Flask wraps those in a 500)."""
    status = error.code or 500
    code = f"http_{status}"
    if code not in PAGES:
        code = "http_400" if status < 500 else "http_500"
    response = _page(getattr(error, "original_exception", None) or error, code, status)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _page(error: BaseException, code: str, status: int, message: str | None = None) -> Response:
    """The page of a failure, logged once; if even the template fails, a page that needs nothing."""
    reference = "-".join(
        "".join(secrets.choice(REFERENCE_LETTERS) for _ in range(3)) for _ in range(2)
    )
    logs.failure(error, code=code, status=status, reference=reference)
    try:
        body = render_template(
            "error.html", page=PAGES[code], code=code, reference=reference, message=message
        )
    except Exception as second:  # noqa: BLE001 # whatever it is, the person gets an answer
        logs.failure(second, code="error_page_failed", status=500, reference=reference)
        body = LAST_RESORT.format(reference)
    response = make_response(body, status)
    if code in RETRY_SECONDS:
        response.headers["Retry-After"] = RETRY_SECONDS[code]
    return response
