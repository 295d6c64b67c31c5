"""Tests records with invalid values: each affects only its own field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from clever_login.clever.parsing import is_valid_id
from clever_login.db import models
from clever_simulator.directory.models import District
from clever_simulator.server import RunningSimulator
from tests.conftest import SiteMaker
from tests.simulator.test_data_api import get
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    ExpectedRows,
    Rows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site

ODD: tuple[Any, ...] = (
    *(7, -1, 1.5, True, 10**300, None, [], {}),
    *([None], [7, "Canary list"], {"Canary": {"b": [None]}}, [{}, None]),
    *("true", "\x00", "Canary\x00text", "\ud800x", "x" * 5000, "8/15/2019"),
    *("0001-01-01T00:00:00+14:00", "not a Canary date"),
)
COLLECTIONS = {
    "v2.1": ("schools", "terms", "students", "teachers", "school_admins", "district_admins"),
    "v3.0": ("schools", "terms", "users"),
    "v3.1": ("schools", "terms", "users"),
}
Json = dict[str, Any]
Altered = dict[str, dict[str, Any]]  # record id -> values by path


def district_of(site: Site) -> District:
    return site.clever.people.districts[0]


def records(clever: RunningSimulator, version: str) -> Iterator[list[Json]]:
    """Yield the lists of the first district that a sync reads, as Clever returns them."""
    for name in (*COLLECTIONS[version], "sections"):
        page = get(clever, f"/{version}/{name}?limit=10000")
        yield [row["data"] for row in page["data"] if "contact" not in row["data"].get("roles", ())]


def paths(record: Json, prefix: str = "") -> Iterator[str]:
    """Yield the path of every field of a record except its id, including nested fields."""
    for name, value in record.items():
        if prefix or name != "id":
            yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{name}.")


def odd_values(lists: list[list[Json]], turn: int) -> Altered:
    """Return odd values for some fields of each record. All records together cover every field."""
    altered: Altered = {}
    for rows in lists:
        for number, record in enumerate(rows):
            fields = list(paths(record))
            for place in range(number % len(fields), len(fields), max(len(rows), 1)):
                value = ODD[(place + number + turn) % len(ODD)]
                if fields[place] != "district" or not is_valid_id(value):
                    altered.setdefault(record["id"], {})[fields[place]] = value
    return altered


def apply_overrides(site: Site, altered: Altered) -> None:
    site.clever.override_many([{"id": key, "fields": values} for key, values in altered.items()])


def columns(path: str) -> set[int]:
    """Return the columns of a person's row that a field fills."""
    columns_by_path = {
        "name": {2, 3},
        "name.first": {2},
        "name.last": {3},
        "email": {4},
        "roles": {1, 5},
    }
    if path in columns_by_path:
        return columns_by_path[path]
    if path.startswith("roles.") and path.count(".") == 1:
        return {1, 5}
    return {5} if path.rpartition(".")[2] == "grade" else set()


