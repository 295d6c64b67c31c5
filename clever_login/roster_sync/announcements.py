"""Sends the signals of a sync, inside the transaction that changes the rows.

Without receivers this module does nothing. With receivers, it reads the rows of a batch before and
after they are written and sends the differences. What a full read removes at its end can be as
large as the district, so it is read in pages after the removal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from clever_login import signals
from clever_login.accounts.announcements import (
    StoredPerson,
    announce,
    has_receivers,
    load_people,
    pages,
)
from clever_login.db.models import PROVIDER, Enrollment, Person, Section
from clever_login.roster_sync import row_values
from clever_login.roster_sync.writer import Batch, RemoveLater, WriteResult, write_batch
from clever_login.signals import (
    EnrollmentRow,
    PersonChange,
    PersonRow,
    SchoolRole,
    SectionChange,
    SectionRow,
)

# `people_merged` is missing: every merge sends it itself, before the batch is written.
_BATCH_SIGNALS = (
    signals.people_created,
    signals.people_restored,
    signals.people_changed,
    signals.sections_changed,
    signals.enrollments_added,
    signals.enrollments_removed,
    signals.people_archived,
)


Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Rows that a batch may change. `sections` holds None for an archived section."""

    people: dict[str, StoredPerson]
    sections: dict[str, SectionRow | None]
    enrollments: set[EnrollmentRow]


def write_and_announce(
    connection: Connection,
    district_id: str,
    batch: Batch,
    remove_later: RemoveLater | None = None,
    held_kinds: Collection[str] = (),
) -> WriteResult:
    """Write a batch as `write_batch` does, and send what it changed. Raises ReceiverFailed."""
    if not has_receivers(*_BATCH_SIGNALS):
        return write_batch(connection, district_id, batch, remove_later, held_kinds)
    before = _load_rows(connection, district_id, batch)
    result = write_batch(connection, district_id, batch, remove_later, held_kinds)
    after = _load_rows(connection, district_id, batch, before)
    enrolled_before = _with_survivors(before.enrollments, after.people)
    added = after.enrollments - enrolled_before
    removed = enrolled_before - after.enrollments
    people = _compare_people(before.people, after.people)
    for signal, rows in (
        (signals.people_created, people.created),
        (signals.people_restored, people.restored),
        (signals.people_changed, people.changed),
        (signals.sections_changed, _compare_sections(before.sections, after.sections)),
        (signals.enrollments_added, sorted(added)),
        (signals.enrollments_removed, sorted(removed)),
        (signals.people_archived, people.archived),
    ):
        announce(signal, connection, district_id, rows)
    return result


def announce_removals(
    connection: Connection,
    district_id: str,
    archived_at: datetime,
    stale_schools: Query | None = None,
    stale_enrollments: Query | None = None,
) -> None:
    """Send what has just been removed: everything archived at this time, and these links.

    The queries select the columns of removed links: owner, what it was linked to, and role. Raises
    ReceiverFailed.
    """
    if stale_schools is not None and has_receivers(signals.people_changed):
        _announce_left_schools(connection, district_id, stale_schools)
    if has_receivers(signals.sections_changed):
        query = _section_query().where(
            Section.district_id == district_id, Section.archived_at == archived_at
        )
        for page in pages(connection, query, Section.id):
            changes = [SectionChange(before=_section_row(section), after=None) for section in page]
            announce(signals.sections_changed, connection, district_id, changes)
    if stale_enrollments is not None and has_receivers(signals.enrollments_removed):
        columns = tuple(stale_enrollments.selected_columns)
        for page in pages(connection, stale_enrollments, *columns):
            rows = [_enrollment_row(*link) for link in page]
            announce(signals.enrollments_removed, connection, district_id, rows)
    if has_receivers(signals.people_archived):
        _announce_archived_people(connection, district_id, archived_at)


def _announce_left_schools(connection: Connection, district_id: str, stale: Query) -> None:
    """Send `people_changed` for the people whose roles at schools were removed."""
    owner = stale.selected_columns[0]
    for page in pages(connection, stale.with_only_columns(owner).distinct(), owner):
        removed_roles: dict[str, set[SchoolRole]] = {}
        owners = [owner_id for (owner_id,) in page]
        for owner_id, school_id, name in connection.execute(stale.where(owner.in_(owners))):
            removed_roles.setdefault(owner_id, set()).add(
                SchoolRole(school_id=school_id, role=name)
            )
        changes = [
            PersonChange(before=_with_schools(person.row, removed_roles), after=person.row)
            for person in load_people(connection, Person.id.in_(owners))
        ]
        announce(signals.people_changed, connection, district_id, changes)


def _with_schools(row: PersonRow, removed_roles: dict[str, set[SchoolRole]]) -> PersonRow:
    return replace(row, schools=tuple(sorted({*row.schools, *removed_roles[row.person_id]})))


