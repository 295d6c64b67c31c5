"""Tests stored personal data: forget, export, retention, and PRIVACY.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select

from clever_login.db.models import (
    Base,
    Claim,
    District,
    Enrollment,
    Person,
    School,
    Section,
    Term,
)
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import (
    STUDENT,
    TEACHER,
    add_person,
    database_session,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import ROOT, Site

TODAY = datetime.now(UTC)
NOBODY = "This app stores nothing under this id"


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    with run_roster_site(tmp_path, database_url) as site:
        write_roster(site)
        yield site


def run(site: Site, *arguments: str) -> Result:
    assert site.app is not None
    return site.app.test_cli_runner().invoke(args=["clever", *arguments])


def everything(site: Site) -> str:
    """Return every row of every table as text."""
    found = []
    with database_session(site) as session:
        for table in Base.metadata.sorted_tables:
            found += [f"{table.name} {list(row)}" for row in session.execute(select(table))]
    return "\n".join(found)


def counts(site: Site) -> dict[str, int]:
    lines = everything(site).splitlines()
    return {
        table.name: sum(line.startswith(f"{table.name} ") for line in lines)
        for table in Base.metadata.sorted_tables
    }


def receipt(result: Result) -> dict[str, int]:
    found = re.findall(r"^(\w+) +(\d+)$", result.stdout, re.M)
    return {name: int(number) for name, number in found if number != "0"}


@pytest.mark.parametrize("key", ["of Clever", "of ours"])
def test_a_forgotten_person_remains_in_no_row_and_no_session(school: Site, key: str) -> None:
    visitor, other = by_button(school, "student"), by_button(school, "teacher")
    with database_session(school) as session:
        session.add(Claim(token_hash="a" * 64, person_id="ours-student", expires_at=TODAY))
        session.add(Person(id="ours-earlier", merged_into="ours-student"))
    clever_id = school.person("student").id
    before = counts(school)
    done = run(school, "forget", "--user", clever_id if key == "of Clever" else "ours-student")
    assert done.exit_code == 0, done.output
    gone = {name: before[name] - left for name, left in counts(school).items()}
    assert gone == {
        **dict.fromkeys(before, 0),
        "clever_people": 2,
        "clever_role_assignments": 1,
        "clever_enrollments": 3,
        "clever_claims": 1,
    }
    assert receipt(done) == {name: count for name, count in gone.items() if count} | {"sessions": 1}
    assert re.search(r"person [0-9a-f]{16}, at 20\d\d-\d\d-\d\dT[\d:]+\+00:00$", done.stdout, re.M)
    for word in (clever_id, "ours-student", "ours-earlier", "Ada", "Moreno"):
        assert word not in everything(school) + done.output, word
    assert visitor.open("/dashboard").path == "/"
    assert other.open("/dashboard").path == "/dashboard"


def test_forget_says_that_a_person_clever_still_shares_will_return_as_a_new_account(
    school: Site,
) -> None:
    by_button(school, "student")
    with database_session(school) as session:
        session.get_one(Person, "ours-student").preferred_name = "Addie"
    done = run(school, "forget", "--user", "ours-student")
    assert "Clever still shares this person" in done.output
    assert by_button(school, "student").path == "/dashboard"
    with database_session(school) as session:
        clever_id = school.person("student").id
        again = session.scalars(select(Person).where(Person.clever_id == clever_id)).one()
    assert again.id != "ours-student"
    assert again.preferred_name is None
    assert "Clever still shares" not in run(school, "forget", "--user", "ours-pupilgone").output


def test_forget_reports_an_unknown_id_and_still_ends_its_sessions(school: Site) -> None:
    visitor = by_button(school, "teacher")
    with database_session(school) as session:
        session.get_one(Person, "ours-teacher").clever_id = "another"
    done = run(school, "forget", "--user", school.person("teacher").id)
    assert done.exit_code == 1
    assert NOBODY in done.output
    assert receipt(done) == {"sessions": 1}
    assert visitor.open("/dashboard").path == "/"
    assert run(school, "forget", "--user", "nobody").exit_code == 1
    assert run(school, "forget", "--district", "nobody", "--yes").exit_code == 1
    assert run(school, "forget").exit_code == 2
    assert run(school, "forget", "--user", "a", "--district", "b").exit_code == 2


def test_a_forgotten_district_leaves_no_rows_and_other_districts_keep_theirs(school: Site) -> None:
    with database_session(school) as session:
        session.add(Term(id="term-a", district_id=school.person("student").district.id))
        session.flush()
        session.get_one(Section, "section-own").term_id = "term-a"
    visitors = [by_button(school, name) for name in ("student", "district_admin")]
    district_id = school.person("student").district.id
    asked = run(school, "forget", "--district", district_id)
    assert asked.exit_code == 1  # it asks for confirmation, and there is no input
    assert visitors[0].open("/dashboard").path == "/dashboard"
    before, all_before = counts(school), everything(school).splitlines()
    done = run(school, "forget", "--district", district_id, "--yes")
    assert done.exit_code == 0, done.output
    of_b = [line for line in all_before if re.search("districtb|'b1'|section-far", line)]
    # Two sections belong to one district but to a school of the other. No sync writes such rows.
    ours = re.compile("ours-(student|teacher)'|section-(crossing|astray)")
    assert everything(school).splitlines() == [line for line in of_b if not ours.search(line)]
    gone = {name: before[name] - count for name, count in counts(school).items()}
    assert receipt(done) == {name: count for name, count in gone.items() if count} | {"sessions": 2}
    for visitor in visitors:
        assert visitor.open("/dashboard").path == "/"


def test_an_export_has_every_column_of_the_person_and_of_nobody_else(school: Site) -> None:
    by_button(school, "student")
    with database_session(school) as session:
        session.add(Person(id="ours-earlier", merged_into="ours-student"))
    done = run(school, "export", "--user", school.person("student").id)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["person"]) == set(Person.__table__.columns.keys())
    assert found["person"]["email"] == "student@harrow-creek.example"
    assert found["person"]["first_login"].endswith("+00:00")
    assert found["district"]["name"] == "CanaryDistricta"
    assert found["schools"] == [{"id": "a1", "name": "CanarySchoola1", "role": "student"}]
    assert {section["name"]: section["role"] for section in found["classes"]} == {
        "CanaryClassown": "student",
        "CanaryClassold": "student",
        "CanaryClassfar": "teacher",
    }
    assert found["former_ids"] == ["ours-earlier"]
    assert "Pupil" not in done.stdout
    assert "Teacher" not in done.stdout
    assert NOBODY in run(school, "export", "--user", "nobody").output


def test_retention_removes_expired_rows_and_keeps_the_others(school: Site) -> None:
    old, recent = TODAY - timedelta(days=366), TODAY - timedelta(days=364)
    with database_session(school) as session:
        own = school.person("student").district.id
        add_person(session, "Recent", "recent", "a", [STUDENT], "a1", archived_at=recent)
        session.add(District(id="left", archived_at=old))
        session.flush()
        session.add_all([School(id="left1", district_id="left", archived_at=old)])
        session.add_all([Term(id="t0", district_id=own, archived_at=old)])
        session.get_one(School, "a0").archived_at = recent
        for key, last_login in (("libold", old), ("libnew", recent), ("libnever", None)):
            session.add(Person(id=key, clever_id=key, roles=[TEACHER], last_login=last_login))
            session.add(Section(id=f"class-{key}"))
            session.flush()
            session.add(Enrollment(section_id=f"class-{key}", person_id=key, role=TEACHER))
        session.add(Person(id="libpupil", clever_id="libpupil", roles=[STUDENT]))
        session.add(Person(id="before-clever"))
        session.flush()
        session.add(Claim(token_hash="a" * 64, person_id="before-clever", expires_at=recent))
        session.flush()
        session.add(Enrollment(section_id="class-libold", person_id="libpupil", role=STUDENT))
    before = everything(school).splitlines()
    counted = run(school, "retention")
    assert counted.exit_code == 0, counted.output
    assert "Nothing was deleted" in counted.output
    assert everything(school).splitlines() == before
    done = run(school, "retention", "--yes")
    assert receipt(done) == receipt(counted)
    gone = set(before) - set(everything(school).splitlines())
    assert sum(receipt(done).values()) == len(gone)
    tables = re.compile("clever_(people|sections|terms|schools|districts) ")
    keys = {line.split("'")[1] for line in gone if tables.match(line)}
    assert keys == {
        *("ours-pupilgone", "libold", "libpupil"),
        *("section-old", "class-libold", "left", "left1", "t0"),
    }
    assert receipt(run(school, "retention", "--yes")) == {}


def test_the_retention_period_is_a_setting(tmp_path: Path) -> None:
    with run_roster_site(tmp_path, None, retention_days=30) as site:
        write_roster(site)
        with database_session(site) as session:
            month, hour = timedelta(days=30), timedelta(hours=1)
            session.get_one(Person, "ours-pupilown").archived_at = TODAY - month - hour
            session.get_one(Person, "ours-pupilother").archived_at = TODAY - month + hour
        run(site, "retention", "--yes")
        assert "ours-pupilown" not in everything(site)
        assert "ours-pupilother" in everything(site)


def test_forget_deletes_nothing_and_says_so_when_the_session_store_is_down(tmp_path: Path) -> None:
    with run_roster_site(tmp_path, None, redis_url="redis://127.0.0.1:1/0") as site:
        with database_session(site) as session:
            session.add(Person(id="ours-somebody", clever_id="somebody"))
        done = run(site, "forget", "--user", "somebody")
        assert done.exit_code == 1
        assert "Nothing was changed: the session store does not answer." in done.output
        assert "ours-somebody" in everything(site)


def test_privacy_md_names_exactly_the_columns_that_exist() -> None:
    text = (ROOT / "PRIVACY.md").read_text()
    named = re.findall(r"^\| `(\w+\.\w+)` \| [^|]{8,} \| [^|]{4,} \|$", text, re.M)
    columns = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
    ]
    assert sorted(named) == sorted(columns)
    assert len(re.findall(r"^\| `", text, re.M)) == len(named)
