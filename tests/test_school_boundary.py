"""Two districts: whatever one of them says, nothing of the other changes or is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, event, insert, select

from clever_login.school import tables
from clever_login.school.upsert import put
from clever_simulator.people import District
from tests import sites
from tests.conftest import SiteMaker
from tests.entries import by_button
from tests.school import make
from tests.sites import Site
from tests.truth import Truth, assert_equal, engine_of, sync

OWNED = (tables.School, tables.Term, tables.Person, tables.Section)
LINKS = ((tables.PersonSchool, tables.Person), (tables.Enrolment, tables.Section))
CANARY = "Canary"


@dataclass(frozen=True)
class Pair:
    """The district that says things, and its neighbour of whom it says them."""

    site: Site

    @property
    def neighbour(self) -> District:
        return self.site.clever.people.districts[0]

    @property
    def here(self) -> District:
        return self.site.clever.people.districts[1]

    def person(self, district: District, role: str, number: int = 0) -> Any:
        people = self.site.clever.people.people_of(district)
        return [each for each in people if each.roles == (role,) and each.schools][number]

    def section(self, district: District, number: int = 0) -> Any:
        return self.site.clever.people.sections_of(district)[number]

    def school(self, district: District, number: int = 0) -> Any:
        return self.site.clever.people.schools_of(district)[number]

    def say(self, *alterations: tuple[str, dict[str, Any]]) -> None:
        described = [{"id": key, "fields": fields} for key, fields in alterations]
        self.site.clever.alterations(described)

    def sync(self, *words: str) -> str:
        done = sync(self.site, "--district", self.here.id, *words)
        assert done.exit_code == 0, done.stdout + done.stderr
        return done.stdout


def all_of(engine: Engine, district_id: str) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of a district, in every column."""
    found = {}
    with engine.connect() as db:
        own = select(tables.District.__table__).where(tables.District.id == district_id)
        found["districts"] = {tuple(map(str, row)) for row in db.execute(own)}
        for model in OWNED:
            table = model.__table__
            assert isinstance(table, Table)
            rows = db.execute(select(table).where(table.c.district_id == district_id))
            found[table.name] = {tuple(map(str, row)) for row in rows}
        for link, owner in LINKS:
            table = link.__table__
            assert isinstance(table, Table)
            here = select(table).join(owner).where(owner.district_id == district_id)
            found[table.name] = {tuple(map(str, row)) for row in db.execute(here)}
    return found


@pytest.fixture
def pair(make_site: SiteMaker, database_url: str | None) -> Pair:
    site = make(make_site, database_url)
    sync(site)
    return Pair(site)


def section_across(pair: Pair) -> tuple[str, dict[str, Any]]:
    """A class of ours at a school of theirs, with people of theirs."""
    there, section = pair.neighbour, pair.section(pair.here)
    students = [each.id for each in section.students]
    return section.id, {
        "name": f"{CANARY} class",
        "school": pair.school(there).id,
        "term_id": theirs_term(pair),
        "students": [*students, pair.person(there, "student").id],
        "teachers": [section.teacher.id, pair.person(there, "teacher").id],
    }


def theirs_term(pair: Pair) -> str:
    with engine_of(pair.site).connect() as db:
        own = select(tables.Term.id).where(tables.Term.district_id == pair.neighbour.id)
        return str(db.scalars(own).first())


def ours_as_theirs(pair: Pair) -> list[tuple[str, dict[str, Any]]]:
    """Records of ours that go by ids of theirs."""
    there, here, name = pair.neighbour, pair.here, {"name.last": CANARY, "name.first": CANARY}
    with engine_of(pair.site).connect() as db:
        term = db.scalars(select(tables.Term.id).where(tables.Term.district_id == here.id)).first()
    return [
        (pair.person(here, "student", 1).id, {"id": pair.site.person("student").id, **name}),
        (pair.section(here, 1).id, {"id": pair.section(there, 1).id, "name": CANARY}),
        (pair.school(here, 1).id, {"id": pair.school(there, 1).id, "name": CANARY}),
        (str(term), {"id": theirs_term(pair), "name": CANARY}),
    ]


