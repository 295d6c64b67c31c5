"""The end of a school year: students move up a grade, classes restart, new students arrive."""

from __future__ import annotations

import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count

from clever_simulator.data_api import derived_records, records
from clever_simulator.directory import sample_names
from clever_simulator.directory.directory import Directory, make_id, with_people
from clever_simulator.directory.models import (
    District,
    Name,
    Person,
    RoleAssignment,
    School,
    Section,
)
from clever_simulator.history.calendar import (
    GRADUATING_GRADES,
    SchoolYear,
    next_grade,
    school_has_grade,
    with_enrollments,
)

_GradeGroup = tuple[str, str]  # (school ID, grade)


@dataclass(frozen=True, kw_only=True)
class RolloverResult:
    """The result of a rollover. `promoted` has the students who stay, in their new grade, by ID."""

    directory: Directory
    promoted: Mapping[str, Person]
    graduates: tuple[Person, ...]
    new_students: tuple[Person, ...]
    ended_sections: tuple[Section, ...]
    new_sections: tuple[Section, ...]


def roll_over_district(
    directory: Directory, district: District, deleted: Iterable[Person], year: SchoolYear, now: str
) -> RolloverResult:
    """Returns the directory in the next school year. Deleted people (`deleted`) move up too.

    Graduates are still in the returned directory; the caller removes them (`graduates`). `now` is
    ISO 8601.
    """
    people = [*(person for person in directory.people if person.district == district), *deleted]
    students = [person for person in people if "student" in person.roles]
    schools = directory.schools_of(district)
    promoted_or_none = {student.id: _promote(student, schools, year, now) for student in students}
    promoted = {person_id: student for person_id, student in promoted_or_none.items() if student}
    arrivals = tuple(new_students(directory, people, schools, year, now))
    ended_sections = directory.sections_of(district)
    new_sections = tuple(
        _next_sections(ended_sections, students, (*promoted.values(), *arrivals), year, now)
    )
    other_sections = tuple(
        section for section in directory.sections if section.school.district != district
    )
    updated = replace(with_people(directory, promoted), sections=(*other_sections, *new_sections))
    return RolloverResult(
        directory=replace(updated, people=(*updated.people, *arrivals)),
        promoted=promoted,
        graduates=tuple(student for student in students if promoted_or_none[student.id] is None),
        new_students=arrivals,
        ended_sections=ended_sections,
        new_sections=new_sections,
    )


def replace_sections(
    directory: Directory, district: District, year: SchoolYear, now: str
) -> RolloverResult:
    """Returns the directory in the spring term: each section is replaced by one with a new id.

    Its teachers and students are the same.
    """
    ended_sections = directory.sections_of(district)
    new_sections = tuple(
        replace(
            section,
            id=make_id(0, "section", section.id, year.spring["name"]),
            facts={**section.facts, "term": year.spring, "created": now, "last_modified": now},
        )
        for section in ended_sections
    )
    others = tuple(section for section in directory.sections if section.school.district != district)
    return RolloverResult(
        directory=replace(directory, sections=(*others, *new_sections)),
        promoted={},
        graduates=(),
        new_students=(),
        ended_sections=ended_sections,
        new_sections=new_sections,
    )


def _promote(
    person: Person, schools: Iterable[School], year: SchoolYear, now: str
) -> Person | None:
    """Moves a student up a grade, to a school that has it. None if they graduate or none has it."""
    assignment = person.role_assignment("student")
    if assignment.grade in GRADUATING_GRADES:
        return None
    if not assignment.schools:
        return person
    grade = next_grade(assignment.grade)
    suitable = [
        school for school in (*assignment.schools, *schools) if school_has_grade(school, grade)
    ]
    current_schools = tuple(school for school in assignment.schools if school in suitable)
    if not suitable:
        return None
    # Spreads the students over the schools.
    new_school = suitable[int(person.id, 16) % len(suitable)]
    # The date of birth and the graduation year do not change with the grade.
    record = records.role_record(person, assignment)
    facts: records.Record = {
        name: record[name] for name in ("dob", "graduation_year") if name in record
    }
    updated = replace(
        assignment,
        grade=grade,
        schools=current_schools or (new_school,),
        facts={**assignment.facts, **facts},
    )
    return _with_role(person, with_enrollments(updated, year.days), now)


def _with_role(person: Person, assignment: RoleAssignment, now: str) -> Person:
    assignments = tuple(
        assignment if other.role == assignment.role else other for other in person.role_assignments
    )
    return replace(person, role_assignments=assignments, last_modified=now)


