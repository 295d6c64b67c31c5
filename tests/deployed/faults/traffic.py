"""Users who open pages and log in without a pause, and a record of every response."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests
from bs4 import Tag

from clever_simulator.directory.models import Person
from tests.deployed.faults.system import System
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import log_in_at_clever

READERS, LOGINS_AT_ONCE = 4, 2
PAUSE = 0.1  # seconds between two requests of a user
NO_ANSWER = 0  # the status of a request whose connection was closed
LOGGED_OUT = -1  # the status of a page that led to the first page


@dataclass(frozen=True)
class Sample:
    """One page, login or probe. Times are in seconds."""

    kind: str
    status: int
    began: float  # monotonic
    ended: float  # monotonic
    longest: float  # of the app's responses that led to it
    shows: str = ""  # the user whose page it is, if that is another one
    crashed: bool = False  # whether one of the responses was a 500


class Student(Visitor):
    """A student with a browser, who notices the page of another student."""

    def __init__(self, system: System, person: Person, others: frozenset[str]) -> None:
        super().__init__(system.site.url, checks_pages=False)
        self._person, self._others = person, others

    @property
    def clever_id(self) -> str:
        """The student's id at Clever."""
        return self._person.id

    def log_in(self) -> Sample:
        """Log in once, from the first click to the last page."""
        return self._sample("login", self._log_in)

    def open_page(self) -> Sample:
        """Open the dashboard, which needs the session and the database."""
        return self._sample("page", lambda: self.open("/dashboard"))

    def _log_in(self) -> None:
        self.open(f"/login?district_id={self._person.district.id}")
        if not self.at_app:
            log_in_at_clever(self, self._person.user_name)

    def _sample(self, kind: str, action: Callable[[], object]) -> Sample:
        began = time.monotonic()
        try:
            action()
        except requests.RequestException:
            return _unanswered(kind, began)
        ended = time.monotonic()
        hops = [hop for hop in self.hops if hop.url.startswith(self.app_url)]
        longest = max((hop.elapsed.total_seconds() for hop in hops), default=0.0)
        crashed = any(hop.status_code == 500 for hop in hops)
        return Sample(kind, self._status(), began, ended, longest, self._shown_user(), crashed)

    def _status(self) -> int:
        is_page = self.response.status_code == 200 and self.at_app
        return LOGGED_OUT if is_page and self.path != "/dashboard" else self.response.status_code

    def _shown_user(self) -> str:
        """Return the name in the header of a page if it is not this student's."""
        header = self.page.find("header")
        text = " ".join(header.get_text(" ").split()) if isinstance(header, Tag) else ""
        if self.response.status_code == 200 and self.path == "/dashboard":
            return "" if self._person.name.full in text else text or "nobody"
        return next((name for name in self._others if name in text), "")


@dataclass
class Traffic:
    """The users, and the samples so far."""

    system: System
    samples: list[Sample] = field(default_factory=list)
    readers: list[Student] = field(default_factory=list)
    logged_in: list[Student] = field(default_factory=list)  # whose login was confirmed
    over: threading.Event = field(default_factory=threading.Event)

    def since(self, began: float, kind: str, until: float = float("inf")) -> list[Sample]:
        """Return the samples of a kind that began and ended in this time."""
        return [
            sample
            for sample in list(self.samples)
            if sample.kind == kind and began <= sample.began and sample.ended <= until
        ]

    def student(self, number: int) -> Student:
        """Return a new browser of a student."""
        people = students(self.system)
        person = people[number % len(people)]
        names = frozenset(other.name.full for other in people) - {person.name.full}
        return Student(self.system, person, names)

    def read(self, reader: Student) -> None:
        """Open pages until the traffic is over."""
        while not self.over.wait(PAUSE):
            self.samples.append(reader.open_page())

    def log_in(self, first: int) -> None:
        """Log students in until the traffic is over."""
        number = first
        while not self.over.wait(PAUSE):
            student = self.student(number)
            sample = student.log_in()
            self.samples.append(sample)
            if sample.status == 200:
                self.logged_in.append(student)
            number += LOGINS_AT_ONCE

    def probe(self) -> None:
        """Request the health checks until the traffic is over, as platforms do."""
        while not self.over.wait(PAUSE):
            for path in ("/healthz", "/readyz"):
                self.samples.append(probe(self.system, path))


def probe(system: System, path: str) -> Sample:
    """Request a health check."""
    began = time.monotonic()
    try:
        response = send_request(f"{system.site.url}{path}")
    except requests.RequestException:
        return _unanswered(path, began)
    seconds = response.elapsed.total_seconds()
    return Sample(path, response.status_code, began, time.monotonic(), seconds)


def _unanswered(kind: str, began: float) -> Sample:
    ended = time.monotonic()
    return Sample(kind, NO_ANSWER, began, ended, ended - began)


def students(system: System) -> list[Person]:
    """Return the students who have a name of their own."""
    people = [person for person in system.site.clever.people.people if person.roles == ("student",)]
    return list({person.name.full: person for person in people}.values())


@contextmanager
def traffic(system: System) -> Iterator[Traffic]:
    """Run users who open pages, others who log in, and a platform that checks the app's health."""
    running = Traffic(system)
    running.readers = [running.student(number) for number in range(READERS)]
    for reader in running.readers:
        assert reader.log_in().status == 200
    threads = [threading.Thread(target=running.read, args=(reader,)) for reader in running.readers]
    threads += [
        threading.Thread(target=running.log_in, args=(READERS + number,))
        for number in range(LOGINS_AT_ONCE)
    ]
    threads.append(threading.Thread(target=running.probe))
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.over.set()
        for thread in threads:
            thread.join()
