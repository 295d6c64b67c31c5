"""A school in the store, written row by row: who logs in, and canaries around them.

The name of each thing that somebody must not see begins with Canary, so that an answer shows by
itself what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clever_login.models import Role
from clever_login.school import migrate
from clever_login.school.database import database
from clever_login.school.tables import District, Enrolment, Person, PersonSchool, School, Section
from tests import sites
from tests.sites import Site

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SYNCED = datetime(2026, 9, 1, 4, 30, tzinfo=UTC)
STUDENT, TEACHER = Role.STUDENT.value, Role.TEACHER.value
STAFF, ADMIN = Role.STAFF.value, Role.DISTRICT_ADMIN.value
# Who logs in, by the user name at the simulator, and what they are in the store.
LOGINS = {
    "student": [STUDENT],
    "teacher": [TEACHER],
    "school_admin": [STAFF],
    "district_admin": [ADMIN],
}
DISTRICTS, SCHOOLS = ("a", "b"), {"a1": "a", "a2": "a", "b1": "b"}
CLASSES = {"own": "a1", "other": "a1", "next": "a2", "far": "b1"}


@contextmanager
def school_site(folder: Path, database_url: str | None, **changes: Any) -> Iterator[Site]:
    """The app with an empty store: SQLite without an URL."""
    with sites.in_process(folder, database_url=database_url, **changes) as site:
        assert site.app is not None
        with site.app.app_context():
            migrate.upgrade(database().engine)
        yield site


def write_a_school(site: Site) -> None:
    """Four people who log in, in district a; classmates, other classes, another district."""
    with rows(site) as session:
        _places(session, site.person("student").district.id)
        for user_name, roles in LOGINS.items():
            clever_id = site.person(user_name).id
            add_person(session, user_name, clever_id, "a", roles, "" if roles == [ADMIN] else "a1")
        for each, school in CLASSES.items():
            add_person(session, f"Pupil{each}", f"pupil{each}", SCHOOLS[school], [STUDENT], school)
            add_person(
                session, f"Teacher{each}", f"teacher{each}", SCHOOLS[school], [TEACHER], school
            )
        add_person(session, "Pupilgone", "pupilgone", "a", [STUDENT], "a1", archived_at=LONG_AGO)
        add_person(session, "Pupilwrong", "pupilwrong", "b", [STUDENT], "b1")
        _classes(session)


@contextmanager
def rows(site: Site) -> Iterator[Session]:
    """A transaction in the site's store."""
    assert site.app is not None
    with database(site.app).begin() as session:
        yield session


def canaries(text: str) -> set[str]:
    """Which of the names that begin with Canary are in a text."""
    return set(re.findall(r"Canary(\w+)", text))


def every_id(site: Site) -> dict[str, str]:
    """Every id in the store by the name of what it is of, Clever's ids and ours."""
    found: dict[str, str] = {}
    with rows(site) as session:
        for table in (District, School, Section):
            for name, key in session.execute(select(table.name, table.id)):
                found[name] = key
        for person in session.scalars(select(Person)):
            found |= {f"{person.last_name} at Clever": person.clever_id or ""}
            found |= {person.last_name: person.id}
    return found


def _places(session: Session, district_id: str) -> None:
    ids = {"a": district_id, "b": "districtb"}
    session.add_all(
        District(id=ids[each], name=f"CanaryDistrict{each}", synced_at=SYNCED) for each in ids
    )
    session.flush()
    for each, district in SCHOOLS.items():
        session.add(School(id=each, district_id=ids[district], name=f"CanarySchool{each}"))
    session.add(
        School(id="a0", district_id=district_id, name="CanarySchoola0", archived_at=LONG_AGO)
    )
    session.flush()


def add_person(
    session: Session,
    name: str,
    clever_id: str,
    district: str,
    roles: list[str],
    school: str = "",
    archived_at: datetime | None = None,
) -> Person:
    """Add somebody, in a school where one is named."""
    own = session.scalar(select(School.district_id).where(School.id == f"{district}1"))
    person = Person(
        id=f"ours-{name.lower()}",
        clever_id=clever_id,
        district_id=own,
        roles=roles,
        first_name="Given",
        last_name=f"Canary{name}",
        email=f"CanaryMail{name}@school.test",
        preferred_name=None if name in LOGINS else f"CanaryPreferred{name}",
        grade="7" if roles == [STUDENT] else None,
        archived_at=archived_at,
    )
    session.add(person)
    session.flush()
    if school:
        post = PersonSchool(person_id=person.id, school_id=school, role=roles[0])
        session.add(post)
    return person


def _classes(session: Session) -> None:
    own = {each: session.get_one(School, each).district_id for each in SCHOOLS}
    for each, school in CLASSES.items():
        _section(session, each, own[school], school)
    _section(session, "old", own["a1"], "a1", archived_at=LONG_AGO)
    _section(session, "crossing", own["b1"], "a1")  # rows that should not be there
    _section(session, "astray", own["a1"], "b1")
    for section, people in {
        "own": ["student", "pupilown", "pupilgone", "pupilwrong"],
        "other": ["pupilother"],
        "next": ["pupilnext"],
        "far": ["pupilfar"],
        "crossing": ["pupilfar"],
        "old": ["student", "pupilother"],
    }.items():
        _enrol(session, section, STUDENT, people)
    for section, people in {
        "own": ["teacher", "teacherown"],
        "other": ["teacherother"],
        "next": ["teachernext"],
        "far": ["teacherfar", "teacher", "student"],  # rows that should not be there
        "old": ["teacher"],
    }.items():
        _enrol(session, section, TEACHER, people)


def _section(
    session: Session,
    name: str,
    district_id: str,
    school_id: str,
    archived_at: datetime | None = None,
) -> None:
    session.add(
        Section(
            id=f"section-{name}",
            name=f"CanaryClass{name}",
            district_id=district_id,
            school_id=school_id,
            period="2",
            grade="7",
            archived_at=archived_at,
        )
    )
    session.flush()


def _enrol(session: Session, section: str, role: str, people: list[str]) -> None:
    session.add_all(
        Enrolment(section_id=f"section-{section}", person_id=f"ours-{each}", role=role)
        for each in people
    )
