"""Console output, escaped so that it cannot control a terminal or forge a log line."""

import logging
from types import TracebackType

from flask.logging import default_handler

_FORMAT = "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"  # Flask's default format
_ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


def escape_unprintable(text: str, keep: str = "") -> str:
    """Replaces unprintable characters with Python escapes, except the characters in `keep`."""
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


class SingleLineFormatter(logging.Formatter):
    """Formats a record with its message on one line and the lines of a traceback indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's own name
        """Returns the line, escaped because a message may contain a request path."""
        record.message = escape_unprintable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 # logging's own name
        """Returns the traceback, escaped because an exception's message may contain anything."""
        return "  " + escape_unprintable(super().formatException(ei), keep="\n").replace(
            "\n", "\n  "
        )


def report_crashes() -> None:
    """Makes Flask report crashes, and Werkzeug bad requests, in escaped lines."""
    default_handler.setFormatter(SingleLineFormatter(_FORMAT))
