"""Tests which account a login finds or creates, on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from clever_login.accounts import account_lookup
from clever_login.accounts.account_lookup import find_or_create_account
from clever_login.accounts.library_sections import save_sections
from clever_login.clever.models import Role, RoleRecord, User
from clever_login.clever.people import Person as PersonRecord
from clever_login.clever.people import PersonRole
from clever_login.clever.records import Section as SectionRecord
from clever_login.clever.user_client import MAX_SECTIONS, SharedSection
from clever_login.db.models import (
    District,
    Enrollment,
    Person,
    RoleAssignment,
    Section,
    utc_now,
)
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.support import session_file
from tests.support.account_app import (
    account_id,
    database_of,
    flask_app,
    make_account_app,
    people_rows,
    person_row,
    record_statements,
    school,
)
from tests.support.expected_rows import give_first_sync
from tests.support.login_flows import by_button, log_in_at_clever
from tests.support.running_app import Site

__all__ = ["school"]


def test_a_first_login_creates_one_row_and_the_next_login_finds_it(school: Site) -> None:
    for _ in range(2):
        assert by_button(school, "teacher").path == "/dashboard"
    (row,) = people_rows(school)
    person = school.person("teacher")
    assert (row.provider, row.clever_id) == ("clever", person.id)
    assert (row.first_name, row.last_name) == (person.name.first, person.name.last)
    assert (row.email, row.roles) == (person.email, ["teacher"])
    assert row.district_id == person.district.id
    assert row.first_login
    assert row.last_login
    assert row.first_login < row.last_login
    with database_of(school).read_session() as session:
        (district,) = session.scalars(select(District))
    assert (district.id, district.connected) == (person.district.id, False)


def log_in(site: Site, user: User) -> str:
    """Log in a user who is not in the simulator. Returns the account id."""
    with flask_app(site).test_request_context():
        return find_or_create_account(user).id


ADA = User(
    id="ada",
    district_id="d1",
    first_name="Ada",
    last_name="Park",
    email="ada@example.org",
    roles=(RoleRecord(role=Role.TEACHER, legacy_id="ada-v2"),),
)


@pytest.mark.parametrize("seen_before", [True, False], ids=["again", "of_a_roster"])
@pytest.mark.parametrize(
    "full_user",
    [
        ADA,
        replace(ADA, first_name="", last_name="", email=None, roles=()),
        replace(ADA, first_name="Ada Maria", email="new@example.org"),
        replace(ADA, roles=(RoleRecord(role=Role.TEACHER), RoleRecord(role=Role.STAFF))),
    ],
)
def test_a_returning_user_is_updated_in_one_statement_with_the_same_result(
    school: Site, full_user: User, seen_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for user in (full_user, replace(full_user, id="ada by the long way")):
        account = log_in(school, replace(ADA, id=user.id))
        if not seen_before:
            with database_of(school).begin() as session:
                person = session.get_one(Person, account)
                person.first_login = person.last_login = None
        began = utc_now()
        with record_statements(school) as statements:
            assert log_in(school, user) == account
        assert (len(statements) == 1) == (user is full_user)
        after = person_row(school, account)
        assert after.first_login
        assert after.last_login
        assert (after.first_login < began) == seen_before
        assert after.last_login >= began
        rows.append((after.district_id, after.roles, after.first_name, after.email))
        monkeypatch.setattr(account_lookup, "find_returning_user", lambda _user: None)
    assert rows[0] == rows[1]


def test_fields_that_clever_omits_at_a_login_keep_their_values(school: Site) -> None:
    account = log_in(school, ADA)
    assert log_in(school, User(id="ada", district_id="d1")) == account
    person = person_row(school, account)
    assert (person.first_name, person.email, person.roles) == ("Ada", ADA.email, ["teacher"])
    log_in(school, replace(ADA, last_name="Ortiz", roles=(RoleRecord(role=Role.STAFF),)))
    person = person_row(school, account)
    assert (person.last_name, person.roles) == ("Ortiz", ["staff"])


def test_a_hidden_user_who_has_moved_to_another_district_is_listed_there(school: Site) -> None:
    account = log_in(school, ADA)
    with database_of(school).begin() as session:
        session.get_one(Person, account).missing_since = utc_now()
    assert log_in(school, replace(ADA, district_id="d2")) == account
    person = person_row(school, account)
    assert (person.district_id, person.missing_since) == ("d2", None)


def test_accounts_are_matched_by_the_exact_clever_id(school: Site) -> None:
    ids = {
        log_in(school, replace(ADA, id=clever_id, roles=()))
        for clever_id in ("ada", "ADA", "ada0", "da")
    }
    assert len(ids) == 4


def test_a_hundred_concurrent_logins_of_one_person_make_one_account(school: Site) -> None:
    with ThreadPoolExecutor(25) as threads:
        ids = set(threads.map(lambda _: log_in(school, ADA), range(100)))
    assert len(ids) == len(people_rows(school)) == 1


def test_a_hundred_people_logging_in_at_once_make_a_hundred_accounts(school: Site) -> None:
    users = [replace(ADA, id=f"p{number}", roles=()) for number in range(100)]
    with ThreadPoolExecutor(25) as threads:
        ids = set(threads.map(lambda user: log_in(school, user), users))
    assert len(ids) == len(people_rows(school)) == 100


def test_a_pre_v3_id_is_replaced_once(school: Site) -> None:
    before = log_in(school, replace(ADA, id="ada-v2", roles=()))
    assert log_in(school, ADA) == before
    assert person_row(school, before).clever_id == "ada"
    assert log_in(school, ADA) == before
    assert len(people_rows(school)) == 1


def test_a_pre_v3_id_in_another_district_is_a_different_person(school: Site) -> None:
    other = log_in(school, replace(ADA, id="ada-v2", district_id="d2", roles=()))
    assert log_in(school, ADA) != other
    assert person_row(school, other).clever_id == "ada-v2"


def test_an_account_survives_a_merge_with_a_roster_row(school: Site) -> None:
    before = log_in(school, replace(ADA, id="ada-v2", roles=()))
    with database_of(school).begin() as session:
        line = Person(clever_id="ada", district_id="d1", grade="5")
        session.add(line)
        session.add(Section(id="reading", district_id="d1"))
        session.flush()
        session.add(Enrollment(section_id="reading", person_id=line.id, role="teacher"))
    assert log_in(school, ADA) == before
    assert (person_row(school, before).clever_id, person_row(school, before).grade) == ("ada", "5")
    assert person_row(school, line.id).merged_into == before
    with database_of(school).read_session() as session:
        (seat,) = session.scalars(select(Enrollment))
    assert seat.person_id == before


def test_of_two_pre_v3_accounts_the_one_with_the_latest_login_survives(school: Site) -> None:
    posts = (
        RoleRecord(role=Role.TEACHER, legacy_id="as-teacher"),
        RoleRecord(role=Role.STAFF, legacy_id="as-staff"),
    )
    first = log_in(school, replace(ADA, id="as-teacher", roles=()))
    last = log_in(school, replace(ADA, id="as-staff", roles=()))
    first_login = person_row(school, first).first_login
    assert log_in(school, replace(ADA, roles=posts)) == last
    assert person_row(school, first).merged_into == last
    assert person_row(school, last).roles == ["teacher", "staff"]
    assert person_row(school, last).first_login == first_login


@pytest.mark.parametrize("of_last", ["user-2", None])
def test_merged_accounts_keep_the_account_ids_of_the_product(
    school: Site, of_last: str | None
) -> None:
    posts = (RoleRecord(role=Role.TEACHER, legacy_id="as-teacher"),)
    first = log_in(school, replace(ADA, id="as-teacher", roles=()))
    last = log_in(school, replace(ADA, roles=()))
    with database_of(school).begin() as session:
        session.get_one(Person, first).account_id = "user-1"
        session.get_one(Person, last).account_id = of_last
    assert log_in(school, replace(ADA, roles=posts)) == last
    assert person_row(school, last).account_id == (of_last or "user-1")
    assert person_row(school, first).account_id == "user-1"


def test_an_archived_second_role_does_not_block_a_login(school: Site) -> None:
    live = log_in(school, replace(ADA, id="ada-v2", roles=()))
    ended = log_in(school, replace(ADA, id="ada-staff-v2", roles=()))
    archive(school, ended, synced=True)
    two_roles = (*ADA.roles, RoleRecord(role=Role.STAFF, legacy_id="ada-staff-v2"))
    assert log_in(school, replace(ADA, roles=two_roles)) == ended
    assert person_row(school, ended).archived_at is None
    assert person_row(school, live).merged_into == ended


def archive(site: Site, person_id: str, *, synced: bool) -> None:
    with database_of(site).begin() as session:
        session.get_one(Person, person_id).archived_at = utc_now()
        if synced:
            session.get_one(District, ADA.district_id).connected = True


def test_an_archived_user_who_logs_in_through_clever_is_restored(school: Site) -> None:
    account = account_id(by_button(school, "student"))
    with database_of(school).begin() as session:  # as a sync does when Clever stops sharing them
        session.get_one(Person, account).archived_at = utc_now()
        session.get_one(District, school.person("student").district.id).connected = True
    visitor = by_button(school, "student")
    assert visitor.path == "/dashboard"
    assert account_id(visitor) == account
    person = person_row(school, account)
    assert (person.archived_at, person.roles) == (None, ["student"])
    assert person.district_id == school.person("student").district.id


def test_a_restored_user_gets_the_schools_that_clever_lists_now(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    staff, (own,) = site.person("school_admin"), site.person("school_admin").schools
    former = next(
        candidate for candidate in site.clever.people.schools_of(staff.district) if candidate != own
    )
    with database_of(site).begin() as session:
        person = session.scalars(select(Person).where(Person.clever_id == staff.id)).one()
        person.archived_at = utc_now()
        session.add(RoleAssignment(person_id=person.id, school_id=former.id, role="staff"))
    foreign = site.clever.people.schools_of(site.clever.people.districts[1])[0]
    site.clever.override(staff.id, roles__staff__schools=[own.id, foreign.id])
    visitor = by_button(site, "school_admin")
    with database_of(site).read_session() as session:
        of_person = RoleAssignment.person_id == person.id
        assert session.scalars(select(RoleAssignment.school_id).where(of_person)).all() == [own.id]
    links = [link.get_text() for link in visitor.page.select("main a[href^='/schools/']")]
    assert links == [own.name]
    assert visitor.open(f"/schools/{former.id}").code == "http_404"


def test_a_login_restores_an_archived_account_that_no_sync_covers(school: Site) -> None:
    account = log_in(school, ADA)
    archive(school, account, synced=False)
    assert log_in(school, ADA) == account
    assert person_row(school, account).archived_at is None


@pytest.mark.parametrize("of_all", [True, False])
def test_a_district_is_restored_when_its_users_log_in_again(school: Site, of_all: bool) -> None:
    account = log_in(school, ADA)
    with database_of(school).begin() as session:  # as a sync leaves a disconnected district
        session.get_one(District, "d1").archived_at = utc_now()
        if of_all:
            session.get_one(Person, account).archived_at = utc_now()
    assert log_in(school, ADA) == account
    with database_of(school).read_session() as session:
        assert session.get_one(District, "d1").archived_at is None
    assert person_row(school, account).archived_at is None


def test_a_login_does_not_restore_a_district_that_is_not_allowed(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, clever_district_ids=("another",))
    own = site.person("student").district.id
    with database_of(site).begin() as session:
        session.add(District(id=own, archived_at=utc_now()))
    assert by_button(site, "student").code == "district_not_allowed"
    with database_of(site).read_session() as session:
        assert session.get_one(District, own).archived_at
    assert people_rows(site) == []


def test_a_library_login_works_after_the_users_district_has_disconnected(
    school: Site,
) -> None:
    account = log_in(school, ADA)
    archive(school, account, synced=True)
    with database_of(school).begin() as session:
        session.get_one(District, "d1").archived_at = utc_now()
    assert log_in(school, replace(ADA, district_id=None)) == account
    assert (person_row(school, account).archived_at, person_row(school, account).district_id) == (
        None,
        None,
    )


def test_a_library_user_keeps_their_account_when_the_district_connects(school: Site) -> None:
    account = log_in(school, replace(ADA, district_id=None))
    assert person_row(school, account).district_id is None
    assert log_in(school, ADA) == account
    assert person_row(school, account).district_id == "d1"
    assert log_in(school, replace(ADA, district_id=None)) == account
    assert person_row(school, account).district_id == "d1"


def shared_section(section: str, *students: str) -> SharedSection:
    people = tuple(
        PersonRecord.from_api(
            {"id": student, "name": {"first": student.title(), "last": "P"}}, PersonRole.STUDENT
        )
        for student in students
    )
    return SharedSection(
        section=SectionRecord.from_api({"id": section, "name": f"Class {section}"}),
        students=people,
    )


def enrollments(site: Site) -> set[tuple[str, str, str]]:
    """Return (section, Clever id of the person, role) for every enrollment."""
    with database_of(site).read_session() as session:
        rows = session.execute(
            select(Enrollment.section_id, Person.clever_id, Enrollment.role).join(Person)
        )
        return {(section, str(person), role) for section, person, role in rows}


def store_sections(site: Site, teacher: str, *sections: SharedSection) -> None:
    with flask_app(site).test_request_context():
        save_sections(teacher, sections)


def test_a_library_teachers_students_have_rows_before_their_first_login(school: Site) -> None:
    teacher = log_in(school, replace(ADA, district_id=None))
    store_sections(school, teacher, shared_section("k1", "mei", "tom"), shared_section("k2", "mei"))
    store_sections(school, teacher, shared_section("k1", "mei", "tom"), shared_section("k2", "mei"))
    assert enrollments(school) == {
        ("k1", "ada", "teacher"),
        ("k2", "ada", "teacher"),
        ("k1", "mei", "student"),
        ("k1", "tom", "student"),
        ("k2", "mei", "student"),
    }
    rows = {row.clever_id: row for row in people_rows(school)}
    assert (rows["mei"].first_name, rows["mei"].last_name) == ("Mei", "P")
    assert (rows["mei"].roles, rows["mei"].first_login) == (["student"], None)
    assert log_in(school, User(id="mei")) == rows["mei"].id


def test_students_who_left_and_sections_no_longer_shared_are_removed(school: Site) -> None:
    teacher = log_in(school, replace(ADA, district_id=None))
    other = log_in(school, User(id="bo"))
    store_sections(school, other, shared_section("k3", "tom"))
    store_sections(
        school,
        teacher,
        shared_section("k1", "mei", "tom"),
        shared_section("k2", "mei"),
        shared_section("k3", "tom"),
    )
    store_sections(school, teacher, shared_section("k1", "mei"))
    assert enrollments(school) == {
        ("k1", "ada", "teacher"),
        ("k1", "mei", "student"),
        ("k3", "bo", "teacher"),
        ("k3", "tom", "student"),
    }
    with database_of(school).read_session() as session:
        assert session.get_one(Section, "k2").archived_at
        assert session.get_one(Section, "k3").archived_at is None
    store_sections(school, teacher, shared_section("k2", "mei"))
    with database_of(school).read_session() as session:
        assert session.get_one(Section, "k2").archived_at is None


def test_a_library_login_does_not_change_sections_of_a_synced_district(school: Site) -> None:
    teacher = log_in(school, ADA)
    with database_of(school).begin() as session:
        session.add(Person(clever_id="mei", district_id="d1", first_name="Mei-Lin"))
        session.add(Section(id="k1", district_id="d1", name="Reading"))
    store_sections(school, teacher, shared_section("k1", "mei"))
    with database_of(school).read_session() as session:
        assert session.get_one(Section, "k1").name == "Reading"
    assert enrollments(school) == set()
    assert ("Mei-Lin", "") in [(row.first_name, row.last_name) for row in people_rows(school)]


def test_a_library_teacher_with_more_sections_than_the_limit_loses_none(school: Site) -> None:
    teacher = log_in(school, replace(ADA, district_id=None))
    store_sections(
        school, teacher, *[shared_section(f"k{number}") for number in range(MAX_SECTIONS)]
    )
    store_sections(
        school, teacher, *[shared_section(f"k{number + 5}") for number in range(MAX_SECTIONS)]
    )
    assert len(enrollments(school)) == MAX_SECTIONS + 5


def test_two_teachers_sharing_one_section_at_once_create_one_section(school: Site) -> None:
    teachers = [log_in(school, User(id=f"t{number}")) for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        list(
            threads.map(
                lambda teacher: store_sections(school, teacher, shared_section("k1", "mei", "tom")),
                teachers,
            )
        )
    assert len(enrollments(school)) == 22


def test_a_library_teachers_login_stores_their_sections(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, clever_client_id="simulator-library")
    visitor = by_button(site, "teacher").press("Yes")
    assert visitor.path == "/dashboard"
    expected = {
        (section.id, student.id, "student")
        for section in site.clever.people.sections
        if section.teacher == site.person("teacher")
        for student in section.students
    }
    assert expected <= enrollments(site)
    assert all(row.district_id is None for row in people_rows(site))


def test_the_preferred_name_is_asked_once_and_used_in_the_greeting(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, ask_preferred_name=True)
    visitor = by_button(site, "student")
    assert (visitor.path, visitor.heading) == ("/preferred-name", "What should we call you?")
    visitor.press("Use this name", name="<b>Captain</b> \u202eAda")
    assert (visitor.path, visitor.heading) == ("/dashboard", "Hi, <b>Captain</b> Ada!")
    next_login = by_button(site, "student")
    assert (next_login.path, next_login.heading) == ("/dashboard", "Hi, <b>Captain</b> Ada!")


@POSTGRESQL_IS_LONG
def test_the_preferred_name_question_can_be_skipped_and_continues_to_next(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, ask_preferred_name=True)
    visitor = site.visitor().open("/who").click("Log in with Clever")
    visitor.click(site.person("student").district.name)
    log_in_at_clever(visitor, "student")
    assert visitor.path == "/preferred-name"
    visitor.press("Skip")
    assert visitor.path == "/who"
    next_login = by_button(site, "student")
    assert (next_login.path, next_login.heading) == (
        "/dashboard",
        f"Hi, {site.person('student').name.first}!",
    )


def test_a_login_that_fails_leads_to_no_question(make_site: SiteMaker) -> None:
    site = make_account_app(make_site, None, ask_preferred_name=True)
    visitor = by_button(site, "student")
    session_file.run(
        site,
        "CREATE TRIGGER refuse BEFORE DELETE ON entries WHEN old.key GLOB 'session-*'"
        " BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    visitor.open(f"/login?district_id={site.person('student').district.id}")
    assert visitor.response.status_code == 503
    assert "Location" not in visitor.response.headers


@POSTGRESQL_IS_LONG
def test_the_preferred_name_is_not_asked_by_default(school: Site) -> None:
    visitor = by_button(school, "student")
    assert visitor.path == "/dashboard"
    assert visitor.open("/preferred-name").response.status_code == 404
