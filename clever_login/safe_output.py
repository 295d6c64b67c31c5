"""Text that others wrote, made safe for a terminal and for a line of a log.

A name from Clever or an address from a visitor may contain line breaks that forge a line, escapes
that steer a terminal, and characters that are invisible or turn the direction of text around.

What commands print: the only module that writes to an operator's terminal.

Names come from districts, so that every line is made printable here.
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
    r"""The text with every character that is not visible written as JSON does, such as \u001b.

    Printable is what `str.isprintable` says; `keep` names further characters that may stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _json_escape(c) for c in text)


def remove_queries(text: str) -> str:
    """The text without what follows a question mark: addresses of callbacks hold a code there."""
    return _QUERY_PATTERN.sub("?...", text)


class PlainTextFormatter(logging.Formatter):
    """A log record as text: a message is one line, and lines of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # logging's own name
        """The line, without queries and without anything that could forge another one."""
        record.message = escape_unprintable(remove_queries(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 # logging's own name
        """The traceback; an exception's message may be a visitor's."""
        lines = super().formatException(ei)
        return "  " + escape_unprintable(lines, keep="\n").replace("\n", "\n  ")


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def echo(line: str, *, aside: bool = False) -> None:
    """Print a line on standard output, or `aside` on standard error; tabs stay."""
    click.echo(escape_unprintable(line, keep="\t"), err=aside)


def echo_json(value: object, *, indent: int | None = None, readable: bool = False) -> None:
    """Print JSON, for people as `readable`: letters of every language are not escaped then."""
    for line in json.dumps(value, indent=indent, ensure_ascii=not readable).split("\n"):
        echo(line)


def command_failed(sentence: str) -> click.ClickException:
    """What ends a command with a sentence on standard error and the exit code 1."""
    return click.ClickException(escape_unprintable(sentence))
