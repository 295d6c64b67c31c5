"""Tests stored personal data: forget, export, retention, and PRIVACY.md."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select
from sqlalchemy.orm import Session

from clever_login.accounts.merge import merge_people
from clever_login.db.models import (
    Base,
    Claim,
    Course,
    District,
    Enrollment,
    Person,
    School,
    Section,
    SeenRecord,
    StaleLink,
    StoredValue,
    Term,
)
from tests.support.account_app import flask_app
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


def run(site: Site, *arguments: str) -> Result:
    assert site.app is not None
    return site.app.test_cli_runner().invoke(args=["clever", *arguments])


def all_rows(site: Site) -> str:
    """Return every row of every table as text, without used states and codes."""
    lines = []
    with database_session(site) as session:
        for table in Base.metadata.sorted_tables:
            lines += [f"{table.name} {list(row)}" for row in session.execute(select(table))]
    one_time = re.compile(r"clever_store \['(state|code|ended)-")
    return "\n".join(line for line in lines if not one_time.match(line))


def counts(site: Site) -> dict[str, int]:
    """Return the number of rows of each table, except for the sessions and one-time keys."""
    lines = all_rows(site).splitlines()
    return {
        table.name: sum(line.startswith(f"{table.name} ") for line in lines)
        for table in Base.metadata.sorted_tables
        if table.name != StoredValue.__tablename__
    }


def receipt(result: Result) -> dict[str, int]:
    counts_by_table = re.findall(r"^(\w+) +(\d+)$", result.stdout, re.M)
    return {name: int(number) for name, number in counts_by_table if number != "0"}


@pytest.mark.parametrize("key", ["of Clever", "of ours"])
def test_a_forgotten_person_remains_in_no_row_and_no_session(school: Site, key: str) -> None:
    visitor, other = by_button(school, "student"), by_button(school, "teacher")
    with database_session(school) as session:
        session.add(Claim(token_hash="a" * 64, person_id="ours-student", expires_at=TODAY))
        session.add(Person(id="ours-earlier", merged_into="ours-student"))
        add_rows_of_a_killed_read(session, school, "student")
    clever_id = school.person("student").id
    before = counts(school)
    result = run(school, "forget", "--user", clever_id if key == "of Clever" else "ours-student")
    assert result.exit_code == 0, result.output
    deleted = {name: before[name] - remaining for name, remaining in counts(school).items()}
    assert deleted == {
        **dict.fromkeys(before, 0),
        "clever_people": 2,
        "clever_role_assignments": 1,
        "clever_enrollments": 3,
        "clever_claims": 1,
        "clever_seen_records": 1,
        "clever_stale_links": 2,
    }
    assert receipt(result) == {name: count for name, count in deleted.items() if count} | {
        "sessions": 1
    }
    assert re.search(
        r"person [0-9a-f]{16}, at 20\d\d-\d\d-\d\dT[\d:]+\+00:00$", result.stdout, re.M
    )
    for word in (clever_id, "ours-student", "ours-earlier", "Ada", "Moreno"):
        assert word not in all_rows(school) + result.output, word
    assert visitor.open("/dashboard").path == "/"
    assert other.open("/dashboard").path == "/dashboard"


def add_rows_of_a_killed_read(session: Session, site: Site, user_name: str) -> None:
    """Add what a full read has noted about a user, and about another one."""
    read = {"read_id": "a" * 32, "district_id": site.person(user_name).district.id}
    for clever_id in (site.person(user_name).id, "another"):
        session.add(SeenRecord(**read, kind="people", clever_id=clever_id))
    for kind, owner, linked in (
        ("role_assignments", f"ours-{user_name}", "a-school"),
        ("enrollments", "a-section", f"ours-{user_name}"),
        ("enrollments", "a-section", "ours-another"),
    ):
        link = {"kind": kind, "owner_id": owner, "linked_id": linked, "role": "student"}
        session.add(StaleLink(**read, **link, counted=False))


def test_forget_says_that_a_person_clever_still_shares_will_return_as_a_new_account(
    school: Site,
) -> None:
    by_button(school, "student")
    with database_session(school) as session:
        session.get_one(Person, "ours-student").preferred_name = "Addie"
    result = run(school, "forget", "--user", "ours-student")
    assert "Clever still shares this person" in result.output
    assert by_button(school, "student").path == "/dashboard"
    with database_session(school) as session:
        clever_id = school.person("student").id
        new_row = session.scalars(select(Person).where(Person.clever_id == clever_id)).one()
    assert new_row.id != "ours-student"
    assert new_row.preferred_name is None
    assert "Clever still shares" not in run(school, "forget", "--user", "ours-pupilgone").output


def test_forget_reports_an_unknown_id_and_still_ends_its_sessions(school: Site) -> None:
    visitor = by_button(school, "teacher")
    with database_session(school) as session:
        session.get_one(Person, "ours-teacher").clever_id = "another"
    result = run(school, "forget", "--user", school.person("teacher").id)
    assert result.exit_code == 1
    assert NOBODY in result.output
    assert receipt(result) == {"sessions": 1}
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
    unconfirmed = run(school, "forget", "--district", district_id)
    assert unconfirmed.exit_code == 1  # it asks for confirmation, and there is no input
    assert visitors[0].open("/dashboard").path == "/dashboard"
    before, all_before = counts(school), all_rows(school).splitlines()
    result = run(school, "forget", "--district", district_id, "--yes")
    assert result.exit_code == 0, result.output
    of_b = [line for line in all_before if re.search("districtb|'b1'|section-far", line)]
    # Two sections belong to one district but to a school of the other. No sync writes such rows.
    ours = re.compile("ours-(student|teacher)'|section-(crossing|astray)")
    left = [line for line in all_rows(school).splitlines() if not line.startswith("clever_store ")]
    assert left == [line for line in of_b if not ours.search(line)]
    deleted = {name: before[name] - count for name, count in counts(school).items()}
    assert receipt(result) == {name: count for name, count in deleted.items() if count} | {
        "sessions": 2
    }
    for visitor in visitors:
        assert visitor.open("/dashboard").path == "/"


def test_an_export_has_every_column_of_the_person_and_of_nobody_else(school: Site) -> None:
    by_button(school, "student")
    with database_session(school) as session:
        session.add(Person(id="ours-earlier", merged_into="ours-student"))
        session.add(Claim(token_hash="a" * 64, person_id="ours-student", expires_at=TODAY))
        session.add(Claim(token_hash="b" * 64, person_id="ours-teacher", expires_at=TODAY))
    result = run(school, "export", "--user", school.person("student").id)
    assert result.exit_code == 0, result.output
    export = json.loads(result.stdout)
    assert set(export["person"]) == set(Person.__table__.columns.keys())
    assert export["person"]["email"] == "student@harrow-creek.example"
    assert export["person"]["first_login"].endswith("+00:00")
    assert export["district"]["name"] == "CanaryDistricta"
    assert export["schools"] == [{"id": "a1", "name": "CanarySchoola1", "role": "student"}]
    assert {section["name"]: section["role"] for section in export["classes"]} == {
        "CanaryClassown": "student",
        "CanaryClassold": "student",
        "CanaryClassfar": "teacher",
    }
    assert export["invitations"] == [
        {"expires_at": TODAY.isoformat(timespec="seconds"), "used_at": None}
    ]
    assert export["former_ids"] == ["ours-earlier"]
    assert run(school, "export", "--user", "ours-earlier").stdout.count("ours-earlier") == 1
    assert "Pupil" not in result.stdout
    assert "Teacher" not in result.stdout
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
        for course_id in ("course-unused", "course-of-a-class"):
            session.add(Course(id=course_id, district_id=own, archived_at=old))
        session.flush()
        session.get_one(Section, "section-own").course_id = "course-of-a-class"
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
    before = all_rows(school).splitlines()
    preview = run(school, "retention")
    assert preview.exit_code == 0, preview.output
    assert "Nothing was deleted" in preview.output
    assert all_rows(school).splitlines() == before
    result = run(school, "retention", "--yes")
    assert receipt(result) == receipt(preview)
    deleted = set(before) - set(all_rows(school).splitlines())
    assert sum(receipt(result).values()) == len(deleted)
    tables = re.compile("clever_(people|sections|terms|courses|schools|districts) ")
    keys = {line.split("'")[1] for line in deleted if tables.match(line)}
    assert keys == {
        *("ours-pupilgone", "libold", "libpupil"),
        *("section-old", "class-libold", "left", "left1", "t0"),
        "course-unused",
    }
    assert receipt(run(school, "retention", "--yes")) == {}


EXPIRED = {"ours-pupilgone", "section-old"}  # of write_roster


def deleted_by_retention(site: Site) -> set[str]:
    """Run the retention, and return the ids of the deleted rows, without those of write_roster."""
    before = all_rows(site).splitlines()
    result = run(site, "retention", "--yes")
    assert result.exit_code == 0, result.output
    tables = re.compile("clever_(people|sections|terms|courses|schools|districts|claims) ")
    deleted = set(before) - set(all_rows(site).splitlines())
    return {line.split("'")[1] for line in deleted if tables.match(line)} - EXPIRED


def test_retention_keeps_what_a_row_that_stays_refers_to(school: Site) -> None:
    old = TODAY - timedelta(days=366)
    with database_session(school) as session:
        own = school.person("student").district.id
        for kind in ("school", "term", "course", "class", "person"):
            session.add(District(id=f"left-{kind}", archived_at=old))
        session.add(District(id="left-nothing", archived_at=old))
        session.flush()
        session.add(School(id="school-of-a-class", district_id=own, archived_at=old))
        session.add(Term(id="term-of-a-class", district_id=own, archived_at=old))
        session.add(Course(id="course-of-a-class", district_id=own, archived_at=old))
        session.add(School(id="school-stays", district_id="left-school"))
        session.add(Term(id="term-stays", district_id="left-term"))
        session.add(Course(id="course-stays", district_id="left-course"))
        session.add(Section(id="class-stays", district_id="left-class"))
        session.add(Person(id="person-stays", district_id="left-person"))
        session.flush()
        section = session.get_one(Section, "section-own")
        section.school_id, section.term_id = "school-of-a-class", "term-of-a-class"
        section.course_id = "course-of-a-class"
    assert deleted_by_retention(school) == {"a0", "left-nothing"}  # a0 of write_roster


def test_retention_deletes_what_only_a_library_teacher_who_is_gone_has_shared(
    school: Site,
) -> None:
    old, recent = TODAY - timedelta(days=366), TODAY - timedelta(days=364)
    with database_session(school) as session:
        session.add(Person(id="teacher", clever_id="lib-t", roles=[TEACHER], last_login=recent))
        session.add(Person(id="teacher-gone", clever_id="lib-g", roles=[TEACHER], last_login=old))
        for key, last_login, account_id in (
            ("pupil", None, None),
            ("pupil-of-both", None, None),
            ("pupil-who-logged-in", recent, None),
            ("pupil-with-an-account", None, "7"),
        ):
            pupil = Person(id=key, clever_id=f"lib-{key}", roles=[STUDENT], last_login=last_login)
            pupil.account_id = account_id
            session.add(pupil)
        session.add(Person(id="before-clever"))
        session.add(Section(id="class"))
        session.add(Section(id="class-gone"))
        session.add(Section(id="class-archived", archived_at=recent))
        own = school.person("student").district.id
        session.add(Section(id="class-of-a-district", district_id=own))
        session.flush()
        session.add(Enrollment(section_id="class", person_id="teacher", role=TEACHER))
        session.add(Enrollment(section_id="class-gone", person_id="teacher-gone", role=TEACHER))
        session.add(Enrollment(section_id="class", person_id="pupil-of-both", role=STUDENT))
        for key in ("pupil", "pupil-of-both", "pupil-who-logged-in", "pupil-with-an-account"):
            session.add(Enrollment(section_id="class-gone", person_id=key, role=STUDENT))
    assert deleted_by_retention(school) == {"a0", "teacher-gone", "class-gone", "pupil"}


def test_each_kind_of_row_stays_until_the_last_day_of_its_retention(school: Site) -> None:
    hour = timedelta(hours=1)
    for number, moment in enumerate((TODAY - timedelta(days=365) + hour, TODAY - 366 * 24 * hour)):
        with database_session(school) as session:
            own = school.person("student").district.id
            session.add(District(id=f"district{number}", archived_at=moment))
            session.add(School(id=f"school{number}", district_id=own, archived_at=moment))
            session.add(Term(id=f"term{number}", district_id=own, archived_at=moment))
            session.add(Course(id=f"course{number}", district_id=own, archived_at=moment))
            session.add(Section(id=f"class{number}", district_id=own, archived_at=moment))
            session.add(Person(id=f"person{number}", district_id=own, archived_at=moment))
            session.add(Person(id=f"library{number}", clever_id=str(number), last_login=moment))
        kinds = ("district", "school", "term", "course", "class", "person", "library")
        expected = {f"{kind}1" for kind in kinds} if number else {"a0"}
        assert deleted_by_retention(school) == expected


def test_retention_removes_the_links_that_have_expired(school: Site) -> None:
    minute = timedelta(minutes=1)
    with database_session(school) as session:
        for key, expires_at in (("a", datetime.now(UTC) - minute), ("b", TODAY + 10 * minute)):
            session.add(
                Claim(token_hash=key * 64, person_id="ours-pupilown", expires_at=expires_at)
            )
    assert deleted_by_retention(school) - {"a0"} == {"a" * 64}


def test_accounts_that_were_merged_one_after_another_are_exported_and_forgotten_together(
    school: Site,
) -> None:
    with flask_app(school).app_context(), database_session(school) as session:
        keys = ("first", "second", "third")
        rows = [Person(id=f"ours-{key}", clever_id=f"clever-{key}") for key in keys]
        session.add_all(rows)
        session.flush()
        merge_people(session, rows[1], rows[0])
        merge_people(session, rows[2], rows[1])
    for key in ("ours-third", "ours-first"):
        export = json.loads(run(school, "export", "--user", key).stdout)
        assert export["person"]["id"] == "ours-third"
        assert set(export["former_ids"]) == {"ours-first", "ours-second"}
    assert run(school, "forget", "--user", "ours-first").exit_code == 0
    assert "ours-third" not in all_rows(school)
    assert "ours-first" not in all_rows(school)


def test_the_retention_period_is_a_setting(tmp_path: Path) -> None:
    with run_roster_site(tmp_path, None, retention_days=30) as site:
        write_roster(site)
        with database_session(site) as session:
            month, hour = timedelta(days=30), timedelta(hours=1)
            session.get_one(Person, "ours-pupilown").archived_at = TODAY - month - hour
            session.get_one(Person, "ours-pupilother").archived_at = TODAY - month + hour
        run(site, "retention", "--yes")
        assert "ours-pupilown" not in all_rows(site)
        assert "ours-pupilother" in all_rows(site)


def test_forget_deletes_nothing_and_says_so_when_the_session_store_is_down(tmp_path: Path) -> None:
    with run_roster_site(tmp_path, None, redis_url="redis://127.0.0.1:1/0") as site:
        with database_session(site) as session:
            session.add(Person(id="ours-somebody", clever_id="somebody"))
        result = run(site, "forget", "--user", "somebody")
        assert result.exit_code == 1
        assert "Nothing was changed: the session store does not answer." in result.output
        assert "ours-somebody" in all_rows(site)


def test_privacy_md_names_exactly_the_columns_that_exist() -> None:
    text = (ROOT / "PRIVACY.md").read_text()
    documented = re.findall(r"^\| `(\w+\.\w+)` \| [^|]{8,} \| [^|]{4,} \|$", text, re.M)
    columns = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
    ]
    assert sorted(documented) == sorted(columns)
    assert len(re.findall(r"^\| `", text, re.M)) == len(documented)
