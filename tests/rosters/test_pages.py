"""Tests the pages for teachers and administrators: long lists, counts, and sync problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from clever_login.db.models import District, Enrollment, RoleAssignment, School, Section
from clever_login.rosters import page_data, pagination
from clever_simulator.directory.models import School as SchoolAtClever
from tests.conftest import POSTGRESQL_IS_LONG, SiteMaker
from tests.support.account_app import make_account_app
from tests.support.browser_client import Visitor
from tests.support.expected_rows import give_first_sync, sync_site
from tests.support.login_flows import by_button
from tests.support.printed_rows import print_row
from tests.support.roster_fixtures import (
    STUDENT,
    TEACHER,
    add_person,
    database_session,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import Site

MOST_BYTES = 30_000  # of a page with up to 50 rows, as transferred
LONG_LISTS = {
    "teacher": ("/dashboard", "/classes/section-own"),
    "school_admin": ("/dashboard", "/schools/a1", "/classes/section-own"),
    "district_admin": ("/district", "/schools/a1", "/classes/section-own"),
}


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    with run_roster_site(tmp_path, database_url) as site:
        write_roster(site)
        yield site


def add_many(session: Session, number: int) -> None:
    """Add this many schools, sections of one teacher and school, and students of one section."""
    own = session.get_one(School, "a1").district_id
    for place in range(number):
        session.add(School(id=f"s{place}", district_id=own, name=f"School {place}"))
        session.add(Section(id=f"c{place}", district_id=own, school_id="a1", name=f"Class {place}"))
        add_person(session, f"One{place}", f"one{place}", "a", [STUDENT], "a1")
        session.add(Enrollment(section_id=f"c{place}", person_id="ours-teacher", role=TEACHER))
        session.add(
            Enrollment(section_id="section-own", person_id=f"ours-one{place}", role=STUDENT)
        )
        post = RoleAssignment(person_id="ours-school_admin", school_id=f"s{place}", role="staff")
        session.add(post)


def names_in_list(visitor: Visitor) -> list[str]:
    """Return the names in a list, in order."""
    links = visitor.page.select("section .rows a, .class-card strong, tbody th bdi")
    return [link.get_text() for link in links]


def chart_values(visitor: Visitor) -> dict[str, int]:
    """Return the values of a page's bar chart, by grade."""
    names, values = (
        [label.get_text() for label in visitor.page.select(f".plot .{name}")]
        for name in ("bar-name", "bar-value")
    )
    return dict(zip(names, map(int, values), strict=True))


@pytest.mark.parametrize("user_name", LONG_LISTS)
def test_a_long_list_is_paged_in_order_with_each_row_once_on_small_pages(
    school: Site, user_name: str
) -> None:
    with database_session(school) as session:
        add_many(session, 120)
    visitor = by_button(school, user_name)
    for path in LONG_LISTS[user_name]:
        visitor.open(path)
        all_names: list[str] = []
        links = [str(link["href"]) for link in visitor.page.select(".pages a[href^='?page=']")]
        numbers = [link for link in links if link != "?page=all"]
        assert numbers == ["?page=1", "?page=2", "?page=3"], path
        for link in numbers:
            visitor.open(path + link)
            current = visitor.page.select_one(".pages [aria-current=page]")
            assert current
            assert current["href"] == link
            names = names_in_list(visitor)
            total = visitor.text.partition(
                f"{len(all_names) + 1} to {len(all_names) + len(names)} of "
            )[2]
            assert total, f"{path}{link} does not say which rows it has"
            assert int(visitor.response.headers["Content-Length"]) < MOST_BYTES
            all_names += names
        assert len(all_names) == len(set(all_names)) == int(total.split()[0]) > 120, path
        ordered = [name for name in all_names if name.split()[0] in {"School", "Class"}]
        assert ordered == sorted(ordered, key=lambda name: int(name.split()[1]))


