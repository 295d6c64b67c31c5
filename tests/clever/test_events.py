"""Tests a district's events: each is read once, oldest first, starting at a cursor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clever_login.api_versions import VERSIONS, RecordKind
from clever_login.clever.district_api.events import Event
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import Section
from clever_login.errors import (
    CleverUnavailable,
    CleverUnexpected,
    CursorTooOld,
    EventsNotEnabled,
    NoSecureSync,
)
from clever_simulator.server import RunningSimulator
from tests.support.matrix import matrix
from tests.support.roster_job import make_job, simulator_config
from tests.support.simulators import run_in_background

ALL = tuple(VERSIONS)
DAY = 24 * 60 * 60


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(simulator_config()) as started:
        yield started


def section_of(clever: RunningSimulator, user_name: str) -> str:
    person = clever.people.person(user_name)
    return next(section.id for section in clever.people.sections if person in section.students)


def a_week_at_school(clever: RunningSimulator) -> None:
    """Rename a student, leave and rejoin a section, unshare the student, and share again."""
    section = section_of(clever, "student")
    clever.change_roster("name", "student", last="Adler")
    clever.change_roster("class", "student", section=section, enrolled=False)
    clever.change_roster("class", "student", section=section, enrolled=True)
    clever.change_roster("unshared", "student")
    clever.change_roster("back", "student")


@pytest.mark.parametrize(("version", "page_size"), matrix(ALL, [1, 2, 10_000]))
def test_every_event_is_read_once_and_in_order(
    clever: RunningSimulator, version: str, page_size: int
) -> None:
    a_week_at_school(clever)
    events = list(make_job(clever, version, page_size=page_size).events.read(after=None))
    assert [event.id for event in events] == sorted({event.id for event in events})
    people = "users" if version.startswith("v3") else "students"
    types = [event.type for event in events]
    assert types[0] == f"{people}.updated"
    assert f"{people}.deleted" in types
    assert f"{people}.created" in types
    assert {event.kind for event in events} <= set(VERSIONS[version].event_records)
    assert {event.action for event in events} == {"created", "updated", "deleted"}


@pytest.mark.parametrize("version", ALL)
def test_an_event_contains_the_current_record(clever: RunningSimulator, version: str) -> None:
    ada = clever.people.person("student")
    clever.change_roster("name", "student", last="Adler")
    (event,) = make_job(clever, version).events.read(after=None)
    record = event.record()
    assert isinstance(record, Person)
    assert record.id == event.record_id == ada.id
    assert record.last_name == "Adler"
    assert PersonRole.STUDENT in record.roles
    assert "name" in event.changed
    assert event.created
    assert "Adler" not in repr(event)


@pytest.mark.parametrize("version", ALL)
def test_a_student_who_leaves_a_class_is_missing_from_the_sections_event(
    clever: RunningSimulator, version: str
) -> None:
    ada, section = clever.people.person("student"), section_of(clever, "student")
    clever.change_roster("class", "student", section=section, enrolled=False)
    events = make_job(clever, version).events.read(after=None)
    (record,) = [event.record() for event in events if event.kind == "sections"]
    assert isinstance(record, Section)
    assert record.id == section
    assert ada.id not in record.student_ids


@pytest.mark.parametrize("version", ALL)
def test_reading_events_resumes_after_the_cursor(clever: RunningSimulator, version: str) -> None:
    a_week_at_school(clever)
    reader = make_job(clever, version, page_size=2)
    cursors = [record.id for record in reader.events.read(after=None)]
    for index, cursor in enumerate(cursors):
        assert [record.id for record in reader.events.read(after=cursor)] == cursors[index + 1 :]


@pytest.mark.parametrize("version", ALL)
def test_the_latest_cursor_marks_where_a_first_read_begins(
    clever: RunningSimulator, version: str
) -> None:
    reader = make_job(clever, version)
    assert reader.events.latest() is None
    a_week_at_school(clever)
    latest = reader.events.latest()
    assert latest == [record.id for record in reader.events.read(after=None)][-1]
    assert list(reader.events.read(after=latest)) == []
    clever.change_roster("name", "teacher", last="Tamm")
    assert len(list(reader.events.read(after=latest))) == 1


@pytest.mark.parametrize("version", ALL)
def test_a_roster_plus_its_later_events_equals_the_current_roster(
    clever: RunningSimulator, version: str
) -> None:
    clever.change_roster("name", "teacher", last="Tamm")
    reader = make_job(clever, version)
    cursor = reader.events.latest()
    people = {person.id: person for person in reader.roster.people(RecordKind.STUDENTS)}
    a_week_at_school(clever)
    clever.change_roster("deleted", "student")
    for event in reader.events.read(after=cursor):
        record = event.record()
        if isinstance(record, Person) and PersonRole.STUDENT in record.roles:
            people.pop(record.id, None)
            people |= {record.id: record} if event.action != "deleted" else {}
    assert people == {person.id: person for person in reader.roster.people(RecordKind.STUDENTS)}


@pytest.mark.parametrize("version", ALL)
def test_event_filters_work_from_v2_on_and_are_rejected_locally_in_v1(
    clever: RunningSimulator, version: str
) -> None:
    a_week_at_school(clever)
    events = make_job(clever, version).events
    if version.startswith("v1"):
        with pytest.raises(ValueError, match="v1"):
            events.read(after=None, kinds=["sections"])
        with pytest.raises(ValueError, match="v1"):
            events.read(after=None, school="5f" * 12)
        return
    assert {record.kind for record in events.read(after=None, kinds=["sections"])} == {"sections"}
    school = clever.people.person("student").schools[0].id
    assert list(events.read(after=None, school=school, kinds=["sections", "users", "students"]))
    assert not list(events.read(after=None, school="5f" * 12))


# Expired cursors


@pytest.mark.parametrize("version", ALL)
def test_a_cursor_older_than_30_days_is_refused_without_a_request(
    clever: RunningSimulator, version: str
) -> None:
    reader = make_job(clever, version)
    clever.change_roster("name", "student", last="Adler")
    cursor = reader.events.latest()
    reader.time.sleep(29 * DAY)
    assert list(reader.events.read(after=cursor)) == []
    reader.time.sleep(2 * DAY)
    request_count = len(reader.requested_paths())
    with pytest.raises(CursorTooOld, match=r"30 days.* read the whole roster again"):
        reader.events.read(after=cursor)
    assert len(reader.requested_paths()) == request_count


def test_a_cursor_that_clever_no_longer_knows_is_reported_as_too_old(
    clever: RunningSimulator,
) -> None:
    clever.change_roster("name", "student", last="Adler")
    reader = make_job(clever)
    latest = reader.events.latest()
    assert latest
    for unknown in (f"{latest[:8]}{'f' * 16}", "not-an-object-id"):
        with pytest.raises(
            CursorTooOld, match=r"no longer knows the cursor.* the whole roster again"
        ):
            list(reader.events.read(after=unknown))


def test_a_cursor_that_clever_answers_with_400_is_reported_as_too_old(
    clever: RunningSimulator,
) -> None:
    apps = tuple(replace(app, old_event="400") for app in simulator_config().apps)
    clever.configure(simulator_config(apps=apps))
    clever.change_roster("name", "student", last="Adler")
    reader = make_job(clever)
    latest = reader.events.latest()
    assert latest
    with pytest.raises(CursorTooOld, match="no longer knows the cursor"):
        list(reader.events.read(after=f"{latest[:8]}{'f' * 16}"))


@pytest.mark.parametrize("cursor", ["../me", "a b", "x" * 65, ""])
def test_a_malformed_cursor_is_never_sent(clever: RunningSimulator, cursor: str) -> None:
    reader = make_job(clever)
    with pytest.raises(CleverUnexpected):
        reader.events.read(after=cursor)
    assert reader.requested_paths() == []


@pytest.mark.parametrize("version", ALL)
def test_without_secure_sync_reading_events_fails_with_the_reason(
    clever: RunningSimulator, version: str
) -> None:
    reader = make_job(clever, version, app="simulator-sso")
    with pytest.raises(NoSecureSync, match="only /districts"):
        reader.events.latest()
    with pytest.raises(NoSecureSync, match="only /districts"):
        list(reader.events.read(after=None))


def test_events_disabled_at_clever_are_reported_as_such(clever: RunningSimulator) -> None:
    clever.add_fault("events", status=404, times=0)
    events = make_job(clever).events
    clever.change_roster("name", "student", last="Adler")
    with pytest.raises(EventsNotEnabled, match="Settings > Integrations"):
        events.latest()
    with pytest.raises(EventsNotEnabled, match="Settings > Integrations"):
        list(events.read(after=None))


def test_a_refused_page_of_events_does_not_look_like_the_end(clever: RunningSimulator) -> None:
    a_week_at_school(clever)
    events = make_job(clever, page_size=1).events.read(after=None)
    next(events)
    clever.add_fault("events", status=500, times=0)
    with pytest.raises(CleverUnavailable):
        next(events)


# Unknown events


def read_events(clever: RunningSimulator, *events: dict[str, Any]) -> list[Event]:
    body = json.dumps({"data": [{"data": event} for event in events], "links": []})
    clever.add_fault("events", body=body)
    return list(make_job(clever).events.read(after=None))


def test_an_event_for_an_unknown_record_type_is_not_an_error(clever: RunningSimulator) -> None:
    data = {"object": {"id": "5f" * 12, "mood": 7}}
    (event,) = read_events(
        clever, {"id": "5e" * 12, "type": "moods.updated", "data": data, "new": [1]}
    )
    assert (event.kind, event.action, event.record_id) == ("moods", "updated", "5f" * 12)
    assert event.record() is None


SOMEBODY = {"object": {"id": "5f" * 12}}


@pytest.mark.parametrize("entry", [None, 7, {}, {"id": "../me", "type": "users.updated"}])
def test_an_event_without_an_id_is_skipped_and_counted(
    clever: RunningSimulator, entry: object
) -> None:
    good = {"id": "5e" * 12, "type": "users.updated", "data": SOMEBODY}
    clever.add_fault("events", body=json.dumps({"data": [entry, {"data": good}], "links": []}))
    events = make_job(clever).events
    assert [record.id for record in events.read(after=None)] == ["5e" * 12]
    assert events.report.skipped == {"events without a usable id": 1}
    clever.add_fault("events", body=json.dumps({"data": [entry], "links": []}))
    assert events.latest() is None
