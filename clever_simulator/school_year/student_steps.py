"""School year steps for one class or one student."""

from dataclasses import replace

from clever_simulator import state
from clever_simulator.directory.directory import with_classes, with_people
from clever_simulator.directory.models import Person, School, Section
from clever_simulator.history.calendar import with_enrollments
from clever_simulator.history.changes import ChangeError
from clever_simulator.history.step_log import Change
from clever_simulator.school_year import step_context
from clever_simulator.school_year.step_context import StepContext, StepResult, person_change

DAYS_UNTIL_NEW_ID = 300
_DAY_SECONDS = 24 * 60 * 60


def change_teacher(here: StepContext) -> StepResult:
    """Another teacher of the same school takes over a class."""
    section = _requested_section(here)
    teacher = step_context.replacement_teacher(here.people, section)
    if teacher is None:
        raise ChangeError("section: the district has no other teacher for this class.")
    now = here.world.clock.text()
    later = replace(section, teacher=teacher, facts={**section.facts, "last_modified": now})
    sections = tuple(later if one.id == section.id else one for one in here.people.sections)
    directory = replace(here.people, sections=sections)
    events = here.world.changes.settle(
        here.district, lambda: here.world.data.become(directory), [section.id]
    )
    changed = Change(
        kind="section",
        id=section.id,
        name=section.name,
        what="another teacher",
        before=section.teacher.user_name,
        after=teacher.user_name,
    )
    return StepResult(touched=[changed], events=events)


def change_school(here: StepContext) -> StepResult:
    """A student moves to another school, and joins its classes."""
    student = here.present(here.student())
    school = step_context.next_school(here.people, student)
    if school is None:
        raise ChangeError("district: this district has no other school.")
    later = _with_school(student, school, here.world.clock.text())
    joined = step_context.sections_to_attend(here.people, student, school)
    directory = with_people(here.people, {student.id: later})
    events = here.world.changes.settle(
        here.district,
        lambda: here.world.data.become(with_classes(directory, later, joined)),
        {student.id, *here.world.data.around(student), *joined},
    )
    one = person_change(later, "another school", student.schools[0].name, school.name)
    return StepResult(touched=[one], events=events)


def unshare_person(here: StepContext) -> StepResult:
    """The district stops sharing a person with apps. The person can still log in to Clever."""
    return _apply_change(here, here.present(here.person()), "unshared", "unshared")


def delete_person(here: StepContext) -> StepResult:
    """The district removes a person."""
    return _apply_change(here, here.present(here.person()), "deleted", "deleted")


def restore_person(here: StepContext) -> StepResult:
    """A person who was unshared or deleted returns with the same id."""
    person = here.person()
    if here.world.data.shares(person):
        raise ChangeError(f"person: {person.name.full} is already shared.")
    return _apply_change(here, person, "back", "back with the same id")


def give_new_id(here: StepContext) -> StepResult:
    """A person is away for so long that Clever forgets them. They return with a new id."""
    world, person = here.world, here.person()
    first = world.changes.make({"change": "deleted", "person": person.id})
    world.clock.skip(DAYS_UNTIL_NEW_ID * _DAY_SECONDS)
    now = world.clock.text()
    renewed = replace(state.with_new_id(world.config.seed, person), created=now, last_modified=now)

    def come_back() -> None:
        world.data.bring_back(person)
        world.data.renew(person, renewed)

    ids = {person.id, renewed.id, *world.data.around(person)}
    events = first + world.changes.settle(here.district, come_back, ids)
    return StepResult(
        touched=[person_change(renewed, "a new id", person.id, renewed.id)], events=events
    )


def _requested_section(here: StepContext) -> Section:
    name = here.asked.get("section")
    sections = here.people.sections_of(here.district if name else here.student())
    fitting = (one for one in sections if name in (None, "", one.id))
    section = next(fitting, None)
    if section is None:
        raise ChangeError("section: the district has no such section.")
    return section


def _with_school(student: Person, school: School, now: str) -> Person:
    posts = (
        with_enrollments(replace(one, schools=(school,))) if one.role == "student" else one
        for one in student.posts
    )
    return replace(student, posts=tuple(posts), last_modified=now)


def _apply_change(here: StepContext, person: Person, change: str, what: str) -> StepResult:
    events = here.world.changes.make({"change": change, "person": person.id})
    return StepResult(touched=[person_change(person, what)], events=events)
