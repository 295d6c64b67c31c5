"""Whom a step of the school year changes when nobody says: always the same ones."""

from clever_simulator.directory import Directory
from clever_simulator.people import District, Person, School, Section
from clever_simulator.school_years import next_grade, teaches


def child(directory: Directory, district: District) -> Person | None:
    """The first student who can change school this year and the next, else the first student."""
    students = [
        one
        for one in directory.people
        if one.district == district and "student" in one.roles and one.schools
    ]
    movable = (one for one in students if _may_move(directory, one))
    return next(movable, students[0] if students else None)


def other_school(directory: Directory, student: Person) -> School | None:
    """Where a student would go next: a school of the district with their grade, else any other."""
    others = [one for one in directory.schools_of(student.district) if one not in student.schools]
    grade = student.post("student").grade
    fitting = (one for one in others if teaches(one, grade))
    return next(fitting, others[0] if others else None)


def other_teacher(directory: Directory, section: Section) -> Person | None:
    """Who takes a class over: a teacher of the same school, else one of the district."""
    teaching = {one.id for one in section.teachers}
    for place in (section.school, section.school.district):
        for one in directory.people_of(place):
            if "teacher" in one.roles and one.id not in teaching:
                return one
    return None


def classes(directory: Directory, student: Person, school: School) -> set[str]:
    """The sections that a student of a school attends: those of the first one in their grade."""
    grade = student.post("student").grade
    here = [one for one in directory.people_of(school) if one.roles == ("student",)]
    same = [one for one in here if one.post("student").grade == grade and one.id != student.id]
    like = next((one for one in (*same, *here) if directory.sections_of(one)), None)
    return {one.id for one in directory.sections_of(like)} if like else set()


def _may_move(directory: Directory, student: Person) -> bool:
    grade = student.post("student").grade
    schools = directory.schools_of(student.district)
    return all(
        sum(teaches(school, each) for school in schools) > 1 for each in (grade, next_grade(grade))
    ) and grade != next_grade(grade)
