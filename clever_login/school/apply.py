"""Records written to the store: applied once or ten times, they leave the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.orm import Session

from clever_login.persons import Person
from clever_login.records import SchoolRecord, Section, Term
from clever_login.school import boundary, rows, tables
from clever_login.school.boundary import Found
from clever_login.school.merging import known
from clever_login.school.upsert import MOST_PARAMETERS, OUTSIDE, chunks, link, put

CLOCKS = timedelta(minutes=2)  # by which ours and Clever's may differ
Counts = Counter[tuple[str, str]]  # (table, what happened) -> how many
Gone = dict[str, set[str]]
Link = type[tables.PersonSchool] | type[tables.Enrolment]
Row = tuple[str, ...]
Model = type[tables.School] | type[tables.Term] | type[tables.Person] | type[tables.Section]
MODELS: dict[str, Model] = {
    "schools": tables.School,
    "terms": tables.Term,
    "people": tables.Person,
    "sections": tables.Section,
}


@dataclass(frozen=True)
class Batch:
    """Records that are written in one transaction, by their ids, and the ids of what is gone."""

    schools: dict[str, SchoolRecord] = field(default_factory=dict)
    terms: dict[str, Term] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    gone: Gone = field(default_factory=lambda: {name: set() for name in MODELS})
    leaving: dict[str, Person] = field(default_factory=dict)  # the people among `gone`
    left_at: dict[str, datetime] = field(default_factory=dict)  # when Clever says they left


@dataclass(frozen=True)
class Written:
    """What a batch did, and the Clever ids with which nobody may be logged in any more."""

    counts: Counts
    archived: tuple[str, ...] = ()
    former: tuple[str, ...] = ()  # from before v3
    outside: Counter[str] = field(default_factory=Counter)  # what is another district's, by field


class Later(Protocol):
    """What takes note of links that are to be removed later, if at all.

    It is given the links that are stale, all owners that were looked at, and those who count as
    changed already.
    """

    def __call__(
        self,
        connection: Connection,
        model: Link,
        owners: Collection[str],
        stale: Collection[Row],
        counted: Collection[str],
    ) -> None:
        """Take note."""


@dataclass(frozen=True)
class _Job:
    """A batch of one district, and what comes of it."""

    connection: Connection
    district_id: str
    batch: Batch
    later: Later | None
    counts: Counts = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def find(self, key: Any, ids: Iterable[str | None]) -> Found:
        """Look for what records refer to."""
        return boundary.find(self.connection, self.district_id, key, set(ids))

    def link(
        self,
        model: Link,
        owners: Collection[str],
        wanted: Collection[Row],
        stays: Callable[[Row], bool] = lambda _row: False,
        counted: Collection[str] = (),
    ) -> tuple[set[Row], set[Row]]:
        """Make these the only links of their owners: those added, and those removed now."""
        now = self.later is None
        added, stale = link(self.connection, model, owners, wanted, stays=stays, remove=now)
        if self.later is None:
            return added, stale
        changed = {*counted, *(each[0] for each in added)}
        self.later(self.connection, model, owners, stale, changed)
        return added, set()


def write(
    connection: Connection, district_id: str, batch: Batch, later: Later | None = None
) -> Written:
    """Write a batch in the transaction that is open; what is another district's is left out.

    With `later` no link is removed now.
    """
    job = _Job(connection, district_id, batch, later)
    job = replace(job, batch=_own(job))
    former = _bring_together(job)
    for name, wrote in (
        ("schools", _put_schools(job)),
        ("terms", _put_terms(job)),
        ("people", _put_people(job)),
        ("sections", _put_sections(job)),
    ):
        job.counts.update((name, what) for what in wrote.values())
    people: tuple[str, ...] = ()
    for name, ids in batch.gone.items():
        ids = ids - _here_again(connection, batch) if name == "people" else ids
        archived = _archive(connection, district_id, MODELS[name], ids)
        job.counts[name, "archived"] += len(archived)
        people = archived if name == "people" else people
    return Written(+job.counts, people, former, +job.outside)


def key_of(model: Model) -> Any:
    """The column by which Clever's records are found."""
    return model.clever_id if model is tables.Person else model.id


def _own(job: _Job) -> Batch:
    batch, district_id, outside = job.batch, job.district_id, job.outside
    return replace(
        batch,
        schools=boundary.own(batch.schools, district_id, "school", outside),
        terms=boundary.own(batch.terms, district_id, "term", outside),
        people=boundary.own(batch.people, district_id, "user", outside),
        sections=boundary.own(batch.sections, district_id, "section", outside),
        leaving=boundary.own(batch.leaving, district_id, "user", outside),
    )


def _put_schools(job: _Job) -> dict[str, str]:
    found = [rows.school(each, job.district_id) for each in job.batch.schools.values()]
    wrote = put(job.connection, tables.School, "id", found)
    return boundary.taken(wrote, "school", job.outside)


def _put_terms(job: _Job) -> dict[str, str]:
    found = [rows.term(each, job.district_id) for each in job.batch.terms.values()]
    wrote = put(job.connection, tables.Term, "id", found)
    return boundary.taken(wrote, "term", job.outside)


