"""Tests the public module `clever_login.rosters`: who gets which rows, pages, and searches."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from sqlalchemy import delete, update

from clever_login import Role, public, rosters
from clever_login.db.models import (
    Course,
    District,
    Enrollment,
    Person,
    RoleAssignment,
    School,
    Section,
    Term,
)
from tests.conftest import POSTGRESQL_IS_LONG
from tests.support.account_app import record_statements
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import (
    ADMIN,
    LONG_AGO,
    ROLES_BY_LOGIN,
    STAFF,
    STUDENT,
    TEACHER,
    add_person,
    database_session,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter

CLASS_A1 = {"student", "pupilown", "teacher", "teacherown"}
SCHOOL_A1 = CLASS_A1 | {"pupilother", "teacherother", "school_admin"}
DISTRICT_A = SCHOOL_A1 | {"pupilnext", "teachernext", "district_admin"}
# viewer -> sections, schools, students of section-own, people; without the prefixes of the ids
VISIBLE: dict[str, tuple[set[str], set[str], set[str], set[str]]] = {
    "student": ({"own"}, set(), set(), {"teacher", "teacherown"}),
    "teacher": ({"own"}, set(), {"student", "pupilown"}, CLASS_A1),
    "school_admin": ({"own", "other"}, {"a1"}, {"student", "pupilown"}, SCHOOL_A1),
    "district_admin": (
        {"own", "other", "next", "astray"},
        {"a1", "a2"},
        {"student", "pupilown"},
        DISTRICT_A,
    ),
}
VISIBLE["operator"] = VISIBLE["district_admin"]
ODD_IDS = ("nowhere", "", "\0", "section-own\0", "SECTION-OWN", "' or 1=1 --", "%", "x" * 65)


def add_question_view(app: Flask) -> None:
    """Mount /ask, which calls one of the public functions with the arguments of the request."""

    def ask() -> dict[str, object]:
        question = json.loads(request.args["question"])
        result = getattr(rosters, question.pop("function"))(**question)
        rows = [result] if isinstance(result, rosters.Section) else result
        return {"ids": sorted(row.id.removeprefix("ours-") for row in rows)}

    app.add_url_rule("/ask", view_func=public(ask))


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    """A site with the rows of `write_roster`; the test runs in an application context."""
    with run_roster_site(tmp_path, database_url, extend=add_question_view) as site:
        write_roster(site)
        assert site.app
        with site.app.app_context():
            yield site


def viewer_named(site: Site, name: str) -> rosters.Viewer:
    if name == "operator":
        return rosters.operator(site.person("student").district.id)
    return rosters.viewer(f"ours-{name}", Role(ROLES_BY_LOGIN[name][0]))


def ids(rows: Any) -> set[str]:
    return {row.id.removeprefix("ours-").removeprefix("section-") for row in rows}


def ask(visitor: Visitor, function: str, **arguments: object) -> Any:
    """Call a public function in a view; return the ids of its rows, or the status of the error."""
    question = json.dumps({"function": function, **arguments})
    response = visitor.http.get(f"{visitor.app_url}/ask", params={"question": question})
    return response.json()["ids"] if response.status_code == 200 else response.status_code


@pytest.mark.parametrize("name", VISIBLE)
def test_each_viewer_gets_the_rows_of_their_role_and_no_others(school: Site, name: str) -> None:
    viewer = viewer_named(school, name)
    sections, schools, students, people = VISIBLE[name]
    assert ids(rosters.sections(viewer=viewer)) == sections
    assert ids(rosters.sections(school="a1", viewer=viewer)) == sections & {"own", "other"}
    assert ids(rosters.schools(viewer=viewer)) == schools
    assert ids(rosters.students("section-own", viewer=viewer)) == students
    assert ids(rosters.teachers("section-own", viewer=viewer)) == {"teacher", "teacherown"}
    assert ids(rosters.people(viewer=viewer)) == people
    in_a1 = {person for person in people if not person.endswith(("next", "district_admin"))}
    assert ids(rosters.people(school="a1", viewer=viewer)) == in_a1
    pupils = {person for person in people if person.startswith(("pupil", "student"))}
    assert ids(rosters.people(role=Role.STUDENT, viewer=viewer)) == pupils
    section = rosters.section("section-own", viewer=viewer)
    assert section.students == (None if name == "student" else 2)


def visible_or_none(question: Callable[[], Any]) -> Any:
    """Return the answer, or None if it is not visible."""
    try:
        return question()
    except rosters.NotVisible:
        return None


@pytest.mark.parametrize("name", VISIBLE)
def test_counts_cover_only_the_schools_and_the_district_that_a_viewer_sees(
    school: Site, name: str
) -> None:
    viewer = viewer_named(school, name)
    _, schools, _, _ = VISIBLE[name]
    for school_id in ("a1", "a2", "b1"):
        visible_school = visible_or_none(partial(rosters.school, school_id, viewer=viewer))
        assert (visible_school is not None) == (school_id in schools)
    schools_with_counts = rosters.schools(counts=True, viewer=viewer)
    for row in schools_with_counts:
        members = rosters.people(school=row.id, viewer=viewer)
        assert row.students == sum(Role.STUDENT in person.roles for person in members)
        assert row.sections == rosters.sections(school=row.id, viewer=viewer).total
        assert row == rosters.school(row.id, counts=True, viewer=viewer)
        assert rosters.school(row.id, viewer=viewer).students is None
    district = visible_or_none(partial(rosters.district, viewer=viewer))
    pupils = [p for p in rosters.people(viewer=viewer) if Role.STUDENT in p.roles]
    if name in ("district_admin", "operator"):
        assert (district.students, district.id) == (
            len(pupils),
            school.person("student").district.id,
        )
    else:
        assert district is None
    by_grade = rosters.students_by_grade(viewer=viewer)
    assert sum(row.students for row in by_grade) <= len(pupils)
    assert bool(by_grade) == bool(schools)


@pytest.mark.parametrize("name", VISIBLE)
def test_teachers_by_section_returns_the_teachers_of_each_section(school: Site, name: str) -> None:
    viewer = viewer_named(school, name)
    section_ids = ["section-own", "section-other", "section-foreign", "nowhere", "\0"]
    teachers = rosters.teachers_by_section(section_ids, viewer=viewer)
    assert list(teachers) == section_ids
    for section_id in section_ids:
        alone = visible_or_none(partial(rosters.teachers, section_id, viewer=viewer))
        assert teachers[section_id] == (alone or ())


@pytest.mark.parametrize("user_name", ROLES_BY_LOGIN)
@POSTGRESQL_IS_LONG
def test_the_viewer_is_the_logged_in_user_unless_another_one_is_passed(
    school: Site, user_name: str
) -> None:
    visitor = by_button(school, user_name)
    sections, schools, students, people = VISIBLE[user_name]
    assert ask(visitor, "sections") == sorted(f"section-{section_id}" for section_id in sections)
    assert ask(visitor, "schools") == sorted(schools)
    assert ask(visitor, "students", section_id="section-own") == sorted(students)
    assert ask(visitor, "people") == sorted(people)
    pupils = [person for person in sorted(people) if person.startswith(("pupil", "student"))]
    assert ask(visitor, "people", role="student") == pupils
    assert ask(visitor, "section", id="section-own") == ["section-own"]
    assert ask(visitor, "section", id="section-far") == 404


@POSTGRESQL_IS_LONG
def test_without_a_login_a_view_answers_401_and_a_job_must_name_the_viewer(school: Site) -> None:
    response = send_request(f"{school.url}/ask", params={"question": '{"function": "people"}'})
    assert response.status_code == 401
    with pytest.raises(RuntimeError, match=r"Pass viewer=rosters\.viewer"):
        rosters.people()


@pytest.mark.parametrize("name", VISIBLE)
@POSTGRESQL_IS_LONG
def test_ids_of_another_district_and_unknown_ids_are_not_visible(school: Site, name: str) -> None:
    viewer = viewer_named(school, name)
    by_section: tuple[Callable[..., object], ...] = (
        rosters.section,
        rosters.students,
        rosters.teachers,
    )
    by_school: tuple[Callable[..., object], ...] = (rosters.sections, rosters.people)
    for section_id in ("section-far", "section-crossing", "section-old", "b1", *ODD_IDS):
        for function in by_section:
            with pytest.raises(rosters.NotVisible):
                function(section_id, viewer=viewer)
    for school_id in ("b1", "a0", "section-own", *ODD_IDS):  # a0 is archived
        for function in by_school:
            with pytest.raises(rosters.NotVisible):
                function(school=school_id, viewer=viewer)
    for function in by_school:
        if VISIBLE[name][3] != DISTRICT_A:
            with pytest.raises(rosters.NotVisible):
                function(school="a2", viewer=viewer)


def test_a_student_who_teaches_a_class_is_shown_to_other_students_only_as_a_teacher(
    school: Site,
) -> None:
    with database_session(school) as session:
        add_person(session, "Assistant", "assistant", "a", [STUDENT, TEACHER], "a1")
        for role in (STUDENT, TEACHER):
            row = Enrollment(section_id="section-own", person_id="ours-assistant", role=role)
            session.add(row)
    student = viewer_named(school, "student")
    assert ids(rosters.people(viewer=student)) == {"teacher", "teacherown"}
    assert not rosters.people(role=Role.STUDENT, viewer=student)
    assert not rosters.people(search="CanaryPupil", viewer=student)
    assert not rosters.students("section-own", viewer=student)
    assert "assistant" in ids(rosters.people(viewer=viewer_named(school, "teacher")))


@POSTGRESQL_IS_LONG
def test_an_operator_sees_nothing_of_a_district_that_left(school: Site) -> None:
    with database_session(school) as session:
        session.execute(update(District).values(archived_at=LONG_AGO))
    viewer = rosters.operator(school.person("student").district.id)
    assert not rosters.schools(viewer=viewer)
    assert not rosters.sections(viewer=viewer)
    assert not rosters.people(viewer=viewer)


@POSTGRESQL_IS_LONG
def test_an_operator_viewer_works_only_outside_a_request(school: Site) -> None:
    district_id = school.person("student").district.id
    before = rosters.operator(district_id)
    assert school.app
    with school.app.test_request_context():
        with pytest.raises(RuntimeError, match="only outside of a request"):
            rosters.operator(district_id)
        with pytest.raises(RuntimeError, match="only outside of a request"):
            rosters.schools(viewer=before)
    assert ids(rosters.schools(viewer=before)) == {"a1", "a2"}
    assert ids(rosters.schools(viewer=rosters.operator("districtb"))) == {"b1"}
    assert not rosters.people(viewer=rosters.operator("nowhere"))


@pytest.mark.parametrize("change", ["archived", "role_lost", "gone"])
@POSTGRESQL_IS_LONG
def test_a_named_viewer_without_an_active_role_sees_nothing(school: Site, change: str) -> None:
    viewers = [viewer_named(school, name) for name in ROLES_BY_LOGIN]
    with database_session(school) as session:
        for viewer in viewers:
            person = session.get_one(Person, viewer.viewer_id)
            if change == "archived":
                person.archived_at = LONG_AGO
            elif change == "role_lost":
                person.roles = ["contact"]
            else:
                for table in (Enrollment, RoleAssignment):
                    session.execute(delete(table).where(table.person_id == person.id))
                session.delete(person)
    for viewer in viewers:
        assert not rosters.sections(viewer=viewer)
        assert not rosters.schools(viewer=viewer)
        assert not rosters.people(viewer=viewer)
        with pytest.raises(rosters.NotVisible):
            rosters.section("section-own", viewer=viewer)
    for invalid_id in ("", "x\0", "x" * 65):
        with pytest.raises(ValueError, match="viewer's id"):
            rosters.viewer(invalid_id, Role.STUDENT)
    with pytest.raises(ValueError, match="contact"):
        rosters.viewer("x", "contact")  # type: ignore[arg-type]


def test_a_clever_library_teacher_sees_their_students_from_any_district(school: Site) -> None:
    with database_session(school) as session:
        session.add(Section(id="section-shared", name="Shared"))
        add_person(session, "Library", "library", "a", [TEACHER]).district_id = None
        session.flush()
        for person, role in (("library", TEACHER), ("pupilown", STUDENT), ("pupilfar", STUDENT)):
            row = Enrollment(section_id="section-shared", person_id=f"ours-{person}", role=role)
            session.add(row)
    library = rosters.viewer("ours-library", Role.TEACHER)
    [section] = rosters.sections(viewer=library)
    assert (section.id, section.school_id, section.school) == ("section-shared", None, None)
    assert ids(rosters.students("section-shared", viewer=library)) == {"pupilown", "pupilfar"}
    assert ids(rosters.people(viewer=library)) == {"pupilown", "pupilfar", "library"}
    assert not rosters.schools(viewer=library)
    for name in ("operator", "district_admin", "school_admin", "teacher", "student"):
        with pytest.raises(rosters.NotVisible):
            rosters.section("section-shared", viewer=viewer_named(school, name))


@pytest.mark.parametrize(
    "change", [{"archived_at": LONG_AGO}, {"roles": [STUDENT]}], ids=["archived", "role lost"]
)
def test_a_clever_library_teacher_who_has_left_sees_nothing(
    school: Site, change: dict[str, Any]
) -> None:
    with database_session(school) as session:
        session.add(Section(id="section-shared", name="Shared"))
        add_person(session, "Library", "library", "a", [TEACHER]).district_id = None
        session.flush()
        for person, role in (("library", TEACHER), ("pupilown", STUDENT)):
            row = Enrollment(section_id="section-shared", person_id=f"ours-{person}", role=role)
            session.add(row)
        session.execute(update(Person).where(Person.id == "ours-library").values(change))
    library = rosters.viewer("ours-library", Role.TEACHER)
    assert not rosters.sections(viewer=library)
    assert not rosters.people(viewer=library)


def test_a_student_who_teaches_sees_each_class_in_one_role(school: Site) -> None:
    with database_session(school) as session:
        person = add_person(session, "Aide", "aide", "a", [TEACHER, STUDENT])
        session.flush()
        for section, role in (("section-own", TEACHER), ("section-other", STUDENT)):
            session.add(Enrollment(section_id=section, person_id=person.id, role=role))
    for role, section in ((Role.TEACHER, "own"), (Role.STUDENT, "other")):
        assert ids(rosters.sections(viewer=rosters.viewer("ours-aide", role))) == {section}


def test_rows_have_the_documented_fields(school: Site) -> None:
    with database_session(school) as session:
        section = session.get_one(Section, "section-own")
        for district, name in ((section.district_id, "Fall"), ("districtb", "Elsewhere")):
            term = Term(id=name, district_id=str(district), name=name)
            term.start_date, term.end_date = date(2030, 8, 1), date(2030, 12, 20)
            session.add(term)
            session.add(Course(id=name, district_id=str(district), name=f"English {name}"))
        session.flush()
        section.term_id, section.course_id, section.subject = "Fall", "Fall", "english"
        other = session.get_one(Section, "section-other")
        other.term_id, other.course_id = "Elsewhere", "Elsewhere"
    admin = viewer_named(school, "district_admin")
    assert rosters.section("section-own", viewer=admin) == rosters.Section(
        id="section-own",
        name="CanaryClassown",
        subject="english",
        grade="7",
        period="2",
        term="Fall",
        school_id="a1",
        school="CanarySchoola1",
        students=2,
        term_start=date(2030, 8, 1),
        term_end=date(2030, 12, 20),
        course="English Fall",
    )
    other_class = rosters.section("section-other", viewer=admin)
    assert (other_class.term, other_class.term_end, other_class.course) == (None, None, None)
    astray = rosters.section("section-astray", viewer=admin)  # at a school of another district
    assert (astray.school_id, astray.school) == (None, None)
    [a1] = [candidate for candidate in rosters.schools(viewer=admin) if candidate.id == "a1"]
    assert a1 == rosters.School(id="a1", name="CanarySchoola1")
    assert rosters.students("section-own", viewer=admin).rows[0] == rosters.Person(
        id="ours-pupilown",
        account_id="ours-pupilown",
        first_name="Given",
        last_name="CanaryPupilown",
        grade="7",
        roles=(Role.STUDENT,),
        email="CanaryMailPupilown@school.test",
    )


@pytest.mark.parametrize("name", VISIBLE)
@POSTGRESQL_IS_LONG
def test_students_get_no_email_address_and_everybody_else_gets_them(
    school: Site, name: str
) -> None:
    viewer = viewer_named(school, name)
    teachers = rosters.teachers("section-own", viewer=viewer)
    by_section = rosters.teachers_by_section(["section-own"], viewer=viewer)["section-own"]
    people = [*teachers, *by_section, *rosters.people(viewer=viewer)]
    assert "teacherown" in ids(people)
    for person in people:
        written = person.last_name.replace("Canary", "CanaryMail") + "@school.test"
        assert person.email == (None if name == "student" else written)


def test_account_ids_of_the_products_own_users_table_are_not_guessed(tmp_path: Path) -> None:
    def make_app(settings: Any) -> Flask:
        return make_starter(
            settings, without=("Accounts",), find_or_create=lambda identity: identity.subject
        )

    with run_roster_site(tmp_path, None, make_app=make_app) as site:
        write_roster(site)
        assert site.app
        with site.app.app_context():
            people = rosters.people(viewer=viewer_named(site, "teacher"))
        assert {person.account_id for person in people} == {None}


def add_many(site: Site, number: int) -> None:
    """Add this many schools, sections of the teacher, and students of section-own."""
    with database_session(site) as session:
        own = session.get_one(School, "a1").district_id
        for place in range(number):
            session.add(School(id=f"s{place}", district_id=own, name=f"School {place}"))
            section = Section(id=f"c{place}", district_id=own, school_id="a1", name="Class")
            session.add(section)
            add_person(session, f"One{place}", f"one{place}", "a", [STUDENT], "a1")
            for section_id, person, role in (
                (f"c{place}", "teacher", TEACHER),
                ("section-own", f"one{place}", STUDENT),
            ):
                row = Enrollment(section_id=section_id, person_id=f"ours-{person}", role=role)
                session.add(row)


def lists_of(viewer: rosters.Viewer) -> dict[str, Callable[..., rosters.Page[Any]]]:
    return {
        "sections": lambda **page: rosters.sections(viewer=viewer, **page),
        "schools": lambda **page: rosters.schools(viewer=viewer, **page),
        "people": lambda **page: rosters.people(viewer=viewer, **page),
        "students": lambda **page: rosters.students("section-own", viewer=viewer, **page),
    }


def test_each_list_has_pages_with_every_row_once(school: Site) -> None:
    add_many(school, 210)
    for name, read in lists_of(viewer_named(school, "operator")).items():
        first = read()
        assert (len(first), first.page, first.size) == (50, 1, 50), name
        assert first.pages == -(-first.total // 50) == 5, name
        row_ids = [row.id for page in range(1, 6) for row in read(page=page)]
        assert len(row_ids) == len(set(row_ids)) == first.total > 210, name
        assert [row.id for row in read(page=99)] == [row.id for row in read(page=5)], name
        assert read(page=99).page == 5, name
        assert read(page=-1).rows == read(page=0).rows == first.rows, name
        assert (len(read(size=1000)), read(size=1000).size, read(size=1000).pages) == (200, 200, 2)
        assert (len(read(size=-3)), read(size=0).pages) == (1, first.total), name
        assert (len(read(size=7, page=2)), read(size=7, page=2).page) == (7, 2), name


def test_an_exactly_full_page_is_the_last_and_an_empty_list_has_one_page(school: Site) -> None:
    teacher = lists_of(viewer_named(school, "teacher"))
    full = teacher["students"](size=2)
    assert (len(full), full.total, full.pages) == (2, 2, 1)
    empty = teacher["schools"](page=3)
    assert ([*empty], empty.total, empty.page, empty.pages) == ([], 0, 1, 1)


def test_a_search_matches_the_start_of_a_name_in_any_case_and_takes_it_literally(
    school: Site,
) -> None:
    names = {"%Ada": "Zed", "_Bob": "Zed", "/Cy": "O'Neil", "Zoë": "Ñandú", "Éva": "Sz/_%\\x"}
    with database_session(school) as session:
        for place, (first, last) in enumerate(names.items()):
            person = add_person(session, f"n{place}", f"n{place}", "a", [STUDENT], "a1")
            person.first_name, person.last_name = first, last
    operator = viewer_named(school, "operator")

    def find_first_names(search: str) -> set[str]:
        return {person.first_name for person in rosters.people(search=search, viewer=operator)}

    for search, expected in {
        "%": {"%Ada"},
        "_": {"_Bob"},
        "/": {"/Cy"},
        "zed": {"%Ada", "_Bob"},
        "ZE": {"%Ada", "_Bob"},
        "z%": set(),
        "o'n": {"/Cy"},
        "zoë": {"Zoë"},
        "ñAN": {"Zoë"},
        "Ñ": {"Zoë"},
        "é": {"Éva"},
        "sz/_%\\": {"Éva"},
        "ed": set(),
        "%ada%": set(),
        " zed ": {"%Ada", "_Bob"},
        "ze\0d\ud800": {"%Ada", "_Bob"},
        "gIVEN": {"Given"},
    }.items():
        assert find_first_names(search) == expected, search
    assert rosters.people(search="zed", viewer=operator).total == 2
    assert len(rosters.people(search="", viewer=operator)) == len(DISTRICT_A) + len(names)


def test_a_role_filter_with_a_school_means_that_role_at_that_school(school: Site) -> None:
    with database_session(school) as session:
        person = add_person(session, "Both", "both", "a", [TEACHER, STAFF])
        session.add(RoleAssignment(person_id=person.id, school_id="a1", role=TEACHER))
        session.add(RoleAssignment(person_id=person.id, school_id="a2", role=STAFF))
    admin = viewer_named(school, "district_admin")

    def people_at(school_id: str, role: Role) -> set[str]:
        return ids(rosters.people(school=school_id, role=role, viewer=admin))

    assert people_at("a1", Role.STAFF) == {"school_admin"}
    assert people_at("a2", Role.STAFF) == {"both"}
    assert people_at("a2", Role.TEACHER) == {"teachernext"}
    assert "both" in people_at("a1", Role.TEACHER)
    assert ids(rosters.people(role=Role(ADMIN), viewer=admin)) == {"district_admin"}


def test_a_wrong_role_at_a_school_shows_its_staff_nobody_of_another_district(school: Site) -> None:
    staff = viewer_named(school, "school_admin")
    before = ids(rosters.people(viewer=staff))
    with database_session(school) as session:
        session.add(RoleAssignment(person_id="ours-pupilfar", school_id="a1", role="student"))
    assert ids(rosters.people(viewer=staff)) == before


@pytest.mark.parametrize("user_name", ["teacher", "school_admin", "district_admin"])
def test_more_rows_need_no_more_sql_statements(school: Site, user_name: str) -> None:
    visitor = by_button(school, user_name)
    questions: list[dict[str, str]] = [
        {"function": "sections"},
        {"function": "sections", "school": "a1"},
        {"function": "schools"},
        {"function": "students", "section_id": "section-own"},
        {"function": "teachers", "section_id": "section-own"},
        {"function": "people", "search": "Given", "school": "a1"},
    ]

    def count() -> list[int]:
        counts = []
        for question in questions:
            ask(visitor, **question)  # warm up what happens only once
            with record_statements(school) as statements:
                assert ask(visitor, **question) != 404
            counts.append(len(statements))
        return counts

    few = count()
    add_many(school, 60)
    assert count() == few
    assert max(few) <= 3


def test_the_example_in_the_docs_behaves_as_described(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.S)
    [example] = [block for block in blocks if "rosters.section(" in block]
    (tmp_path / "reports.py").write_text(example)
    names = runpy.run_path(str(tmp_path / "reports.py"))

    def extend(app: Flask) -> None:
        app.register_blueprint(names["bp"])

    with run_roster_site(tmp_path, None, extend=extend) as site:
        write_roster(site)
        teacher = by_button(site, "teacher")
        report = teacher.http.get(f"{site.url}/reports/section-own").json()
        assert report["name"] == "CanaryClassown"
        assert len(report["students"]) == 2
        assert teacher.http.get(f"{site.url}/reports/section-other").status_code == 404
        add_many(site, 201)
        assert site.app
        with site.app.app_context():
            sections = list(names["every_section"](site.person("student").district.id))
        assert len(ids(sections)) == len(sections) == 205


def test_every_public_name_exists_and_no_module_hides_a_function() -> None:
    from clever_login.rosters import page_data, views

    assert page_data
    assert views
    for name in rosters.__all__:
        assert callable(getattr(rosters, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rosters.nothing
