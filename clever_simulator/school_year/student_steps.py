"""School year steps for one class or one student."""

from dataclasses import replace

from clever_simulator.directory.directory import with_classes, with_people
from clever_simulator.directory.models import Person, School, Section
from clever_simulator.history.calendar import with_enrollments
from clever_simulator.history.changes import ChangeError
from clever_simulator.history.step_log import Change
from clever_simulator.school_year import step_context
from clever_simulator.school_year.step_context import StepContext, StepResult, person_change
from clever_simulator.state import with_new_id

DAYS_UNTIL_NEW_ID = 300
_DAY_SECONDS = 24 * 60 * 60


def change_teacher(context: StepContext) -> StepResult:
    """Another teacher of the same school takes over a class."""
    section = _requested_section(context)
    teacher = step_context.replacement_teacher(context.people, section)
    if teacher is None:
        raise ChangeError("section: the district has no other teacher for this class.")
    now = context.state.clock.timestamp()
    updated = replace(section, teacher=teacher, facts={**section.facts, "last_modified": now})
    sections = tuple(
        updated if other.id == section.id else other for other in context.people.sections
    )
    directory = replace(context.people, sections=sections)
    events = context.state.changes.apply_and_log(
        context.district, lambda: context.state.data.replace_directory(directory), [section.id]
    )
    change = Change(
        kind="section",
        id=section.id,
        name=section.name,
        what="another teacher",
        before=section.teacher.user_name,
        after=teacher.user_name,
    )
    return StepResult(touched=[change], events=events)


def change_school(context: StepContext) -> StepResult:
    """A student moves to another school, and joins its classes."""
    student = context.require_shared(context.student())
    school = step_context.next_school(context.people, student)
    if school is None:
        raise ChangeError("district: this district has no other school.")
    updated = _with_school(student, school, context.state.clock.timestamp())
    section_ids = step_context.sections_to_attend(context.people, student, school)
    directory = with_people(context.people, {student.id: updated})
    events = context.state.changes.apply_and_log(
        context.district,
        lambda: context.state.data.replace_directory(with_classes(directory, updated, section_ids)),
        {student.id, *context.state.data.related_ids(student), *section_ids},
    )
    change = person_change(updated, "another school", student.schools[0].name, school.name)
    return StepResult(touched=[change], events=events)


def unshare_person(context: StepContext) -> StepResult:
    """The district stops sharing a person with apps. The person can still log in to Clever."""
    return _apply_change(context, context.require_shared(context.person()), "unshared", "unshared")


def delete_person(context: StepContext) -> StepResult:
    """The district removes a person."""
    return _apply_change(context, context.require_shared(context.person()), "deleted", "deleted")


def restore_person(context: StepContext) -> StepResult:
    """A person who was unshared or deleted returns with the same id."""
    person = context.person()
    if context.state.data.is_shared(person):
        raise ChangeError(f"person: {person.name.full} is already shared.")
    return _apply_change(context, person, "back", "back with the same id")


def give_new_id(context: StepContext) -> StepResult:
    """A person is away for so long that Clever forgets them. They return with a new id."""
    state, person = context.state, context.person()
    deletion_events = state.changes.make({"change": "deleted", "person": person.id})
    state.clock.skip(DAYS_UNTIL_NEW_ID * _DAY_SECONDS)
    now = state.clock.timestamp()
    renewed = replace(with_new_id(state.config.seed, person), created=now, last_modified=now)

    def come_back() -> None:
        state.data.bring_back(person)
        state.data.replace_id(person, renewed)

    ids = {person.id, renewed.id, *state.data.related_ids(person)}
    events = deletion_events + state.changes.apply_and_log(context.district, come_back, ids)
    return StepResult(
        touched=[person_change(renewed, "a new id", person.id, renewed.id)], events=events
    )


def _requested_section(context: StepContext) -> Section:
    name = context.fields.get("section")
    sections = context.people.sections_of(context.district if name else context.student())
    matching = (section for section in sections if name in (None, "", section.id))
    section = next(matching, None)
    if section is None:
        raise ChangeError("section: the district has no such section.")
    return section


def _with_school(student: Person, school: School, now: str) -> Person:
    assignments = (
        with_enrollments(replace(assignment, schools=(school,)))
        if assignment.role == "student"
        else assignment
        for assignment in student.role_assignments
    )
    return replace(student, role_assignments=tuple(assignments), last_modified=now)


def _apply_change(context: StepContext, person: Person, change: str, label: str) -> StepResult:
    events = context.state.changes.make({"change": change, "person": person.id})
    return StepResult(touched=[person_change(person, label)], events=events)
