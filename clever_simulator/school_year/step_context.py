"""What the steps of a school year share: their context, result and default people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clever_simulator.directory.directory import Directory
from clever_simulator.directory.models import District, Person, School, Section
from clever_simulator.history.calendar import next_grade, school_has_grade
from clever_simulator.history.changes import ChangeError
from clever_simulator.history.step_log import Change
from clever_simulator.state import SimulatorState

EventList = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a step changed, and the events that report it."""

    touched: list[Change]
    events: EventList


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """One district at the time of a step, and the caller's request."""

    state: SimulatorState
    district: District
    fields: Mapping[str, object]

    @property
    def people(self) -> Directory:
        """The directory before the step."""
        return self.state.people

    def student(self) -> Person:
        """Returns the requested or default student. Raises ChangeError if there is none."""
        person = self.person()
        if "student" not in person.roles or not person.schools:
            raise ChangeError("person: expected a student who has a school.")
        return person

    def person(self) -> Person:
        """Returns the requested or default person, deleted or not.

        Raises ChangeError if there is none.
        """
        name = self.fields.get("person")
        if not name:
            student = default_student(self.state.data.initial, self.district)
            if student is None:
                raise ChangeError("person: this district has no students, so enter a person.")
            name = student.id
        person = self.state.data.find(str(name))
        if person is None:
            raise ChangeError("person: nobody has this user name or id.")
        return person

    def require_shared(self, person: Person) -> Person:
        """Returns the same person.

        Raises ChangeError if they are not in the district's shared data.
        """
        if not self.state.data.is_shared(person):
            raise ChangeError(f"person: {person.name.full} is not shared at the moment.")
        return person


def person_change(person: Person, label: str, before: str = "", after: str = "") -> Change:
    """Returns a Change for a person."""
    return Change(
        kind="person",
        id=person.id,
        user_name=person.user_name,
        name=person.name.full,
        what=label,
        before=before,
        after=after,
    )


def default_student(directory: Directory, district: District) -> Person | None:
    """Returns the first student who can change school this year and next, else the first one."""
    students = [
        student
        for student in directory.people
        if student.district == district and "student" in student.roles and student.schools
    ]
    candidates = (student for student in students if _can_change_school(directory, student))
    return next(candidates, students[0] if students else None)


def next_school(directory: Directory, student: Person) -> School | None:
    """Returns another school of the district that has the student's grade, else any other."""
    candidates = [
        school for school in directory.schools_of(student.district) if school not in student.schools
    ]
    grade = student.role_assignment("student").grade
    suitable = (school for school in candidates if school_has_grade(school, grade))
    return next(suitable, candidates[0] if candidates else None)


def replacement_teacher(directory: Directory, section: Section) -> Person | None:
    """Returns a teacher who can take over a class: from the same school, else the district."""
    teaching = {teacher.id for teacher in section.teachers}
    for owner in (section.school, section.school.district):
        for person in directory.people_of(owner):
            if "teacher" in person.roles and person.id not in teaching:
                return person
    return None


def sections_to_attend(directory: Directory, student: Person, school: School) -> set[str]:
    """Returns the sections of the first student in the same grade at that school.

    If no student in the grade has sections, uses the first student of the school who does.
    """
    grade = student.role_assignment("student").grade
    students = [other for other in directory.people_of(school) if other.roles == ("student",)]
    same_grade = [
        other
        for other in students
        if other.role_assignment("student").grade == grade and other.id != student.id
    ]
    model_student = next(
        (other for other in (*same_grade, *students) if directory.sections_of(other)), None
    )
    return (
        {section.id for section in directory.sections_of(model_student)} if model_student else set()
    )


def _can_change_school(directory: Directory, student: Person) -> bool:
    grade = student.role_assignment("student").grade
    schools = directory.schools_of(student.district)
    return all(
        sum(school_has_grade(school, year_grade) for school in schools) > 1
        for year_grade in (grade, next_grade(grade))
    ) and grade != next_grade(grade)
