"""Builds a district from the CSV files that districts upload to Clever.

Clever's sandbox districts come from the same files. `PeopleBuilder` builds the people and the name
that each one logs in with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clever_simulator.directory import csv_fields
from clever_simulator.directory.csv_reader import (
    DataError,
    LineError,
    Lines,
    Row,
    index_rows,
    read_rows,
)
from clever_simulator.directory.directory import Directory, make_id, sort_by_id
from clever_simulator.directory.models import (
    District,
    Name,
    Person,
    Role,
    RoleAssignment,
    School,
    Section,
)

MAX_BAD_LINES = 100
ONE_CLICK_PEOPLE_PER_ROLE = 3  # this many people of each role get a button on the login page
TEACHER_COLUMNS = ("Teacher_id", *(f"Teacher_{number}_id" for number in range(2, 11)))


def find_bad_lines(path: Path) -> dict[tuple[str, int], str]:
    """Returns a sentence for each line that has to be left out, by file and line number.

    A line that refers to a bad line is bad, too. Raises DataError for errors that are not in a
    single line, and for more than MAX_BAD_LINES bad lines.
    """
    sentences: dict[tuple[str, int], str] = {}
    while True:
        try:
            build_directory(1, path, frozenset(sentences))
        except LineError as error:
            if len(sentences) == MAX_BAD_LINES:
                raise DataError(f"More than {MAX_BAD_LINES} lines have errors. {error}") from error
            sentences[error.line] = str(error)
        else:
            return sentences


def build_directory(seed: int, path: Path, left_out: Lines = frozenset()) -> Directory:
    """Builds the district of a folder or zip. Raises DataError naming the file and line."""
    rows, district = read_rows(path, left_out), _build_district(seed, path)
    schools = _build_schools(seed, district, rows["schools.csv"])
    people = PeopleBuilder(seed, district, rows, schools)
    return Directory(
        districts=(district,),
        schools=tuple(schools.values()),
        people=tuple(people.people),
        sections=tuple(_build_sections(seed, rows, schools, people)),
        named_people=tuple(_one_click_people(people.people)),
    )


def _build_district(seed: int, path: Path) -> District:
    name = path.resolve().stem
    shortname = "demo-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data")
    # Clever marks its sandbox districts with this prefix.
    return District(
        id=make_id(seed, "district", shortname), name=f"#DEMO {name}", shortname=shortname
    )


def _build_schools(seed: int, district: District, rows: list[Row]) -> dict[str, School]:
    return {
        school_id: School(
            id=make_id(seed, district.shortname, "school", school_id),
            district=district,
            name=row.get("School_name"),
            number=row.get("School_number") or school_id,
            low_grade=csv_fields.parse_grade(row.get("Low_grade")),
            high_grade=csv_fields.parse_grade(row.get("High_grade")),
            facts=csv_fields.school_fields(row),
        )
        for school_id, row in index_rows(rows, "School_id").items()
    }


def _build_sections(
    seed: int, rows: dict[str, list[Row]], schools: dict[str, School], people: PeopleBuilder
) -> Iterator[Section]:
    """Yields the sections that have students. Clever has no others."""
    lines = index_rows(rows["sections.csv"], "Section_id")
    students = _students_by_section(rows["enrollments.csv"], lines, schools, people)
    for section_id, row in lines.items():
        school = row.resolve("School_id", schools)
        teachers = [
            row.resolve(column, people.by_id["teacher"])
            for column in TEACHER_COLUMNS
            if row.get(column)
        ]
        if section_id in students:
            clever_id = make_id(seed, school.district.shortname, "section", section_id)
            yield _build_section(clever_id, row, school, teachers, students[section_id])


def _students_by_section(
    rows: list[Row], sections: dict[str, Row], schools: dict[str, School], people: PeopleBuilder
) -> dict[str, tuple[Person, ...]]:
    students_by_section: dict[str, dict[str, Person]] = {}
    for row in rows:
        row.resolve("School_id", schools)
        row.resolve("Section_id", sections)
        student = row.resolve("Student_id", people.by_id["student"])
        students_by_section.setdefault(row.get("Section_id"), {})[student.id] = student
    return {
        section_id: sort_by_id(section_students.values())
        for section_id, section_students in students_by_section.items()
    }


def _build_section(
    clever_id: str, row: Row, school: School, teachers: list[Person], students: tuple[Person, ...]
) -> Section:
    number = row.get("Section_number") or row.get("Section_id")
    return Section(
        id=clever_id,
        school=school,
        name=row.get("Name") or row.get("Course_name") or f"Section {number}",
        subject=csv_fields.parse_subject(row.get("Subject")),
        grade=csv_fields.parse_grade(row.get("Grade")),
        period=row.get("Period"),
        teacher=teachers[0],
        co_teachers=tuple({teacher.id: teacher for teacher in teachers[1:]}.values()),
        students=students,
        facts=csv_fields.section_fields(row),
    )


def _one_click_people(people: Iterable[Person]) -> Iterator[Person]:
    remaining = {kind.role: ONE_CLICK_PEOPLE_PER_ROLE for kind in ROLE_COLUMNS}
    for person in people:
        role = person.role_assignments[0].role
        remaining[role] -= 1
        if remaining[role] >= 0:
            yield person


@dataclass(frozen=True, kw_only=True)
class RoleColumns:
    """The CSV columns of one role. `number` is the column that is also the user name."""

    role: Role
    file: str
    id: str
    number: str
    email: str
    facts: Callable[[Row], dict[str, Any]]


ROLE_COLUMNS = (
    RoleColumns(
        role="student",
        file="students.csv",
        id="Student_id",
        number="Student_number",
        email="Student_email",
        facts=csv_fields.student_fields,
    ),
    RoleColumns(
        role="teacher",
        file="teachers.csv",
        id="Teacher_id",
        number="Teacher_number",
        email="Teacher_email",
        facts=csv_fields.teacher_fields,
    ),
    RoleColumns(
        role="staff",
        file="staff.csv",
        id="Staff_id",
        number="Staff_id",
        email="Staff_email",
        facts=csv_fields.staff_fields,
    ),
)

# All lines of one person in one file: one for each school and one for each contact.
RoleRows = tuple[RoleColumns, list[Row]]


class PeopleBuilder:
    """All people of one district, also indexed by role and by their ID in the files."""

    def __init__(
        self,
        seed: int,
        district: District,
        rows: dict[str, list[Row]],
        schools: dict[str, School],
    ) -> None:
        self._seed, self._district, self._schools = seed, district, schools
        self._user_names: set[str] = set()
        self.people: list[Person] = []
        self.by_id: dict[Role, dict[str, Person]] = {kind.role: {} for kind in ROLE_COLUMNS}
        for role_rows in _group_by_person(rows):
            person = self._build_person(role_rows)
            self.people.append(person)
            for kind, lines in role_rows:
                self.by_id[kind.role][lines[0].get(kind.id)] = person

    def _build_person(self, role_rows: list[RoleRows]) -> Person:
        kind, lines = role_rows[0]
        row = lines[0]
        person_id = self._id(kind.role, row.get(kind.id))
        return Person(
            id=person_id,
            district=self._district,
            user_name=self._user_name(kind, row),
            has_user_name=bool(row.get("Username")),
            name=Name(
                first=row.get("First_name"),
                last=row.get("Last_name"),
                middle=row.get("Middle_name"),
            ),
            role_assignments=tuple(self._build_assignment(person_id, *part) for part in role_rows),
            email=row.get(kind.email) or None,
        )

    def _build_assignment(
        self, person_id: str, kind: RoleColumns, lines: list[Row]
    ) -> RoleAssignment:
        is_student, row = kind.role == "student", lines[0]
        schools = {line.get("School_id"): line for line in lines}.values()
        return RoleAssignment(
            role=kind.role,
            legacy_id=person_id if is_student else self._id("old", kind.role, row.get(kind.id)),
            schools=tuple(line.resolve("School_id", self._schools) for line in schools),
            number=row.get(kind.number) or row.get(kind.id),
            title=row.get("Title"),
            grade=csv_fields.parse_grade(row.get("Grade")) if is_student else "",
            facts=kind.facts(row),
        )

    def _user_name(self, kind: RoleColumns, row: Row) -> str:
        # Lowercase, because the login page lowercases what is typed.
        file_id = row.get(kind.id)
        candidates = (row.get("Username"), row.get(kind.number), file_id, f"{kind.role}-{file_id}")
        free_names = (
            candidate.lower()
            for candidate in candidates
            if candidate and candidate.lower() not in self._user_names
        )
        user_name = next(free_names, self._id("user name", kind.role, file_id))
        self._user_names.add(user_name)
        return user_name

    def _id(self, *parts: object) -> str:
        return make_id(self._seed, self._district.shortname, *parts)


def _group_by_person(rows: dict[str, list[Row]]) -> Iterable[list[RoleRows]]:
    """Groups rows by person. In Clever, a teacher and staff with the same email are one person."""
    groups: dict[str, list[RoleRows]] = {}
    for kind in ROLE_COLUMNS:
        for file_id, lines in _rows_by_id(kind, rows[kind.file]).items():
            email, own_key = lines[0].get(kind.email).lower(), f"{kind.role} {file_id}"
            shared_key = f"employee {email}" if email and kind.role != "student" else own_key
            has_role = any(kind is columns for columns, _ in groups.get(shared_key, ()))
            groups.setdefault(own_key if has_role else shared_key, []).append((kind, lines))
    return groups.values()


def _rows_by_id(kind: RoleColumns, rows: Iterable[Row]) -> dict[str, list[Row]]:
    rows_by_id: dict[str, list[Row]] = {}
    for row in rows:
        file_id = row.get(kind.id)
        lines = rows_by_id.setdefault(file_id, [])
        lines.append(row)
        if any(row.get(name) != lines[0].get(name) for name in ("First_name", "Last_name")):
            raise row.error(
                f"the {kind.id} {file_id!r} belongs to another person on line {lines[0].line}."
            )
    return rows_by_id
