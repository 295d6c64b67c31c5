"""`flask clever districts`, `sections` and `events`: what Clever shares with this app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from clever_login.api_versions import RecordKind
from clever_login.clever.district_api.events import Event
from clever_login.clever.parsing import ReadReport, is_valid_id
from clever_login.clever.records import DistrictRecord, Section
from clever_login.config import Settings
from clever_login.districts import districts_announcing_waits
from clever_login.errors import LoginError, NotShared, RosterError, describe_for_operator
from clever_login.logs.pseudonyms import pseudonym
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


@click.command("districts")
@json_option
@exit_on_error
def list_districts(as_json: bool) -> None:
    """List the districts that authorized this app: id, name, state, last sync, pseudonym."""
    failures: list[Exception] = []
    _print_rows(_district_rows(failures), as_json)
    for failure in failures:
        echo(describe_for_operator(failure), to_stderr=True)
    if failures:
        raise SystemExit(1)


@click.command("sections")
@click.argument("district_id", callback=validate_id)
@json_option
@exit_on_error
def list_sections(district_id: str, as_json: bool) -> None:
    """List the sections of a district: id, name, teachers' ids, number of students."""
    roster = districts_announcing_waits().roster(district_id)
    total = roster.count(RecordKind.SECTIONS)
    sections = _with_progress(roster.sections(), "sections", total)
    _print_rows(map(_section_row, sections), as_json)
    _echo_report(roster.report)


@click.command("events")
@click.argument("district_id", callback=validate_id)
@click.option(
    "--after",
    callback=validate_id,
    metavar="CURSOR",
    help="Print only the events after this one: the id of the last event that you processed.",
)
@click.option(
    "--latest", is_flag=True, help="Print only the id of the latest event, to use as --after later."
)
@json_option
@exit_on_error
def list_events(district_id: str, after: str | None, latest: bool, as_json: bool) -> None:
    """List what changed in a district: id, time, type and the record's id, oldest first."""
    events = districts_announcing_waits().events(district_id)
    if latest:
        echo(events.latest() or "")
        return
    events_read = _with_progress(events.read(after=after), "events", None)
    _print_rows(map(_event_row, events_read), as_json)
    _echo_report(events.report)


COMMANDS = (list_districts, list_sections, list_events)


def _print_rows(rows: Iterable[Row], as_json: bool) -> None:
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


def _with_progress(records: Iterator[T], noun: str, total: int | None) -> Iterator[T]:
    """Yield the records, and print progress and their total number on standard error."""
    number = 0
    for number, record in enumerate(records, start=1):
        yield record
        if number % PROGRESS_INTERVAL == 0:
            echo(f"{number}{f' of {total}' if total else ''} {noun}", to_stderr=True)
    echo(f"{number} {noun} in total.", to_stderr=True)


def _echo_report(report: ReadReport) -> None:
    for sentence in report.sentences():
        echo(sentence, to_stderr=True)


def _district_rows(failures: list[Exception]) -> Iterator[Row]:
    """Yield a row per district. One that cannot be read is added to `failures` and skipped."""
    app_districts = districts_announcing_waits()
    ids = app_districts.ids()
    if not ids:
        echo("No district has authorized this app.", to_stderr=True)
    for district_id in ids:
        try:
            yield _district_row(
                app_districts.roster(district_id).district(), app_districts.services.settings
            )
        except (LoginError, RosterError, NotShared) as error:
            failures.append(error)


def _district_row(district: DistrictRecord, settings: Settings) -> Row:
    """Return a district's data, with its pseudonym in the log."""
    return {
        "id": district.id,
        "name": district.name,
        "state": district.state,
        "last_sync": _format_time(district.last_sync),
        "pseudonym": pseudonym(settings.secret_key, "district", district.id),
    }


def _section_row(section: Section) -> Row:
    return {
        "id": section.id,
        "name": section.name,
        "teachers": list(section.teacher_ids),
        "students": len(section.student_ids),
    }


def _event_row(event: Event) -> Row:
    return {
        "id": event.id,
        "created": _format_time(event.created),
        "type": event.type,
        "record": event.record_id,
    }


def _format_time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
