"""School year steps for a whole district and for the app that it is connected to."""

from dataclasses import replace

from clever_simulator.config import RegisteredApp
from clever_simulator.history import rollover
from clever_simulator.history.calendar import current_school_year, next_school_year
from clever_simulator.history.changes import ChangeError
from clever_simulator.history.rollover import RolloverResult
from clever_simulator.history.step_log import Change
from clever_simulator.school_year.step_context import StepContext, StepResult, person_change


def roll_over(context: StepContext) -> StepResult:
    """August: students move up a grade, seniors leave, kindergartners start, classes are new."""
    state = context.state
    year = next_school_year(state.clock.now())
    state.clock.skip(year.starts_at - state.clock.now())
    deleted = state.data.deleted_people(context.district)
    people_before = {
        person.id: person for person in (*context.people.people_of(context.district), *deleted)
    }
    result = rollover.roll_over_district(
        context.people, context.district, deleted, year, state.clock.timestamp()
    )
    events = state.changes.apply_and_log(
        context.district, lambda: state.data.roll_over(context.district, result)
    )
    grades = [
        person_change(
            person,
            "next grade",
            *(
                state_of_person.role_assignment("student").grade
                for state_of_person in (old_person, person)
            ),
        )
        for person in result.promoted.values()
        if (old_person := people_before[person.id]) != person
    ]
    return StepResult(touched=[*grades, *_other_changes(result)], events=events)


def replace_sections(context: StepContext) -> StepResult:
    """January: every class ends, and a new one with the same teachers and students begins."""
    state = context.state
    year = current_school_year(state.clock.now())
    result = rollover.replace_sections(
        context.people, context.district, year, state.clock.timestamp()
    )
    events = state.changes.apply_and_log(
        context.district, lambda: state.data.roll_over(context.district, result)
    )
    return StepResult(touched=_other_changes(result), events=events)


def connect_library_app(context: StepContext) -> StepResult:
    """Districts connect a Library app, which keeps its client id and changes its tier."""
    state, app = context.state, _library_app(context)
    updated = replace(app, tier="secure_sync")
    apps = tuple(updated if other is app else other for other in state.config.apps)
    state.config = replace(state.config, apps=apps)
    change = Change(
        kind="app",
        id=app.client_id,
        name=app.name,
        what="another tier",
        before=app.tier,
        after=updated.tier,
    )
    return StepResult(touched=[change], events=[])


def pause_district(context: StepContext) -> StepResult:
    """Clever shares the district's data without updating it. People can still log in."""
    return _set_district_status(context, "paused", context.state.clock.timestamp()[:10])


def unpause_district(context: StepContext) -> StepResult:
    """Clever updates the district's data again."""
    if not context.state.data.statuses.is_paused(context.district):
        raise ChangeError(f"district: {context.district.name} is not paused.")
    return _set_district_status(context, "running again", None)


def disconnect_district(context: StepContext) -> StepResult:
    """The district disconnects all apps. Its tokens expire, and its people cannot log in."""
    if context.state.data.statuses.is_disconnected(context.district):
        raise ChangeError(f"district: {context.district.name} has already left.")
    context.state.data.statuses.disconnect(context.district)
    context.state.tokens.revoke(context.district)
    return StepResult(touched=[_district_change(context, "left")], events=[])


def reconnect_district(context: StepContext) -> StepResult:
    """A district that left connects again. It keeps its ids and gets a new token."""
    if not context.state.data.statuses.is_disconnected(context.district):
        raise ChangeError(f"district: {context.district.name} has not left.")
    context.state.data.statuses.reconnect(context.district)
    return StepResult(touched=[_district_change(context, "connected again")], events=[])


def _set_district_status(context: StepContext, label: str, since: str | None) -> StepResult:
    state = context.state
    events = state.changes.apply_and_log(
        context.district,
        lambda: state.data.pause(context.district, since),
        [context.district.id],
        by_sharing=True,  # Clever reads no data
    )
    return StepResult(touched=[_district_change(context, label)], events=events)


def _other_changes(result: RolloverResult) -> list[Change]:
    sections = [("class ended", section) for section in result.ended_sections]
    sections += [("new class", section) for section in result.new_sections]
    return [
        *(person_change(person, "left after the last grade") for person in result.graduates),
        *(person_change(person, "new in kindergarten") for person in result.new_students),
        *(
            Change(kind="section", id=section.id, name=section.name, what=label)
            for label, section in sections
        ),
    ]


def _district_change(context: StepContext, label: str) -> Change:
    return Change(kind="district", id=context.district.id, name=context.district.name, what=label)


def _library_app(context: StepContext) -> RegisteredApp:
    client_id = context.fields.get("client_id")
    for app in context.state.config.apps:
        if app.tier == "library" and client_id in (None, "", app.client_id):
            return app
    raise ChangeError("client_id: no Library app has this client id.")
