"""The steps of a school year by name, and the function that makes one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clever_simulator.directory.models import District
from clever_simulator.history.changes import ChangeError
from clever_simulator.history.step_log import LoggedStep
from clever_simulator.school_year import district_steps, student_steps
from clever_simulator.school_year.step_context import StepContext, StepResult
from clever_simulator.state import SimulatorState


@dataclass(frozen=True)
class StepKind:
    """A kind of step. `button` is its button label.

    A step that `needs_running_district` cannot be made while the district is paused. A step that is
    not `of_district` affects a single student.
    """

    make: Callable[[StepContext], StepResult]
    button: str
    needs_running_district: bool = True
    of_district: bool = False

    @property
    def summary(self) -> str:
        """What it does, in one sentence: the docstring of `make`."""
        return str(self.make.__doc__)


STEPS: Mapping[str, StepKind] = {
    "new_teacher": StepKind(student_steps.change_teacher, "A class gets another teacher"),
    "new_school": StepKind(student_steps.change_school, "A student changes school"),
    "unshared": StepKind(
        student_steps.unshare_person, "A student is unshared", needs_running_district=False
    ),
    "deleted": StepKind(student_steps.delete_person, "A student is deleted"),
    "back": StepKind(
        student_steps.restore_person, "The student returns", needs_running_district=False
    ),
    "new_id": StepKind(student_steps.give_new_id, "Away for 300 days, back with a new id"),
    "semester": StepKind(
        district_steps.replace_sections, "New classes for the second semester", of_district=True
    ),
    "rollover": StepKind(
        district_steps.roll_over, "Rollover to the next school year", of_district=True
    ),
    "library_to_district": StepKind(
        district_steps.connect_library_app,
        "A Library app is connected by districts",
        needs_running_district=False,
        of_district=True,
    ),
    "pause": StepKind(district_steps.pause_district, "The district pauses", of_district=True),
    "unpause": StepKind(
        district_steps.unpause_district,
        "The district's pause ends",
        needs_running_district=False,
        of_district=True,
    ),
    "leave": StepKind(
        district_steps.disconnect_district,
        "The district leaves",
        needs_running_district=False,
        of_district=True,
    ),
    "rejoin": StepKind(
        district_steps.reconnect_district,
        "The district connects again",
        needs_running_district=False,
        of_district=True,
    ),
}


def make_step(state: SimulatorState, fields: object) -> LoggedStep:
    """Makes the step that decoded JSON asks for. Raises ChangeError naming the invalid field."""
    if not isinstance(fields, dict):
        raise ChangeError("A step is a JSON object with the field step.")
    name = str(fields.get("step"))
    if name not in STEPS:
        raise ChangeError(f"step: expected one of {', '.join(STEPS)}.")
    with state.changes.lock:
        district = _requested_district(state, fields)
        if STEPS[name].needs_running_district:
            state.changes.check_running(district)
        result = STEPS[name].make(StepContext(state=state, district=district, fields=fields))
        step = LoggedStep(
            step=name,
            district=district.id,
            time=state.clock.timestamp(),
            touched=tuple(result.touched),
            events=tuple(result.events),
        )
        return state.step_log.add(step)


def _requested_district(state: SimulatorState, fields: Mapping[str, object]) -> District:
    """Returns the person's district, else the one requested by ID or short name, else the first."""
    person = state.data.find(str(fields["person"])) if fields.get("person") else None
    if person:
        return person.district
    district_name = fields.get("district") or state.people.districts[0].id
    for district in state.people.districts:
        if district_name in (district.id, district.shortname):
            return district
    raise ChangeError("district: no district has this id or short name.")
