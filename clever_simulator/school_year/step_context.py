"""What the steps of a school year have in common: where they happen, and what they have done.

Whom a step of the school year changes when nobody says: always the same ones.
"""

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
    """What a step has changed, and the events that tell of it."""

    touched: list[Change]
    events: EventList


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """One district at the moment of a step, and what the caller has asked for."""

    world: SimulatorState
    district: District
    asked: Mapping[str, object]

    @property
    def people(self) -> Directory:
        """Everybody as they are before the step."""
        return self.world.people

    def student(self) -> Person:
        """The student of the step, or the one whom it is about when nobody says; ChangeError."""
        one = self.person()
        if "student" not in one.roles or not one.schools:
            raise ChangeError("person: expected a student who has a school.")
        return one

    def person(self) -> Person:
        """The person of the step, there or gone; raises ChangeError."""
        name = self.asked.get("person")
        if not name:
            child = default_student(self.world.data.first, self.district)
            if child is None:
                raise ChangeError("person: the district has no student, so name somebody.")
            name = child.id
        found = self.world.data.find(str(name))
        if found is None:
            raise ChangeError("person: there is nobody of this user name or id.")
        return found

    def present(self, one: Person) -> Person:
        """The same person; raises ChangeError when they are not in the district's data."""
        if not self.world.data.shares(one):
            raise ChangeError(f"person: {one.name.full} is not shared at present.")
        return one


def person_change(one: Person, what: str, before: str = "", after: str = "") -> Change:
    """A person whom a step has changed."""
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
    """The first student who can change school this year and the next, else the first student."""
    students = [
        one
        for one in directory.people
        if one.district == district and "student" in one.roles and one.schools
    ]
    movable = (one for one in students if _can_change_school(directory, one))
    return next(movable, students[0] if students else None)


def next_school(directory: Directory, student: Person) -> School | None:
    """Where a student would go next: a school of the district with their grade, else any other."""
    others = [one for one in directory.schools_of(student.district) if one not in student.schools]
    grade = student.post("student").grade
    fitting = (one for one in others if school_has_grade(one, grade))
    return next(fitting, others[0] if others else None)


def replacement_teacher(directory: Directory, section: Section) -> Person | None:
    """Who takes a class over: a teacher of the same school, else one of the district."""
    teaching = {one.id for one in section.teachers}
    for place in (section.school, section.school.district):
        for one in directory.people_of(place):
            if "teacher" in one.roles and one.id not in teaching:
                return one
    return None


def sections_to_attend(directory: Directory, student: Person, school: School) -> set[str]:
    """The sections that a student of a school attends: those of the first one in their grade."""
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
