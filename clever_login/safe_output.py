"""Escapes untrusted text for terminals and logs, and prints the output of commands.

A name from Clever or a URL from a visitor may contain line breaks that forge a log line, escape
sequences that control a terminal, and characters that are invisible or reverse the text.

Only this module writes to an operator's terminal.
"""

from __future__ import annotations

import json
import logging
import re
from types import TracebackType

import click

_QUERY_PATTERN = re.compile(r"\?\S*")
_ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


def escape_unprintable(text: str, keep: str = "") -> str:
    r"""Return the text with every unprintable character escaped as in JSON, such as \u001b.

    Printable is defined by `str.isprintable`; the characters in `keep` are not escaped.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _json_escape(c) for c in text)


def remove_queries(text: str) -> str:
    """Replace each query string with "?...", because a callback URL has the code in its query.

    The text must be escaped: a query ends at white space, and a visitor can send some.
    """
    return _QUERY_PATTERN.sub("?...", text)


class PlainTextFormatter(logging.Formatter):
    """Formats a log record as text: one line per message, indented lines for a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's own name
        """Return the line without query strings or characters that could forge another line."""
        record.message = remove_queries(escape_unprintable(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 # logging's own name
        """Return the traceback, escaped: an exception's message may contain a visitor's input."""
        lines = super().formatException(ei)
        return "  " + escape_unprintable(lines, keep="\n").replace("\n", "\n  ")


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def echo(line: str, *, to_stderr: bool = False) -> None:
    """Print a line to standard output, or with `to_stderr` to standard error. Tabs are kept."""
    click.echo(escape_unprintable(line, keep="\t"), err=to_stderr)


def echo_json(value: object, *, indent: int | None = None, readable: bool = False) -> None:
    """Print JSON. With `readable`, non-ASCII letters are not escaped."""
    for line in json.dumps(value, indent=indent, ensure_ascii=not readable).split("\n"):
        echo(line)


def command_failed(sentence: str) -> click.ClickException:
    """Return an exception that ends a command with an error message and exit code 1.

    Click prints the message to standard error.
    """
    return click.ClickException(escape_unprintable(sentence))
