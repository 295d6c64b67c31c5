"""Text that others wrote, made safe for a terminal and for a line of a log.

A name from Clever or an address from a visitor may contain line breaks that forge a line, escapes
that steer a terminal, and characters that are invisible or turn the direction of text around.
"""

from __future__ import annotations

import logging
import re
from types import TracebackType

_QUERY = re.compile(r"\?\S*")
_Crash = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def printable(text: str, keep: str = "") -> str:
    r"""The text with every character that is not visible written as JSON does, such as \u001b.

    Printable is what `str.isprintable` says; `keep` names further characters that may stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def without_queries(text: str) -> str:
    """The text without what follows a question mark: addresses of callbacks hold a code there."""
    return _QUERY.sub("?...", text)


class PlainText(logging.Formatter):
    """A log record as text: a message is one line, and lines of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's own name
        """The line, without queries and without anything that could forge another one."""
        record.message = printable(without_queries(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: _Crash) -> str:  # noqa: N802 # logging's own name
        """The traceback; an exception's message may be a visitor's."""
        lines = super().formatException(ei)
        return "  " + printable(lines, keep="\n").replace("\n", "\n  ")


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
