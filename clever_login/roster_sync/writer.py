"""Writes Clever's records to the database. Writing a record twice leaves the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, or_, select, update
from sqlalchemy.orm import Session

from clever_login.accounts.merge import find_by_clever_id
from clever_login.clever.people import Person
from clever_login.clever.records import Course, SchoolRecord, Section, Term
from clever_login.db import models
from clever_login.db.upsert import (
    MAX_PARAMETERS,
    OTHER_DISTRICT,
    add_links,
    chunks,
    delete_links,
    upsert_rows,
)
from clever_login.roster_sync import row_values
from clever_login.roster_sync.kinds import (
    KIND_BY_LINK,
    MODEL_BY_KIND,
    Link,
    LinkRow,
    RosterModel,
    clever_id_column,
)
from clever_login.roster_sync.limits import district_boundary
from clever_login.roster_sync.limits.district_boundary import FoundRows
from clever_login.roster_sync.removals import held_removals

CLOCK_TOLERANCE = timedelta(minutes=2)  # allowed difference between our clock and Clever's
Counts = Counter[tuple[str, str]]  # (table, what happened) -> how many
DeletedIds = dict[str, set[str]]


@dataclass(frozen=True)
class Batch:
    """Records to write in one transaction, by id, and the ids of deleted records."""

    schools: dict[str, SchoolRecord] = field(default_factory=dict)
    terms: dict[str, Term] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    deleted: DeletedIds = field(default_factory=lambda: {name: set() for name in MODEL_BY_KIND})
    # Records of the people in `deleted`.
    deleted_people: dict[str, Person] = field(default_factory=dict)
    deleted_at: dict[str, datetime] = field(default_factory=dict)  # time of deletion, from Clever


@dataclass(frozen=True)
class WriteResult:
    """What a batch changed, and the Clever ids whose sessions have to end."""

    counts: Counts
    logged_out: tuple[str, ...] = ()
    former_ids: tuple[str, ...] = ()  # ids from before v3
    other_districts: Counter[str] = field(
        default_factory=Counter
    )  # data of other districts, by field


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
        stale: Collection[LinkRow],
        counted: Collection[str],
    ) -> None:
        """Record the stale links."""


@dataclass(frozen=True)
class _Job:
    """A batch for one district, and its results."""

    connection: Connection
    district_id: str
    batch: Batch
    remove_later: RemoveLater | None
    held_kinds: Collection[str] = ()
    counts: Counts = field(default_factory=Counter)
    other_districts: Counter[str] = field(default_factory=Counter)

    def find(self, key: Any, ids: Iterable[str | None]) -> FoundRows:
        """Find rows that records refer to."""
        return district_boundary.find_rows(self.connection, self.district_id, key, set(ids))

    def link(
        self,
        model: Link,
        owners: Collection[str],
        wanted: Collection[LinkRow],
        keep: Callable[[LinkRow], bool] = lambda _row: False,
        counted: Collection[str] = (),
    ) -> tuple[set[LinkRow], set[LinkRow]]:
        """Make `wanted` the only links of their owners; return the links added and removed now."""
        added, stale = add_links(self.connection, model, owners, wanted, keep=keep)
        if self.remove_later is not None:
            changed = {*counted, *(row[0] for row in added)}
            self.remove_later(self.connection, model, owners, stale, changed)
            return added, set()
        hold_new = KIND_BY_LINK[model] in self.held_kinds
        removed = held_removals.keep_held_links(
            self.connection, self.district_id, model, owners, wanted, stale, hold_new=hold_new
        )
        delete_links(self.connection, model, removed)
        return added, removed


def write_batch(
    connection: Connection,
    district_id: str,
    batch: Batch,
    remove_later: RemoveLater | None = None,
    held_kinds: Collection[str] = (),
) -> WriteResult:
    """Write a batch in the open transaction, leaving out other districts' data.

    If `remove_later` is given, stale links are passed to it instead of being deleted. Removals of
    the held kinds are put on hold.
    """
    job = _Job(connection, district_id, batch, remove_later, held_kinds)
    job = replace(job, batch=_without_other_districts(job))
    former_ids = _merge_legacy_people(job)
    for name, changes in (
        ("schools", _upsert_schools(job)),
        ("terms", _upsert_terms(job)),
        ("courses", _upsert_courses(job)),
        ("people", _upsert_people(job)),
        ("sections", _upsert_sections(job)),
    ):
        job.counts.update((name, change) for change in changes.values())
        _end_holds(job, name, getattr(job.batch, name))
    archived_people: tuple[str, ...] = ()
    for name, ids in batch.deleted.items():
        ids = ids - _returned_people(connection, batch) if name == "people" else ids
        if name in held_kinds:
            _hold_rows(connection, district_id, name, ids)
            continue
        archived = _archive_rows(connection, district_id, MODEL_BY_KIND[name], ids)
        job.counts[name, "archived"] += len(archived)
        archived_people = archived if name == "people" else archived_people
    return WriteResult(+job.counts, archived_people, former_ids, +job.other_districts)


def _without_other_districts(job: _Job) -> Batch:
    batch, district_id, outside = job.batch, job.district_id, job.other_districts
    return replace(
        batch,
        schools=district_boundary.drop_records_of_other_districts(
            batch.schools, district_id, "school", outside
        ),
        terms=district_boundary.drop_records_of_other_districts(
            batch.terms, district_id, "term", outside
        ),
        courses=district_boundary.drop_records_of_other_districts(
            batch.courses, district_id, "course", outside
        ),
        people=district_boundary.drop_records_of_other_districts(
            batch.people, district_id, "user", outside
        ),
        sections=district_boundary.drop_records_of_other_districts(
            batch.sections, district_id, "section", outside
        ),
        deleted_people=district_boundary.drop_records_of_other_districts(
            batch.deleted_people, district_id, "user", outside
        ),
    )


def _upsert_schools(job: _Job) -> dict[str, str]:
    rows = [row_values.school_row(record, job.district_id) for record in job.batch.schools.values()]
    changes = upsert_rows(job.connection, models.School, "id", rows)
    return district_boundary.drop_rows_of_other_districts(changes, "school", job.other_districts)


def _upsert_terms(job: _Job) -> dict[str, str]:
    rows = [row_values.term_row(record, job.district_id) for record in job.batch.terms.values()]
    changes = upsert_rows(job.connection, models.Term, "id", rows)
    return district_boundary.drop_rows_of_other_districts(changes, "term", job.other_districts)


def _upsert_courses(job: _Job) -> dict[str, str]:
    rows = [row_values.course_row(record, job.district_id) for record in job.batch.courses.values()]
    changes = upsert_rows(job.connection, models.Course, "id", rows)
    return district_boundary.drop_rows_of_other_districts(changes, "course", job.other_districts)


def _upsert_people(job: _Job) -> dict[str, str]:
    """Write users and their schools."""
    # A fixed order avoids deadlocks.
    people = sorted(_storable_people(job), key=lambda person: person.id)
    rows = [row_values.person_row(person, job.district_id) for person in people]
    changes = upsert_rows(job.connection, models.Person, "clever_id", rows)
    changes = district_boundary.drop_rows_of_other_districts(changes, "user", job.other_districts)
    person_ids = job.find(models.Person.clever_id, job.batch.people).in_district
    assignments = [
        (person.id, *assignment)
        for person in people
        for assignment in row_values.schools_with_roles(person)
    ]
    schools = job.find(models.School.id, (school_id for _, school_id, _ in assignments))
    district_boundary.count_foreign_references(
        (school_id for _, school_id, _ in assignments), schools, "user.schools", job.other_districts
    )
    wanted = {
        (person_ids[clever_id], school_id, role)
        for clever_id, school_id, role in assignments
        if clever_id in person_ids and school_id in schools.in_district
    }
    clever_ids = {person_id: clever_id for clever_id, person_id in person_ids.items()}
    counted = {person_ids[clever_id] for clever_id in changes if clever_id in person_ids}
    for changed in job.link(models.RoleAssignment, clever_ids, wanted, counted=counted):
        for person_id, *_ in changed:
            changes.setdefault(clever_ids[person_id], "changed")
    return changes


def _storable_people(job: _Job) -> list[Person]:
    """Leave out new people without a readable role: they may be students' contacts."""
    unreadable = [
        person.id
        for person in job.batch.people.values()
        if person.unknown_roles and not person.roles
    ]
    known_ids = job.find(models.Person.clever_id, unreadable).in_district
    left_out = {*unreadable}.difference(known_ids)
    return [person for person in job.batch.people.values() if person.id not in left_out]


