"""Tests that empty or truncated lists remove nothing, and that a new semester is applied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from clever_login.clever.district_api.events import Event
from clever_login.db import models
from clever_login.roster_sync.limits.loss_limits import (
    LOSS_RULES,
    LossCounts,
    find_excessive_losses,
)
from clever_login.roster_sync.limits.net_changes import NetChanges
from clever_simulator.directory.models import District
from clever_simulator.state import SimulatorState
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.simulator.test_data_api import get
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    ExpectedRows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site

WAYS = [(), ("--full",)]
BOTH_SYNCS = pytest.mark.parametrize("words", WAYS, ids=["events", "full"])


@pytest.fixture
def site(make_site: SiteMaker, database_url: str | None) -> Site:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    return site


def district_of(site: Site) -> District:
    return site.clever.people.districts[0]


def run(site: Site, *words: str, code: int = 0) -> str:
    result = sync_site(site, "--district", district_of(site).id, *words)
    assert result.exit_code == code, result.stdout + result.stderr
    return result.stdout


def assert_as_at_clever(site: Site) -> None:
    assert_rows_equal(
        ExpectedRows(site.clever, district_of(site), site.settings.clever_api_version),
        database_engine(site),
    )


def problem(site: Site) -> str | None:
    with database_engine(site).connect() as db:
        query = select(models.District.problem).where(models.District.id == district_of(site).id)
        return db.scalar(query)


def terms(site: Site) -> set[str]:
    with database_engine(site).connect() as db:
        term = models.Term
        is_current = (term.district_id == district_of(site).id) & term.archived_at.is_(None)
        return set(db.scalars(select(term.id).where(is_current)))


def rename_one_of_each(site: Site) -> dict[str, str]:
    """Rename a school, a section, and a student. These changes must always be applied."""
    directory = site.clever.people
    ids = {
        "schools": directory.schools_of(district_of(site))[0].id,
        "sections": directory.sections_of(district_of(site))[0].id,
    }
    site.clever.override_many(
        [{"id": record_id, "fields": {"name": "New"}} for record_id in ids.values()]
    )
    site.clever.change_roster("name", "student", last="Adler")
    return ids | {"users": site.person("student").id}


def names(site: Site, ids: dict[str, str]) -> dict[str, str | None]:
    person = models.Person
    queries = {
        "schools": select(models.School.name).where(models.School.id == ids["schools"]),
        "sections": select(models.Section.name).where(models.Section.id == ids["sections"]),
        "users": select(person.last_name).where(person.clever_id == ids["users"]),
    }
    with database_engine(site).connect() as db:
        return {name: db.scalar(query) for name, query in queries.items()}


ALLOWED = {  # may always be removed
    "schools": 1,
    **dict.fromkeys(("terms", "courses", "people", "sections"), 5),
    **dict.fromkeys(("students", "teachers", "staff", "district administrators"), 5),
    "schools of students": 5,
    "schools of teachers": 5,
    "schools of staff": 5,
    "schools of district administrators": 5,
    "student enrollments": 30,
    "teacher enrollments": 30,
}
NEVER_ALL = {"schools", "terms", "courses", "people", "sections"}
NEVER_ALL |= {"student enrollments", "teacher enrollments"}


def is_held(label: str, missing: int, total: int, new: int = 0, limit: int = 10) -> bool:
    before, now = LossCounts({label: total}), LossCounts({label: total + new})
    return bool(find_excessive_losses(before, now, LossCounts({label: missing}), limit))


@pytest.mark.parametrize("label", LOSS_RULES)
def test_each_kind_of_loss_has_its_limits(label: str) -> None:
    allowed = ALLOWED[label]
    few, many = 2 * allowed + 2, 100 * allowed
    assert not is_held(label, allowed, few)
    assert is_held(label, allowed + 1, few)
    assert not is_held(label, many // 10, many)
    assert is_held(label, many // 10 + 1, many)
    assert not is_held(label, many // 10 + 1, many, new=1)  # net of what is new
    assert not is_held(label, many // 4, many, limit=25)
    assert is_held(label, many // 4 + 1, many, limit=25)
    assert is_held(label, 1, 1) == (label in NEVER_ALL)
    assert not is_held(label, 1, 1, new=1)


@pytest.mark.parametrize(
    ("roles", "label"), [({"student"}, "students"), ({"student", "teacher"}, "people")]
)
@POSTGRESQL_IS_LONG
def test_a_loss_of_people_is_named_once(site: Site, roles: set[str], label: str) -> None:
    people = site.clever.people.people_of(district_of(site))
    for person in [person for person in people if {*person.roles} <= roles]:
        site.clever.change_roster("unshared", person.id)
    [line] = [line for line in run(site, code=3).splitlines() if "on hold" in line]
    assert re.search(rf"on hold: \d+ of \d+ {label} missing", line)
    assert len(re.findall(r"people|students|teachers|staff|administrators", line)) == 1


@POSTGRESQL_IS_LONG
def test_who_is_hidden_already_is_no_further_loss(site: Site) -> None:
    people = site.clever.people.people_of(district_of(site))
    students = sorted(p.id for p in people if p.roles == ("student",))
    hidden, others = students[:5], students[5:10]
    for person_id in hidden:
        site.clever.change_roster("unshared", person_id)
    assert "people: 5 hidden" in run(site, "--full")
    for person_id in hidden:
        site.clever.change_roster("back", person_id)
    for person_id in (*hidden, *others):
        site.clever.change_roster("unshared", person_id)
    assert "people: 10 archived" in run(site)


def test_members_that_cannot_be_read_are_no_loss(site: Site) -> None:
    sections = site.clever.people.sections_of(district_of(site))
    before = actual_rows(database_engine(site), district_of(site).id)["enrollments"]
    one, *others = sections[0].students
    fields: dict[str, object] = {section.id: {"students": "unreadable"} for section in sections[1:]}
    fields[sections[0].id] = {"students": [student.id for student in others]}
    site.clever.override_many([{"id": key, "fields": value} for key, value in fields.items()])
    assert "enrollments: 1 removed" in run(site)
    after = actual_rows(database_engine(site), district_of(site).id)["enrollments"]
    assert before - after == {(sections[0].id, one.id, "student")}


def test_new_contacts_do_not_make_up_for_students_who_leave(site: Site) -> None:
    """Contacts of students are not stored."""
    students = [
        person.id
        for person in site.clever.people.people_of(district_of(site))
        if person.roles == ("student",)
    ]
    changes = NetChanges()
    for number, student in enumerate(students):
        changes.add(user_event("deleted", student, "student"))
        changes.add(user_event("created", f"contact{number}", "contact"))
    with database_engine(site).connect() as db:
        losses = changes.losses(db, district_of(site).id, 10)
    assert {loss.label: loss.missing for loss in losses} == {
        "people": len(students),
        "students": len(students),
    }


def user_event(action: str, person_id: str, role: str) -> Event:
    record = {"id": person_id, "roles": {role: {}}}
    return Event.from_api({"id": "e", "type": f"users.{action}", "data": {"object": record}})


def test_every_kind_of_loss_is_in_this_table() -> None:
    assert LOSS_RULES.keys() == ALLOWED.keys()


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("name", ["schools", "terms", "courses", "users", "sections"])
@POSTGRESQL_IS_LONG
def test_an_empty_or_truncated_list_removes_nothing_and_the_rest_is_applied(
    site: Site, name: str, rows: int
) -> None:
    if name == "courses" or (name == "terms" and len(terms(site)) <= rows):
        rows = 0  # the rest is few enough to be removed
    before, its_terms = actual_rows(database_engine(site), district_of(site).id), terms(site)
    ids = rename_one_of_each(site)
    site.clever.add_fault("data", path=f"/{name}", rows=rows, times=0)
    output = run(site, "--full", code=3)
    kind = name.replace("users", "people")
    assert "  on hold: " in output
    assert f" {kind} missing. All other changes were made." in output
    assert f"use --district {district_of(site).id} --yes" in output
    after = actual_rows(database_engine(site), district_of(site).id)
    assert {kind: len(rows) for kind, rows in after.items()} == {
        kind: len(rows) for kind, rows in before.items()
    }
    assert terms(site) == its_terms
    expected = {"schools": "New", "sections": "New", "users": "Adler"}
    assert {k: v for k, v in names(site, ids).items() if k != name} == {
        k: v for k, v in expected.items() if k != name
    }
    assert problem(site) == "too_many"
    headings = by_button(site, "district_admin").page.select(".notice.bad h3")
    assert [heading.get_text() for heading in headings] == [
        "Removals are waiting for you to confirm"
    ]
    site.clever.clear_faults()
    assert "full read." in run(site, "--full")
    assert names(site, ids) == expected
    assert problem(site) is None
    assert not by_button(site, "district_admin").page.select(".notice.bad")


@pytest.mark.parametrize("name", ["schools", "terms", "courses", "users", "sections"])
@POSTGRESQL_IS_LONG
def test_an_unexpectedly_empty_list_is_read_again(site: Site, name: str) -> None:
    site.clever.add_fault("data", path=f"/{name}", rows=0)
    before = len(site.clever.received_requests())
    assert "nothing changed" in run(site, "--full")
    paths = [request["path"] for request in site.clever.received_requests()[before:]]
    assert paths.count(f"/v3.0/{name}") == 2
    assert_as_at_clever(site)


@POSTGRESQL_IS_LONG
def test_a_list_that_is_read_again_counts_once_and_decides_alone(site: Site) -> None:
    site.clever.override(site.clever.people.sections_of(district_of(site))[0].id, grade=[7])
    page = get(site.clever, "/v3.0/sections?limit=10000")
    for row in page["data"]:
        row["data"]["students"] = []
    site.clever.add_fault("data", path="/sections", body=json.dumps(page))
    output = run(site, "--full")
    assert "enrollments" not in output
    assert "1 value was not understood" in output
    assert_as_at_clever(site)


@POSTGRESQL_IS_LONG
def test_a_first_sync_reads_an_empty_list_again_too(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    for name in ("schools", "users"):
        site.clever.add_fault("data", path=f"/{name}", rows=0)
    run(site)
    assert_as_at_clever(site)


def test_with_the_yes_option_missing_records_are_removed(site: Site) -> None:
    site.clever.add_fault("data", path="/sections", rows=0, times=0)
    run(site, code=0)
    assert "on hold" in run(site, "--full", code=3)
    assert "sections: 16 archived" in run(site, "--yes")
    assert actual_rows(database_engine(site), district_of(site).id)["sections"] == set()
    assert problem(site) is None
    site.clever.clear_faults()
    assert "sections: 16 restored" in run(site, "--full")
    assert_as_at_clever(site)


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("/teachers", "7 of 7 teachers"),
        ("/school_admins", "4 of 4 staff"),
        ("/district_admins", "1 of 1 district administrators"),
    ],
    ids=["teachers", "staff", "administrators"],
)
@POSTGRESQL_IS_LONG
def test_an_empty_list_of_one_role_is_held_back_however_few_people_it_has(
    make_site: SiteMaker, database_url: str | None, path: str, held: str
) -> None:
    site = make_account_app(make_site, database_url, clever_api_version="v2.1")
    give_first_sync(site)
    site.clever.add_fault("data", path=path, rows=0, times=0)
    output = run(site, "--full", code=3)
    assert f"on hold: {held} missing" in output
    assert "hidden" not in output
    site.clever.clear_faults()
    run(site, "--full")
    assert_as_at_clever(site)


def replace_sections(site: Site, change: Callable[[Any], list[Any]]) -> None:
    """Replace the sections of the district, and send events about it."""
    simulator: SimulatorState = site.clever.app.extensions["clever_simulator"]
    district, data = district_of(site), simulator.data
    other_sections = [
        section for section in simulator.people.sections if section.school.district != district
    ]
    own = change(simulator.people.sections_of(district))
    directory = replace(simulator.people, sections=(*other_sections, *own))
    simulator.changes.apply_and_log(district, lambda: data.replace_directory(directory))


def with_new_ids(sections: Any) -> list[Any]:
    """Return new sections in place of all.

    Some student information systems do this each semester.
    """
    return [replace(section, id=section.id[::-1]) for section in sections]


@BOTH_SYNCS
def test_a_semester_that_replaces_every_section_goes_through(
    site: Site, words: tuple[str, ...]
) -> None:
    replace_sections(site, with_new_ids)
    output = run(site, *words)
    assert "sections: 16 new, 16 archived" in output
    assert_as_at_clever(site)


def test_a_new_school_year_goes_through(site: Site) -> None:
    site.clever.make_step("rollover", district=district_of(site).id)
    assert "sections: 16 new, 16 archived" in run(site)
    assert_as_at_clever(site)


@BOTH_SYNCS
def test_removing_many_sections_without_replacement_is_held_back(
    site: Site, words: tuple[str, ...]
) -> None:
    replace_sections(site, lambda sections: list(sections[3:]))
    assert "sections: 3 archived" in run(site, *words)
    assert_as_at_clever(site)
    before = actual_rows(database_engine(site), district_of(site).id)
    replace_sections(site, lambda sections: list(sections[7:]))
    for _ in range(2):
        assert "on hold: 7 of 13 sections missing" in run(site, *words, code=3)
        after = actual_rows(database_engine(site), district_of(site).id)
        assert after | {"courses": before["courses"]} == before  # nobody teaches some of these
    assert "sections: 7 archived" in run(site, *words, "--yes")
    assert_as_at_clever(site)


EMPTY = {
    "student enrollments": ("sections", {"students": []}),
    "teacher enrollments": ("sections", {"teachers": [], "teacher": None}),
    "schools of students": ("users", {"roles.student.schools": [], "roles.student.school": None}),
}


@BOTH_SYNCS
@pytest.mark.parametrize("case", EMPTY)
@POSTGRESQL_IS_LONG
def test_empty_lists_inside_all_records_are_held_back(
    site: Site, case: str, words: tuple[str, ...]
) -> None:
    before = actual_rows(database_engine(site), district_of(site).id)
    kind, fields = EMPTY[case]
    ids = [section.id for section in site.clever.people.sections_of(district_of(site))]
    if kind == "users":
        people = site.clever.people.people_of(district_of(site))
        ids = [person.id for person in people if "student" in person.roles]
    site.clever.override_many([{"id": record_id, "fields": fields} for record_id in ids])
    output = run(site, *words, code=3)
    assert f" {case} missing" in output
    assert actual_rows(database_engine(site), district_of(site).id) == before
    site.clever.reset()
    run(site, "--full")
    assert_as_at_clever(site)


@BOTH_SYNCS
def test_a_section_without_students_becomes_empty(site: Site, words: tuple[str, ...]) -> None:
    section = site.clever.people.sections_of(district_of(site))[0]
    site.clever.override(section.id, students=[])
    output = run(site, *words)
    assert f"enrollments: {len(section.students)} removed" in output
    site.clever.reset()
    run(site, "--full")
    assert_as_at_clever(site)
