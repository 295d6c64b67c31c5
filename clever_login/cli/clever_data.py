"""`flask clever districts`, `sections` and `events`: what Clever shares with this app."""

from __future__ import annotations

from collections.abc import Iterator

import click

from clever_login.api_versions import RecordKind
from clever_login.clever.district_api.events import Event
from clever_login.clever.records import DistrictRecord, Section
from clever_login.cli.output import (
    Row,
    echo_report,
    exit_on_error,
    format_time,
    json_option,
    print_rows,
    validate_id,
    with_progress,
)
from clever_login.config import Settings
from clever_login.districts import districts_announcing_waits
from clever_login.errors import LoginError, NotShared, RosterError, describe_for_operator
from clever_login.logs.pseudonyms import pseudonym
from clever_login.safe_output import echo


@click.command("districts")
@json_option
@exit_on_error
def list_districts(as_json: bool) -> None:
    """List the districts that authorized the app.

    The columns are id, name, state, last sync, and pseudonym. They are read from Clever.
    """
    failures: list[Exception] = []
    print_rows(_district_rows(failures), as_json)
    for failure in failures:
        echo(describe_for_operator(failure), to_stderr=True)
    if failures:
        raise SystemExit(1)


@click.command("sections")
@click.argument("district_id", callback=validate_id)
@json_option
@exit_on_error
def list_sections(district_id: str, as_json: bool) -> None:
    """List the sections of a district.

    The columns are id, name, teachers' ids, and number of students.
    """
    roster = districts_announcing_waits().roster(district_id)
    total = roster.count(RecordKind.SECTIONS)
    sections = with_progress(roster.sections(), "sections", total)
    print_rows(map(_section_row, sections), as_json)
    echo_report(roster.report)


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
    """List what changed in a district, oldest first.

    The columns are id, time, type, and the record's id.
    """
    events = districts_announcing_waits().events(district_id)
    if latest:
        echo(events.latest() or "")
        return
    events_read = with_progress(events.read(after=after), "events", None)
    print_rows(map(_event_row, events_read), as_json)
    echo_report(events.report)


COMMANDS = (list_districts, list_sections, list_events)


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
        "last_sync": format_time(district.last_sync),
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
        "created": format_time(event.created),
        "type": event.type,
        "record": event.record_id,
    }
