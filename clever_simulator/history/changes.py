"""Changes to the districts while the simulator runs, and the events that report them."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from clever_simulator.credentials.clock import Clock
from clever_simulator.data_api import record_overrides
from clever_simulator.data_api.index import DistrictIndex
from clever_simulator.directory.models import District, Name, Person
from clever_simulator.history.event_log import EventLog
from clever_simulator.history.roster_state import RosterState


class ChangeError(ValueError):
    """A change that cannot be made. The message names the field."""


@dataclass(frozen=True, kw_only=True)
class _PlannedChange:
    """One validated change, and the IDs of all records that it can affect."""

    district: District
    ids: set[str]
    make: Callable[[], None]
    by_sharing: bool


class ChangeMaker:
    """Makes changes one at a time, updating the data and the events together."""

    def __init__(self, data: RosterState, events: EventLog, clock: Clock) -> None:
        self.lock = threading.RLock()
        self._data = data
        self._events = events
        self._clock = clock

    def make(self, description: object) -> list[dict[str, str]]:
        """Makes one change or a list of changes from decoded JSON.

        Returns the ID and type of the v3.1 events. Raises ChangeError. The changes of a list must
        be in one district. They are reported together, so the district's large tables are built
        once for all of them.
        """
        descriptions = description if isinstance(description, list) else [description]
        with self.lock:
            steps = [self._step(change) for change in descriptions]
            districts = {change.district.id: change.district for change in steps}
            if len(districts) != 1:
                raise ChangeError("All changes in a list must be about people of one district.")
            ids = {record_id for change in steps for record_id in change.ids}

            def make_all() -> None:
                for change in steps:
                    change.make()

            by_sharing = all(change.by_sharing for change in steps)
            district = next(iter(districts.values()))
            return self.apply_and_log(district, make_all, ids, by_sharing=by_sharing)

    def override(self, description: object) -> list[dict[str, str]]:
        """Overrides fields of one or more records, from decoded JSON, in one district.

        Returns the ID and type of the v3.1 events. Raises OverrideError for an invalid field and
        ChangeError for an ID that no record has.
        """
        descriptions = (
            description if isinstance(description, list) and description else [description]
        )
        overrides = dict(map(record_overrides.parse_override, descriptions))
        with self.lock:
            for district in self._data.directory.districts:
                if overrides.keys() <= _ids(self._data.index(district)):
                    return self.apply_and_log(district, lambda: self._data.override(overrides))
        raise ChangeError("id: no district has records with these ids.")

    def _step(self, description: object) -> _PlannedChange:
        if not isinstance(description, dict):
            raise ChangeError("A change is a JSON object with the fields change and person.")
        name = str(description.get("change"))
        change = _CHANGE_METHODS.get(name)
        if change is None:
            raise ChangeError(f"change: expected one of {', '.join(_CHANGE_METHODS)}.")
        person = self._person(description)
        by_sharing = self._affects_sharing_only(name, person)
        if not by_sharing:
            self.check_running(person.district)
        return _PlannedChange(
            district=person.district,
            ids={person.id, str(description.get("section")), *self._data.related_ids(person)},
            make=lambda: change(self, self._person(description), description),
            by_sharing=by_sharing,
        )

    def _affects_sharing_only(self, name: str, person: Person) -> bool:
        """Whether a change affects sharing only, which a paused district can still change."""
        return name == "unshared" or (name == "back" and not self._data.is_deleted(person))

    def _person(self, description: Mapping[str, object]) -> Person:
        person = self._data.find(str(description.get("person")))
        if person is None:
            raise ChangeError("person: nobody has this user name or id.")
        return person

    def apply_and_log(
        self,
        district: District,
        make: Callable[[], None],
        ids: Iterable[str] | None = None,
        *,
        by_sharing: bool = False,
    ) -> list[dict[str, str]]:
        """Makes a change and logs events for what differs, among these IDs or everywhere.

        Unless it is `by_sharing`, the change came with a sync of the district's data by Clever.
        """
        sorted_ids = None if ids is None else sorted(ids)
        with self.lock:
            index_before = self._data.index(district)
            try:
                make()
                if not by_sharing:
                    self._data.record_sync(district, self._clock.timestamp())
            finally:  # also log the changes made before one that failed
                index_after, now = self._data.index(district), self._clock.now()
                events = self._events.log_differences(index_before, index_after, sorted_ids, now)
            return events

    def check_running(self, district: District) -> None:
        """Raises ChangeError if a district is paused."""
        if self._data.statuses.is_paused(district):
            raise ChangeError(f"district: {district.name} is paused, so its data cannot change.")

    def _rename(self, person: Person, description: Mapping[str, object]) -> None:
        first = description.get("first", person.name.first)
        last = description.get("last", person.name.last)
        if not (isinstance(first, str) and isinstance(last, str)):
            raise ChangeError("first, last: expected texts.")
        name = Name(first=first, last=last, middle=person.name.middle)
        self._data.replace_person(replace(person, name=name, last_modified=self._clock.timestamp()))

    def _enroll(self, person: Person, description: Mapping[str, object]) -> None:
        enrolled, section_id = description.get("enrolled", True), description.get("section")
        if not isinstance(enrolled, bool):
            raise ChangeError("enrolled: expected true or false.")
        if "student" not in person.roles:
            raise ChangeError("person: only a student can be enrolled in a class.")
        section = self._data.directory.section(str(section_id))
        if section is None or section.school.district != person.district:
            raise ChangeError("section: there is no such section in the person's district.")
        self._data.enroll(person, str(section_id), enrolled=enrolled)

    def _unshare(self, person: Person, _description: Mapping[str, object]) -> None:
        self._data.unshare(person)

    def _delete(self, person: Person, _description: Mapping[str, object]) -> None:
        self._data.delete(person)

    def _bring_back(self, person: Person, _description: Mapping[str, object]) -> None:
        self._data.bring_back(person)


_CHANGE_METHODS: dict[str, Callable[[ChangeMaker, Person, Mapping[str, object]], None]] = {
    "name": ChangeMaker._rename,
    "class": ChangeMaker._enroll,
    "unshared": ChangeMaker._unshare,
    "deleted": ChangeMaker._delete,
    "back": ChangeMaker._bring_back,
}


def _ids(index: DistrictIndex) -> set[str]:
    """Returns every ID that a record of the district has in any version."""
    kinds = (index.schools, index.terms, index.courses, index.sections, index.contacts)
    people = index.people.values()
    return {
        index.district.id,
        *(record_id for kind in (*kinds, index.people, index.resources) for record_id in kind),
        *(assignment.legacy_id for person in people for assignment in person.role_assignments),
    }
