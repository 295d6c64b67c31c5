"""A district from the CSV files that districts upload to Clever, and that its sandboxes are of."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from clever_simulator import csv_records, csv_values
from clever_simulator.csv_files import Row, each_once, read
from clever_simulator.csv_people import KINDS, People
from clever_simulator.directory import Directory
from clever_simulator.ids import made_id
from clever_simulator.lookup import in_order
from clever_simulator.people import District, Person, School, Section

BUTTONS = 3  # so many people of each role get a button on the log-in page
TEACHERS = ("Teacher_id", *(f"Teacher_{number}_id" for number in range(2, 11)))


def directory(seed: int, path: Path) -> Directory:
    """The district of a folder or zip; raises DataError with a sentence, a file and a line."""
    rows, district = read(path), _district(seed, path)
    schools = _schools(seed, district, rows["schools.csv"])
    people = People(seed, district, rows, schools)
    return Directory(
        districts=(district,),
        schools=tuple(schools.values()),
        people=tuple(people.everybody),
        sections=tuple(_sections(seed, rows, schools, people)),
        named_people=tuple(_with_buttons(people.everybody)),
    )


def _district(seed: int, path: Path) -> District:
    name = path.resolve().stem
    shortname = "demo-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data")
    # Clever's sandbox districts are known by this sign.
    return District(
        id=made_id(seed, "district", shortname), name=f"#DEMO {name}", shortname=shortname
    )


def _schools(seed: int, district: District, rows: list[Row]) -> dict[str, School]:
    return {
        school_id: School(
            id=made_id(seed, district.shortname, "school", school_id),
            district=district,
            name=row.get("School_name"),
            number=row.get("School_number") or school_id,
            low_grade=csv_values.grade(row.get("Low_grade")),
            high_grade=csv_values.grade(row.get("High_grade")),
            facts=csv_records.school(row),
        )
        for school_id, row in each_once(rows, "School_id").items()
    }


def _sections(
    seed: int, rows: dict[str, list[Row]], schools: dict[str, School], people: People
) -> Iterator[Section]:
    """The sections that somebody attends: Clever has no others."""
    lines = each_once(rows["sections.csv"], "Section_id")
    students = _students(rows["enrollments.csv"], lines, schools, people)
    for section_id, row in lines.items():
        school = row.refers_to("School_id", schools)
        teachers = [
            row.refers_to(column, people.by_id["teacher"]) for column in TEACHERS if row.get(column)
        ]
        if section_id in students:
            own_id = made_id(seed, school.district.shortname, "section", section_id)
            yield _section(own_id, row, school, teachers, students[section_id])


def _students(
    rows: list[Row], sections: dict[str, Row], schools: dict[str, School], people: People
) -> dict[str, tuple[Person, ...]]:
    found: dict[str, dict[str, Person]] = {}
    for row in rows:
        row.refers_to("School_id", schools)
        row.refers_to("Section_id", sections)
        student = row.refers_to("Student_id", people.by_id["student"])
        found.setdefault(row.get("Section_id"), {})[student.id] = student
    return {section_id: in_order(here.values()) for section_id, here in found.items()}


def _section(
    own_id: str, row: Row, school: School, teachers: list[Person], students: tuple[Person, ...]
) -> Section:
    number = row.get("Section_number") or row.get("Section_id")
    return Section(
        id=own_id,
        school=school,
        name=row.get("Name") or row.get("Course_name") or f"Section {number}",
        subject=csv_values.subject(row.get("Subject")),
        grade=csv_values.grade(row.get("Grade")),
        period=row.get("Period"),
        teacher=teachers[0],
        co_teachers=tuple({each.id: each for each in teachers[1:]}.values()),
        students=students,
        facts=csv_records.section(row),
    )


def _with_buttons(people: Iterable[Person]) -> Iterator[Person]:
    left = {kind.role: BUTTONS for kind in KINDS}
    for person in people:
        role = person.posts[0].role
        left[role] -= 1
        if left[role] >= 0:
            yield person
