"""Tests with two districts that data from one never changes or shows anything of the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, event, insert, select

from clever_login.db import models
from clever_login.db.upsert import upsert_rows
from clever_simulator.directory.models import District
from tests.conftest import SiteMaker
from tests.support import running_app
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    ExpectedRows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site

OWNED = (models.School, models.Term, models.Course, models.Person, models.Section)
LINKS = ((models.RoleAssignment, models.Person), (models.Enrollment, models.Section))
CANARY = "Canary"


@dataclass(frozen=True)
class Pair:
    """The district that sends false data, and the neighbor that the data is about."""

    site: Site

    @property
    def neighbor(self) -> District:
        return self.site.clever.people.districts[0]

    @property
    def district(self) -> District:
        return self.site.clever.people.districts[1]

    def person(self, district: District, role: str, number: int = 0) -> Any:
        people = self.site.clever.people.people_of(district)
        return [person for person in people if person.roles == (role,) and person.schools][number]

    def section(self, district: District, number: int = 0) -> Any:
        return self.site.clever.people.sections_of(district)[number]

    def school(self, district: District, number: int = 0) -> Any:
        return self.site.clever.people.schools_of(district)[number]

    def override(self, *alterations: tuple[str, dict[str, Any]]) -> None:
        described = [{"id": key, "fields": fields} for key, fields in alterations]
        self.site.clever.override_many(described)

    def sync(self, *words: str) -> str:
        result = sync_site(self.site, "--district", self.district.id, *words)
        assert result.exit_code == 0, result.stdout + result.stderr
        return result.stdout


def all_rows(engine: Engine, district_id: str) -> dict[str, set[tuple[Any, ...]]]:
    """Return every row of a district with all columns."""
    rows_by_table = {}
    with engine.connect() as db:
        own = select(models.District.__table__).where(models.District.id == district_id)
        rows_by_table["districts"] = {tuple(map(str, row)) for row in db.execute(own)}
        for model in OWNED:
            table = model.__table__
            assert isinstance(table, Table)
            rows = db.execute(select(table).where(table.c.district_id == district_id))
            rows_by_table[table.name] = {tuple(map(str, row)) for row in rows}
        for link, owner in LINKS:
            table = link.__table__
            assert isinstance(table, Table)
            query = select(table).join(owner).where(owner.district_id == district_id)
            rows_by_table[table.name] = {tuple(map(str, row)) for row in db.execute(query)}
    return rows_by_table


@pytest.fixture
def pair(make_site: SiteMaker, database_url: str | None) -> Pair:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    return Pair(site)


def section_across(pair: Pair) -> tuple[str, dict[str, Any]]:
    """Return one of this district's sections, with references to the neighbor's records."""
    neighbor, section = pair.neighbor, pair.section(pair.district)
    students = [student.id for student in section.students]
    return section.id, {
        "name": f"{CANARY} class",
        "school": pair.school(neighbor).id,
        "term_id": first_id(pair, models.Term, neighbor),
        "course": first_id(pair, models.Course, neighbor),
        "students": [*students, pair.person(neighbor, "student").id],
        "teachers": [section.teacher.id, pair.person(neighbor, "teacher").id],
    }


def first_id(pair: Pair, model: type[models.Term] | type[models.Course], district: District) -> str:
    with database_engine(pair.site).connect() as db:
        own = select(model.id).where(model.district_id == district.id)
        return str(db.scalars(own).first())


def with_neighbor_ids(pair: Pair) -> list[tuple[str, dict[str, Any]]]:
    """Return changes that give this district's records ids of the neighbor's records."""
    neighbor, district, name = (
        pair.neighbor,
        pair.district,
        {"name.last": CANARY, "name.first": CANARY},
    )
    return [
        (pair.person(district, "student", 1).id, {"id": pair.site.person("student").id, **name}),
        (pair.section(district, 1).id, {"id": pair.section(neighbor, 1).id, "name": CANARY}),
        (pair.school(district, 1).id, {"id": pair.school(neighbor, 1).id, "name": CANARY}),
        *(
            (
                first_id(pair, model, district),
                {"id": first_id(pair, model, neighbor), "name": CANARY},
            )
            for model in (models.Term, models.Course)
        ),
    ]


def people_across(pair: Pair) -> list[tuple[str, dict[str, Any]]]:
    """Return changes to this district's people that refer to the neighbor.

    One is at a school of the neighbor, one has a legacy id (before v3) of the neighbor's teacher,
    and one claims the neighbor as the district.
    """
    neighbor, district = pair.neighbor, pair.district
    teacher, other = pair.person(district, "teacher"), pair.person(district, "teacher", 1)
    school = pair.school(neighbor).id
    return [
        (teacher.id, {"roles.teacher.schools": [school], "roles.teacher.school": school}),
        (other.id, {"roles.teacher.legacy_id": pair.site.person("teacher").id}),
        (pair.person(district, "student", 2).id, {"district": neighbor.id, "name.last": CANARY}),
    ]


CASES: dict[str, tuple[Callable[[Pair], Any], set[str]]] = {
    "a class across": (
        lambda pair: [section_across(pair)],
        {
            *("section.school (1)", "section.students (1)", "section.teachers (1)"),
            *("section.term (1)", "section.course (1)"),
        },
    ),
    "their ids": (
        with_neighbor_ids,
        {"user (1)", "section (1)", "school (1)", "term (1)", "course (1)"},
    ),
    "people across": (people_across, {"user.schools (1)", "user.legacy_id (1)", "user (1)"}),
}


@pytest.mark.parametrize("words", [(), ("--full",)], ids=["events", "full"])
@pytest.mark.parametrize("case", CASES)
def test_data_of_one_district_never_changes_another_and_is_counted(
    pair: Pair, case: str, words: tuple[str, ...]
) -> None:
    visitors = [by_button(pair.site, name) for name in ("student", "teacher", "school_admin")]
    before = all_rows(database_engine(pair.site), pair.neighbor.id)
    overrides, fields = CASES[case]
    pair.override(*overrides(pair))
    output = pair.sync(*words)
    assert all_rows(database_engine(pair.site), pair.neighbor.id) == before
    assert "to another district were left out: " in output
    for field in fields:
        assert field in output, output
    assert CANARY not in output
    for visitor in visitors:
        assert visitor.open("/dashboard").path == "/dashboard", "was logged out"
        assert CANARY not in visitor.response.text
    staff = visitors[-1]
    for link in staff.page.select("main a[href^='/schools/']"):
        assert CANARY not in staff.open(str(link["href"])).response.text


def test_references_to_another_district_are_dropped_and_the_rest_is_kept(pair: Pair) -> None:
    key, values = section_across(pair)
    pair.override((key, values))
    pair.sync()
    section = pair.section(pair.district)
    with database_engine(pair.site).connect() as db:
        columns = (models.Section.school_id, models.Section.term_id, models.Section.course_id)
        query = select(models.Section.name, *columns).where(models.Section.id == key)
        assert tuple(db.execute(query).one()) == (values["name"], None, None, None)
        people = select(models.Person.clever_id).join(models.Enrollment)
        seated = set(db.scalars(people.where(models.Enrollment.section_id == key)))
    assert seated == {person.id for person in (*section.students, *section.teachers)}
    pair.site.clever.reset()
    pair.sync("--full")
    assert_rows_equal(ExpectedRows(pair.site.clever, pair.district), database_engine(pair.site))


def test_a_district_token_that_returns_another_districts_record_is_not_used(pair: Pair) -> None:
    before = all_rows(database_engine(pair.site), pair.neighbor.id)
    pair.override((pair.district.id, {"id": pair.neighbor.id}))
    result = sync_site(pair.site, "--district", pair.district.id)
    assert result.exit_code == 1
    assert "another district's record" in result.stdout
    assert all_rows(database_engine(pair.site), pair.neighbor.id) == before


@pytest.mark.servers
def test_a_row_that_moves_to_another_district_during_a_write_is_left_unchanged(
    make_site: SiteMaker, postgres: str
) -> None:
    engine = database_engine(make_account_app(make_site, running_app.new_database(postgres)))
    row = {"id": "s", "name": "", "archived_at": None}
    with engine.begin() as db:
        db.execute(insert(models.District).values([{"id": "a"}, {"id": "b"}]))

    def be_first(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO clever_schools") and connection is writer:
            with engine.begin() as other:
                other.execute(insert(models.School).values(row | {"district_id": "a"}))

    event.listen(engine, "before_cursor_execute", be_first)
    with engine.begin() as writer:
        upsert_rows(writer, models.School, "id", [row | {"district_id": "b", "name": CANARY}])
    with engine.connect() as db:
        school = db.execute(select(models.School.district_id, models.School.name)).one()
    assert tuple(school) == ("a", "")
