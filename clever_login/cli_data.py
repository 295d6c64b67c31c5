"""`flask clever districts`, `sections`, `events`: what Clever shares with this app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from clever_login.api.events import Event
from clever_login.api.versions import Kind
from clever_login.districts import Districts, districts
from clever_login.errors import (
    CleverMisconfigured,
    CleverUnavailable,
    LoginError,
    NotJson,
    NotShared,
    RosterError,
)
from clever_login.fields import ReadReport
from clever_login.printable import printable
from clever_login.pseudonyms import pseudonym
from clever_login.records import DistrictRecord, Section
from clever_login.settings import Settings
from clever_login.terminal import failure, say, say_json
from clever_login.values import is_identifier

P = ParamSpec("P")
T = TypeVar("T")
Row = dict[str, str | int | list[str] | None]
OFTEN = 1000  # after how many records progress is said
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def in_a_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose failures end it with one sentence and the exit code 1."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (LoginError, RosterError, NotShared) as error:
            raise failure(sentence(error)) from None

    return with_appcontext(guarded)


def an_id(_context: object, _parameter: object, value: str | None) -> str | None:
    """The value itself; a usage error (exit code 2) for what no id of Clever's can be."""
    if value is not None and not is_identifier(value):
        raise click.BadParameter("an id of Clever's has letters, digits, - and _ only.")
    return value


@click.command("districts")
@as_json
@in_a_sentence
def list_districts(as_json: bool) -> None:
    """List the districts that authorised this app: id, name, state, last sync, name in the log."""
    failures: list[Exception] = []
    _print(_district_rows(failures), as_json)
    for failed in failures:
        say(sentence(failed), aside=True)
    if failures:
        raise SystemExit(1)


@click.command("sections")
@click.argument("district_id", callback=an_id)
@as_json
@in_a_sentence
def list_sections(district_id: str, as_json: bool) -> None:
    """List the sections of a district: id, name, teachers' ids, number of students."""
    roster = patient().roster(district_id)
    total = roster.count(Kind.SECTIONS)
    found = _with_progress(roster.sections(), "sections", total)
    _print(map(_section_row, found), as_json)
    _say_what_was_odd(roster.report)


@click.command("events")
@click.argument("district_id", callback=an_id)
@click.option(
    "--after", callback=an_id, metavar="CURSOR", help="The id of the last event dealt with."
)
@click.option("--latest", is_flag=True, help="Print the latest event's id alone: a cursor to keep.")
@as_json
@in_a_sentence
def list_events(district_id: str, after: str | None, latest: bool, as_json: bool) -> None:
    """List what changed in a district: id, time, type, the record's id; the oldest first."""
    events = patient().events(district_id)
    if latest:
        say(events.latest() or "")
        return
    found = _with_progress(events.read(after=after), "events", None)
    _print(map(_event_row, found), as_json)
    _say_what_was_odd(events.report)


COMMANDS = (list_districts, list_sections, list_events)


def _print(rows: Iterable[Row], as_json: bool) -> None:
    for number, row in enumerate(rows):
        if as_json:
            say_json(row)
            continue
        if not number:
            say("\t".join(row))
        values = [" ".join(v) if isinstance(v, list) else str(v or "-") for v in row.values()]
        say("\t".join(map(printable, values)))


def _with_progress(records: Iterator[T], what: str, total: int | None) -> Iterator[T]:
    """The same records; how many there were is said on standard error, now and then."""
    number = 0
    for number, each in enumerate(records, start=1):
        yield each
        if number % OFTEN == 0:
            say(f"{number}{f' of {total}' if total else ''} {what}", aside=True)
    say(f"{number} {what} in all.", aside=True)


def _say_what_was_odd(report: ReadReport) -> None:
    for each in report.sentences():
        say(each, aside=True)


def patient() -> Districts:
    """The districts, with a word on standard error whenever Clever makes us wait."""

    def wait(seconds: float) -> None:
        say(f"Waiting {seconds:.0f} s for Clever.", aside=True)
        time.sleep(seconds)

    return districts().waiting_with(wait)


def _district_rows(failures: list[Exception]) -> Iterator[Row]:
    """A row for each district; one that cannot be read does not hide the others."""
    found = patient()
    ids = found.ids()
    if not ids:
        say("No district has authorised this app.", aside=True)
    for each in ids:
        try:
            yield _district_row(found.roster(each).district(), found.services.settings)
        except (LoginError, RosterError, NotShared) as error:
            failures.append(error)


def _district_row(district: DistrictRecord, settings: Settings) -> Row:
    """What is known of a district, with the name that stands for it in the log."""
    return {
        "id": district.id,
        "name": district.name,
        "state": district.state,
        "last_sync": _time(district.last_sync),
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
        "created": _time(event.created),
        "type": event.type,
        "record": event.record_id,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def sentence(error: Exception) -> str:
    """What went wrong, for an operator: one sentence, with what to do about it."""
    if isinstance(error, RosterError):
        return str(error)
    if isinstance(error, CleverMisconfigured):
        return f"{error}: look at CLEVER_CLIENT_ID and CLEVER_CLIENT_SECRET."
    if isinstance(error, CleverUnavailable):
        return f"Clever does not answer now: {error}. Try again in a few minutes."
    if isinstance(error, NotJson):
        return f"{error}. Try again later; if it goes on, look for a proxy on the way to Clever."
    return f"{error}."
