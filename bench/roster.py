"""What a sync leaves: pupils in six classes each, so that the dashboards have something to show."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, insert
from sqlalchemy.orm import Session

from bench import answers
from clever_login.models import Role
from clever_login.school.tables import Base, District, Enrolment, Person, School, Section

PUPILS = 100  # those with the lowest numbers, who have been here before
PERIODS, SEATS = 6, 25
SUBJECTS = ("math", "science", "english/language arts", "social studies", "pe and health", None)


def keep(postgres_url: str) -> None:
    """Write it into a database that has the tables."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:", 1))
    try:
        _keep(engine)
    finally:
        engine.dispose()


def _keep(engine: Engine) -> None:
    district, school = answers.district_of(0), answers.school_of(0)
    rows: dict[type[Base], list[dict[str, object]]] = {
        District: [{"id": district, "name": "A District of Samples", "connected": True}],
        School: [{"id": school, "district_id": district, "name": "School 0"}],
        Section: [],
        Person: [],
        Enrolment: [],
    }
    for number in range(PUPILS):
        pupil = _person(f"pupil{number}", Role.STUDENT, answers.pupil_id(number), district)
        rows[Person].append(pupil)
        for period in range(PERIODS):
            section = f"c{number // SEATS:011d}{period:012d}"
            rows[Enrolment].append(_seat(section, pupil["id"], Role.STUDENT))
            if number % SEATS:
                continue
            teacher = _person(f"teacher-{section}"[-32:], Role.TEACHER, f"t{section}", district)
            rows[Person].append(teacher)
            rows[Enrolment].append(_seat(section, teacher["id"], Role.TEACHER))
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
        for table, each in rows.items():
            session.execute(insert(table), each)


def _person(key: str, role: Role, clever_id: str, district: str) -> dict[str, object]:
    return {
        "id": key,
        "provider": "clever",
        "clever_id": clever_id,
        "district_id": district,
        "roles": [role.value],
        "first_name": "Dana",
        "last_name": "Sample",
    }


def _seat(section: str, person: object, role: Role) -> dict[str, object]:
    return {"section_id": section, "person_id": person, "role": role.value}
