"""What the simulator writes on its console: nothing that could steer a terminal or forge a line."""

import logging
from types import TracebackType

from flask.logging import default_handler

_FORMAT = "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"  # Flask's own
_ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


def escape_unprintable(text: str, keep: str = "") -> str:
    """The text with every character that is not printable as an escape of Python."""
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


class SingleLineFormatter(logging.Formatter):
    """A record with its message on one line, and the lines of a traceback indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's own name
        """The line: a message may have the path of a request in it."""
        record.message = escape_unprintable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 # logging's own name
        """The traceback: an exception's message may be anything."""
        return "  " + escape_unprintable(super().formatException(ei), keep="\n").replace(
            "\n", "\n  "
        )


def report_crashes() -> None:
    """Let Flask report crashes in such lines; what Werkzeug says of bad requests is escaped."""
    default_handler.setFormatter(SingleLineFormatter(_FORMAT))
