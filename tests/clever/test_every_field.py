"""Tests any value in every field of every record and event, in all API versions.

A value that a field does not expect costs that field and is counted by its name. Only an unusable
id costs the record.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clever_login.api_versions import VERSIONS
from clever_login.clever.district_api.events import ACTIONS, KINDS, Event
from clever_login.clever.models import Me, Role, User
from clever_login.clever.parsing import ReadReport, is_valid_id
from clever_login.errors import CleverUnexpected, NoUsableId
from tests.support import record_fields
from tests.support.odd_values import ODD, any_value
from tests.support.record_fields import (
    Json,
    Path,
    Template,
    changed,
    flat,
    not_understood,
    type_of,
    with_value,
)

EXAMPLES = 100  # lists of values, in each of three tests; each list goes through all fields
EVENT_ID, USER_ID = "5b" * 12, "5c" * 12
MEMBERS = (("students",), ("teachers",))
# What event types call a kind of record, where it is not the plural of its label.
EVENT_KINDS = {
    "contact": ("contacts", "studentcontacts"),
    "district_admin": ("districtadmins",),
    "staff": ("schooladmins",),
}
# The fields of an event, and those that report an odd value by their name. The others cost the
# event, which the sync skips and counts.
ENVELOPE = (
    *(("type",), ("created",), ("data",), ("data", "object"), ("data", "object", "id")),
    *(("data", "previous_attributes"), ("previous_attributes",)),
)
ENVELOPE_TYPES = {"created": "moment", "data": "object", "previous_attributes": "object"}
UNKNOWN_TYPE, UNUSABLE = "events of an unknown type", "events without a usable record"
LISTS = st.lists(any_value(), min_size=1, max_size=20)
in_the_long_tier = settings(max_examples=EXAMPLES, deadline=None, database=None, print_blob=True)


@cache
def templates() -> list[Template]:
    return record_fields.templates()


def assert_only_that_field_is_lost(template: Template, path: Path, value: Any) -> None:
    """Put a value into a field. Only that field may change, and only a value may be counted."""
    record = with_value(template.record, path, value)
    fields, report = template.parsed(record)
    absent = dict(template.without_each[path])
    number = not_understood(type_of(template.label, path), value)
    if number and not template.asks_for(record, path):
        number = 0
    assert report.values == ({template.name_of(path): number} if number else {})
    assert not report.skipped
    if template.label == "section":  # such a list must not empty a class
        is_lost = number and path in MEMBERS and not isinstance(value, list)
        assert fields.pop(".unknown_members") == ((path[0][:-1],) if is_lost else ())
        absent.pop(".unknown_members")
    if template.label == "user":  # a new user with such roles may be a student's contact
        assert fields.pop(".unknown_roles") == bool(number and path[0] == "roles" and len(path) < 3)
        absent.pop(".unknown_roles")
    assert changed(fields, absent) <= template.filled_by[path]
    if number and not isinstance(value, list):
        assert changed(fields, absent) == set()


def assert_every_field_takes(values: list[Any]) -> None:
    """Put one of the values into each field, in turn."""
    fields = [(template, path) for template in templates() for path in template.paths]
    for number, (template, path) in enumerate(fields):
        value = values[number % len(values)]
        try:
            assert_only_that_field_is_lost(template, path, value)
        except Exception as error:
            error.add_note(f"{template.versions} {template.label} {path} = {value!r}")
            raise


@pytest.mark.parametrize("turn", range(2))
def test_a_value_that_a_field_does_not_expect_costs_only_that_field(turn: int) -> None:
    assert_every_field_takes([*ODD[turn * 20 :], *ODD[: turn * 20]])


@pytest.mark.long
@given(values=LISTS)
@in_the_long_tier
def test_any_value_of_a_field_costs_at_most_that_field(values: list[Any]) -> None:
    assert_every_field_takes(values)


@pytest.mark.parametrize("turn", range(2))
def test_only_an_id_that_is_none_costs_a_record(turn: int) -> None:
    for template in templates():
        for value in ODD[turn::2]:
            record = template.record | {"id": value}
            if is_valid_id(value):
                assert template.parsed(record)[0][".id"] == value
            else:
                with pytest.raises(NoUsableId):
                    template.parsed(record)


def event_types() -> list[tuple[str, Template]]:
    """Return each type of event about each kind of record, with the record."""
    return [
        (f"{kind}.{action}", template)
        for template in templates()
        for kind in EVENT_KINDS.get(template.label, (f"{template.label}s".replace("ffs", "ff"),))
        for action in sorted(ACTIONS)
    ]


def record_of(event: Json) -> Json | None:
    """Return the record of an event, or None if it is not an object with an id."""
    data: Any = event["data"]
    record = data.get("object") if isinstance(data, dict) else None
    return record if isinstance(record, dict) and is_valid_id(record.get("id")) else None


def assert_event_takes(type_name: str, template: Template, path: Path, value: Any) -> None:
    """Put a value into a field of an event. Its record is read, or the event is skipped."""
    data = {"object": template.record, "previous_attributes": {"name": {}}}
    if path == ("previous_attributes",):  # v1.1 has it beside `data`
        del data["previous_attributes"]
    event = {"id": EVENT_ID, "type": type_name, "created": "2026-10-01T08:00:00Z", "data": data}
    event = with_value(event, path, value)
    report = ReadReport()
    parsed = Event.from_api(event, report)
    assert parsed.id == EVENT_ID
    odd = not_understood(ENVELOPE_TYPES.get(path[-1], "text"), value)
    if path in {("data", "object"), ("data", "object", "id")}:
        odd = 0
    assert report.values == ({".".join(("event", *path)): odd} if odd else {})
    changed_record = record_of(event)
    if path == ("type",):
        assert parsed.unknown == UNKNOWN_TYPE
    elif changed_record is None:
        assert parsed.unknown == UNUSABLE
        assert parsed.record() is None
    else:
        assert parsed.unknown == ""
        assert flat(parsed.record()) == template.parsed(changed_record)[0]
    if path != ("created",):
        assert parsed.created


def assert_every_event_takes(values: list[Any]) -> None:
    """Put one of the values into each field of each type of event, in turn."""
    cases = [(*case, path) for case in event_types() for path in ENVELOPE]
    for number, (type_name, template, path) in enumerate(cases):
        value = values[number % len(values)]
        try:
            assert_event_takes(type_name, template, path, value)
        except Exception as error:
            error.add_note(f"{type_name} {path} = {value!r}")
            raise


def test_every_version_has_events_of_these_types() -> None:
    assert {name.partition(".")[0] for name, _ in event_types()} == KINDS
    assert {kind for version in VERSIONS.values() for kind in version.event_records} == KINDS


def test_an_event_with_an_odd_value_is_read_or_skipped() -> None:
    assert_every_event_takes(list(ODD))


@pytest.mark.long
@given(values=LISTS)
@in_the_long_tier
def test_an_event_with_any_value_is_read_or_skipped(values: list[Any]) -> None:
    assert_every_event_takes(values)


def user_records() -> list[tuple[Template, Role | None]]:
    """Return the records of users who log in, each with the role that its path says."""
    return [
        (template, Role(template.label) if template.label in set(Role) else None)
        for template in templates()
        if template.label in {*Role, "user"}
    ]


def assert_login_takes(values: list[Any]) -> None:
    """Put one of the values into each field of each user record that a login reads, in turn."""
    number = 0
    for template, role in user_records():
        district = template.record["district"]
        me = Me(id=template.record["id"], type=role or "user", district_id=district)
        whole = flat(User.from_api({"data": template.record}, me, role))
        for path in template.paths:
            value = values[number % len(values)]
            number += 1
            body = {"data": with_value(template.record, path, value)}
            if path == ("district",) and value not in (None, "", district):
                with pytest.raises(CleverUnexpected):
                    User.from_api(body, me, role)
                continue
            read = flat(User.from_api(body, me, role))
            fields = {name.split(".")[1] for name in changed(read, whole)}
            assert fields <= LOGIN_FIELDS.get(path[0], set()), (template.label, path, value)


# The fields of a login that each field of a user record fills.
LOGIN_FIELDS = {
    "name": {"first_name", "last_name"},
    "email": {"email"},
    "roles": {"roles"},
    "legacy_id": {"roles"},
    "school": {"roles"},
    "schools": {"roles"},
}


@pytest.mark.parametrize("turn", range(2))
def test_a_login_takes_an_odd_value_in_any_field_of_the_user(turn: int) -> None:
    assert_login_takes([*ODD[turn * 20 :], *ODD[: turn * 20]])


@pytest.mark.long
@given(values=LISTS)
@in_the_long_tier
def test_a_login_takes_any_value_in_any_field_of_the_user(values: list[Any]) -> None:
    assert_login_takes(values)
