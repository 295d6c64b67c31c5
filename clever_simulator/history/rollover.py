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
    """The result of a rollover. `up` maps IDs to the students who stay, with their new grade."""

    directory: Directory
    up: Mapping[str, Person]
    left: tuple[Person, ...]
    new: tuple[Person, ...]
    ended: tuple[Section, ...]
    begun: tuple[Section, ...]


def roll_over_district(
    directory: Directory, district: District, gone: Iterable[Person], year: SchoolYear, now: str
) -> RolloverResult:
    """Returns the directory in the next school year. Deleted people (`gone`) move up too.

    Graduates are still in the returned directory; the caller removes them (`left`). `now` is ISO
    8601.
    """
    everyone = [*(one for one in directory.people if one.district == district), *gone]
    students = [one for one in everyone if "student" in one.roles]
    schools = directory.schools_of(district)
    later = {one.id: _promote(one, schools, year, now) for one in students}
    up = {one_id: one for one_id, one in later.items() if one}
    new = tuple(new_students(directory, everyone, schools, year, now))
    ended = directory.sections_of(district)
    begun = tuple(_next_sections(ended, students, (*up.values(), *new), year, now))
    kept = tuple(one for one in directory.sections if one.school.district != district)
    others = replace(with_people(directory, up), sections=(*kept, *begun))
    return RolloverResult(
        directory=replace(others, people=(*others.people, *new)),
        up=up,
        left=tuple(one for one in students if later[one.id] is None),
        new=new,
        ended=ended,
        begun=begun,
    )


def _promote(
    person: Person, schools: Iterable[School], year: SchoolYear, now: str
) -> Person | None:
    """Moves a student up a grade, to a school that has it. None if they graduate or none has it."""
    post = person.post("student")
    if post.grade in GRADUATING_GRADES:
        return None
    if not post.schools:
        return person
    grade = next_grade(post.grade)
    fitting = [one for one in (*post.schools, *schools) if school_has_grade(one, grade)]
    stays = tuple(one for one in post.schools if one in fitting)
    if not fitting:
        return None
    elsewhere = fitting[int(person.id, 16) % len(fitting)]  # spread the students over the schools
    # The date of birth and the graduation year do not change with the grade.
    shown = records.role_record(person, post)
    facts: records.Record = {
        name: shown[name] for name in ("dob", "graduation_year") if name in shown
    }
    later = replace(post, grade=grade, schools=stays or (elsewhere,), facts={**post.facts, **facts})
    return _with_role(person, with_enrollments(later, year.days), now)


def _with_role(person: Person, post: RoleAssignment, now: str) -> Person:
    posts = tuple(post if one.role == post.role else one for one in person.posts)
    return replace(person, posts=posts, last_modified=now)


def _next_sections(
    ended: Iterable[Section],
    before: Iterable[Person],
    now_here: Iterable[Person],
    year: SchoolYear,
    now: str,
) -> Iterable[Section]:
    """Recreates each class.

    Students who are now in a grade take the places of last year's students.
    """
    attended: dict[str, list[str]] = defaultdict(list)
    for section in ended:
        for student in section.students:
            attended[student.id].append(section.id)
    old, places = _group_by_grade(before), defaultdict(list)
    for (school, grade), group in _group_by_grade(now_here).items():
        models = old.get((school, grade)) or [
            one for key, ones in old.items() if key[0] == school for one in ones
        ]
        for place, student in enumerate(group if models else ()):
            for section_id in attended[models[place % len(models)].id]:
                places[section_id].append(student)
    for section in ended:
        yield _recreate_section(section, tuple(places[section.id]), year, now)


def _group_by_grade(students: Iterable[Person]) -> dict[_GradeGroup, list[Person]]:
    found: dict[_GradeGroup, list[Person]] = defaultdict(list)
    for one in sorted(students, key=lambda one: one.id):
        post = one.post("student")
        if post.schools:
            found[post.schools[0].id, post.grade].append(one)
    return found


def _recreate_section(
    section: Section, students: tuple[Person, ...], year: SchoolYear, now: str
) -> Section:
    half = "-01-" in (derived_records.term_for_section(section).start_date or "")
    facts = {
        **section.facts,
        "term": year.spring if half else year.term,
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
    everyone: list[Person],
    schools: Iterable[School],
    year: SchoolYear,
    now: str,
) -> Iterable[Person]:
    """Yields as many Kindergarten students as before, at least one, for each school that has it."""
    students = [one for one in everyone if "student" in one.roles]
    chance = random.Random(f"{year.name} {len(everyone)}")  # noqa: S311 # repeatable on purpose
    taken = {one.user_name for one in (*directory.people, *everyone)}
    numbers = count(_highest_number(students) + 1)
    before: dict[str, int] = defaultdict(int)
    for one in students:
        post = one.post("student")
        if post.grade == "Kindergarten" and post.schools:
            before[post.schools[0].id] += 1
    for school in schools:
        if school_has_grade(school, "Kindergarten"):
            for _ in range(max(1, before[school.id])):
                name = Name(
                    first=chance.choice(sample_names.FIRST_NAMES),
                    last=chance.choice(sample_names.LAST_NAMES),
                )
                yield _new_student(
                    school, name, _free_user_name(name, taken), str(next(numbers)), year, now
                )


def _new_student(
    school: School, name: Name, user_name: str, number: str, year: SchoolYear, now: str
) -> Person:
    person_id = make_id(0, "newcomer", school.district.id, year.name, user_name)
    facts = {"dob": f"9/15/{year.first - 6}", "graduation_year": str(year.first + 13)}
    post = RoleAssignment(
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
        posts=(with_enrollments(post, year.days),),
        created=now,
        last_modified=now,
    )


def _free_user_name(name: Name, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", f"{name.first}.{name.last}").encode("ascii", "ignore")
    base = plain.decode().lower().replace("'", "")
    tries = (base if number == 1 else f"{base}{number}" for number in count(1))
    user_name = next(one for one in tries if one not in taken)
    taken.add(user_name)
    return user_name


def _highest_number(students: list[Person]) -> int:
    numbers = (one.post("student").number for one in students)
    return max((int(one) for one in numbers if one.isascii() and one.isdecimal()), default=900_000)
