"""What changes in a district: every event once, the oldest first, from a cursor on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clever_login.api.events import Event
from clever_login.api.versions import VERSIONS, Kind
from clever_login.errors import (
    CleverUnavailable,
    CleverUnexpected,
    CursorTooOld,
    NoEvents,
    NoSecureSync,
)
from clever_login.persons import Person, PersonRole
from clever_login.records import Section
from clever_simulator.server import Running, running
from tests.matrix import matrix
from tests.reading import config, job

ALL = tuple(VERSIONS)
DAY = 24 * 60 * 60


@pytest.fixture
def clever() -> Iterator[Running]:
    with running(config()) as started:
        yield started


def section_of(clever: Running, user_name: str) -> str:
    person = clever.people.person(user_name)
    return next(each.id for each in clever.people.sections if person in each.students)


def a_week_at_school(clever: Running) -> None:
    """A new name, a class left and joined again, somebody gone, and back."""
    section = section_of(clever, "student")
    clever.change("name", "student", last="Adler")
    clever.change("class", "student", section=section, enrolled=False)
    clever.change("class", "student", section=section, enrolled=True)
    clever.change("unshared", "student")
    clever.change("back", "student")


@pytest.mark.parametrize(("version", "page_size"), matrix(ALL, [1, 2, 10_000]))
def test_every_event_comes_once_and_in_its_order(
    clever: Running, version: str, page_size: int
) -> None:
    a_week_at_school(clever)
    found = list(job(clever, version, page_size=page_size).events.read(after=None))
    assert [each.id for each in found] == sorted({each.id for each in found})
    people = "users" if version.startswith("v3") else "students"
    types = [each.type for each in found]
    assert types[0] == f"{people}.updated"
    assert f"{people}.deleted" in types
    assert f"{people}.created" in types
    assert {each.kind for each in found} <= set(VERSIONS[version].event_records)
    assert {each.action for each in found} == {"created", "updated", "deleted"}


@pytest.mark.parametrize("version", ALL)
def test_an_event_has_the_record_as_it_is_now(clever: Running, version: str) -> None:
    ada = clever.people.person("student")
    clever.change("name", "student", last="Adler")
    (event,) = job(clever, version).events.read(after=None)
    record = event.record()
    assert isinstance(record, Person)
    assert record.id == event.record_id == ada.id
    assert record.last_name == "Adler"
    assert PersonRole.STUDENT in record.roles
    assert "name" in event.changed
    assert event.created
    assert "Adler" not in repr(event)


@pytest.mark.parametrize("version", ALL)
def test_who_leaves_a_class_is_gone_from_the_section_in_its_event(
    clever: Running, version: str
) -> None:
    ada, section = clever.people.person("student"), section_of(clever, "student")
    clever.change("class", "student", section=section, enrolled=False)
    events = job(clever, version).events.read(after=None)
    (record,) = [each.record() for each in events if each.kind == "sections"]
    assert isinstance(record, Section)
    assert record.id == section
    assert ada.id not in record.student_ids


@pytest.mark.parametrize("version", ALL)
def test_events_are_read_on_from_the_cursor_of_the_last_one(clever: Running, version: str) -> None:
    a_week_at_school(clever)
    reader = job(clever, version, page_size=2)
    whole = [each.id for each in reader.events.read(after=None)]
    for index, cursor in enumerate(whole):
        assert [each.id for each in reader.events.read(after=cursor)] == whole[index + 1 :]


@pytest.mark.parametrize("version", ALL)
def test_the_latest_cursor_is_where_a_first_reading_begins(clever: Running, version: str) -> None:
    reader = job(clever, version)
    assert reader.events.latest() is None
    a_week_at_school(clever)
    latest = reader.events.latest()
    assert latest == [each.id for each in reader.events.read(after=None)][-1]
    assert list(reader.events.read(after=latest)) == []
    clever.change("name", "teacher", last="Tamm")
    assert len(list(reader.events.read(after=latest))) == 1


@pytest.mark.parametrize("version", ALL)
def test_a_roster_and_the_events_behind_it_make_the_roster_of_now(
    clever: Running, version: str
) -> None:
    clever.change("name", "teacher", last="Tamm")
    reader = job(clever, version)
    cursor = reader.events.latest()
    kept = {each.id: each for each in reader.roster.people(Kind.STUDENTS)}
    a_week_at_school(clever)
    clever.change("deleted", "student")
    for event in reader.events.read(after=cursor):
        record = event.record()
        if isinstance(record, Person) and PersonRole.STUDENT in record.roles:
            kept.pop(record.id, None)
            kept |= {record.id: record} if event.action != "deleted" else {}
    assert kept == {each.id: each for each in reader.roster.people(Kind.STUDENTS)}


@pytest.mark.parametrize("version", ALL)
def test_events_are_narrowed_from_v2_on_and_never_asked_for_in_vain_before(
    clever: Running, version: str
) -> None:
    a_week_at_school(clever)
    events = job(clever, version).events
    if version.startswith("v1"):
        with pytest.raises(ValueError, match="v1"):
            events.read(after=None, kinds=["sections"])
        with pytest.raises(ValueError, match="v1"):
            events.read(after=None, school="5f" * 12)
        return
    assert {each.kind for each in events.read(after=None, kinds=["sections"])} == {"sections"}
    school = clever.people.person("student").schools[0].id
    assert list(events.read(after=None, school=school, kinds=["sections", "users", "students"]))
    assert not list(events.read(after=None, school="5f" * 12))


# Cursors that are too old


@pytest.mark.parametrize("version", ALL)
def test_a_cursor_older_than_30_days_says_to_read_the_roster_anew_and_asks_nothing(
    clever: Running, version: str
) -> None:
    reader = job(clever, version)
    clever.change("name", "student", last="Adler")
    cursor = reader.events.latest()
    reader.time.sleep(29 * DAY)
    assert list(reader.events.read(after=cursor)) == []
    reader.time.sleep(2 * DAY)
    asked = len(reader.asked())
    with pytest.raises(CursorTooOld, match=r"30 days.* read the roster anew"):
        reader.events.read(after=cursor)
    assert len(reader.asked()) == asked


def test_a_cursor_that_clever_does_not_know_any_more_says_the_same(clever: Running) -> None:
    clever.change("name", "student", last="Adler")
    reader = job(clever)
    latest = reader.events.latest()
    assert latest
    for unknown in (f"{latest[:8]}{'f' * 16}", "not-an-object-id"):
        with pytest.raises(CursorTooOld, match=r"does not know the cursor.* the roster anew"):
            list(reader.events.read(after=unknown))


@pytest.mark.parametrize("cursor", ["../me", "a b", "x" * 65, ""])
def test_a_cursor_that_is_no_id_is_not_sent(clever: Running, cursor: str) -> None:
    reader = job(clever)
    with pytest.raises(CleverUnexpected):
        reader.events.read(after=cursor)
    assert reader.asked() == []


@pytest.mark.parametrize("version", ALL)
def test_without_secure_sync_there_are_no_events_and_it_is_said_why(
    clever: Running, version: str
) -> None:
    reader = job(clever, version, app="simulator-sso")
    with pytest.raises(NoSecureSync, match="/districts alone"):
        reader.events.latest()
    with pytest.raises(NoSecureSync, match="/districts alone"):
        list(reader.events.read(after=None))


def test_events_that_are_switched_off_at_clever_are_said_to_be(clever: Running) -> None:
    clever.fault("events", status=404, times=0)
    events = job(clever).events
    clever.change("name", "student", last="Adler")
    with pytest.raises(NoEvents, match="Settings > Integrations"):
        events.latest()
    with pytest.raises(NoEvents, match="Settings > Integrations"):
        list(events.read(after=None))


def test_a_refusal_in_the_middle_does_not_look_like_the_end(clever: Running) -> None:
    a_week_at_school(clever)
    found = job(clever, page_size=1).events.read(after=None)
    next(found)
    clever.fault("events", status=500, times=0)
    with pytest.raises(CleverUnavailable):
        next(found)


# Events that we do not know


def feed(clever: Running, *events: dict[str, Any]) -> list[Event]:
    body = json.dumps({"data": [{"data": each} for each in events], "links": []})
    clever.fault("events", body=body)
    return list(job(clever).events.read(after=None))


def test_a_kind_of_record_that_is_new_is_no_error(clever: Running) -> None:
    data = {"object": {"id": "5f" * 12, "mood": 7}}
    (event,) = feed(clever, {"id": "5e" * 12, "type": "moods.updated", "data": data, "new": [1]})
    assert (event.kind, event.action, event.record_id) == ("moods", "updated", "5f" * 12)
    assert event.record() is None


SOMEBODY = {"object": {"id": "5f" * 12}}


@pytest.mark.parametrize(
    ("event", "unknown"),
    [
        ({"data": SOMEBODY}, "events of an unknown type"),
        ({"type": 7, "data": SOMEBODY}, "events of an unknown type"),
        ({"type": "moods.updated", "data": SOMEBODY}, "events of an unknown type"),
        ({"type": "users.forgotten", "data": SOMEBODY}, "events of an unknown type"),
        ({"type": "users", "data": SOMEBODY}, "events of an unknown type"),
        ({"type": "users.updated"}, "events without a usable record"),
        ({"type": "users.updated", "data": [7]}, "events without a usable record"),
        ({"type": "users.updated", "data": {"object": ["x"]}}, "events without a usable record"),
        (
            {"type": "users.updated", "data": {"object": {"id": "Mei-Ling Ortiz"}}},
            "events without a usable record",
        ),
        ({"type": "users.updated", "created": "x", "data": SOMEBODY}, ""),
        ({"type": "users.updated", "data": SOMEBODY | {"previous_attributes": 7}}, ""),
        ({"type": "users.updated", "data": {"object": {"id": "5f" * 12, "roles": 7}}}, ""),
    ],
)
def test_an_event_of_the_wrong_shape_stops_nothing_and_can_be_passed(
    clever: Running, event: dict[str, Any], unknown: str
) -> None:
    (found,) = feed(clever, {"id": "5e" * 12} | event)
    assert (found.id, found.unknown) == ("5e" * 12, unknown)
    known = found.kind == "users" and unknown != "events without a usable record"
    assert (found.record() is not None) == known


@pytest.mark.parametrize("entry", [None, 7, {}, {"id": "../me", "type": "users.updated"}])
def test_an_event_without_an_id_is_skipped_and_counted(clever: Running, entry: object) -> None:
    good = {"id": "5e" * 12, "type": "users.updated", "data": SOMEBODY}
    clever.fault("events", body=json.dumps({"data": [entry, {"data": good}], "links": []}))
    events = job(clever).events
    assert [each.id for each in events.read(after=None)] == ["5e" * 12]
    assert events.report.skipped == {"events without a usable id": 1}
    clever.fault("events", body=json.dumps({"data": [entry], "links": []}))
    assert events.latest() is None
