"""Tests records with invalid values: each affects only its own field."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from clever_login.clever.parsing import format_counts, is_valid_id
from clever_login.clever.people import PersonRole
from clever_login.db import models
from clever_login.db.upsert import model_table
from clever_login.roster_sync.kinds import MODEL_BY_KIND
from clever_simulator.directory.models import District
from clever_simulator.server import RunningSimulator
from tests.conftest import SiteMaker
from tests.simulator.test_data_api import get
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    ExpectedRows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.odd_values import ODD
from tests.support.record_fields import with_value
from tests.support.roster_job import make_job
from tests.support.running_app import Site

COLLECTIONS = {
    "v2.1": (
        *("schools", "terms", "courses"),
        *("students", "teachers", "school_admins", "district_admins"),
    ),
    "v3.0": ("schools", "terms", "courses", "users"),
    "v3.1": ("schools", "terms", "courses", "users"),
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
                values = altered.setdefault(record["id"], {})
                if fields[place] != "district" or not is_valid_id(value):
                    values[fields[place]] = value
    return altered


def apply_overrides(site: Site, altered: Altered) -> None:
    site.clever.override_many([{"id": key, "fields": values} for key, values in altered.items()])


# The stored values that a field of each kind of record fills. Those of a list have its name.
FILLED_BY = {
    "schools": {"name": {"name"}},
    "terms": {name: {name} for name in ("name", "start_date", "end_date")},
    "courses": {name: {name} for name in ("name", "number")},
    "sections": {
        **{name: {name} for name in ("name", "subject", "grade", "period", "term_id")},
        "school": {"school_id"},
        "course": {"course_id"},
        "students": {"student"},
        **{name: {"teacher"} for name in ("teacher", "teachers")},
    },
    "people": {
        **{name: {name} for name in ("email", "grade")},
        "name": {"first_name", "last_name"},
        "first": {"first_name"},
        "last": {"last_name"},
        **{name: {"roles", "grade", "schools"} for name in ("roles", *PersonRole)},
        **{name: {"schools"} for name in ("school", "schools")},
    },
}
Stored = dict[tuple[str, str], dict[str, Any]]  # by table and Clever id


def stored(site: Site) -> Stored:
    """Return every stored value of the first district that comes from Clever."""
    rows: Stored = {}
    row: Any
    with Session(database_engine(site)) as db:
        for table, model in MODEL_BY_KIND.items():
            for row in db.scalars(select(model).where(model.district_id == district_of(site).id)):
                key = row.clever_id if isinstance(row, models.Person) else row.id
                columns = {*model_table(model).c.keys()} - {"updated_at", "synced_at"}
                rows[table, str(key)] = {name: getattr(row, name) for name in columns}
        for post, person in db.execute(
            select(models.RoleAssignment, models.Person.clever_id).join(
                models.Person, models.Person.id == models.RoleAssignment.person_id
            )
        ):
            place = rows.get(("people", str(person)), {})
            place.setdefault("schools", set()).add((post.school_id, post.role))
        for link, person in db.execute(
            select(models.Enrollment, models.Person.clever_id).join(
                models.Person, models.Person.id == models.Enrollment.person_id
            )
        ):
            place = rows.get(("sections", link.section_id), {})
            place.setdefault(link.role, set()).add(person)
    return rows


def assert_nothing_else_differs(before: Stored, after: Stored, altered: Altered) -> None:
    """Assert that each stored value is as before, except those of the altered fields."""
    assert before.keys() == after.keys()
    for (table, key), values in before.items():
        filled = FILLED_BY[table]
        names = {
            column
            for path in altered.get(key, ())
            for column in filled.get(path, filled.get(path.rpartition(".")[2], set()))
        }
        for name in values.keys() | after[table, key].keys():
            if name not in names:
                assert after[table, key].get(name) == values.get(name), (
                    table,
                    key,
                    name,
                    altered[key],
                )


def read_report(site: Site) -> list[str]:
    """Read the whole district, and return what was not understood."""
    roster = make_job(site.clever, site.settings.clever_api_version).roster
    lists = (
        roster.schools(),
        roster.terms(),
        roster.courses(),
        roster.everybody(),
        roster.sections(),
    )
    deque(chain([roster.district()], *lists), maxlen=0)
    return roster.report.sentences()


def assert_turns_agree(site: Site, turns: range) -> None:
    """Alter everything in turns. Events and a full read must give the same result."""
    words = ("--district", district_of(site).id)
    sync_site(site, *words)
    assert_rows_equal(
        ExpectedRows(site.clever, district_of(site), site.settings.clever_api_version),
        database_engine(site),
    )
    before = stored(site)
    lists = list(records(site.clever, site.settings.clever_api_version))
    for turn in turns:
        altered = odd_values(lists, turn)
        assert len(altered) > 100
        apply_overrides(site, altered)
        (sentence,) = read_report(site)
        assert "values were not understood: " in sentence
        for options in ((), ("--full",)):
            result = sync_site(site, *words, *options)
            assert result.exit_code == 0, result.stdout
            assert sentence in result.stdout
            assert "Canary" not in result.stdout + result.stderr
            assert_nothing_else_differs(before, stored(site), altered)
    site.clever.reset()


def test_an_invalid_value_is_ignored_and_affects_no_other_field(
    make_site: SiteMaker, database_url: str | None
) -> None:
    assert_turns_agree(make_account_app(make_site, database_url), range(0, len(ODD), 21))


@pytest.mark.long
@pytest.mark.parametrize(("first", "version"), list(enumerate(COLLECTIONS)))
def test_every_invalid_value_in_every_field_affects_only_that_field(
    make_site: SiteMaker, database_url: str | None, first: int, version: str
) -> None:
    site = make_account_app(make_site, database_url, clever_api_version=version)
    assert_turns_agree(site, range(first, len(ODD), len(COLLECTIONS)))


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


def test_a_malformed_student_list_keeps_no_teacher_who_left_the_class(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    section = site.clever.people.sections_of(district_of(site))[0]
    apply_overrides(site, {section.id: {"students": "7", "teachers": [], "teacher": None}})
    sync_site(site)
    enrollment = models.Enrollment
    with database_engine(site).connect() as db:
        roles = select(enrollment.role).where(enrollment.section_id == section.id)
        assert set(db.scalars(roles)) == {"student"}


def test_a_new_person_with_one_readable_role_is_stored(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    person = site.person("teacher_admin")
    apply_overrides(site, {person.id: {"roles.staff": "7"}})
    sync_site(site, "--district", person.district.id)
    with database_engine(site).connect() as db:
        roles = select(models.Person.roles).where(models.Person.clever_id == person.id)
        assert db.scalar(roles) == ["teacher"]


# The fields of an event, () for the whole, and why the sync skips one with an odd value in it.
EVENT_FIELDS: dict[tuple[str, ...], str] = {
    (): "events without a usable id",
    ("id",): "events without a usable id",
    ("type",): "events of an unknown type",
    ("created",): "",
    ("data",): "events without a usable record",
    ("data", "object"): "events without a usable record",
    ("data", "object", "id"): "events without a usable record",
    ("data", "previous_attributes"): "",
}


def altered_events(events: list[Json]) -> Iterator[tuple[Any, str]]:
    """Yield each event, every second one with an odd value, and why a sync skips it."""
    for number, event in enumerate(events):
        place = number // 2
        path, reason = [*EVENT_FIELDS.items()][place % len(EVENT_FIELDS)]
        value = ODD[place * 3 % len(ODD)]
        is_id = is_valid_id(value.get("id") if isinstance(value, dict) else value)
        if number % 2 or is_id:
            yield event, ""
        else:
            yield with_value(event, path, value) if path else value, reason


def last_names(site: Site) -> dict[str, str]:
    person = models.Person
    current = (person.district_id == district_of(site).id) & person.archived_at.is_(None)
    with database_engine(site).connect() as db:
        rows = db.execute(select(person.clever_id, person.last_name).where(current))
        return {row.clever_id: row.last_name for row in rows if row.clever_id}


def test_an_odd_value_in_an_event_costs_at_most_that_event(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    names = last_names(site)
    apply_overrides(site, {key: {"name.last": "Adler"} for key in names})
    events = [row["data"] for row in get(site.clever, "/v3.0/events?limit=10000")["data"]]
    sent = list(altered_events(events))
    assert {event["data"]["object"]["id"] for event in events} == names.keys()
    body = {"data": [{"data": event} for event, _ in sent], "links": []}
    site.clever.add_fault("events", body=json.dumps(body))
    result = sync_site(site, "--district", district_of(site).id)
    assert result.exit_code == 0
    skipped = Counter(reason for _, reason in sent if reason)
    assert len(skipped) == 3
    assert f"{skipped.total()} records were skipped: {format_counts(skipped)}." in result.stdout
    written = last_names(site)
    for event, (_, reason) in zip(events, sent, strict=True):
        key = event["data"]["object"]["id"]
        assert written[key] == (names[key] if reason else "Adler"), (event, reason)


def test_the_cursor_moves_past_events_that_were_not_understood(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    unknown = {"id": "5a" * 12, "type": "moods.updated", "data": {"object": {"id": "5f" * 12}}}
    body = {"data": [{"data": unknown}, {"data": None}, 7], "links": []}
    site.clever.add_fault("events", body=json.dumps(body))
    assert sync_site(site, "--district", district_of(site).id).exit_code == 0
    with database_engine(site).connect() as db:
        cursors = select(models.District.cursor).where(models.District.id == district_of(site).id)
        assert db.scalar(cursors) == f"v3.0:{'5a' * 12}"


def test_a_user_who_left_at_the_end_of_the_calendar_is_archived(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    student, person = site.person("student"), models.Person
    with database_engine(site).begin() as db:
        own = update(person).where(person.clever_id == student.id)
        db.execute(own.values(last_login=models.utc_now()))
    site.clever.change_roster("unshared", "student")
    events = [row["data"] for row in get(site.clever, "/v3.0/events?limit=10000")["data"]]
    sent = [{"data": event | {"created": "9999-12-31T23:59:59Z"}} for event in events]
    site.clever.add_fault("events", body=json.dumps({"data": sent, "links": []}))
    assert sync_site(site, "--district", district_of(site).id).exit_code == 0
    assert student.id not in last_names(site)


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
