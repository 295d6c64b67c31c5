"""School year steps for a whole district and for the app that it is connected to."""

from dataclasses import replace

from clever_simulator.config import RegisteredApp
from clever_simulator.history import rollover
from clever_simulator.history.calendar import next_school_year
from clever_simulator.history.changes import ChangeError
from clever_simulator.history.rollover import RolloverResult
from clever_simulator.history.step_log import Change
from clever_simulator.school_year.step_context import StepContext, StepResult, person_change


def roll_over(here: StepContext) -> StepResult:
    """August: students move up a grade, seniors leave, kindergartners start, classes are new."""
    world = here.world
    year = next_school_year(world.clock.now())
    world.clock.skip(year.begins - world.clock.now())
    gone = world.data.gone(here.district)
    before = {one.id: one for one in (*here.people.people_of(here.district), *gone)}
    rolled = rollover.roll_over_district(here.people, here.district, gone, year, world.clock.text())
    events = world.changes.settle(here.district, lambda: world.data.roll(here.district, rolled))
    grades = [
        person_change(one, "next grade", *(each.post("student").grade for each in (old, one)))
        for one in rolled.up.values()
        if (old := before[one.id]) != one
    ]
    return StepResult(touched=[*grades, *_other_changes(rolled)], events=events)


def connect_library_app(here: StepContext) -> StepResult:
    """Districts connect a Library app, which keeps its client id and changes its tier."""
    world, app = here.world, _library_app(here)
    later = replace(app, tier="secure_sync")
    apps = tuple(later if one is app else one for one in world.config.apps)
    world.config = replace(world.config, apps=apps)
    changed = Change(
        kind="app",
        id=app.client_id,
        name=app.name,
        what="another tier",
        before=app.tier,
        after=later.tier,
    )
    return StepResult(touched=[changed], events=[])


def pause_district(here: StepContext) -> StepResult:
    """Clever shares the district's data without updating it. People can still log in."""
    return _set_district_status(here, "paused", here.world.clock.text()[:10])


def unpause_district(here: StepContext) -> StepResult:
    """Clever updates the district's data again."""
    if not here.world.data.standings.is_paused(here.district):
        raise ChangeError(f"district: {here.district.name} is not paused.")
    return _set_district_status(here, "running again", None)


def disconnect_district(here: StepContext) -> StepResult:
    """The district disconnects all apps. Its tokens expire, and its people cannot log in."""
    if here.world.data.standings.has_left(here.district):
        raise ChangeError(f"district: {here.district.name} has already left.")
    here.world.data.standings.leave(here.district)
    here.world.vault.revoke(here.district)
    return StepResult(touched=[_district_change(here, "left")], events=[])


def reconnect_district(here: StepContext) -> StepResult:
    """A district that left connects again. It keeps its ids and gets a new token."""
    if not here.world.data.standings.has_left(here.district):
        raise ChangeError(f"district: {here.district.name} has not left.")
    here.world.data.standings.rejoin(here.district)
    return StepResult(touched=[_district_change(here, "connected again")], events=[])


def _set_district_status(here: StepContext, what: str, since: str | None) -> StepResult:
    world = here.world
    events = world.changes.settle(
        here.district, lambda: world.data.pause(here.district, since), [here.district.id]
    )
    return StepResult(touched=[_district_change(here, what)], events=events)


def _other_changes(rolled: RolloverResult) -> list[Change]:
    sections = [("class ended", one) for one in rolled.ended]
    sections += [("new class", one) for one in rolled.begun]
    return [
        *(person_change(one, "left after the last grade") for one in rolled.left),
        *(person_change(one, "new in kindergarten") for one in rolled.new),
        *(Change(kind="section", id=one.id, name=one.name, what=what) for what, one in sections),
    ]


def _district_change(here: StepContext, what: str) -> Change:
    return Change(kind="district", id=here.district.id, name=here.district.name, what=what)


def _library_app(here: StepContext) -> RegisteredApp:
    wanted = here.asked.get("client_id")
    for one in here.world.config.apps:
        if one.tier == "library" and wanted in (None, "", one.client_id):
            return one
    raise ChangeError("client_id: no Library app has this client id.")
