"""Tests who may see whom: every page and every id, for each role, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from clever_login.db.models import District, Enrollment, Person, RoleAssignment, School, Section
from tests.conftest import POSTGRESQL_IS_LONG
from tests.support.account_app import record_statements
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import (
    LONG_AGO,
    ROLES_BY_LOGIN,
    STAFF,
    STUDENT,
    TEACHER,
    add_person,
    database_session,
    find_canaries,
    ids_by_name,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import Site

OWN_CLASS = {"Schoola1", "Classown", "Teacherown", "teacher"}
SCHOOL = {
    "Schoola1",
    "Classown",
    "Classother",
    "Teacherown",
    "Teacherother",
    "teacher",
    "student",
    "Pupilown",
    "Pupilother",
}
MAY_SEE = {
    "student": OWN_CLASS,
    "teacher": OWN_CLASS | {"student", "Pupilown"},
    "school_admin": SCHOOL,
    "district_admin": SCHOOL
    | {"Districta", "Schoola2", "Classnext", "Classastray", "Teachernext", "Pupilnext"},
}
ODD_IDS = ("x", "%00", "..", "section-own%00", "section-own ", "SECTION-OWN", "' or 1=1 --", "%25")


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    with run_roster_site(tmp_path, database_url) as site:
        write_roster(site)
        yield site


def addresses(site: Site) -> Iterator[str]:
    """Yield every route of the app, with every known id in place of each parameter."""
    assert site.app is not None
    ids = [*ids_by_name(site).values(), *ODD_IDS]
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint == "static" or "GET" not in (rule.methods or ()):
            continue
        for values in itertools.product(ids, repeat=len(rule.arguments)):
            path = rule.rule
            for name, value in zip(sorted(rule.arguments), values, strict=True):
                path = path.replace(f"<{name}>", value)
            yield path


def all_that_is_shown(site: Site, visitor: Visitor) -> set[str]:
    """Return the canaries in all responses to requests that also carry false ids and roles."""
    ids = ids_by_name(site)
    lie = {"role": "district_admin", "person_id": ids["CanaryTeacherfar"], "district": "districtb"}
    lie["page"] = "all"
    canaries: set[str] = set()
    for path in addresses(site):
        response = visitor.http.get(site.url + path, params=lie, headers=lie, allow_redirects=False)
        assert response.status_code in {200, 302, 303, 400, 404}, path
        canaries |= find_canaries(response.text + str(response.headers))
    assert visitor.open("/dashboard").path == "/dashboard", "logged out on the way"
    return canaries


@pytest.mark.parametrize("user_name", ROLES_BY_LOGIN)
def test_each_role_sees_everything_of_its_own_and_nothing_of_others(
    school: Site, user_name: str
) -> None:
    canaries = all_that_is_shown(school, by_button(school, user_name))
    assert canaries == MAY_SEE[user_name] - {user_name}  # replaced by the real name at login


def test_a_record_outside_the_viewers_permission_is_a_404(school: Site) -> None:
    visitor = by_button(school, "teacher")
    nothing = visitor.open("/classes/nowhere")
    assert (nothing.code, nothing.response.status_code) == ("http_404", 404)
    for path in ("/classes/section-other", "/classes/section-far", "/schools/a1", "/district"):
        assert visitor.open(path).code == "http_404", path
    assert visitor.open("/classes/section-own").heading == "CanaryClassown"


@POSTGRESQL_IS_LONG
def test_a_person_with_two_roles_sees_only_what_the_current_role_permits(school: Site) -> None:
    with database_session(school) as session:
        person = add_person(
            session, "Both", school.person("teacher_admin").id, "a", [TEACHER, STAFF]
        )
        person.preferred_name = None
        session.add(RoleAssignment(person_id=person.id, school_id="a2", role=STAFF))
        session.add(Enrollment(section_id="section-other", person_id=person.id, role=TEACHER))
    visitor = by_button(school, "teacher_admin")
    assert find_canaries(visitor.response.text) == {"Classother"}
    assert visitor.open("/schools/a2").code == "http_404"
    visitor.open("/dashboard").press("See the school administrator page")
    assert find_canaries(visitor.response.text) == {"Schoola2"}
    assert visitor.open("/schools/a2").heading == "CanarySchoola2"
    assert visitor.open("/classes/section-other").code == "http_404"


@pytest.mark.parametrize("change", ["archived", "role_lost", "district_left", "gone"])
@POSTGRESQL_IS_LONG
def test_a_live_session_shows_nothing_after_the_role_is_removed_in_the_database(
    school: Site, change: str
) -> None:
    visitors = {name: by_button(school, name) for name in ROLES_BY_LOGIN}
    with database_session(school) as session:
        for user_name in ROLES_BY_LOGIN:
            person = session.get_one(Person, f"ours-{user_name}")
            if change == "archived":
                person.archived_at = LONG_AGO
            elif change == "role_lost":
                person.roles = ["contact"]
            elif change == "district_left":
                person.district_id = None
            else:
                for table in (Enrollment, RoleAssignment):
                    session.execute(delete(table).where(table.person_id == person.id))
                session.delete(person)
    for user_name, visitor in visitors.items():
        for path in ("/dashboard", "/classes/section-own", "/schools/a1", "/district"):
            visitor.open(path)
            assert find_canaries(visitor.response.text) == set(), (user_name, path)


def test_a_library_teacher_sees_their_students_from_any_district(school: Site) -> None:
    with database_session(school) as session:
        session.add(Section(id="section-shared", name="CanaryClassshared"))
        session.flush()
        for person, role in (("teacher", TEACHER), ("pupilown", STUDENT), ("pupilfar", STUDENT)):
            row = Enrollment(section_id="section-shared", person_id=f"ours-{person}", role=role)
            session.add(row)
    visitor = by_button(school, "teacher").open("/classes/section-shared")
    assert find_canaries(visitor.response.text) == {"Classshared", "Pupilown", "Pupilfar"}
    assert by_button(school, "school_admin").open("/classes/section-shared").code == "http_404"


@POSTGRESQL_IS_LONG
def test_class_pages_show_period_grade_students_and_the_last_sync(school: Site) -> None:
    with database_session(school) as session:
        for first, last in (("Zoë", "Ñandú"), ("Al", "nagy"), ("Bo", "Ocampo")):
            pupil = add_person(session, last, f"clever{last}", "a", [STUDENT])
            pupil.first_name, pupil.last_name = first, last
            session.add(Enrollment(section_id="section-own", person_id=pupil.id, role=STUDENT))
    visitor = by_button(school, "teacher")
    assert "Your classes" in visitor.text
    assert "Period 2 · Grade 7 · 5 students" in visitor.text
    assert "September 1, 2026, 4:30 AM UTC" in visitor.text  # a no-break space before AM
    visitor.click("CanaryClassown")
    cells = [cell.get_text() for cell in visitor.page.select("tbody th")]
    assert cells == ["CanaryPupilown", "Canarystudent", "nagy", "Ñandú", "Ocampo"]
    student = by_button(school, "student")
    assert "Given CanaryTeacherown , Grace Whitaker" in student.text
    assert "Last synced" not in student.text
    assert not student.click("CanaryClassown").page.select("tbody")


def test_school_and_district_counts_exclude_archived_people(school: Site) -> None:
    def figures(visitor: Visitor) -> str:
        return " ".join(figure.get_text() for figure in visitor.page.select(".figures dd"))

    with database_session(school) as session:  # a wrong row, of a student of another district
        session.add(RoleAssignment(person_id="ours-pupilfar", school_id="a1", role="student"))
    staff = by_button(school, "school_admin").click("CanarySchoola1")
    assert figures(staff) == "3 3 2"  # student, pupilown, pupilother; two classes and none archived
    admin = by_button(school, "district_admin").click("See all schools")
    assert figures(admin) == "4 4 4"  # includes the class that names a school of another district
    assert figures(admin.click("CanarySchoola2")) == "1 1 1"


def test_a_district_that_left_has_no_page_until_it_is_synced_again(school: Site) -> None:
    admin = by_button(school, "district_admin")
    assert admin.open("/district").response.ok
    with database_session(school) as session:  # its administrator has just logged in again
        session.execute(update(District).values(archived_at=LONG_AGO))
    assert "CanaryDistricta" not in admin.open("/dashboard").text
    assert admin.open("/district").response.status_code == 404


PAGES_OF = {
    "student": ("/dashboard", "/classes/section-own"),
    "teacher": ("/dashboard", "/classes/section-own"),
    "school_admin": ("/dashboard", "/schools/a1"),
    "district_admin": ("/dashboard", "/schools/a1", "/district"),
}


@pytest.mark.parametrize("user_name", ROLES_BY_LOGIN)
def test_a_large_page_needs_as_many_queries_as_a_small_one_and_no_request_to_clever(
    school: Site, user_name: str
) -> None:
    visitor = by_button(school, user_name)
    request_count = len(school.clever.received_requests())
    counts, sizes = [], []
    for _ in range(2):
        for path in PAGES_OF[user_name]:
            visitor.open(path)  # warm up what happens only once
            with record_statements(school) as statements:
                sizes.append(len(visitor.open(path).response.text))
            counts.append(len(statements))
        if len(counts) == len(PAGES_OF[user_name]):
            with database_session(school) as session:
                _add_many(session)
    few, many = counts[: len(counts) // 2], counts[len(counts) // 2 :]
    assert few == many
    assert 0 < max(few) <= 10
    assert sum(sizes[len(few) :]) > sum(sizes[: len(few)])
    assert len(school.clever.received_requests()) == request_count


def _add_many(session: Session) -> None:
    own = session.get_one(School, "a1").district_id
    for number in range(30):
        section = Section(id=f"more{number}", name="More", district_id=own, school_id="a1")
        pupil = add_person(session, f"M{number}", f"more{number}", "a", [STUDENT], "a1")
        session.add_all([section, School(id=f"s{number}", district_id=own, name="More")])
        session.flush()
        session.add(Enrollment(section_id="section-own", person_id=pupil.id, role=STUDENT))
        for person, role in (("student", STUDENT), ("teacher", TEACHER)):
            row = Enrollment(section_id=section.id, person_id=f"ours-{person}", role=role)
            session.add(row)
