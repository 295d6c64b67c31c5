"""The end of a school year: everybody a grade further, and all classes made anew."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from clever_simulator import derived, records
from clever_simulator.altered import with_people
from clever_simulator.directory import Directory
from clever_simulator.ids import made_id
from clever_simulator.newcomers import newcomers
from clever_simulator.people import District, Person, Post, School, Section
from clever_simulator.school_years import LAST_GRADES, SchoolYear, enrolled, next_grade, teaches

_Group = tuple[str, str]  # the id of a school, and a grade


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """What a rollover makes of a district; `up` is everybody who stays, as they are now."""

    directory: Directory
    up: Mapping[str, Person]
    left: tuple[Person, ...]
    new: tuple[Person, ...]
    ended: tuple[Section, ...]
    begun: tuple[Section, ...]


def rolled(
    directory: Directory, district: District, gone: Iterable[Person], year: SchoolYear, now: str
) -> Rolled:
    """The directory in the next school year; who is `gone` moves up too, and stays gone.

    Seniors are in the directory still: whoever calls takes them out. `now` is ISO 8601.
    """
    everyone = [*(one for one in directory.people if one.district == district), *gone]
    students = [one for one in everyone if "student" in one.roles]
    schools = directory.schools_of(district)
    later = {one.id: _moved_up(one, schools, year, now) for one in students}
    up = {one_id: one for one_id, one in later.items() if one}
    new = tuple(newcomers(directory, everyone, schools, year, now))
    ended = directory.sections_of(district)
    begun = tuple(_sections(ended, students, (*up.values(), *new), year, now))
    kept = tuple(one for one in directory.sections if one.school.district != district)
    others = replace(with_people(directory, up), sections=(*kept, *begun))
    return Rolled(
        directory=replace(others, people=(*others.people, *new)),
        up=up,
        left=tuple(one for one in students if later[one.id] is None),
        new=new,
        ended=ended,
        begun=begun,
    )


def _moved_up(
    person: Person, schools: Iterable[School], year: SchoolYear, now: str
) -> Person | None:
    """A student one grade further, at a school that has the grade; None when there is none."""
    post = person.post("student")
    if post.grade in LAST_GRADES:
        return None
    if not post.schools:
        return person
    grade = next_grade(post.grade)
    fitting = [one for one in (*post.schools, *schools) if teaches(one, grade)]
    stays = tuple(one for one in post.schools if one in fitting)
    if not fitting:
        return None
    elsewhere = fitting[int(person.id, 16) % len(fitting)]  # so that no school gets them all
    # When they were born and when they will finish does not change with the grade.
    shown = records.post(person, post)
    facts: records.Record = {
        name: shown[name] for name in ("dob", "graduation_year") if name in shown
    }
    later = replace(post, grade=grade, schools=stays or (elsewhere,), facts={**post.facts, **facts})
    return _with_post(person, enrolled(later, year.days), now)


def _with_post(person: Person, post: Post, now: str) -> Person:
    posts = tuple(post if one.role == post.role else one for one in person.posts)
    return replace(person, posts=posts, last_modified=now)


def _sections(
    ended: Iterable[Section],
    before: Iterable[Person],
    now_here: Iterable[Person],
    year: SchoolYear,
    now: str,
) -> Iterable[Section]:
    """Each class again: whoever is now in a grade takes the places of those who were in it."""
    attended: dict[str, list[str]] = defaultdict(list)
    for section in ended:
        for student in section.students:
            attended[student.id].append(section.id)
    old, places = _grouped(before), defaultdict(list)
    for (school, grade), group in _grouped(now_here).items():
        models = old.get((school, grade)) or [
            one for key, ones in old.items() if key[0] == school for one in ones
        ]
        for place, student in enumerate(group if models else ()):
            for section_id in attended[models[place % len(models)].id]:
                places[section_id].append(student)
    for section in ended:
        yield _again(section, tuple(places[section.id]), year, now)


def _grouped(students: Iterable[Person]) -> dict[_Group, list[Person]]:
    found: dict[_Group, list[Person]] = defaultdict(list)
    for one in sorted(students, key=lambda one: one.id):
        post = one.post("student")
        if post.schools:
            found[post.schools[0].id, post.grade].append(one)
    return found


def _again(section: Section, students: tuple[Person, ...], year: SchoolYear, now: str) -> Section:
    half = "-01-" in (derived.term_of(section).start_date or "")
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
        id=made_id(0, "section", section.id, year.name),
        students=students,
        facts=facts,
    )
