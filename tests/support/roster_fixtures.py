"""A roster written row by row: the users who log in, and canary records around them.

The name of everything that a user must not see begins with Canary. Searching a response for these
names shows what it leaks.
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

from clever_login.clever.models import Role
from clever_login.db import migrate
from clever_login.db.database import database
from clever_login.db.models import (
    District,
    Enrollment,
    Person,
    RoleAssignment,
    School,
    Section,
)
from tests.support import running_app
from tests.support.running_app import Site

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SYNCED_AT = datetime(2026, 9, 1, 4, 30, tzinfo=UTC)
STUDENT, TEACHER = Role.STUDENT.value, Role.TEACHER.value
STAFF, ADMIN = Role.STAFF.value, Role.DISTRICT_ADMIN.value
# The users who log in: user name at the simulator, and roles in the database.
ROLES_BY_LOGIN = {
    "student": [STUDENT],
    "teacher": [TEACHER],
    "school_admin": [STAFF],
    "district_admin": [ADMIN],
}
DISTRICTS, DISTRICT_BY_SCHOOL = ("a", "b"), {"a1": "a", "a2": "a", "b1": "b"}
SCHOOL_BY_CLASS = {"own": "a1", "other": "a1", "next": "a2", "far": "b1"}


@contextmanager
def run_roster_site(folder: Path, database_url: str | None, **changes: Any) -> Iterator[Site]:
    """Run the app with an empty database. Without a URL it is SQLite."""
    with running_app.run_in_process(folder, database_url=database_url, **changes) as site:
        assert site.app is not None
        with site.app.app_context():
            migrate.upgrade(database().engine)
        yield site


def write_roster(site: Site) -> None:
    """Write the four users who log in to district a, and the records around them.

    The others are classmates, other classes, and another district.
    """
    with database_session(site) as session:
        _add_districts_and_schools(session, site.person("student").district.id)
        for user_name, roles in ROLES_BY_LOGIN.items():
            clever_id = site.person(user_name).id
            add_person(session, user_name, clever_id, "a", roles, "" if roles == [ADMIN] else "a1")
        for class_name, school in SCHOOL_BY_CLASS.items():
            add_person(
                session,
                f"Pupil{class_name}",
                f"pupil{class_name}",
                DISTRICT_BY_SCHOOL[school],
                [STUDENT],
                school,
            )
            add_person(
                session,
                f"Teacher{class_name}",
                f"teacher{class_name}",
                DISTRICT_BY_SCHOOL[school],
                [TEACHER],
                school,
            )
        add_person(session, "Pupilgone", "pupilgone", "a", [STUDENT], "a1", archived_at=LONG_AGO)
        add_person(session, "Pupilwrong", "pupilwrong", "b", [STUDENT], "b1")
        _add_classes(session)


@contextmanager
def database_session(site: Site) -> Iterator[Session]:
    """Open a transaction in the site's database."""
    assert site.app is not None
    with database(site.app).begin() as session:
        yield session


def find_canaries(text: str) -> set[str]:
    """Return the names in a text that begin with Canary, without that prefix."""
    return set(re.findall(r"Canary(\w+)", text))


def ids_by_name(site: Site) -> dict[str, str]:
    """Return every id in the database, Clever's and the app's, by the name of its record."""
    ids: dict[str, str] = {}
    with database_session(site) as session:
        for table in (District, School, Section):
            for name, key in session.execute(select(table.name, table.id)):
                ids[name] = key
        for person in session.scalars(select(Person)):
            ids |= {f"{person.last_name} at Clever": person.clever_id or ""}
            ids |= {person.last_name: person.id}
    return ids


def _add_districts_and_schools(session: Session, district_id: str) -> None:
    ids = {"a": district_id, "b": "districtb"}
    session.add_all(
        District(id=ids[record_id], name=f"CanaryDistrict{record_id}", synced_at=SYNCED_AT)
        for record_id in ids
    )
    session.flush()
    for school_id, district in DISTRICT_BY_SCHOOL.items():
        session.add(
            School(id=school_id, district_id=ids[district], name=f"CanarySchool{school_id}")
        )
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
    """Add a person, and a role at a school if one is given."""
    own = session.scalar(select(School.district_id).where(School.id == f"{district}1"))
    person = Person(
        id=f"ours-{name.lower()}",
        clever_id=clever_id,
        district_id=own,
        roles=roles,
        first_name="Given",
        last_name=f"Canary{name}",
        email=f"CanaryMail{name}@school.test",
        preferred_name=None if name in ROLES_BY_LOGIN else f"CanaryPreferred{name}",
        grade="7" if roles == [STUDENT] else None,
        archived_at=archived_at,
    )
    session.add(person)
    session.flush()
    if school:
        post = RoleAssignment(person_id=person.id, school_id=school, role=roles[0])
        session.add(post)
    return person


def _add_classes(session: Session) -> None:
    own = {
        school_id: session.get_one(School, school_id).district_id
        for school_id in DISTRICT_BY_SCHOOL
    }
    for class_name, school in SCHOOL_BY_CLASS.items():
        _add_section(session, class_name, own[school], school)
    _add_section(session, "old", own["a1"], "a1", archived_at=LONG_AGO)
    _add_section(session, "crossing", own["b1"], "a1")  # inconsistent rows that should not exist
    _add_section(session, "astray", own["a1"], "b1")
    for section, people in {
        "own": ["student", "pupilown", "pupilgone", "pupilwrong"],
        "other": ["pupilother"],
        "next": ["pupilnext"],
        "far": ["pupilfar"],
        "crossing": ["pupilfar"],
        "old": ["student", "pupilother"],
    }.items():
        _enroll(session, section, STUDENT, people)
    for section, people in {
        "own": ["teacher", "teacherown"],
        "other": ["teacherother"],
        "next": ["teachernext"],
        "far": ["teacherfar", "teacher", "student"],  # inconsistent rows that should not exist
        "old": ["teacher"],
    }.items():
        _enroll(session, section, TEACHER, people)


def _add_section(
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


def _enroll(session: Session, section: str, role: str, people: list[str]) -> None:
    session.add_all(
        Enrollment(section_id=f"section-{section}", person_id=f"ours-{person}", role=role)
        for person in people
    )
