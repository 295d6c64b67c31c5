"""What commands print: the only module that writes to an operator's terminal.

Names come from districts, so that every line is made printable here.
"""

from __future__ import annotations

import json

import click

from clever_login.printable import printable


def say(line: str, *, aside: bool = False) -> None:
    """Print a line on standard output, or `aside` on standard error; tabs stay."""
    click.echo(printable(line, keep="\t"), err=aside)


def say_json(value: object, *, indent: int | None = None, readable: bool = False) -> None:
    """Print JSON, for people as `readable`: letters of every language are not escaped then."""
    for line in json.dumps(value, indent=indent, ensure_ascii=not readable).split("\n"):
        say(line)


def failure(sentence: str) -> click.ClickException:
    """What ends a command with a sentence on standard error and the exit code 1."""
    return click.ClickException(printable(sentence))
