"""Structured logs, and the pseudonyms that they use for users and districts.

Each event is one line of JSON on standard error, without anything that identifies a user or grants
access.

A user has the same pseudonym in every log and store key, so an operator can trace a reference or
end that user's sessions. Without SECRET_KEY a pseudonym cannot be linked to a user.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import sys
import traceback
from datetime import UTC, datetime
from functools import partial
from typing import Any, TextIO

from flask import Flask, g, has_request_context, request
from flask.logging import default_handler

from clever_login.api_versions import VERSIONS, support_summary
from clever_login.config import DEVELOPMENT, Settings
from clever_login.errors import (
    AccountRefused,
    DatabaseUnavailable,
    LoginError,
    StoreUnavailable,
    WrongHost,
)
from clever_login.safe_output import PlainTextFormatter, escape_unprintable, remove_queries

PSEUDONYM_LENGTH = 16  # hexadecimal digits: 64 bits, more than any district needs
NOBODY_PSEUDONYM = "0" * PSEUDONYM_LENGTH


def pseudonym(secret: str, kind: str, clever_id: str | None) -> str:
    """Return the pseudonym of a `person` or `district` id; NOBODY_PSEUDONYM for None."""
    if clever_id is None:
        return NOBODY_PSEUDONYM
    name = f"clever-login {kind} {clever_id}".encode()
    return hmac.new(secret.encode(), name, hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]


logger = logging.getLogger("clever_login")
FLASKS_FORMAT = "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9-]{1,64}")
_CLEVER_ID = re.compile(r"\b[0-9a-f]{24}\b")


def log_event(name: str, *, level: int = logging.INFO, **fields: str | int | bool) -> None:
    """Log one event. Field values come from this code, never from a user's input.

    Users and districts are logged by pseudonym. The reason of a failure may contain the Clever id
    of a record, for commands to print; this function replaces the id with "...".
    """
    said = {key: _CLEVER_ID.sub("...", v) if isinstance(v, str) else v for key, v in fields.items()}
    logger.log(level, name, extra={"fields": said})


def log_failure(error: BaseException, *, code: str, status: int, reference: str) -> None:
    """Log a failure once: the types of its causes and, for a crash, the stack.

    Only the messages of this app's own errors are logged: others may quote a child's record.
    """
    fields = {"causes": " <- ".join(type(each).__name__ for each in _exception_chain(error))}
    ours = isinstance(error, LoginError | StoreUnavailable | DatabaseUnavailable | WrongHost)
    if ours and not isinstance(error, AccountRefused):
        fields["reason"] = str(error)
    elif status == 500:
        fields["where"] = "".join(traceback.format_tb(error.__traceback__))
    level = logging.ERROR if status >= 500 else logging.WARNING
    log_event("failure", level=level, code=code, status=status, reference=reference, **fields)


class JsonFormatter(logging.Formatter):
    """Formats an event as one line of JSON: time (UTC), level, event, endpoint, request, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. JSON escapes the characters that could forge another line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if has_request_context():
            line |= {"endpoint": request.endpoint, "request": g.get("request_id", "")}
        return json.dumps(line | getattr(record, "fields", {}))


class _CurrentStderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the current value of sys.stderr, because servers replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the parent class keeps the stream it started with
        return sys.stderr


class _SafeLines(logging.Filter):
    """Removes queries, which hold authorization codes, from werkzeug's lines, and escapes them.

    The development server escapes control characters itself and then adds colors, so \x1b stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                escape_unprintable(remove_queries(arg), keep="\x1b")
                if isinstance(arg, str)
                else arg
                for arg in record.args
            )
        return True


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the app's logger, and keep error messages out of Flask's own crash reports."""
    if not logger.handlers:
        handler = _CurrentStderrHandler()
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logging.getLogger("werkzeug").addFilter(_SafeLines())
        default_handler.setFormatter(PlainTextFormatter(FLASKS_FORMAT))
        # Its messages quote paths and headers.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    app.before_request(partial(_set_request_id, settings))
    if settings.https and not settings.trusted_proxies and settings.app_env != DEVELOPMENT:
        log_event("config_warning", level=logging.WARNING, reason="https without TRUSTED_PROXIES")
    version = VERSIONS[settings.clever_api_version]
    if version.support.status != "current":
        log_event("config_warning", level=logging.WARNING, reason=support_summary(version))
    if settings.app_env != DEVELOPMENT:  # in development, keep Flask's report with path and message
        app.log_exception = _suppress_flask_report  # type: ignore[assignment] # on this app alone


def _set_request_id(settings: Settings) -> None:
    """Set the request id: a trusted proxy's, so that both logs match, or a random one."""
    given = request.headers.get("X-Request-Id", "") if settings.trusted_proxies else ""
    g.request_id = given if _REQUEST_ID_PATTERN.fullmatch(given) else secrets.token_hex(8)


def _suppress_flask_report(_exc_info: object) -> None:
    """Replace Flask's crash report, which contains the message. The `failure` event says where."""


def _exception_chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