def _announce_archived_people(
    connection: Connection, district_id: str, archived_at: datetime
) -> None:
    query = select(Person.id).where(
        Person.district_id == district_id, Person.archived_at == archived_at
    )
    for page in pages(connection, query, Person.id):
        ids = [person_id for (person_id,) in page]
        rows = [person.row for person in load_people(connection, Person.id.in_(ids))]
        announce(signals.people_archived, connection, district_id, rows)


def _load_rows(
    connection: Connection, district_id: str, batch: Batch, before: _Rows | None = None
) -> _Rows:
    """Load the rows of a batch. `before` names rows that the batch may have given another id."""
    return _Rows(
        people=_load_batch_people(connection, district_id, batch, before.people if before else ()),
        sections=_load_sections(
            connection, district_id, {*batch.sections, *batch.deleted["sections"]}
        ),
        enrollments=_load_enrollments(connection, batch.sections),
    )


def _load_batch_people(
    connection: Connection, district_id: str, batch: Batch, known_ids: Iterable[str]
) -> dict[str, StoredPerson]:
    records = [*batch.people.values(), *batch.deleted_people.values()]
    clever_ids = {*batch.people, *batch.deleted["people"]}
    clever_ids.update(former for record in records for former in row_values.former_ids(record))
    if not clever_ids:
        return {}
    by_clever_id = (Person.provider == PROVIDER) & Person.clever_id.in_(clever_ids)
    in_district = or_(Person.district_id.is_(None), Person.district_id == district_id)
    is_selected = or_(by_clever_id, Person.id.in_(tuple(known_ids))) & in_district
    people = load_people(connection, is_selected)
    return {person.row.person_id: person for person in people}


def _load_sections(
    connection: Connection, district_id: str, ids: set[str]
) -> dict[str, SectionRow | None]:
    if not ids:
        return {}
    query = _section_query().where(Section.district_id == district_id, Section.id.in_(ids))
    return {
        section.id: None if section.archived_at else _section_row(section)
        for section in connection.execute(query)
    }


def _load_enrollments(connection: Connection, section_ids: Iterable[str]) -> set[EnrollmentRow]:
    ids = tuple(section_ids)
    query = select(Enrollment.section_id, Enrollment.person_id, Enrollment.role)
    links = connection.execute(query.where(Enrollment.section_id.in_(ids))) if ids else ()
    return {_enrollment_row(*link) for link in links}


@dataclass(frozen=True, kw_only=True)
class _PeopleChanges:
    created: list[PersonRow]
    restored: list[PersonRow]
    changed: list[PersonChange]
    archived: list[PersonRow]


def _compare_people(
    before: dict[str, StoredPerson], after: dict[str, StoredPerson]
) -> _PeopleChanges:
    """Sort the people by what happened to them. A merged duplicate is no longer a person."""
    changes = _PeopleChanges(created=[], restored=[], changed=[], archived=[])
    for person_id, now in after.items():
        was = before.get(person_id)
        if now.merged_into:
            continue
        if now.is_archived:
            if was and not was.is_archived:
                changes.archived.append(now.row)
        elif was is None or was.district_id is None:  # so far perhaps in Clever Library only
            changes.created.append(now.row)
        elif was.is_archived:
            changes.restored.append(now.row)
        elif was.row != now.row:
            changes.changed.append(PersonChange(before=was.row, after=now.row))
    return changes


def _with_survivors(
    enrollments: set[EnrollmentRow], people: dict[str, StoredPerson]
) -> set[EnrollmentRow]:
    """Return the enrollments with survivors in place of their merged duplicates."""
    survivors = {
        person_id: person.merged_into for person_id, person in people.items() if person.merged_into
    }
    return {
        replace(enrollment, person_id=survivors.get(enrollment.person_id, enrollment.person_id))
        for enrollment in enrollments
    }


def _compare_sections(
    before: dict[str, SectionRow | None], after: dict[str, SectionRow | None]
) -> list[SectionChange]:
    return [
        SectionChange(before=before.get(section_id), after=after[section_id])
        for section_id in sorted(after)
        if before.get(section_id) != after[section_id]
    ]


def _section_query() -> Query:
    names = (Section.name, Section.subject, Section.grade, Section.period)
    references = (Section.school_id, Section.term_id, Section.course_id)
    return select(Section.id, *names, *references, Section.archived_at)


def _section_row(section: Any) -> SectionRow:
    return SectionRow(
        section_id=section.id,
        name=section.name,
        subject=section.subject,
        grade=section.grade,
        period=section.period,
        school_id=section.school_id,
        term_id=section.term_id,
        course_id=section.course_id,
    )


def _enrollment_row(section_id: str, person_id: str, role: str) -> EnrollmentRow:
    return EnrollmentRow(section_id=section_id, person_id=person_id, role=role)
