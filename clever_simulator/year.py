"""A school year, step by step: which steps there are, and how one is made by its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clever_simulator import year_of_child, year_of_district
from clever_simulator.changes import ChangeError
from clever_simulator.passed import Step
from clever_simulator.people import District
from clever_simulator.world import World
from clever_simulator.year_steps import Here, Made


@dataclass(frozen=True)
class Kind:
    """A step as it can be asked for; `button` says it in a few words.

    One that `waits` cannot be made while the district is paused; one that is not `of_district`
    is about a single child.
    """

    make: Callable[[Here], Made]
    button: str
    waits: bool = True
    of_district: bool = False

    @property
    def words(self) -> str:
        """What it does, in one sentence."""
        return str(self.make.__doc__)


STEPS: Mapping[str, Kind] = {
    "new_teacher": Kind(year_of_child.new_teacher, "A class changes teacher"),
    "new_school": Kind(year_of_child.new_school, "A student changes school"),
    "unshared": Kind(year_of_child.unshared, "A student is unshared", waits=False),
    "deleted": Kind(year_of_child.deleted, "A student is deleted"),
    "back": Kind(year_of_child.back, "The student returns", waits=False),
    "new_id": Kind(year_of_child.new_id, "Away for 300 days, back with a new id"),
    "rollover": Kind(
        year_of_district.roll_over, "Rollover to the next school year", of_district=True
    ),
    "library_to_district": Kind(
        year_of_district.library_to_district,
        "From the Library to districts",
        waits=False,
        of_district=True,
    ),
    "pause": Kind(year_of_district.pause, "The district pauses", of_district=True),
    "unpause": Kind(
        year_of_district.unpause, "The district goes on", waits=False, of_district=True
    ),
    "leave": Kind(year_of_district.leave, "The district leaves", waits=False, of_district=True),
    "rejoin": Kind(
        year_of_district.rejoin, "The district connects again", waits=False, of_district=True
    ),
}


def make(world: World, asked: object) -> Step:
    """Makes the step that decoded JSON asks for; raises ChangeError naming the wrong field."""
    if not isinstance(asked, dict):
        raise ChangeError("A step is a JSON object with the field step.")
    name = str(asked.get("step"))
    if name not in STEPS:
        raise ChangeError(f"step: expected one of {', '.join(STEPS)}.")
    with world.changes.lock:
        district = _district(world, asked)
        if STEPS[name].waits:
            world.changes.check_running(district)
        made = STEPS[name].make(Here(world=world, district=district, asked=asked))
        step = Step(
            step=name,
            district=district.id,
            time=world.clock.text(),
            touched=tuple(made.touched),
            events=tuple(made.events),
        )
        return world.passed.note(step)


def _district(world: World, asked: Mapping[str, object]) -> District:
    """That of the person, else the one asked for by id or short name, else the first."""
    person = world.data.find(str(asked["person"])) if asked.get("person") else None
    if person:
        return person.district
    wanted = asked.get("district") or world.people.districts[0].id
    for one in world.people.districts:
        if wanted in (one.id, one.shortname):
            return one
    raise ChangeError("district: there is no district of this id or short name.")
