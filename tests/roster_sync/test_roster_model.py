"""Compares the database with a district that changes at random, through all kinds of syncs.

A state machine changes the district at Clever, loses events, cuts lists short, interrupts syncs,
lets time pass, and approves removals. After each sync it checks what may differ from Clever, and at
the end that nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, update

from clever_login.db import models
from clever_login.db.models import HeldRemoval
from clever_login.roster_sync.job import SyncOptions, run_sync
from clever_login.roster_sync.kinds import MODEL_BY_KIND
from clever_simulator.directory.models import District, Person, Section
from clever_simulator.history.event_log import EventLog
from clever_simulator.state import SimulatorState
from tests.conftest import SiteMaker
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    ExpectedRows,
    Rows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    let_time_pass,
    sync_site,
)
from tests.support.login_flows import by_button
from tests.support.running_app import Site

LISTS = ("schools", "terms", "courses", "users", "sections")
CONFIRM_AFTER_HOURS = 24


class Interrupted(BaseException):
    """Ends a sync in the middle, as a restart of the host does."""


class RosterMachine(RuleBasedStateMachine):
    """A district at Clever, the database, and what may differ between them."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self.site.clever.reset()
        give_first_sync(self.site)
        self.hours = 0.0
        self.hidden_at: dict[str, float] = {}
        self.archived: set[str] = set()
        self.silent = False  # whether Clever loses the events of changes
        self.in_doubt = False  # whether the database may lack a change until the next full read

    # What happens at Clever

    @rule(who=st.integers(0, 200), change=st.sampled_from(["unshared", "deleted"]))
    def someone_leaves(self, who: int, change: str) -> None:
        self.change(lambda: self.leave(self.students[who % len(self.students)], change))

    @rule(first=st.integers(0, 60), number=st.integers(8, 40))
    def many_leave(self, first: int, number: int) -> None:
        def work() -> None:
            for student in self.students[first : first + number]:
                self.leave(student, "unshared")

        self.change(work)

    @rule()
    def everybody_returns(self) -> None:
        def work() -> None:
            for student in self.students:
                self.come_back(student)

        self.change(work)

    @rule(who=st.integers(0, 200))
    def someone_returns(self, who: int) -> None:
        gone = [student for student in self.students if not self.is_shared(student)]
        if gone:
            self.change(lambda: self.come_back(gone[who % len(gone)]))

    @rule(who=st.integers(0, 200), name=st.sampled_from(["Adler", "Tamm", "Ñandú"]))
    def someone_is_renamed(self, who: int, name: str) -> None:
        student = self.students[who % len(self.students)]
        if self.is_shared(student):
            self.change(lambda: self.site.clever.change_roster("name", student.id, last=name))

    @rule(who=st.integers(0, 200), which=st.integers(0, 50), enrolled=st.booleans())
    def someone_changes_classes(self, who: int, which: int, enrolled: bool) -> None:
        student = self.students[who % len(self.students)]
        if self.is_shared(student) and self.sections:
            section = self.sections[which % len(self.sections)].id
            self.change(
                lambda: self.site.clever.change_roster(
                    "class", student.id, section=section, enrolled=enrolled
                )
            )

    @rule()
    def a_semester_replaces_every_class(self) -> None:
        self.replace_sections(lambda own: [replace(s, id=s.id[::-1]) for s in own])

    @rule(number=st.integers(1, 12))
    def classes_end(self, number: int) -> None:
        self.replace_sections(lambda own: own[number:])

    @rule(number=st.integers(1, 20))
    def classes_become_empty(self, number: int) -> None:
        self.replace_sections(
            lambda own: [replace(s, students=()) for s in own[:number]] + own[number:]
        )

    @rule(silent=st.booleans())
    def clever_loses_events(self, silent: bool) -> None:
        self.silent = silent

    @rule(hours=st.sampled_from([1, 12, 23.5, 25, 200]))
    def time_passes(self, hours: float) -> None:
        self.hours += hours
        let_time_pass(self.site, hours=hours)

    # What happens in the app

    @rule(full=st.booleans())
    def the_scheduler_syncs(self, full: bool) -> None:
        result = sync_site(self.site, *(("--full",) if full else ()), *self.options)
        assert result.exit_code in (0, 3), result.output
        self.check_after_a_sync("full read." in result.stdout, on_hold=result.exit_code == 3)

    @rule(name=st.sampled_from(LISTS), rows=st.sampled_from([0, 2, 15, 88]))
    def a_full_read_gets_a_short_list(self, name: str, rows: int) -> None:
        archived = self.archived
        self.site.clever.add_fault("data", path=f"/{name}", rows=rows, times=0)
        try:
            result = sync_site(self.site, "--full", *self.options)
            assert result.exit_code in (0, 3), result.output
        finally:
            self.site.clever.clear_faults()
        self.in_doubt = True
        self.check_people(is_full=True)
        if name == "users" and rows == 0:
            assert self.archived <= archived, "an empty list has archived people"

    @rule(full=st.booleans(), at=st.integers(0, 12))
    def a_sync_is_interrupted(self, full: bool, at: int) -> None:
        messages = 0

        def report(_message: str) -> None:
            nonlocal messages
            messages += 1
            if messages > at:
                raise Interrupted

        assert self.site.app
        options = SyncOptions(district=self.district.id, full=full)
        try:
            with self.site.app.app_context():
                list(run_sync(options, report))
        except Interrupted:
            self.in_doubt |= full
        self.check_people(is_full=None)

    @precondition(lambda self: self.held())
    @rule()
    def the_removals_are_approved(self) -> None:
        result = sync_site(self.site, "--yes", *self.options)
        assert result.exit_code == 0, result.output
        assert not self.held()
        self.check_people(is_full=None)
        self.in_doubt = True  # a removal that Clever has taken back silently

    @rule()
    def the_student_logs_in(self) -> None:
        student = self.site.person("student")
        assert by_button(self.site, "student").path == "/dashboard"
        assert student.id in {row[0] for row in self.rows()["people"]}
        with database_engine(self.site).begin() as db:  # a full read keeps recent logins
            db.execute(update(models.Person).values(last_login=None))

    def teardown(self) -> None:
        """Everything is well again at Clever, and the operator accepts all removals."""
        result = sync_site(self.site, "--full", "--yes", *self.options)
        assert result.exit_code == 0, result.output
        assert not self.held()
        assert_rows_equal(self.truth, database_engine(self.site))

    # The comparison

    def check_after_a_sync(self, is_full: bool, *, on_hold: bool) -> None:
        self.check_people(is_full=is_full)
        if is_full:
            self.in_doubt = False
        assert on_hold == bool(self.held())
        if self.in_doubt:
            return
        expected, actual = self.truth.rows(), self.rows()
        held = self.held_rows()
        for kind, rows in expected.items():
            assert rows - actual[kind] == set(), f"{kind} are missing"
            assert actual[kind] - rows == held[kind] - rows, f"{kind} should be removed"
            if is_full:
                assert held[kind] & rows == set(), f"{kind} are on hold although Clever shares them"

    def check_people(self, *, is_full: bool | None) -> None:
        """Check that nobody was archived too early, and note who is hidden since when."""
        person = models.Person
        with database_engine(self.site).connect() as db:
            query = select(person.clever_id, person.archived_at, person.missing_since)
            states = [(str(row[0]), row[1], row[2]) for row in db.execute(query)]
        archived = {clever_id for clever_id, archived_at, _ in states if archived_at}
        hidden = {one for one, archived_at, since in states if since and not archived_at}
        shared = {row[0] for row in self.truth.rows()["people"]}
        for clever_id in archived - self.archived:
            if is_full:
                since = self.hidden_at.get(clever_id)
                assert since is not None, "archived without having been hidden"
                assert self.hours - since >= CONFIRM_AFTER_HOURS, "archived too early"
            elif is_full is False and not self.in_doubt:  # a lost event may have taken it back
                assert clever_id not in shared, "archived although Clever shares the person"
        self.archived = archived
        self.hidden_at = {one: self.hidden_at.get(one, self.hours) for one in hidden}

    @property
    def truth(self) -> ExpectedRows:
        return ExpectedRows(self.site.clever, self.district, self.site.settings.clever_api_version)

    def rows(self) -> Rows:
        return actual_rows(database_engine(self.site), self.district.id)

    def held(self) -> set[tuple[str, ...]]:
        """Return kind, record, linked record, and role of everything on hold."""
        held = HeldRemoval
        with database_engine(self.site).connect() as db:
            columns = (held.kind, held.record_id, held.linked_id, held.role)
            return {tuple(row) for row in db.execute(select(*columns))}

    def held_rows(self) -> Rows:
        """Return the listed rows that are on hold, with the links of records on hold."""
        with database_engine(self.site).connect() as db:
            query = select(models.Person.id, models.Person.clever_id)
            clever_ids = {row.id: row.clever_id for row in db.execute(query)}
        ids: dict[str, set[str]] = {kind: set() for kind in MODEL_BY_KIND}
        links: dict[str, set[Any]] = {"role_assignments": set(), "enrollments": set()}
        for kind, record, linked, role in self.held():
            if kind == "role_assignments":
                links[kind].add((clever_ids[record], linked, role))
            elif kind == "enrollments":
                links[kind].add((record, clever_ids[linked], role))
            else:
                ids[kind].add(clever_ids[record] if kind == "people" else record)
        held: Rows = {}
        for kind, rows in self.rows().items():
            if kind in ids:
                held[kind] = {row for row in rows if row[0] in ids[kind]}
            elif kind == "role_assignments":
                held[kind] = {row for row in rows if row[0] in ids["people"] or row in links[kind]}
            else:
                held[kind] = {
                    row
                    for row in rows
                    if row[0] in ids["sections"] or row[1] in ids["people"] or row in links[kind]
                }
        return held

    # Helpers

    @property
    def district(self) -> District:
        return self.site.clever.people.districts[0]

    @property
    def options(self) -> tuple[str, ...]:
        return ("--district", self.district.id)

    @property
    def students(self) -> list[Person]:
        directory = self.site.clever.people
        named = {person.id for person in directory.named_people}
        people = directory.people_of(self.district)
        found = [p for p in people if p.roles == ("student",) and p.id not in named]
        return sorted(found, key=lambda person: person.id)

    @property
    def sections(self) -> list[Section]:
        return list(self.site.clever.people.sections_of(self.district))

    @property
    def simulator(self) -> SimulatorState:
        state: SimulatorState = self.site.clever.app.extensions["clever_simulator"]
        return state

    def is_shared(self, person: Person) -> bool:
        return self.simulator.data.is_shared(person)

    def leave(self, student: Person, change: str) -> None:
        if self.is_shared(student):
            self.site.clever.change_roster(change, student.id)

    def come_back(self, student: Person) -> None:
        if not self.is_shared(student):
            self.site.clever.change_roster("back", student.id)

    def change(self, work: Callable[[], Any]) -> None:
        """Make a change at Clever, with or without its events."""
        with self.without_events() if self.silent else nothing():
            work()
        self.in_doubt |= self.silent

    def replace_sections(self, change: Callable[[list[Section]], list[Section]]) -> None:
        data = self.simulator.data

        def work() -> None:
            directory = self.simulator.people
            own = self.sections
            others = [section for section in directory.sections if section not in own]
            new = replace(directory, sections=(*others, *change(own)))
            self.simulator.changes.apply_and_log(self.district, lambda: data.replace_directory(new))

        self.change(work)

    @contextmanager
    def without_events(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EventLog, "log_differences", lambda *_args, **_kwargs: [])
            yield


@contextmanager
def nothing() -> Iterator[None]:
    yield


def run_machine(site: Site, *, examples: int, steps: int) -> None:
    machine = type("RosterMachineOfSite", (RosterMachine,), {"site": site})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    site = make_account_app(make_site, None)
    give_first_sync(site)
    return site


def test_through_changes_faults_and_interruptions_the_database_equals_clever(site: Site) -> None:
    run_machine(site, examples=2, steps=12)


@pytest.mark.long
def test_through_hundreds_of_histories_the_database_equals_clever(site: Site) -> None:
    run_machine(site, examples=300, steps=30)
