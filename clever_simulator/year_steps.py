"""What the steps of a school year have in common: where they happen, and what they have done."""

from collections.abc import Mapping
from dataclasses import dataclass

from clever_simulator import choices
from clever_simulator.changes import ChangeError
from clever_simulator.directory import Directory
from clever_simulator.passed import Touched
from clever_simulator.people import District, Person
from clever_simulator.world import World

Told = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a step has changed, and the events that tell of it."""

    touched: list[Touched]
    events: Told


@dataclass(frozen=True, kw_only=True)
class Here:
    """One district at the moment of a step, and what the caller has asked for."""

    world: World
    district: District
    asked: Mapping[str, object]

    @property
    def people(self) -> Directory:
        """Everybody as they are before the step."""
        return self.world.people

    def student(self) -> Person:
        """The student of the step, or the one whom it is about when nobody says; ChangeError."""
        one = self.person()
        if "student" not in one.roles or not one.schools:
            raise ChangeError("person: expected a student who has a school.")
        return one

    def person(self) -> Person:
        """The person of the step, there or gone; raises ChangeError."""
        name = self.asked.get("person")
        if not name:
            child = choices.child(self.world.data.first, self.district)
            if child is None:
                raise ChangeError("person: the district has no student, so name somebody.")
            name = child.id
        found = self.world.data.find(str(name))
        if found is None:
            raise ChangeError("person: there is nobody of this user name or id.")
        return found

    def present(self, one: Person) -> Person:
        """The same person; raises ChangeError when they are not in the district's data."""
        if not self.world.data.shares(one):
            raise ChangeError(f"person: {one.name.full} is not shared at present.")
        return one


def touched(one: Person, what: str, before: str = "", after: str = "") -> Touched:
    """A person whom a step has changed."""
    return Touched(
        kind="person",
        id=one.id,
        user_name=one.user_name,
        name=one.name.full,
        what=what,
        before=before,
        after=after,
    )