def _upsert_sections(job: _Job) -> dict[str, str]:
    """Write sections and the enrollments of known users."""
    sections = list(job.batch.sections.values())
    schools = job.find(models.School.id, (section.school_id for section in sections))
    terms = job.find(models.Term.id, (section.term_id for section in sections))
    courses = job.find(models.Course.id, (section.course_id for section in sections))
    district_boundary.count_foreign_references(
        (section.school_id for section in sections), schools, "section.school", job.other_districts
    )
    district_boundary.count_foreign_references(
        (section.term_id for section in sections), terms, "section.term", job.other_districts
    )
    district_boundary.count_foreign_references(
        (section.course_id for section in sections), courses, "section.course", job.other_districts
    )
    known_ids = [found.in_district.keys() for found in (schools, terms, courses)]
    rows = [row_values.section_row(section, job.district_id, *known_ids) for section in sections]
    changes = upsert_rows(job.connection, models.Section, "id", rows)
    result = district_boundary.drop_rows_of_other_districts(changes, "section", job.other_districts)
    _write_enrollments(
        job, [section for section in sections if changes.get(section.id) != OTHER_DISTRICT]
    )
    return result


def _write_enrollments(job: _Job, sections: list[Section]) -> None:
    """Make the members in the records the only members of these sections."""
    members = [
        (section.id, clever_id, role)
        for section in sections
        for role, ids in (("teacher", section.teacher_ids), ("student", section.student_ids))
        for clever_id in ids
    ]
    people = job.find(models.Person.clever_id, (clever_id for _, clever_id, _ in members))
    job.other_districts.update(
        f"section.{role}s"
        for _, clever_id, role in members
        if clever_id in people.in_other_districts
    )
    wanted = {
        (section, people.in_district[clever_id], role)
        for section, clever_id, role in members
        if clever_id in people.in_district
    }
    unknown = {(section.id, role) for section in sections for role in section.unknown_members}

    def keep_link(row: LinkRow) -> bool:  # a list that could not be parsed does not empty a class
        section, _person, role = row
        return (section, role) in unknown

    owners = [section.id for section in sections]
    added, removed = job.link(models.Enrollment, owners, wanted, keep_link)
    job.counts["enrollments", "new"] += len(added)
    job.counts["enrollments", "removed"] += len(removed)


