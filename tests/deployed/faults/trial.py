"""Causes one fault while users open pages and log in, and reports what they noticed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.deployed.faults.system import System
from tests.deployed.faults.table import Fault
from tests.deployed.faults.traffic import LOGGED_OUT, NO_ANSWER, Sample, Traffic, probe, traffic

KINDS = ("login", "page", "/healthz", "/readyz")
CACHED_SECONDS = 1.5  # after which /readyz no longer reports what was true before the fault
RECOVERY_SECONDS = 10.0
GIVE_UP_SECONDS = 60.0
# A page waits for a connection, and then for a statement. A login does so for each of its steps.
LIMITS = {"login": 15.0, "page": 10.0, "/healthz": 5.0, "/readyz": 10.0}


@dataclass
class Result:
    """What users noticed of a fault. Times are in seconds."""

    fault: Fault
    statuses: dict[str, set[int]] = field(default_factory=dict)  # during the fault, by kind
    longest: dict[str, float] = field(default_factory=dict)  # by kind
    recovered: float = 0.0  # after the end of the fault
    unanswered: int = 0
    crashes: int = 0
    wrong_users: int = 0
    lost: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Return the broken promises."""
        fault, healthz = self.fault, self.statuses["/healthz"]
        broken = {
            "no response is a 503: the fault has no effect": not self._shows_the_fault(),
            f"{self.crashes} responses with status 500": self.crashes,
            f"{self.wrong_users} pages of another user": self.wrong_users,
            f"{self.unanswered} requests without an answer": (
                self.unanswered and not fault.loses_requests
            ),
            f"recovered after {self.recovered:.1f} s": self.recovered > RECOVERY_SECONDS,
            f"/healthz: {healthz}": healthz - {200} and not fault.loses_requests,
        }
        late = (kind for kind, seconds in self.longest.items() if seconds > LIMITS[kind])
        return [
            *(problem for problem, is_broken in broken.items() if is_broken),
            *(f"{kind} took {self.longest[kind]:.1f} s" for kind in late),
            *(f"lost: {lost}" for lost in self.lost),
        ]

    def _shows_the_fault(self) -> bool:
        statuses = set().union(*self.statuses.values())
        return self.fault.is_harmless or 503 in statuses


def run_trial(system: System, fault: Fault) -> Result:
    """Cause the fault, end it, and wait until everything works."""
    result = Result(fault)
    accounts, counts = system.account_ids(), system.counts()
    with traffic(system) as running:
        time.sleep(1)
        before = time.monotonic()
        with fault.begin(system):
            began = time.monotonic()
            time.sleep(fault.seconds)
            _wait_for_samples(running, began)
            ended = time.monotonic()
        after = time.monotonic()
        result.recovered = _wait_for_recovery(running) - after
    _note_statuses(result, running, began, ended)
    _note_failures(result, running, before)
    result.lost += _lost_sessions(running)
    kept = system.account_ids()
    lost = {person for person, account in accounts.items() if kept.get(person) != account}
    lost |= {student.clever_id for student in running.logged_in} - kept.keys()
    if lost:
        result.lost.append(f"{len(lost)} accounts")
    if system.counts() != counts:
        result.lost.append(f"rows of the sync: {counts} before, {system.counts()} after")
    if system.gunicorn.poll() is not None:
        result.lost.append("gunicorn, which has ended")
    return result


def _wait_for_samples(running: Traffic, began: float) -> None:
    """Continue the fault until there is a response of each kind, on a busy machine."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not all(running.since(_start(kind, began), kind, time.monotonic()) for kind in KINDS):
        assert time.monotonic() < deadline, "the app does not answer at all"
        time.sleep(0.1)


def _start(kind: str, began: float) -> float:
    return began + CACHED_SECONDS if kind == "/readyz" else began


def _wait_for_recovery(running: Traffic) -> float:
    """Return when a login, a page of each user, and /readyz worked, one after another."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    number = 0
    while time.monotonic() < deadline:
        began = time.monotonic()
        number += 1
        if _all_works(running, number):
            return began
        time.sleep(0.1)
    return time.monotonic()


def _all_works(running: Traffic, number: int) -> bool:
    if probe(running.system, "/readyz").status != 200:
        return False
    student = running.student(number)
    return student.log_in().status == 200 and student.open_page().status == 200


def _note_statuses(result: Result, running: Traffic, began: float, ended: float) -> None:
    """Note the statuses of what began and ended during the fault."""
    for kind in KINDS:
        samples = running.since(_start(kind, began), kind, ended)
        result.statuses[kind] = {sample.status for sample in samples}


def _note_failures(result: Result, running: Traffic, before: float) -> None:
    """Note what must not happen, before and after the end of the fault, too."""
    for kind in KINDS:
        seconds = [sample.longest for sample in running.since(before, kind)]
        result.longest[kind] = max(seconds, default=0.0)
    everything: list[Sample] = list(running.samples)
    result.crashes = sum(sample.crashed or sample.status == 500 for sample in everything)
    result.wrong_users = sum(bool(sample.shows) for sample in everything)
    result.unanswered = sum(sample.status == NO_ANSWER for sample in everything)
    if logged_out := [sample for sample in everything if sample.status == LOGGED_OUT]:
        result.lost.append(f"the session, in {len(logged_out)} pages")


def _lost_sessions(running: Traffic) -> list[str]:
    browsers = [*running.readers, *running.logged_in]
    lost = sum(browser.open_page().status != 200 for browser in browsers)
    return [f"{lost} of {len(browsers)} sessions"] if lost else []