def people_across(pair: Pair) -> list[tuple[str, dict[str, Any]]]:
    """Ours at a school of theirs, ours with an id from before v3 of theirs, and one of theirs."""
    there, here = pair.neighbour, pair.here
    teacher, other = pair.person(here, "teacher"), pair.person(here, "teacher", 1)
    school = pair.school(there).id
    return [
        (teacher.id, {"roles.teacher.schools": [school], "roles.teacher.school": school}),
        (other.id, {"roles.teacher.legacy_id": pair.site.person("teacher").id}),
        (pair.person(here, "student", 2).id, {"district": there.id, "name.last": CANARY}),
    ]


WHAT: dict[str, tuple[Callable[[Pair], Any], set[str]]] = {
    "a class across": (
        lambda pair: [section_across(pair)],
        {"section.school (1)", "section.students (1)", "section.teachers (1)", "section.term (1)"},
    ),
    "their ids": (ours_as_theirs, {"user (1)", "section (1)", "school (1)", "term (1)"}),
    "people across": (people_across, {"user.schools (1)", "user.legacy_id (1)", "user (1)"}),
}


@pytest.mark.parametrize("words", [(), ("--full",)], ids=["events", "full"])
@pytest.mark.parametrize("what", WHAT)
def test_nothing_that_one_district_says_changes_another_and_it_is_counted(
    pair: Pair, what: str, words: tuple[str, ...]
) -> None:
    visitors = [by_button(pair.site, name) for name in ("student", "teacher", "school_admin")]
    before = all_of(engine_of(pair.site), pair.neighbour.id)
    say, named = WHAT[what]
    pair.say(*say(pair))
    told = pair.sync(*words)
    assert all_of(engine_of(pair.site), pair.neighbour.id) == before
    assert "to another district were left out: " in told
    for each in named:
        assert each in told, told
    assert CANARY not in told
    for visitor in visitors:
        assert visitor.open("/dashboard").path == "/dashboard", "was logged out"
        assert CANARY not in visitor.response.text
    staff = visitors[-1]
    for link in staff.page.select("main a[href^='/schools/']"):
        assert CANARY not in staff.open(str(link["href"])).response.text


def test_what_points_across_is_dropped_and_the_rest_of_the_record_kept(pair: Pair) -> None:
    key, said = section_across(pair)
    pair.say((key, said))
    pair.sync()
    section = pair.section(pair.here)
    with engine_of(pair.site).connect() as db:
        asked = select(tables.Section.name, tables.Section.school_id, tables.Section.term_id)
        row = db.execute(asked.where(tables.Section.id == key)).one()
        assert tuple(row) == (said["name"], None, None)
        people = select(tables.Person.clever_id).join(tables.Enrolment)
        seated = set(db.scalars(people.where(tables.Enrolment.section_id == key)))
    assert seated == {each.id for each in (*section.students, *section.teachers)}
    pair.site.clever.reset()
    pair.sync("--full")
    assert_equal(Truth(pair.site.clever, pair.here), engine_of(pair.site))


def test_a_district_whose_token_shows_another_ones_record_is_not_read(pair: Pair) -> None:
    before = all_of(engine_of(pair.site), pair.neighbour.id)
    pair.say((pair.here.id, {"id": pair.neighbour.id}))
    done = sync(pair.site, "--district", pair.here.id)
    assert done.exit_code == 1
    assert "another district's record" in done.stdout
    assert all_of(engine_of(pair.site), pair.neighbour.id) == before


@pytest.mark.servers
def test_a_row_that_comes_to_another_district_while_it_is_written_is_left_to_that_one(
    make_site: SiteMaker, postgres: str
) -> None:
    engine = engine_of(make(make_site, sites.new_database(postgres)))
    row = {"id": "s", "name": "", "archived_at": None}
    with engine.begin() as db:
        db.execute(insert(tables.District).values([{"id": "a"}, {"id": "b"}]))

    def be_first(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO schools") and connection is writer:
            with engine.begin() as other:
                other.execute(insert(tables.School).values(row | {"district_id": "a"}))

    event.listen(engine, "before_cursor_execute", be_first)
    with engine.begin() as writer:
        put(writer, tables.School, "id", [row | {"district_id": "b", "name": CANARY}])
    with engine.connect() as db:
        found = db.execute(select(tables.School.district_id, tables.School.name)).one()
    assert tuple(found) == ("a", "")