def _merge_legacy_people(job: _Job) -> tuple[str, ...]:
    """Merge rows with ids from before v3, as a login does; return old ids that have logged in."""
    people = job.batch.people | job.batch.deleted_people
    current_people = {
        legacy: person for person in people.values() for legacy in row_values.former_ids(person)
    }
    legacy_rows = job.find(models.Person.clever_id, current_people)
    district_boundary.count_foreign_references(
        current_people, legacy_rows, "user.legacy_id", job.other_districts
    )
    mergeable = _legacy_rows(job, current_people)
    in_other_districts = job.find(
        models.Person.clever_id, (current_people[legacy_id].id for legacy_id in mergeable)
    ).in_other_districts
    mergeable = {
        legacy_id: row
        for legacy_id, row in mergeable.items()
        if current_people[legacy_id].id not in in_other_districts
    }
    if not mergeable:
        return ()
    with Session(job.connection) as session:
        for clever_id in sorted({current_people[legacy].id for legacy in mergeable}):
            find_by_clever_id(
                session, clever_id, row_values.former_ids(people[clever_id]), job.district_id
            )
        session.flush()
    return tuple(legacy_id for legacy_id, has_logged_in in mergeable.items() if has_logged_in)


def _legacy_rows(job: _Job, legacy_ids: Collection[str]) -> dict[str, bool]:
    """Return which of these ids have a row of this district or none, and if it has logged in."""
    person = models.Person
    query = select(person.clever_id, person.last_login).where(
        person.provider == models.PROVIDER,
        or_(person.district_id.is_(None), person.district_id == job.district_id),
    )
    return {
        str(clever_id): last_login is not None
        for chunk in chunks(legacy_ids, MAX_PARAMETERS)
        for clever_id, last_login in job.connection.execute(
            query.where(person.clever_id.in_(chunk))
        )
    }


def _returned_people(connection: Connection, batch: Batch) -> set[str]:
    """People who logged in after they left. Clever shares them again, and will send an event."""
    person, returned = models.Person, set()
    from_clever = person.provider == models.PROVIDER
    for chunk in chunks(batch.deleted_at, MAX_PARAMETERS):
        query = select(person.clever_id, person.last_login).where(
            from_clever, person.clever_id.in_(chunk)
        )
        for clever_id, last_login in connection.execute(query):
            if (
                clever_id
                and last_login
                # Clever's time may be the last of the calendar, so it is not added to
                and last_login - CLOCK_TOLERANCE > batch.deleted_at[clever_id]
            ):
                returned.add(clever_id)
    return returned


def _end_holds(job: _Job, name: str, sent_ids: Collection[str]) -> None:
    """End the hold of the records that Clever has just sent."""
    row_ids: Iterable[str] = sent_ids
    if name == "people":
        row_ids = job.find(models.Person.clever_id, sent_ids).in_district.values()
    held_removals.end_hold_of_records(job.connection, job.district_id, name, row_ids)


def _hold_rows(connection: Connection, district_id: str, name: str, ids: Collection[str]) -> None:
    for chunk in chunks(sorted(ids), MAX_PARAMETERS):
        condition = _is_active(MODEL_BY_KIND[name], district_id, chunk)
        held_removals.hold_records(connection, district_id, name, condition)


def _archive_rows(
    connection: Connection, district_id: str, model: RosterModel, ids: Iterable[str]
) -> tuple[str, ...]:
    """Archive these rows, and return the ids of those that were active."""
    archived: list[str] = []
    for chunk in chunks(sorted(ids), MAX_PARAMETERS):
        is_active = _is_active(model, district_id, chunk)
        archived += connection.scalars(select(clever_id_column(model)).where(is_active))
        connection.execute(update(model).where(is_active).values(archived_at=models.utc_now()))
    return tuple(archived)


def _is_active(
    model: RosterModel, district_id: str, clever_ids: Collection[str]
) -> ColumnElement[bool]:
    is_selected: ColumnElement[bool] = clever_id_column(model).in_(clever_ids)
    return is_selected & (model.district_id == district_id) & model.archived_at.is_(None)
