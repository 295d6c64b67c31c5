"""Seeds the result of a sync, six classes per student, so that dashboards have content."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, insert
from sqlalchemy.orm import Session

from bench.fake_clever import responses
from clever_login.clever.models import Role
from clever_login.db.models import Base, District, Enrollment, Person, School, Section

STUDENT_COUNT = 100  # the lowest numbers; these students have logged in before
PERIOD_COUNT, CLASS_SIZE = 6, 25
SUBJECTS = ("math", "science", "english/language arts", "social studies", "pe and health", None)


def seed_database(postgres_url: str) -> None:
    """Writes the rosters into a database that has the tables."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:", 1))
    try:
        _insert_rows(engine)
    finally:
        engine.dispose()


def _insert_rows(engine: Engine) -> None:
    district, school = responses.make_district_id(0), responses.make_school_id(0)
    rows: dict[type[Base], list[dict[str, object]]] = {
        District: [{"id": district, "name": "A District of Samples", "connected": True}],
        School: [{"id": school, "district_id": district, "name": "School 0"}],
        Section: [],
        Person: [],
        Enrollment: [],
    }
    for number in range(STUDENT_COUNT):
        pupil = _person_row(
            f"pupil{number}", Role.STUDENT, responses.make_student_id(number), district
        )
        rows[Person].append(pupil)
        for period in range(PERIOD_COUNT):
            section = f"c{number // CLASS_SIZE:011d}{period:012d}"
            rows[Enrollment].append(_enrollment_row(section, pupil["id"], Role.STUDENT))
            if number % CLASS_SIZE:
                continue
            teacher = _person_row(f"teacher-{section}"[-32:], Role.TEACHER, f"t{section}", district)
            rows[Person].append(teacher)
            rows[Enrollment].append(_enrollment_row(section, teacher["id"], Role.TEACHER))
            rows[Section].append(
                {
                    "id": section,
                    "district_id": district,
                    "school_id": school,
                    "name": f"Class {period + 1}",
                    "subject": SUBJECTS[period],
                    "period": str(period + 1),
                }
            )
    with Session(engine) as session, session.begin():
        for table, table_rows in rows.items():
            session.execute(insert(table), table_rows)


def _person_row(key: str, role: Role, clever_id: str, district: str) -> dict[str, object]:
    return {
        "id": key,
        "provider": "clever",
        "clever_id": clever_id,
        "district_id": district,
        "roles": [role.value],
        "first_name": "Dana",
        "last_name": "Sample",
    }


def _enrollment_row(section: str, person: object, role: Role) -> dict[str, object]:
    return {"section_id": section, "person_id": person, "role": role.value}
