"""A district of any size with realistic proportions, the same for the same seed."""

import math
import random
from collections.abc import Iterator
from itertools import count, islice

from clever_simulator.directory import sample_names
from clever_simulator.directory.directory import Directory, make_id
from clever_simulator.directory.models import (
    District,
    Name,
    Person,
    Role,
    RoleAssignment,
    School,
    Section,
)

DISTRICT = ("Broad Plains Unified School District", "broad-plains")
MAX_STUDENTS, MAX_SCHOOLS = 200_000, 1_000
SANDBOX = (56_635, 239)  # students and schools of Clever's default sandbox district
STUDENTS_PER_TEACHER = 16
STUDENTS_PER_CLASS = 25

# (name, lowest grade, highest grade, students in a typical school).
SCHOOL_LEVELS = (
    ("Elementary", "Kindergarten", "5", 450),
    ("Middle", "6", "8", 600),
    ("High", "9", "12", 1000),
)
MIN_SCHOOLS = len(SCHOOL_LEVELS)
STAFF_TITLES = ("Principal", "Assistant Principal")
DISTRICT_ADMIN_TITLES = ("Superintendent", "Technology Director", "Curriculum Director")

# The first number of each role. As in Clever's sandbox districts, user names are numbers.
FIRST_NUMBER_BY_ROLE: dict[Role, int] = {
    "student": 1_000_001,
    "teacher": 2_000_001,
    "staff": 3_000_001,
    "district_admin": 4_000_001,
}


def build_directory(seed: int, students: int, schools: int | None = None) -> Directory:
    """Builds one district with exactly this many students, spread over grades and schools.

    Without a number of schools, each has a typical size.
    """
    return _DistrictBuilder(seed).build(students, schools)


def _students_by_grade(level: int, students: int) -> dict[str, int]:
    """Returns how many of the district's students are in each grade of a level."""
    _, low, high, _ = SCHOOL_LEVELS[level]
    grades = sample_names.GRADES
    return {
        grade: (students + len(grades) - 1 - index) // len(grades)
        for index, grade in enumerate(grades)
        if grades.index(low) <= index <= grades.index(high)
    }


def _schools_by_level(students: int, schools: int | None) -> list[int]:
    """Returns the number of schools of each level. Their sum is `schools`, if that is given."""
    shares = [
        sum(_students_by_grade(level, students).values()) / typical_size
        for level, (_, _, _, typical_size) in enumerate(SCHOOL_LEVELS)
    ]
    if schools is None:
        return [math.ceil(share) for share in shares]
    exact = [share * schools / sum(shares) for share in shares]
    numbers = [max(1, math.floor(number)) for number in exact]
    by_remainder = sorted(range(len(exact)), key=lambda level: numbers[level] - exact[level])
    for level in by_remainder[: schools - sum(numbers)]:
        numbers[level] += 1
    return numbers


class _DistrictBuilder:
    """Holds the state of one district while it is built."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(f"crowd {seed}")  # noqa: S311 # repeatable on purpose
        name, shortname = DISTRICT
        district_id = make_id(seed, "district", shortname)
        self.district = District(id=district_id, name=name, shortname=shortname)
        self.numbers = {role: count(first) for role, first in FIRST_NUMBER_BY_ROLE.items()}
        self.schools: list[School] = []
        self.people: list[Person] = []
        self.sections: list[Section] = []

    def build(self, students: int, schools: int | None) -> Directory:
        for title in DISTRICT_ADMIN_TITLES:
            self._add_person("district_admin", title=title)
        for level, number in enumerate(_schools_by_level(students, schools)):
            self._add_level(level, students, number)
        return Directory(
            districts=(self.district,),
            schools=tuple(self.schools),
            people=tuple(self.people),
            sections=tuple(self.sections),
            named_people=self._named_people(),
        )

    def _named_people(self) -> tuple[Person, ...]:
        first = {str(number) for number in FIRST_NUMBER_BY_ROLE.values()}
        named_people = [person for person in self.people if person.user_name in first]
        return tuple(sorted(named_people, key=lambda person: person.user_name))

    def _add_level(self, level: int, students: int, schools: int) -> None:
        """Builds all schools of one level, with students distributed evenly over the grades."""
        name, low, high, _ = SCHOOL_LEVELS[level]
        for index in range(schools):
            school = self._add_school(f"Broad Plains {name} School {index + 1}", low, high)
            self._fill_school(
                school,
                {
                    grade: (number + schools - 1 - index) // schools
                    for grade, number in _students_by_grade(level, students).items()
                },
            )

    def _add_school(self, name: str, low: str, high: str) -> School:
        school = School(
            id=make_id(self.seed, "school", self.district.shortname, name),
            district=self.district,
            name=name,
            number=str(3001 + len(self.schools)),
            low_grade=low,
            high_grade=high,
        )
        self.schools.append(school)
        return school

    def _fill_school(self, school: School, students: dict[str, int]) -> None:
        for title in STAFF_TITLES:
            self._add_person("staff", school, title=title)
        teachers = [
            self._add_person("teacher", school)
            for _ in range(-(-sum(students.values()) // STUDENTS_PER_TEACHER))
        ]
        classes = [
            (grade, group)
            for grade, number in students.items()
            for group in self._classes(school, grade, number)
        ]
        lessons = [
            (*class_key, subject) for class_key in classes for subject in sample_names.SUBJECTS
        ]
        for index, (grade, group, (name, subject)) in enumerate(lessons):
            # In order, so that a teacher has a few classes in several subjects.
            teacher = teachers[index * len(teachers) // len(lessons)]
            self._add_section(school, grade, (f"{name}, {grade}", subject), teacher, group)

    def _classes(self, school: School, grade: str, students: int) -> Iterator[tuple[Person, ...]]:
        new_students = (self._add_person("student", school, grade=grade) for _ in range(students))
        while group := tuple(islice(new_students, STUDENTS_PER_CLASS)):
            yield group

    def _add_section(
        self,
        school: School,
        grade: str,
        lesson: tuple[str, str],
        teacher: Person,
        students: tuple[Person, ...],
    ) -> None:
        index = len(self.sections)
        self.sections.append(
            Section(
                id=make_id(self.seed, "section", self.district.shortname, index),
                school=school,
                name=lesson[0],
                subject=lesson[1],
                grade=grade,
                period=str(1 + index % 6),
                teacher=teacher,
                students=students,
            )
        )

    def _add_person(
        self, role: Role, school: School | None = None, *, title: str = "", grade: str = ""
    ) -> Person:
        number = str(next(self.numbers[role]))
        person_id = make_id(self.seed, "person", self.district.shortname, number)
        is_student = role == "student"
        assignment = RoleAssignment(
            role=role,
            legacy_id=person_id if is_student else make_id(self.seed, role, person_id),
            schools=(school,) if school else (),
            number=number,
            title=title,
            grade=grade,
        )
        # Young children often have no email in Clever, so one student in four has none.
        email = not is_student or int(number) % 4
        person = Person(
            id=person_id,
            district=self.district,
            user_name=number,
            name=Name(
                first=self.random.choice(sample_names.FIRST_NAMES),
                last=self.random.choice(sample_names.LAST_NAMES),
            ),
            role_assignments=(assignment,),
            email=f"{number}@{self.district.shortname}.example" if email else None,
        )
        self.people.append(person)
        return person
