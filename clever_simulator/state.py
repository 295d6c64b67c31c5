"""The state of one running simulator. Views get it from `simulator_state()`.

Also builds the directory for a config: the two standard districts, the district of edge cases, and
the districts that the config adds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import cast

from flask import Flask, current_app

from clever_simulator.config import Config
from clever_simulator.credentials.clock import Clock
from clever_simulator.credentials.consents import Consents
from clever_simulator.credentials.signing_keys import SigningKeys
from clever_simulator.credentials.tokens import TokenStore
from clever_simulator.directory import (
    certification,
    csv_district,
    edge_cases,
    large_district,
    sample_districts,
)
from clever_simulator.directory.directory import Directory, make_id, with_people
from clever_simulator.directory.models import Person
from clever_simulator.faults.faults import FaultQueue
from clever_simulator.faults.incidents import Incidents
from clever_simulator.faults.request_log import RequestLog
from clever_simulator.history.changes import ChangeMaker
from clever_simulator.history.event_log import EventLog
from clever_simulator.history.roster_state import RosterState
from clever_simulator.history.step_log import StepLog

_EXTENSION_KEY = "clever_simulator"


class SimulatorState:
    """The registered apps, the people, and everything since the start or the last reset."""

    def __init__(self, config: Config) -> None:
        self.clock = Clock()
        self.tokens = TokenStore(self.clock)
        self.consents = Consents()
        self.events = EventLog()
        self.faults = FaultQueue()
        self.incidents = Incidents()
        self.journal = RequestLog()
        self.keys = SigningKeys()
        self.extra_claims: dict[str, object] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Replaces the apps and the people. Removes all codes, tokens, consents and events."""
        self.config = self._registered = config
        self.step_log = StepLog()
        self.data = RosterState(build_directory(config))
        self.changes = ChangeMaker(self.data, self.events, self.clock)
        self.events.clear()
        self.tokens.clear()
        self.consents.clear()

    @property
    def people(self) -> Directory:
        """Everyone who can log in to Clever now."""
        return self.data.directory

    def reset(self) -> None:
        """Undoes all changes and removes faults, incidents and logs. Signing keys stay."""
        self.config = self._registered
        self.clock.restore()
        self.step_log.clear()
        self.tokens.clear()
        self.consents.clear()
        self.data.restore()
        self.events.clear()
        self.faults.clear()
        self.incidents.clear()
        self.journal.clear()
        self.extra_claims = {}


def simulator_state() -> SimulatorState:
    """Returns the state of the current app."""
    return cast(SimulatorState, current_app.extensions[_EXTENSION_KEY])


def start_over(app: Flask, config: Config) -> None:
    """Gives a simulator's app the state of a new one: other keys, and nothing remembered."""
    app.extensions[_EXTENSION_KEY] = SimulatorState(config)


def build_directory(config: Config) -> Directory:
    """Builds the people of a simulator. Equal configs give equal people.

    Raises DataError (a ValueError) if the files of `config.data` are invalid.
    """
    directories = [_standard_directory(config.seed)]
    if config.students is not None:
        directories.append(
            large_district.build_directory(config.seed, config.students, config.schools)
        )
    if config.certification:
        directories.append(certification.build_directory(config.seed))
    if config.data is not None:
        directories.append(csv_district.build_directory(config.seed, config.data, config.left_out))
    return _with_new_ids(
        join_directories(directories) if directories[1:] else directories[0], config
    )


@lru_cache(maxsize=2)
def _standard_directory(seed: int) -> Directory:
    """Returns the standard districts and the edge cases. Immutable, so simulators share them."""
    return join_directories(
        [sample_districts.build_directory(seed), edge_cases.build_directory(seed)]
    )


def join_directories(directories: list[Directory]) -> Directory:
    """Joins several directories into one, with districts in the given order."""
    return Directory(
        districts=tuple(district for directory in directories for district in directory.districts),
        schools=tuple(school for directory in directories for school in directory.schools),
        people=tuple(person for directory in directories for person in directory.people),
        sections=tuple(section for directory in directories for section in directory.sections),
        named_people=tuple(
            person for directory in directories for person in directory.named_people
        ),
    )


def _with_new_ids(directory: Directory, config: Config) -> Directory:
    """Returns the same people. Those in `config.new_ids` have a new ID."""
    if not config.new_ids:
        return directory
    changed = {
        person.id: with_new_id(config.seed, person)
        for person in directory.people
        if person.user_name in config.new_ids
    }
    return with_people(directory, changed)


def with_new_id(seed: int, person: Person) -> Person:
    """Returns the same person with a new ID, as Clever creates for a person it has forgotten."""
    person_id = make_id(seed, "again", person.id)
    assignments = (
        replace(
            assignment,
            legacy_id=person_id
            if assignment.role == "student"
            else make_id(seed, assignment.role, person_id),
        )
        for assignment in person.role_assignments
    )
    return replace(person, id=person_id, role_assignments=tuple(assignments))
