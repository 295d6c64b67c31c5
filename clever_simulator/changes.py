"""What happens in the districts while the simulator runs, and the events that tell of it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from clever_simulator.data import Data
from clever_simulator.events import Events
from clever_simulator.people import Name, Person
from clever_simulator.snapshots import taken
from clever_simulator.tokens import Clock


class ChangeError(ValueError):
    """A change that cannot be made; the message names the field."""


class Changes:
    """Makes changes one after the other, each in the data and in the events at once."""

    def __init__(self, data: Data, events: Events, clock: Clock) -> None:
        self._lock = threading.Lock()
        self._data = data
        self._events = events
        self._clock = clock

    def make(self, description: object) -> list[dict[str, str]]:
        """Makes a change from decoded JSON; id and type of its v3.1 events. Raises ChangeError."""
        if not isinstance(description, dict):
            raise ChangeError("A change is a JSON object with the fields change and person.")
        change = _MAKERS.get(str(description.get("change")))
        if change is None:
            raise ChangeError(f"change: expected one of {', '.join(_MAKERS)}.")
        with self._lock:
            person = self._data.find(str(description.get("person")))
            if person is None:
                raise ChangeError("person: there is nobody of this user name or id.")
            ids = {person.id, str(description.get("section")), *self._data.around(person)}
            before = taken(self._data.index(person.district), sorted(ids))
            change(self, person, description)
            after = taken(self._data.index(person.district), sorted(ids))
            return self._events.tell(person.district.id, before, after, self._clock.now())

    def _rename(self, person: Person, description: Mapping[str, object]) -> None:
        first = description.get("first", person.name.first)
        last = description.get("last", person.name.last)
        if not (isinstance(first, str) and isinstance(last, str)):
            raise ChangeError("first, last: expected texts.")
        name = Name(first=first, last=last, middle=person.name.middle)
        self._data.put(replace(person, name=name, last_modified=self._clock.text()))

    def _enrol(self, person: Person, description: Mapping[str, object]) -> None:
        enrolled, section = description.get("enrolled", True), description.get("section")
        if not isinstance(enrolled, bool):
            raise ChangeError("enrolled: expected true or false.")
        if "student" not in person.roles:
            raise ChangeError("person: only a student is enrolled in a class.")
        if section not in self._data.index(person.district).sections:
            raise ChangeError("section: there is no such section in the person's district.")
        self._data.enrol(person, str(section), enrolled=enrolled)

    def _unshare(self, person: Person, _description: Mapping[str, object]) -> None:
        self._data.unshare(person)

    def _delete(self, person: Person, _description: Mapping[str, object]) -> None:
        self._data.delete(person)

    def _bring_back(self, person: Person, _description: Mapping[str, object]) -> None:
        self._data.bring_back(person)


_MAKERS: dict[str, Callable[[Changes, Person, Mapping[str, object]], None]] = {
    "name": Changes._rename,
    "class": Changes._enrol,
    "unshared": Changes._unshare,
    "deleted": Changes._delete,
    "back": Changes._bring_back,
}
