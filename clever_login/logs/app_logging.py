"""Sets up the app's logs: JSON lines on standard error, a request id, no quoted user input."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Any, TextIO

from flask import Flask, g, has_request_context, request
from flask.logging import default_handler

from clever_login.api_versions import VERSIONS, support_summary
from clever_login.config import DEVELOPMENT, Settings
from clever_login.logs.events import log_event, logger
from clever_login.safe_output import PlainTextFormatter, escape_unprintable, remove_queries

FLASK_FORMAT = "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9-]{1,64}")


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
                remove_queries(escape_unprintable(arg, keep="\x1b"))
                if isinstance(arg, str)
                else arg
                for arg in record.args
            )
        return True


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the library's logger. An app may add its own handler to `clever_login` before."""
    if not logger.handlers:
        handler = _CurrentStderrHandler()
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    app.before_request(partial(_set_request_id, settings))
    if settings.https and not settings.trusted_proxies and settings.app_env != DEVELOPMENT:
        log_event(
            "config_warning",
            level=logging.WARNING,
            reason="APP_URL is https, but TRUSTED_PROXIES is 0",
        )
    version = VERSIONS[settings.clever_api_version]
    if version.support.status != "current":
        log_event("config_warning", level=logging.WARNING, reason=support_summary(version))


def keep_user_data_out(app: Flask, settings: Settings) -> None:
    """Keep paths, headers, and the messages of exceptions out of all logs of the app."""
    werkzeug_logger = logging.getLogger("werkzeug")
    if not any(isinstance(line_filter, _SafeLines) for line_filter in werkzeug_logger.filters):
        werkzeug_logger.addFilter(_SafeLines())
        default_handler.setFormatter(PlainTextFormatter(FLASK_FORMAT))
        # Its messages quote paths and headers.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    if settings.app_env != DEVELOPMENT:  # in development, keep Flask's report with path and message
        app.log_exception = _suppress_flask_report  # type: ignore[assignment] # on this app alone


def _set_request_id(settings: Settings) -> None:
    """Set the request id: a trusted proxy's, so that both logs match, or a random one."""
    proxy_id = request.headers.get("X-Request-Id", "") if settings.trusted_proxies else ""
    g.request_id = proxy_id if _REQUEST_ID_PATTERN.fullmatch(proxy_id) else secrets.token_hex(8)


def _suppress_flask_report(_exc_info: object) -> None:
    """Replace Flask's crash report, which contains the message. The `failure` event says where."""
