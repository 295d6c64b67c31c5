"""How the districts stand with the apps: running, paused since a day, or no longer connected."""

from clever_simulator.people import District
from clever_simulator.records import Record


class Standings:
    """Which districts are paused and which have left; all run at first."""

    def __init__(self) -> None:
        self._paused: dict[str, str] = {}
        self._left: frozenset[str] = frozenset()

    def pause(self, district: District, since: str | None) -> None:
        """Pauses a district from a day (YYYY-MM-DD) on; None ends that."""
        self._paused.pop(district.id, None)
        if since is not None:
            self._paused[district.id] = since

    def is_paused(self, district: District) -> bool:
        """Whether nothing of a district reaches Clever at present."""
        return district.id in self._paused

    def leave(self, district: District) -> None:
        """Ends what connects a district to the apps."""
        self._left |= {district.id}

    def rejoin(self, district: District) -> None:
        """Connects it again."""
        self._left -= {district.id}

    def has_left(self, district: District) -> bool:
        """Whether a district is connected to no app."""
        return district.id in self._left

    def facts(self, district: District) -> Record:
        """What this changes in the record of a district."""
        since = self._paused.get(district.id)
        return {"state": "paused", "pause_start": since} if since else {}
