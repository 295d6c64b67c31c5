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

    world: SimulatorState
    district: District
    asked: Mapping[str, object]

    @property
    def people(self) -> Directory:
        """The directory before the step."""
        return self.world.people

    def student(self) -> Person:
        """Returns the requested or default student. Raises ChangeError if there is none."""
        one = self.person()
        if "student" not in one.roles or not one.schools:
            raise ChangeError("person: expected a student who has a school.")
        return one

    def person(self) -> Person:
        """Returns the requested or default person, deleted or not.

        Raises ChangeError if there is none.
        """
        name = self.asked.get("person")
        if not name:
            child = default_student(self.world.data.first, self.district)
            if child is None:
                raise ChangeError("person: this district has no students, so enter a person.")
            name = child.id
        found = self.world.data.find(str(name))
        if found is None:
            raise ChangeError("person: nobody has this user name or id.")
        return found

    def present(self, one: Person) -> Person:
        """Returns the same person.

        Raises ChangeError if they are not in the district's shared data.
        """
        if not self.world.data.shares(one):
            raise ChangeError(f"person: {one.name.full} is not shared at the moment.")
        return one


def person_change(one: Person, what: str, before: str = "", after: str = "") -> Change:
    """Returns a Change for a person."""
    return Change(
        kind="person",
        id=one.id,
        user_name=one.user_name,
        name=one.name.full,
        what=what,
        before=before,
        after=after,
    )


def default_student(directory: Directory, district: District) -> Person | None:
    """Returns the first student who can change school this year and next, else the first one."""
    students = [
        one
        for one in directory.people
        if one.district == district and "student" in one.roles and one.schools
    ]
    movable = (one for one in students if _can_change_school(directory, one))
    return next(movable, students[0] if students else None)


def next_school(directory: Directory, student: Person) -> School | None:
    """Returns another school of the district that has the student's grade, else any other."""
    others = [one for one in directory.schools_of(student.district) if one not in student.schools]
    grade = student.post("student").grade
    fitting = (one for one in others if school_has_grade(one, grade))
    return next(fitting, others[0] if others else None)


def replacement_teacher(directory: Directory, section: Section) -> Person | None:
    """Returns a teacher who can take over a class: from the same school, else the district."""
    teaching = {one.id for one in section.teachers}
    for place in (section.school, section.school.district):
        for one in directory.people_of(place):
            if "teacher" in one.roles and one.id not in teaching:
                return one
    return None


def sections_to_attend(directory: Directory, student: Person, school: School) -> set[str]:
    """Returns the sections of the first student in the same grade at that school.

    If no student in the grade has sections, uses the first student of the school who does.
    """
    grade = student.post("student").grade
    here = [one for one in directory.people_of(school) if one.roles == ("student",)]
    same = [one for one in here if one.post("student").grade == grade and one.id != student.id]
    like = next((one for one in (*same, *here) if directory.sections_of(one)), None)
    return {one.id for one in directory.sections_of(like)} if like else set()


def _can_change_school(directory: Directory, student: Person) -> bool:
    grade = student.post("student").grade
    schools = directory.schools_of(student.district)
    return all(
        sum(school_has_grade(school, each) for school in schools) > 1
        for each in (grade, next_grade(grade))
    ) and grade != next_grade(grade)
