"""A webhook: another server says that an account was closed, and its sessions end."""

import hmac
import os
import time

from flask import Blueprint, Flask, abort, current_app, request
from flask.typing import ResponseReturnValue

from clever_login import end_sessions, public

MAX_AGE = 5 * 60  # seconds; an older request may be a copy that somebody sends again
MIN_SECRET = 32  # characters
bp = Blueprint("webhook", __name__)


@bp.post("/webhooks/accounts")
@public
def receive() -> ResponseReturnValue:
    """Handle an event. Answer 204 for other events, too: the sender would repeat them."""
    _check_signature()
    match request.get_json():
        case {"type": "account.closed", "account_id": str(account_id)}:
            end_sessions(account_id=account_id)
    return "", 204


def _check_signature() -> None:
    """Abort with 403 unless the sender has signed the time and the body of this request."""
    timestamp = request.headers.get("X-Timestamp", "")
    signed = timestamp.encode() + b"." + request.get_data()
    secret = current_app.config["WEBHOOK_SECRET"]
    expected = hmac.digest(secret.encode(), signed, "sha256").hex()
    given = request.headers.get("X-Signature", "")
    if not hmac.compare_digest(expected.encode(), given.encode()):  # as bytes: any text will do
        abort(403)
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > MAX_AGE:
        abort(403)


def init_app(app: Flask) -> None:
    """Register the webhook if its secret is set. It has no session and so no CSRF token."""
    secret = os.environ.get("WEBHOOK_SECRET", "")
    if not secret:
        return  # as in your tests: the address is then a 404
    if len(secret) < MIN_SECRET:
        raise ValueError(f"WEBHOOK_SECRET has fewer than {MIN_SECRET} characters")
    app.config["WEBHOOK_SECRET"] = secret
    app.register_blueprint(bp)
    app.extensions["csrf"].exempt(bp)
