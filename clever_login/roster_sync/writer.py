"""Writes Clever's records to the database. Writing a record twice leaves the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.orm import Session

from clever_login.accounts.merge import find_by_clever_id
from clever_login.clever.people import Person
from clever_login.clever.records import SchoolRecord, Section, Term
from clever_login.db import models
from clever_login.db.upsert import (
    MAX_PARAMETERS,
    OTHER_DISTRICT,
    chunks,
    replace_links,
    upsert_rows,
)
from clever_login.roster_sync import district_boundary, row_values
from clever_login.roster_sync.district_boundary import FoundRows

CLOCK_TOLERANCE = timedelta(minutes=2)  # allowed difference between our clock and Clever's
Counts = Counter[tuple[str, str]]  # (table, what happened) -> how many
DeletedIds = dict[str, set[str]]
Link = type[models.RoleAssignment] | type[models.Enrollment]
Row = tuple[str, ...]
RosterModel = type[models.School] | type[models.Term] | type[models.Person] | type[models.Section]
MODEL_BY_KIND: dict[str, RosterModel] = {
    "schools": models.School,
    "terms": models.Term,
    "people": models.Person,
    "sections": models.Section,
}


@dataclass(frozen=True)
class Batch:
    """Records to write in one transaction, by id, and the ids of deleted records."""

    schools: dict[str, SchoolRecord] = field(default_factory=dict)
    terms: dict[str, Term] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    gone: DeletedIds = field(default_factory=lambda: {name: set() for name in MODEL_BY_KIND})
    leaving: dict[str, Person] = field(default_factory=dict)  # records of the people in `gone`
    left_at: dict[str, datetime] = field(default_factory=dict)  # time of deletion, from Clever


@dataclass(frozen=True)
class WriteResult:
    """What a batch changed, and the Clever ids whose sessions have to end."""

    counts: Counts
    archived: tuple[str, ...] = ()
    former: tuple[str, ...] = ()  # ids from before v3
    outside: Counter[str] = field(default_factory=Counter)  # data of other districts, by field


class RemoveLater(Protocol):
    """A callback that records stale links to be removed later, if at all.

    It gets the stale links, all owners that were checked, and the owners already counted as
    changed.
    """

    def __call__(
        self,
        connection: Connection,
        model: Link,
        owners: Collection[str],
        stale: Collection[Row],
        counted: Collection[str],
    ) -> None:
        """Record the stale links."""


@dataclass(frozen=True)
class _Job:
    """A batch for one district, and its results."""

    connection: Connection
    district_id: str
    batch: Batch
    later: RemoveLater | None
    counts: Counts = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def find(self, key: Any, ids: Iterable[str | None]) -> FoundRows:
        """Find rows that records refer to."""
        return district_boundary.find_rows(self.connection, self.district_id, key, set(ids))

    def link(
        self,
        model: Link,
        owners: Collection[str],
        wanted: Collection[Row],
        stays: Callable[[Row], bool] = lambda _row: False,
        counted: Collection[str] = (),
    ) -> tuple[set[Row], set[Row]]:
        """Make `wanted` the only links of their owners; return the links added and removed now."""
        now = self.later is None
        added, stale = replace_links(self.connection, model, owners, wanted, keep=stays, remove=now)
        if self.later is None:
            return added, stale
        changed = {*counted, *(each[0] for each in added)}
        self.later(self.connection, model, owners, stale, changed)
        return added, set()


def write_batch(
    connection: Connection, district_id: str, batch: Batch, later: RemoveLater | None = None
) -> WriteResult:
    """Write a batch in the open transaction, leaving out other districts' data.

    If `later` is given, stale links are passed to it instead of being deleted.
    """
    job = _Job(connection, district_id, batch, later)
    job = replace(job, batch=_without_other_districts(job))
    former = _merge_legacy_people(job)
    for name, wrote in (
        ("schools", _upsert_schools(job)),
        ("terms", _upsert_terms(job)),
        ("people", _upsert_people(job)),
        ("sections", _upsert_sections(job)),
    ):
        job.counts.update((name, what) for what in wrote.values())
    people: tuple[str, ...] = ()
    for name, ids in batch.gone.items():
        ids = ids - _returned_people(connection, batch) if name == "people" else ids
        archived = _archive_rows(connection, district_id, MODEL_BY_KIND[name], ids)
        job.counts[name, "archived"] += len(archived)
        people = archived if name == "people" else people
    return WriteResult(+job.counts, people, former, +job.outside)


def clever_id_column(model: RosterModel) -> Any:
    """Return the column that holds the Clever id."""
    return model.clever_id if model is models.Person else model.id


def _without_other_districts(job: _Job) -> Batch:
    batch, district_id, outside = job.batch, job.district_id, job.outside
    return replace(
        batch,
        schools=district_boundary.drop_records_of_other_districts(
            batch.schools, district_id, "school", outside
        ),
        terms=district_boundary.drop_records_of_other_districts(
            batch.terms, district_id, "term", outside
        ),
        people=district_boundary.drop_records_of_other_districts(
            batch.people, district_id, "user", outside
        ),
        sections=district_boundary.drop_records_of_other_districts(
            batch.sections, district_id, "section", outside
        ),
        leaving=district_boundary.drop_records_of_other_districts(
            batch.leaving, district_id, "user", outside
        ),
    )


def _upsert_schools(job: _Job) -> dict[str, str]:
    found = [row_values.school_row(each, job.district_id) for each in job.batch.schools.values()]
    wrote = upsert_rows(job.connection, models.School, "id", found)
    return district_boundary.drop_rows_of_other_districts(wrote, "school", job.outside)


def _upsert_terms(job: _Job) -> dict[str, str]:
    found = [row_values.term_row(each, job.district_id) for each in job.batch.terms.values()]
    wrote = upsert_rows(job.connection, models.Term, "id", found)
    return district_boundary.drop_rows_of_other_districts(wrote, "term", job.outside)


def _upsert_people(job: _Job) -> dict[str, str]:
    """Write users and their schools."""
    # A fixed order avoids deadlocks.
    everyone = sorted(job.batch.people.values(), key=lambda each: each.id)
    found = [row_values.person_row(each, job.district_id) for each in everyone]
    wrote = upsert_rows(job.connection, models.Person, "clever_id", found)
    wrote = district_boundary.drop_rows_of_other_districts(wrote, "user", job.outside)
    ours = job.find(models.Person.clever_id, job.batch.people).here
    posts = [
        (each.id, *place) for each in everyone for place in row_values.schools_with_roles(each)
    ]
    schools = job.find(models.School.id, (school for _, school, _ in posts))
    district_boundary.count_foreign_references(
        (school for _, school, _ in posts), schools, "user.schools", job.outside
    )
    wanted = {
        (ours[one], school, role)
        for one, school, role in posts
        if one in ours and school in schools.here
    }
    clever_ids = {own: clever_id for clever_id, own in ours.items()}
    counted = {ours[one] for one in wrote if one in ours}
    for changed in job.link(models.RoleAssignment, clever_ids, wanted, counted=counted):
        for person_id, *_ in changed:
            wrote.setdefault(clever_ids[person_id], "changed")
    return wrote


def _upsert_sections(job: _Job) -> dict[str, str]:
    """Write sections and the enrollments of known users."""
    found = list(job.batch.sections.values())
    schools = job.find(models.School.id, (each.school_id for each in found))
    terms = job.find(models.Term.id, (each.term_id for each in found))
    district_boundary.count_foreign_references(
        (each.school_id for each in found), schools, "section.school", job.outside
    )
    district_boundary.count_foreign_references(
        (each.term_id for each in found), terms, "section.term", job.outside
    )
    known = schools.here.keys() | terms.here.keys()
    written = [row_values.section_row(each, job.district_id, known) for each in found]
    wrote = upsert_rows(job.connection, models.Section, "id", written)
    kept = district_boundary.drop_rows_of_other_districts(wrote, "section", job.outside)
    _write_enrollments(job, [each for each in found if wrote.get(each.id) != OTHER_DISTRICT])
    return kept


def _write_enrollments(job: _Job, sections: list[Section]) -> None:
    """Make the members in the records the only members of these sections."""
    members = [
        (each.id, clever_id, role)
        for each in sections
        for role, ids in (("teacher", each.teacher_ids), ("student", each.student_ids))
        for clever_id in ids
    ]
    people = job.find(models.Person.clever_id, (clever_id for _, clever_id, _ in members))
    job.outside.update(f"section.{role}s" for _, one, role in members if one in people.elsewhere)
    wanted = {
        (section, people.here[one], role) for section, one, role in members if one in people.here
    }
    unknown = {(each.id, role) for each in sections for role in each.unknown_members}

    def stays(row: Row) -> bool:  # a list that could not be parsed does not empty a class
        section, _person, role = row
        return (section, role) in unknown

    owners = [each.id for each in sections]
    added, removed = job.link(models.Enrollment, owners, wanted, stays)
    job.counts["enrolments", "new"] += len(added)
    job.counts["enrolments", "removed"] += len(removed)


def _merge_legacy_people(job: _Job) -> tuple[str, ...]:
    """Merge rows with ids from before v3, as a login does; return old ids that have logged in."""
    people = job.batch.people | job.batch.leaving
    today = {legacy: each for each in people.values() for legacy in row_values.former_ids(each)}
    before = job.find(models.Person.clever_id, today)
    district_boundary.count_foreign_references(today, before, "user.legacy_id", job.outside)
    movable = _legacy_rows(job, today)
    elsewhere = job.find(models.Person.clever_id, (today[each].id for each in movable)).elsewhere
    movable = {old: row for old, row in movable.items() if today[old].id not in elsewhere}
    if not movable:
        return ()
    with Session(job.connection) as session:
        for each in sorted({today[legacy].id for legacy in movable}):
            find_by_clever_id(session, each, row_values.former_ids(people[each]), job.district_id)
        session.flush()
    return tuple(old for old, has_come in movable.items() if has_come)


def _legacy_rows(job: _Job, legacy_ids: Collection[str]) -> dict[str, bool]:
    """Return which of these ids have a row of this district or none, and if it has logged in."""
    person = models.Person
    asked = select(person.clever_id, person.last_login).where(
        person.provider == models.PROVIDER,
        or_(person.district_id.is_(None), person.district_id == job.district_id),
    )
    return {
        str(clever_id): last_login is not None
        for part in chunks(legacy_ids, MAX_PARAMETERS)
        for clever_id, last_login in job.connection.execute(asked.where(person.clever_id.in_(part)))
    }


def _returned_people(connection: Connection, batch: Batch) -> set[str]:
    """People who logged in after they left. Clever shares them again, and will send an event."""
    person, found = models.Person, set()
    ours = person.provider == models.PROVIDER
    for part in chunks(batch.left_at, MAX_PARAMETERS):
        asked = select(person.clever_id, person.last_login).where(ours, person.clever_id.in_(part))
        for clever_id, last_login in connection.execute(asked):
            if clever_id and last_login and last_login > batch.left_at[clever_id] + CLOCK_TOLERANCE:
                found.add(clever_id)
    return found


def _archive_rows(
    connection: Connection, district_id: str, model: RosterModel, ids: Iterable[str]
) -> tuple[str, ...]:
    """Archive these rows, and return the ids of those that were active."""
    found: list[str] = []
    for part in chunks(sorted(ids), MAX_PARAMETERS):
        here = (model.district_id == district_id) & clever_id_column(model).in_(part)
        there = here & model.archived_at.is_(None)
        found += connection.scalars(select(clever_id_column(model)).where(there))
        connection.execute(update(model).where(there).values(archived_at=models.utc_now()))
    return tuple(found)
