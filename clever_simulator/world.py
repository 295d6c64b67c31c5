"""All that one running simulator knows, in one place that views reach through `world()`."""

from typing import cast

from flask import current_app

from clever_simulator import population
from clever_simulator.changes import Changes
from clever_simulator.config import Config
from clever_simulator.consents import Consents
from clever_simulator.data import Data
from clever_simulator.directory import Directory
from clever_simulator.events import Events
from clever_simulator.faults import Faults
from clever_simulator.incidents import Incidents
from clever_simulator.journal import Journal
from clever_simulator.keys import Keys
from clever_simulator.passed import Passed
from clever_simulator.tokens import Clock, Vault

_KEY = "clever_simulator"


class World:
    """The registered apps, the people, and what has happened since the start or a reset."""

    def __init__(self, config: Config) -> None:
        self.clock = Clock()
        self.vault = Vault(self.clock)
        self.consents = Consents()
        self.events = Events()
        self.faults = Faults()
        self.incidents = Incidents()
        self.journal = Journal()
        self.keys = Keys()
        self.other_claims: dict[str, object] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Takes other apps and another seed; codes and tokens of before are forgotten."""
        self.config = self._registered = config
        self.passed = Passed()
        self.data = Data(population.of(config))
        self.changes = Changes(self.data, self.events, self.clock)
        self.events.forget()
        self.vault.forget()
        self.consents.forget()

    @property
    def people(self) -> Directory:
        """Everybody who can log in to Clever now."""
        return self.data.directory

    def reset(self) -> None:
        """Forgets all that happened, and ends what was switched on; keys stay."""
        self.config = self._registered
        self.clock.restore()
        self.passed.forget()
        self.vault.forget()
        self.consents.forget()
        self.data.restore()
        self.events.forget()
        self.faults.forget()
        self.incidents.clear()
        self.journal.forget()
        self.other_claims = {}


def world() -> World:
    """The world of the app that is answering now."""
    return cast(World, current_app.extensions[_KEY])
