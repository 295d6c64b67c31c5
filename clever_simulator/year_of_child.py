"""What a school year brings to one class and one child."""

from dataclasses import replace

from clever_simulator import choices, population
from clever_simulator.altered import with_classes, with_people
from clever_simulator.changes import ChangeError
from clever_simulator.passed import Touched
from clever_simulator.people import Person, School, Section
from clever_simulator.school_years import enrolled
from clever_simulator.year_steps import Here, Made, touched

DAYS_TO_BE_FORGOTTEN = 300
_DAY = 24 * 60 * 60


def new_teacher(here: Here) -> Made:
    """A class is taught by somebody else of the same school."""
    section = _section(here)
    teacher = choices.other_teacher(here.people, section)
    if teacher is None:
        raise ChangeError("section: nobody else in the district could teach it.")
    now = here.world.clock.text()
    later = replace(section, teacher=teacher, facts={**section.facts, "last_modified": now})
    sections = tuple(later if one.id == section.id else one for one in here.people.sections)
    directory = replace(here.people, sections=sections)
    events = here.world.changes.settle(
        here.district, lambda: here.world.data.become(directory), [section.id]
    )
    changed = Touched(
        kind="section",
        id=section.id,
        name=section.name,
        what="another teacher",
        before=section.teacher.user_name,
        after=teacher.user_name,
    )
    return Made(touched=[changed], events=events)


def new_school(here: Here) -> Made:
    """A student leaves the classes of one school for those of another."""
    student = here.present(here.student())
    school = choices.other_school(here.people, student)
    if school is None:
        raise ChangeError("district: it has no other school.")
    later = _at(student, school, here.world.clock.text())
    joined = choices.classes(here.people, student, school)
    directory = with_people(here.people, {student.id: later})
    events = here.world.changes.settle(
        here.district,
        lambda: here.world.data.become(with_classes(directory, later, joined)),
        {student.id, *here.world.data.around(student), *joined},
    )
    one = touched(later, "another school", student.schools[0].name, school.name)
    return Made(touched=[one], events=events)


def unshared(here: Here) -> Made:
    """A person is no longer shared with the apps, and can still log in to Clever."""
    return _one_change(here, here.present(here.person()), "unshared", "unshared")


def deleted(here: Here) -> Made:
    """A person is no longer in the district."""
    return _one_change(here, here.present(here.person()), "deleted", "deleted")


def back(here: Here) -> Made:
    """A person who was unshared or deleted is there again, with the same id."""
    person = here.person()
    if here.world.data.shares(person):
        raise ChangeError(f"person: {person.name.full} is there already.")
    return _one_change(here, person, "back", "back with the same id")


def new_id(here: Here) -> Made:
    """A person is gone for so long that Clever forgets them, and comes back as somebody new."""
    world, person = here.world, here.person()
    first = world.changes.make({"change": "deleted", "person": person.id})
    world.clock.skip(DAYS_TO_BE_FORGOTTEN * _DAY)
    now = world.clock.text()
    renewed = replace(population.renewed(world.config.seed, person), created=now, last_modified=now)

    def come_back() -> None:
        world.data.bring_back(person)
        world.data.renew(person, renewed)

    ids = {person.id, renewed.id, *world.data.around(person)}
    events = first + world.changes.settle(here.district, come_back, ids)
    return Made(touched=[touched(renewed, "a new id", person.id, renewed.id)], events=events)


def _section(here: Here) -> Section:
    name = here.asked.get("section")
    sections = here.people.sections_of(here.district if name else here.student())
    fitting = (one for one in sections if name in (None, "", one.id))
    section = next(fitting, None)
    if section is None:
        raise ChangeError("section: there is no such section in the district.")
    return section


def _at(student: Person, school: School, now: str) -> Person:
    posts = (
        enrolled(replace(one, schools=(school,))) if one.role == "student" else one
        for one in student.posts
    )
    return replace(student, posts=tuple(posts), last_modified=now)


def _one_change(here: Here, person: Person, change: str, what: str) -> Made:
    events = here.world.changes.make({"change": change, "person": person.id})
    return Made(touched=[touched(person, what)], events=events)