def rows_without(rows: Rows, altered: Altered) -> Rows:
    """Return the rows with the values of the altered fields masked."""

    def has(key: str, *names: str) -> bool:
        values = altered.get(key, {})
        return any(path.rpartition(".")[2] in names or path in names for path in values)

    def person(row: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = {column for path in altered.get(row[0], {}) for column in columns(path)}
        return tuple("?" if place in hidden else value for place, value in enumerate(row))

    roles = ("roles", "student", "teacher", "staff", "district_admin", "school", "schools")
    return {
        "schools": {(key, "?" if has(key, "name") else name) for key, name in rows["schools"]},
        "people": set(map(person, rows["people"])),
        "role_assignments": {row for row in rows["role_assignments"] if not has(row[0], *roles)},
        "sections": {
            (key, "?" if has(key, "school") else school) for key, school in rows["sections"]
        },
        "enrollments": {
            row
            for row in rows["enrollments"]
            if not has(row[0], "students" if row[2] == "student" else "teachers", "teacher")
        },
    }


def assert_nothing_else_differs(site: Site, altered: Altered) -> None:
    district, version = district_of(site), site.settings.clever_api_version
    expected = rows_without(ExpectedRows(site.clever, district, version).rows(), altered)
    actual = rows_without(actual_rows(database_engine(site), district.id), altered)
    for name, rows in expected.items():
        assert actual[name] == rows, name


def assert_turns_agree(site: Site, turns: range) -> None:
    """Alter everything in turns. Events and a full read must give the same result."""
    words = ("--district", district_of(site).id)
    sync_site(site, *words)
    lists = list(records(site.clever, site.settings.clever_api_version))
    for turn in turns:
        altered = odd_values(lists, turn)
        assert len(altered) > 100
        apply_overrides(site, altered)
        for options in ((), ("--full",)):
            result = sync_site(site, *words, *options)
            assert result.exit_code == 0, result.stdout
            assert "values were not understood: " in result.stdout
            assert "Canary" not in result.stdout + result.stderr
            assert_nothing_else_differs(site, altered)
    site.clever.reset()


def test_an_invalid_value_is_ignored_and_affects_no_other_field(
    make_site: SiteMaker, database_url: str | None
) -> None:
    assert_turns_agree(make_account_app(make_site, database_url), range(0, len(ODD), 9))


@pytest.mark.long
@pytest.mark.parametrize("version", COLLECTIONS)
def test_every_invalid_value_in_every_field_affects_only_that_field(
    make_site: SiteMaker, database_url: str | None, version: str
) -> None:
    assert_turns_agree(
        make_account_app(make_site, database_url, clever_api_version=version), range(len(ODD))
    )


def test_invalid_values_are_counted_by_field_and_logged_without_values(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    first, second = (site.person(name) for name in ("student", "talia.thompson"))
    section = site.clever.people.sections_of(district_of(site))[0]
    apply_overrides(
        site,
        {
            first.id: {"roles.student.dob": 20190815, "email": ["Canary"]},
            second.id: {"roles.student.dob": ["Canary"], "roles.student.grade": 5},
            section.id: {"students": {"Canary": 7}, "id": "not a usable id"},
        },
    )
    result = sync_site(site, "--district", district_of(site).id)
    assert result.exit_code == 0
    assert "3 values were not understood: student.dob (2), user.email (1)." in result.stdout
    assert "1 record was skipped: sections without a usable id (1)." in result.stdout
    person = models.Person
    with database_engine(site).connect() as db:
        names = select(person.email, person.last_name).where(person.clever_id == first.id)
        assert tuple(db.execute(names).one()) == (None, first.name.last)
        grade = select(person.grade).where(person.clever_id == second.id)
        assert db.scalar(grade) == "5"
    log = result.stderr
    values, skipped = [json.loads(line) for line in log.splitlines() if "sync_" in line]
    assert (values["event"], values["number"]) == ("sync_values_not_understood", 3)
    assert values["fields"] == "student.dob (2), user.email (1)"
    assert (skipped["event"], skipped["number"]) == ("sync_records_skipped", 1)
    for hidden in (first.id, first.name.last, district_of(site).id, "Canary"):
        assert hidden not in log


def test_a_malformed_student_list_leaves_the_class_unchanged(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    section = site.clever.people.sections_of(district_of(site))[0]
    apply_overrides(site, {section.id: {"students": "7", "name": "Robotics"}})
    result = sync_site(site)
    assert "1 value was not understood: section.students (1)." in result.stdout
    assert_rows_equal(ExpectedRows(site.clever, district_of(site)), database_engine(site))
    with database_engine(site).connect() as db:
        name = select(models.Section.name).where(models.Section.id == section.id)
        assert db.scalar(name) == "Robotics"


def with_junk(events: list[dict[str, Any]]) -> str:
    """Return these events as a list response with invalid entries in between."""
    user = {"id": "5f" * 12}
    junk: list[Any] = [
        *(None, 7, {"data": {"id": "no id", "type": "users.deleted"}}),
        {"type": "moods.updated", "data": {"object": user}},
        {"type": "users.forgotten", "data": {"object": user}},
        {"type": "users.updated", "data": {"object": [7]}},
        {"type": "users.deleted", "data": {"object": {"id": "no id"}}},
        {"data": None},
    ]
    for number, entry in enumerate(junk):
        if isinstance(entry, dict) and "data" in entry and "id" not in (entry["data"] or {}):
            junk[number] = {"data": {"id": f"5a{number:022x}"} | entry}
    entries = [entry for event in events for entry in (*junk, {"data": event})]
    return json.dumps({"data": [*entries, *junk], "links": []})


def test_malformed_events_are_counted_and_skipped_permanently(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    words = ("--district", district_of(site).id)
    sync_site(site)
    site.clever.change_roster("name", "student", last="Adler")
    site.clever.change_roster("name", "teacher", last="Tamm")
    events = [row["data"] for row in get(site.clever, "/v3.0/events?limit=10000")["data"]]
    site.clever.add_fault("events", body=with_junk(events))
    result = sync_site(site, *words)
    assert result.exit_code == 0
    assert "people: 2 changed" in result.stdout
    reasons = "events of an unknown type (9), events without a usable id (9)"
    assert f"records were skipped: {reasons}, events without a usable record (6)." in result.stdout
    assert_rows_equal(ExpectedRows(site.clever, district_of(site)), database_engine(site))
    with database_engine(site).connect() as db:
        cursor = db.scalar(
            select(models.District.cursor).where(models.District.id == district_of(site).id)
        )
    assert cursor == f"v3.0:5a{7:022x}"


@pytest.mark.parametrize("value", [7, [None], {"Canary": [7]}, "\x00\ud800", "x" * 5000])
def test_an_invalid_value_in_a_user_record_affects_only_that_field_of_the_login(
    site: Site, value: object
) -> None:
    student = site.person("student")
    record = get(site.clever, f"/v3.0/users/{student.id}")["data"]
    fields = [
        path
        for path in paths(record)
        if path not in {"district", "roles", "roles.student"} and not path.startswith("name")
    ]
    apply_overrides(site, {student.id: dict.fromkeys((*fields, "name.last"), value)})
    visitor = by_button(site, "student")
    assert (visitor.path, visitor.role) == ("/dashboard", "student")
    assert f"Hi, {student.name.first}!" in visitor.text
    apply_overrides(site, {student.id: {"name": value, "roles": value}})
    assert by_button(site, "student").path == "/dashboard"