def _next_sections(
    ended_sections: Iterable[Section],
    old_students: Iterable[Person],
    current_students: Iterable[Person],
    year: SchoolYear,
    now: str,
) -> Iterable[Section]:
    """Recreates each class.

    Students who are now in a grade take the places of last year's students.
    """
    attended: dict[str, list[str]] = defaultdict(list)
    for section in ended_sections:
        for student in section.students:
            attended[student.id].append(section.id)
    old_groups, new_members = _group_by_grade(old_students), defaultdict(list)
    for (school, grade), group in _group_by_grade(current_students).items():
        models = old_groups.get((school, grade)) or [
            classmate
            for key, classmates in old_groups.items()
            if key[0] == school
            for classmate in classmates
        ]
        for index, student in enumerate(group if models else ()):
            for section_id in attended[models[index % len(models)].id]:
                new_members[section_id].append(student)
    for section in ended_sections:
        yield _recreate_section(section, tuple(new_members[section.id]), year, now)


def _group_by_grade(students: Iterable[Person]) -> dict[_GradeGroup, list[Person]]:
    groups: dict[_GradeGroup, list[Person]] = defaultdict(list)
    for student in sorted(students, key=lambda student: student.id):
        assignment = student.role_assignment("student")
        if assignment.schools:
            groups[assignment.schools[0].id, assignment.grade].append(student)
    return groups


def _recreate_section(
    section: Section, students: tuple[Person, ...], year: SchoolYear, now: str
) -> Section:
    is_spring_term = "-01-" in (derived_records.term_for_section(section).start_date or "")
    facts = {
        **section.facts,
        "term": year.spring if is_spring_term else year.term,
        "created": now,
        "last_modified": now,
    }
    if "sis_id" in facts:
        facts["sis_id"] = f"{facts['sis_id'].partition('@')[0]}@{year.name}"
    return replace(
        section,
        id=make_id(0, "section", section.id, year.name),
        students=students,
        facts=facts,
    )


def new_students(
    directory: Directory,
    people: list[Person],
    schools: Iterable[School],
    year: SchoolYear,
    now: str,
) -> Iterable[Person]:
    """Yields as many Kindergarten students as before, at least one, for each school that has it."""
    students = [student for student in people if "student" in student.roles]
    rng = random.Random(f"{year.name} {len(people)}")  # noqa: S311 # repeatable on purpose
    user_names = {person.user_name for person in (*directory.people, *people)}
    numbers = count(_highest_number(students) + 1)
    kindergarten_counts: dict[str, int] = defaultdict(int)
    for student in students:
        assignment = student.role_assignment("student")
        if assignment.grade == "Kindergarten" and assignment.schools:
            kindergarten_counts[assignment.schools[0].id] += 1
    for school in schools:
        if school_has_grade(school, "Kindergarten"):
            for _ in range(max(1, kindergarten_counts[school.id])):
                name = Name(
                    first=rng.choice(sample_names.FIRST_NAMES),
                    last=rng.choice(sample_names.LAST_NAMES),
                )
                yield _new_student(
                    school, name, _free_user_name(name, user_names), str(next(numbers)), year, now
                )


def _new_student(
    school: School, name: Name, user_name: str, number: str, year: SchoolYear, now: str
) -> Person:
    person_id = make_id(0, "newcomer", school.district.id, year.name, user_name)
    facts = {"dob": f"9/15/{year.first - 6}", "graduation_year": str(year.first + 13)}
    assignment = RoleAssignment(
        role="student",
        legacy_id=person_id,
        schools=(school,),
        number=number,
        grade="Kindergarten",
        facts=facts,
    )
    return Person(
        id=person_id,
        district=school.district,
        user_name=user_name,
        name=name,
        role_assignments=(with_enrollments(assignment, year.days),),
        created=now,
        last_modified=now,
    )


def _free_user_name(name: Name, user_names: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", f"{name.first}.{name.last}").encode("ascii", "ignore")
    base = plain.decode().lower().replace("'", "")
    candidates = (base if number == 1 else f"{base}{number}" for number in count(1))
    user_name = next(candidate for candidate in candidates if candidate not in user_names)
    user_names.add(user_name)
    return user_name


def _highest_number(students: list[Person]) -> int:
    numbers = (student.role_assignment("student").number for student in students)
    return max(
        (int(number) for number in numbers if number.isascii() and number.isdecimal()),
        default=900_000,
    )
