"""What the commands share: their errors, checks of ids, and the output of rows and progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from clever_login.clever.parsing import ReadReport, is_valid_id
from clever_login.errors import LoginError, NotShared, RosterError, describe_for_operator
from clever_login.safe_output import command_failed, echo, echo_json, escape_unprintable

P = ParamSpec("P")
T = TypeVar("T")
Row = dict[str, str | int | list[str] | None]
PROGRESS_INTERVAL = 1000  # records between two progress messages
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line."
)


def exit_on_error(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: on failure it prints one sentence and exits with code 1."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (LoginError, RosterError, NotShared) as error:
            raise command_failed(describe_for_operator(error)) from None

    return with_appcontext(wrapper)


def validate_id(_context: object, _parameter: object, value: str | None) -> str | None:
    """Return the value. Raises a usage error (exit code 2) if it is not a valid Clever id."""
    if value is not None and not is_valid_id(value):
        raise click.BadParameter("a Clever id has only letters, digits, - and _.")
    return value


def print_rows(rows: Iterable[Row], as_json: bool) -> None:
    """Print rows as a table with tabs and a header, or as one JSON object per line."""
    for number, row in enumerate(rows):
        if as_json:
            echo_json(row)
            continue
        if not number:
            echo("\t".join(row))
        values = [
            " ".join(value) if isinstance(value, list) else str(value or "-")
            for value in row.values()
        ]
        echo("\t".join(map(escape_unprintable, values)))


def with_progress(records: Iterator[T], noun: str, total: int | None) -> Iterator[T]:
    """Yield the records, and print progress and their total number on standard error."""
    number = 0
    for number, record in enumerate(records, start=1):
        yield record
        if number % PROGRESS_INTERVAL == 0:
            echo(f"{number}{f' of {total}' if total else ''} {noun}", to_stderr=True)
    echo(f"{number} {noun} in total.", to_stderr=True)


def echo_report(report: ReadReport) -> None:
    """Print on standard error what was left out of the records."""
    for sentence in report.sentences():
        echo(sentence, to_stderr=True)


def format_time(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 with seconds."""
    return moment.isoformat(timespec="seconds") if moment else None
