"""One JSON line per event on standard error, without anything that names or admits a person."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from flask import Flask, has_request_context, request

from clever_login.settings import DEVELOPMENT, Settings

logger = logging.getLogger("clever_login")
_QUERY = re.compile(r"\?\S*")


def event(name: str, *, level: int = logging.INFO, **fields: str) -> None:
    """Log one event; the fields are words of our own, never something that a person sent."""
    logger.log(level, name, extra={"fields": fields})


def failure(error: BaseException, *, code: str, status: int, reference: str) -> None:
    """Log a failure once, with the types of its causes; their messages may hold anything."""
    level = logging.ERROR if status >= 500 else logging.WARNING
    causes = " <- ".join(type(each).__name__ for each in _chain(error))
    event("failure", level=level, code=code, status=str(status), reference=reference, causes=causes)


class JsonLines(logging.Formatter):
    """An event as one line of JSON: time (UTC), level, event, endpoint, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; JSON escapes whatever could forge another one."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if has_request_context():
            line["endpoint"] = request.endpoint
        return json.dumps(line | getattr(record, "fields", {}))


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at that moment; servers replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the parent keeps the one of its start
        return sys.stderr


class _WithoutQuery(logging.Filter):
    """Takes the query out of the development server's request lines: it holds the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _QUERY.sub("?...", arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True


def init_app(app: Flask, settings: Settings) -> None:
    """Set up our logger, and keep Flask's own report of a crash free of messages."""
    if not logger.handlers:
        handler = _StandardError()
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logging.getLogger("werkzeug").addFilter(_WithoutQuery())
    if settings.app_env != DEVELOPMENT:
        app.log_exception = _log_without_message  # type: ignore[method-assign]


def _log_without_message(
    exc_info: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None],
) -> None:
    """Where it broke, but not the message: it may quote a child's record."""
    kind, _, trace = exc_info
    where = "".join(traceback.format_tb(trace)) if trace else ""
    event("crash", level=logging.ERROR, type=getattr(kind, "__name__", ""), where=where)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