@POSTGRESQL_IS_LONG
def test_only_a_class_list_can_be_shown_in_full_for_printing(
    school: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_session(school) as session:
        add_many(session, 120)
    teacher = (
        by_button(school, "teacher").open("/classes/section-own").click("Whole list, to print")
    )
    assert len(teacher.page.select(".table tbody tr")) == 122
    for rows_per_query in (61, 60, 122, 123):  # the list is read in such parts
        monkeypatch.setattr(page_data, "MAX_PAGE_SIZE", rows_per_query)
        assert len(teacher.open(f"{teacher.path}?page=all").page.select(".table tbody tr")) == 122
    assert len(names_in_list(by_button(school, "school_admin").open("/schools/a1?page=all"))) == 50


@POSTGRESQL_IS_LONG
def test_a_very_long_class_list_is_shown_in_pages_only(
    school: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no request makes the app read and write thousands of rows."""
    with database_session(school) as session:
        add_many(session, 120)
    teacher = by_button(school, "teacher")
    monkeypatch.setattr(pagination, "MAX_PRINTED_ROWS", 122)
    assert len(names_in_list(teacher.open("/classes/section-own?page=all"))) == 122
    monkeypatch.setattr(pagination, "MAX_PRINTED_ROWS", 121)
    assert len(names_in_list(teacher.open("/classes/section-own?page=all"))) == 50
    assert "Whole list, to print" not in teacher.text


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_of_a_school_of_5000_students_is_large(school: Site) -> None:
    with database_session(school) as session:
        for place in range(5000):
            add_person(session, f"One{place}", f"one{place}", "a", [STUDENT], "a1")
            person = f"ours-one{place}"
            session.add(Enrollment(section_id="section-own", person_id=person, role=STUDENT))
    sizes = {}
    for user_name, paths in LONG_LISTS.items():
        visitor = by_button(school, user_name)
        for target in (
            f"{path}?page={page}" for path in paths for page in ("all", "9" * 11, "101")
        ):
            assert visitor.open(target).response.status_code == 200
            sizes[target] = int(visitor.response.headers["Content-Length"])
    print_row("pages of a school of 5,000 students", f"{max(sizes.values()):,} bytes at most")
    assert max(sizes.values()) < MOST_BYTES


@POSTGRESQL_IS_LONG
def test_a_page_number_out_of_range_shows_the_nearest_page(school: Site) -> None:
    with database_session(school) as session:
        add_many(session, 60)
    teacher = by_button(school, "teacher")
    for page in ("0", "-1", "x", "", "9" * 11, "9" * 5000, "1.5", "%00", "２"):
        assert len(names_in_list(teacher.open(f"/classes/section-own?page={page}"))) == 50, page
    assert len(names_in_list(teacher.open("/classes/section-own?page=99"))) == 12


def by_grade(site: Site, school: SchoolAtClever | None = None) -> dict[str, int]:
    """Return how many students Clever has in each grade, with the page's names for grades."""
    people = site.clever.people.people_of(site.person("district_admin").district)
    posts = [
        post for person in people for post in person.role_assignments if post.role == "student"
    ]
    counts = Counter(post.grade for post in posts if school is None or school in post.schools)
    names = {"Kindergarten": "K", "": "Other"}
    return {names.get(grade, grade): number for grade, number in counts.items()}


def test_the_grade_chart_the_table_and_clever_agree(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    give_first_sync(site)
    admin = by_button(site, "district_admin")
    assert chart_values(admin) == by_grade(site)
    admin.click("See all schools")
    assert chart_values(admin) == by_grade(site)
    [total] = [
        figure.dd for figure in admin.page.select(".figures div") if "Students" in figure.text
    ]
    assert total
    assert int(total.get_text()) == sum(by_grade(site).values())
    cells = [
        (row.th.get_text(), int(row.td.get_text()))
        for row in admin.page.select("details .table tbody tr")
        if row.th and row.td
    ]
    labels = {"K": "Kindergarten", "Other": "Other"}
    assert cells == [
        (labels.get(name, f"Grade {name}"), number) for name, number in chart_values(admin).items()
    ]
    fullest = max(chart_values(admin).values())
    widths = [str(bar["width"]) for bar in admin.page.select(".plot .bar")]
    assert widths == [f"{round(100 * value / fullest)}%" for value in chart_values(admin).values()]
    staff = by_button(site, "school_admin")
    [own] = site.person("school_admin").schools
    assert chart_values(staff) == by_grade(site, own)
    assert chart_values(staff.click(own.name)) == by_grade(site, own)


def test_grades_are_in_school_order_and_unknown_grades_count_as_other(school: Site) -> None:
    odd = ("Other", "12", "13", "PreKindergarten", "2", "10", "Kindergarten", "Klasse 5", None)
    with database_session(school) as session:
        for place, grade in enumerate(odd):
            add_person(session, f"G{place}", f"g{place}", "a", [STUDENT], "a1").grade = grade
    names = list(chart_values(by_button(school, "district_admin")))
    assert names == ["Pre-K", "K", "2", "7", "10", "12", "13", "Other"]
    assert chart_values(by_button(school, "school_admin"))["Other"] == 3


LONG_AGO = datetime.now(UTC) - timedelta(days=2)
TROUBLES: dict[str, dict[str, object]] = {
    "data has an error that your district can fix": {"state": "pending"},
    "The <i>SIS</i> is empty": {"state": "pending", "error": "The <i>SIS</i> is empty"},
    "The <b>SIS</b> is empty": {"state": "error", "error": "The <b>SIS</b> is empty"},
    "Clever has a problem with": {"state": "error"},
    "The <u>SIS</u> is slow": {"error": "The <u>SIS</u> is slow"},
    "Removals are waiting for you to confirm": {"problem": "too_many"},
    "Clever no longer lets this app read": {"problem": "token"},
    "Your district shares no lists": {"problem": "no_rosters"},
    "No lists have come from Clever yet": {"synced_at": None},
    "The lists are more than a day old": {"synced_at": LONG_AGO},
}
FOR_A_SCHOOL = {
    "The lists are up to date",
    "No lists have come from Clever yet",
    "The lists are more than a day old",
}


@POSTGRESQL_IS_LONG
def test_administrators_see_why_rosters_are_outdated_and_what_to_do(
    school: Site,
) -> None:
    healthy = {"state": "running", "error": None, "problem": None}
    admin, staff = by_button(school, "district_admin"), by_button(school, "school_admin")
    teacher = by_button(school, "teacher")
    for words, trouble in {"The lists are up to date": {}, **TROUBLES}.items():
        with database_session(school) as session:
            values = {**healthy, "synced_at": datetime.now(UTC), **trouble}
            session.execute(update(District).values(values))
        for path in ("/dashboard", "/district"):
            assert words in admin.open(path).text
            assert len(admin.page.select(".notice.bad")) == bool(trouble), words
        notices = staff.open("/dashboard").page.select(".notice.bad")
        assert len(notices) == bool(trouble), words
        assert (words in staff.text) == (words in FOR_A_SCHOOL), words
        assert ("waiting for your district" in staff.text) == (trouble.get("problem") == "too_many")
        assert "SIS" not in staff.text
        assert not teacher.open("/dashboard").page.select(".notice.bad")


@POSTGRESQL_IS_LONG
def test_a_sync_time_in_the_future_is_never_shown(school: Site) -> None:
    with database_session(school) as session:
        session.execute(update(District).values(synced_at=datetime.now(UTC) + timedelta(minutes=2)))
    assert "Last synced 1 minute ago" in by_button(school, "district_admin").open("/district").text


@POSTGRESQL_IS_LONG
def test_administrators_see_that_a_district_is_paused(school: Site) -> None:
    admin, staff = by_button(school, "district_admin"), by_button(school, "school_admin")
    for synced_at, problems in ((datetime.now(UTC), 0), (LONG_AGO, 1)):
        with database_session(school) as session:
            session.execute(update(District).values(state="paused", synced_at=synced_at))
        for visitor in (admin, staff):
            text = visitor.open("/dashboard").text
            assert "Your district is paused in Clever" in text
            assert "as they were last school year" in text
            assert "The lists are up to date" not in text
            assert len(visitor.page.select(".notice.bad")) == problems


@POSTGRESQL_IS_LONG
def test_only_a_future_launch_date_is_shown(school: Site) -> None:
    admin, day = by_button(school, "district_admin"), datetime.now(UTC).date()
    for days, is_shown in ((-1, False), (0, False), (400, True)):
        with database_session(school) as session:
            session.execute(update(District).values(launch_date=day + timedelta(days=days)))
        assert ("People can log in from" in admin.open("/dashboard").text) == is_shown
    assert str((day + timedelta(days=400)).year) in admin.text


@POSTGRESQL_IS_LONG
def test_two_sync_problems_are_both_shown(school: Site) -> None:
    with database_session(school) as session:
        session.execute(update(District).values(synced_at=LONG_AGO, state="error"))
    admin = by_button(school, "district_admin")
    headings = [heading.get_text() for heading in admin.page.select(".notice.bad h3")]
    assert len(headings) == 2
    assert headings[0] == "The lists are more than a day old"


def headings_after_a_sync(site: Site, *words: str) -> list[str]:
    """Sync, and return the headings of the problems that the district administrator sees."""
    sync_site(site, *words)
    page = by_button(site, "district_admin").page
    return [heading.get_text() for heading in page.select(".notice.bad h3")]


@POSTGRESQL_IS_LONG
def test_a_sync_records_its_problem_and_a_later_successful_sync_clears_it(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url)
    assert headings_after_a_sync(site) == []
    students = [person for person in site.clever.people.people if person.roles == ("student",)]
    own = site.person("district_admin").district
    for student in [student for student in students if student.district == own][:20]:
        site.clever.change_roster("unshared", student.id)
    assert headings_after_a_sync(site) == ["Removals are waiting for you to confirm"]
    assert headings_after_a_sync(site, "--district", own.id, "--yes") == []
    site.clever.add_fault("events", status=401, times=0)
    assert headings_after_a_sync(site) == ["Clever no longer lets this app read your lists"]
    site.clever.clear_faults()
    assert headings_after_a_sync(site) == []


@POSTGRESQL_IS_LONG
def test_administrators_see_that_their_district_has_no_secure_sync(
    make_site: SiteMaker, database_url: str | None
) -> None:
    site = make_account_app(make_site, database_url, clever_client_id="simulator-sso")
    by_button(site, "district_admin")
    assert headings_after_a_sync(site) == ["Your district shares no lists with this app"]


def test_a_student_at_two_schools_is_counted_once_in_the_grades_of_both(school: Site) -> None:
    with database_session(school) as session:
        session.add(RoleAssignment(person_id="ours-school_admin", school_id="a2", role="staff"))
    staff = by_button(school, "school_admin")
    before = chart_values(staff)
    with database_session(school) as session:
        session.add(RoleAssignment(person_id="ours-pupilown", school_id="a2", role=STUDENT))
    assert chart_values(staff.open("/dashboard")) == before
    assert chart_values(staff.open("/schools/a2")) == {"7": 2}


def test_a_school_that_is_archived_is_named_on_no_page_of_a_class(school: Site) -> None:
    teacher = by_button(school, "teacher").open("/classes/section-own")
    assert "CanarySchoola1" in teacher.text
    with database_session(school) as session:
        session.get_one(School, "a1").archived_at = LONG_AGO
    for path in ("/classes/section-own", "/dashboard"):
        assert "CanaryClassown" in teacher.open(path).text
        main = teacher.page.find("main")
        assert main
        assert "CanarySchoola1" not in main.get_text()


@pytest.mark.parametrize(
    ("language", "singular", "plural"),
    [("en", "1 student", "2 students"), ("es", "1 estudiante", "2 estudiantes")],
)
@POSTGRESQL_IS_LONG
def test_one_student_is_shown_in_the_singular(
    school: Site, language: str, singular: str, plural: str
) -> None:
    admin = by_button(school, "district_admin").open(f"/language/{language}")
    assert singular in admin.open("/schools/a2").text
    assert f"{singular}s" not in admin.text
    assert plural in admin.open("/schools/a1").text
