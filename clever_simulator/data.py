"""The districts as the API reads them now: what the people were at first, and what has changed."""

import threading

from clever_simulator import derived
from clever_simulator.index import Index
from clever_simulator.people import Directory, District


class Data:
    """One index for each district and each set of unshared people, made when first asked for."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._contacts = {one.id: self._contacts_in(one) for one in directory.districts}
        self._indexes: dict[tuple[str, frozenset[str]], Index] = {}

    def index(self, district: District, unshared: frozenset[str] = frozenset()) -> Index:
        """A district without the people of these user names."""
        with self._lock:
            key = (district.id, unshared)
            if key not in self._indexes:
                self._indexes[key] = self._index(district, unshared)
            return self._indexes[key]

    def _index(self, district: District, unshared: frozenset[str]) -> Index:
        here = self.directory
        return Index(
            district,
            schools=(one for one in here.schools if one.district.id == district.id),
            people=(
                one
                for one in here.people
                if one.district.id == district.id and one.user_name not in unshared
            ),
            sections=(one for one in here.sections if one.school.district.id == district.id),
            contacts=self._contacts[district.id],
        )

    def _contacts_in(self, district: District) -> list[derived.Contact]:
        students = (
            one
            for one in self.directory.people
            if one.district.id == district.id and "student" in one.roles
        )
        return derived.contacts(district, students)