def _put_people(job: _Job) -> dict[str, str]:
    """The people with their schools."""
    everyone = sorted(
        job.batch.people.values(), key=lambda each: each.id
    )  # in one order: no deadlock
    found = [rows.person(each, job.district_id) for each in everyone]
    wrote = put(job.connection, tables.Person, "clever_id", found)
    wrote = boundary.taken(wrote, "user", job.outside)
    ours = job.find(tables.Person.clever_id, job.batch.people).here
    posts = [(each.id, *place) for each in everyone for place in rows.places(each)]
    schools = job.find(tables.School.id, (school for _, school, _ in posts))
    boundary.count((school for _, school, _ in posts), schools, "user.schools", job.outside)
    wanted = {
        (ours[one], school, role)
        for one, school, role in posts
        if one in ours and school in schools.here
    }
    clever_ids = {own: clever_id for clever_id, own in ours.items()}
    counted = {ours[one] for one in wrote if one in ours}
    for changed in job.link(tables.PersonSchool, clever_ids, wanted, counted=counted):
        for person_id, *_ in changed:
            wrote.setdefault(clever_ids[person_id], "changed")
    return wrote


def _put_sections(job: _Job) -> dict[str, str]:
    """The sections with whoever is in them, as far as we know these people."""
    found = list(job.batch.sections.values())
    schools = job.find(tables.School.id, (each.school_id for each in found))
    terms = job.find(tables.Term.id, (each.term_id for each in found))
    boundary.count((each.school_id for each in found), schools, "section.school", job.outside)
    boundary.count((each.term_id for each in found), terms, "section.term", job.outside)
    known = schools.here.keys() | terms.here.keys()
    written = [rows.section(each, job.district_id, known) for each in found]
    wrote = put(job.connection, tables.Section, "id", written)
    kept = boundary.taken(wrote, "section", job.outside)
    _enrol(job, [each for each in found if wrote.get(each.id) != OUTSIDE])
    return kept


def _enrol(job: _Job, sections: list[Section]) -> None:
    """Let exactly those be in these sections of whom the records say so."""
    members = [
        (each.id, clever_id, role)
        for each in sections
        for role, ids in (("teacher", each.teacher_ids), ("student", each.student_ids))
        for clever_id in ids
    ]
    people = job.find(tables.Person.clever_id, (clever_id for _, clever_id, _ in members))
    job.outside.update(f"section.{role}s" for _, one, role in members if one in people.elsewhere)
    wanted = {
        (section, people.here[one], role) for section, one, role in members if one in people.here
    }
    unknown = {(each.id, role) for each in sections for role in each.unknown_members}

    def stays(row: Row) -> bool:  # a list that is none does not empty a class
        section, _person, role = row
        return (section, role) in unknown

    owners = [each.id for each in sections]
    added, removed = job.link(tables.Enrolment, owners, wanted, stays)
    job.counts["enrolments", "new"] += len(added)
    job.counts["enrolments", "removed"] += len(removed)


def _bring_together(job: _Job) -> tuple[str, ...]:
    """Rows with an id from before v3 get that of today, as at a login; ids somebody came with."""
    people = job.batch.people | job.batch.leaving
    today = {legacy: each for each in people.values() for legacy in rows.legacy_ids(each)}
    before = job.find(tables.Person.clever_id, today)
    boundary.count(today, before, "user.legacy_id", job.outside)
    movable = _rows_of(job, today)
    elsewhere = job.find(tables.Person.clever_id, (today[each].id for each in movable)).elsewhere
    movable = {old: row for old, row in movable.items() if today[old].id not in elsewhere}
    if not movable:
        return ()
    with Session(job.connection) as session:
        for each in sorted({today[legacy].id for legacy in movable}):
            known(session, each, rows.legacy_ids(people[each]), job.district_id)
        session.flush()
    return tuple(old for old, has_come in movable.items() if has_come)


def _rows_of(job: _Job, legacy_ids: Collection[str]) -> dict[str, bool]:
    """Which of these ids rows have, of this district or none, and whether somebody came by it."""
    person = tables.Person
    asked = select(person.clever_id, person.last_login).where(
        person.provider == tables.PROVIDER,
        or_(person.district_id.is_(None), person.district_id == job.district_id),
    )
    return {
        str(clever_id): last_login is not None
        for part in chunks(legacy_ids, MOST_PARAMETERS)
        for clever_id, last_login in job.connection.execute(asked.where(person.clever_id.in_(part)))
    }


def _here_again(connection: Connection, batch: Batch) -> set[str]:
    """People who logged in after they left: Clever shares them again, and will say so."""
    person, found = tables.Person, set()
    ours = person.provider == tables.PROVIDER
    for part in chunks(batch.left_at, MOST_PARAMETERS):
        asked = select(person.clever_id, person.last_login).where(ours, person.clever_id.in_(part))
        for clever_id, last_login in connection.execute(asked):
            if clever_id and last_login and last_login > batch.left_at[clever_id] + CLOCKS:
                found.add(clever_id)
    return found


def _archive(
    connection: Connection, district_id: str, model: Model, ids: Iterable[str]
) -> tuple[str, ...]:
    """The ids of those that were there until now."""
    found: list[str] = []
    for part in chunks(sorted(ids), MOST_PARAMETERS):
        here = (model.district_id == district_id) & key_of(model).in_(part)
        there = here & model.archived_at.is_(None)
        found += connection.scalars(select(key_of(model)).where(there))
        connection.execute(update(model).where(there).values(archived_at=tables.now()))
    return tuple(found)
