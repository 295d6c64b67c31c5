"""What a school year brings to a whole district, and to the app that it is connected to."""

from dataclasses import replace

from clever_simulator import rollover
from clever_simulator.changes import ChangeError
from clever_simulator.config import RegisteredApp
from clever_simulator.passed import Touched
from clever_simulator.rollover import Rolled
from clever_simulator.school_years import next_after
from clever_simulator.year_steps import Here, Made, touched


def roll_over(here: Here) -> Made:
    """August: grades move up, seniors leave, Kindergarten comes, all classes are new."""
    world = here.world
    year = next_after(world.clock.now())
    world.clock.skip(year.begins - world.clock.now())
    gone = world.data.gone(here.district)
    before = {one.id: one for one in (*here.people.people_of(here.district), *gone)}
    rolled = rollover.rolled(here.people, here.district, gone, year, world.clock.text())
    events = world.changes.settle(here.district, lambda: world.data.roll(here.district, rolled))
    grades = [
        touched(one, "a grade further", *(each.post("student").grade for each in (old, one)))
        for one in rolled.up.values()
        if (old := before[one.id]) != one
    ]
    return Made(touched=[*grades, *_others(rolled)], events=events)


def library_to_district(here: Here) -> Made:
    """An app of the Library is connected by districts: the same client id, another tier."""
    world, app = here.world, _library_app(here)
    later = replace(app, tier="secure_sync")
    apps = tuple(later if one is app else one for one in world.config.apps)
    world.config = replace(world.config, apps=apps)
    changed = Touched(
        kind="app",
        id=app.client_id,
        name=app.name,
        what="another tier",
        before=app.tier,
        after=later.tier,
    )
    return Made(touched=[changed], events=[])


def pause(here: Here) -> Made:
    """Clever stops taking the district's data, and shows what it had; people still log in."""
    return _standing(here, "paused", here.world.clock.text()[:10])


def unpause(here: Here) -> Made:
    """Clever takes the district's data again."""
    if not here.world.data.standings.is_paused(here.district):
        raise ChangeError(f"district: {here.district.name} is not paused.")
    return _standing(here, "running again", None)


def leave(here: Here) -> Made:
    """The district disconnects from all apps: its tokens end, and its people cannot come in."""
    if here.world.data.standings.has_left(here.district):
        raise ChangeError(f"district: {here.district.name} has left already.")
    here.world.data.standings.leave(here.district)
    here.world.vault.revoke(here.district)
    return Made(touched=[_district(here, "left")], events=[])


def rejoin(here: Here) -> Made:
    """A district that has left connects again: the same ids, another token."""
    if not here.world.data.standings.has_left(here.district):
        raise ChangeError(f"district: {here.district.name} has not left.")
    here.world.data.standings.rejoin(here.district)
    return Made(touched=[_district(here, "connected again")], events=[])


def _standing(here: Here, what: str, since: str | None) -> Made:
    world = here.world
    events = world.changes.settle(
        here.district, lambda: world.data.pause(here.district, since), [here.district.id]
    )
    return Made(touched=[_district(here, what)], events=events)


def _others(rolled: Rolled) -> list[Touched]:
    sections = [("class ended", one) for one in rolled.ended]
    sections += [("new class", one) for one in rolled.begun]
    return [
        *(touched(one, "left after the last grade") for one in rolled.left),
        *(touched(one, "new in Kindergarten") for one in rolled.new),
        *(Touched(kind="section", id=one.id, name=one.name, what=what) for what, one in sections),
    ]


def _district(here: Here, what: str) -> Touched:
    return Touched(kind="district", id=here.district.id, name=here.district.name, what=what)


def _library_app(here: Here) -> RegisteredApp:
    wanted = here.asked.get("client_id")
    for one in here.world.config.apps:
        if one.tier == "library" and wanted in (None, "", one.client_id):
            return one
    raise ChangeError("client_id: there is no such app in the Library.")
