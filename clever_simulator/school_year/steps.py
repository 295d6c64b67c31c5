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

    A step that `waits` cannot be made while the district is paused. A step that is not
    `of_district` affects a single student.
    """

    make: Callable[[StepContext], StepResult]
    button: str
    waits: bool = True
    of_district: bool = False

    @property
    def words(self) -> str:
        """What it does, in one sentence: the docstring of `make`."""
        return str(self.make.__doc__)


STEPS: Mapping[str, StepKind] = {
    "new_teacher": StepKind(student_steps.change_teacher, "A class gets another teacher"),
    "new_school": StepKind(student_steps.change_school, "A student changes school"),
    "unshared": StepKind(student_steps.unshare_person, "A student is unshared", waits=False),
    "deleted": StepKind(student_steps.delete_person, "A student is deleted"),
    "back": StepKind(student_steps.restore_person, "The student returns", waits=False),
    "new_id": StepKind(student_steps.give_new_id, "Away for 300 days, back with a new id"),
    "rollover": StepKind(
        district_steps.roll_over, "Rollover to the next school year", of_district=True
    ),
    "library_to_district": StepKind(
        district_steps.connect_library_app,
        "A Library app is connected by districts",
        waits=False,
        of_district=True,
    ),
    "pause": StepKind(district_steps.pause_district, "The district pauses", of_district=True),
    "unpause": StepKind(
        district_steps.unpause_district, "The district's pause ends", waits=False, of_district=True
    ),
    "leave": StepKind(
        district_steps.disconnect_district, "The district leaves", waits=False, of_district=True
    ),
    "rejoin": StepKind(
        district_steps.reconnect_district,
        "The district connects again",
        waits=False,
        of_district=True,
    ),
}


def make_step(world: SimulatorState, asked: object) -> LoggedStep:
    """Makes the step that decoded JSON asks for. Raises ChangeError naming the invalid field."""
    if not isinstance(asked, dict):
        raise ChangeError("A step is a JSON object with the field step.")
    name = str(asked.get("step"))
    if name not in STEPS:
        raise ChangeError(f"step: expected one of {', '.join(STEPS)}.")
    with world.changes.lock:
        district = _requested_district(world, asked)
        if STEPS[name].waits:
            world.changes.check_running(district)
        made = STEPS[name].make(StepContext(world=world, district=district, asked=asked))
        step = LoggedStep(
            step=name,
            district=district.id,
            time=world.clock.text(),
            touched=tuple(made.touched),
            events=tuple(made.events),
        )
        return world.passed.note(step)


def _requested_district(world: SimulatorState, asked: Mapping[str, object]) -> District:
    """Returns the person's district, else the one requested by ID or short name, else the first."""
    person = world.data.find(str(asked["person"])) if asked.get("person") else None
    if person:
        return person.district
    wanted = asked.get("district") or world.people.districts[0].id
    for one in world.people.districts:
        if wanted in (one.id, one.shortname):
            return one
    raise ChangeError("district: no district has this id or short name.")
