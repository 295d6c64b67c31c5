"""Export, deletion and retention of personal data.

Rows are deleted for good, for people or whole districts, with everything that refers to them: on
request, or after the retention period.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Select, and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from clever_login.accounts.announcements import announce_forgotten, collect_export
from clever_login.clever.models import Role
from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from clever_login.db.database import database
from clever_login.db.models import (
    PROVIDER,
    Base,
    Claim,
    Course,
    District,
    Enrollment,
    HeldRemoval,
    Person,
    RoleAssignment,
    School,
    Section,
    SeenRecord,
    StaleLink,
    StoredValue,
    SyncRun,
    Term,
    utc_now,
)
from clever_login.sessions import end_sessions
from clever_login.sessions.stored_sessions import read_sessions

RowCounts = Counter[str]  # rows, by table
IS_LIBRARY_PERSON = and_(Person.district_id.is_(None), Person.clever_id.is_not(None))


@dataclass(frozen=True, kw_only=True)
class DeletionScope:
    """Conditions for the rows to delete; None for a table with none."""

    people: ColumnElement[bool]
    sections: ColumnElement[bool] | None = None
    schools: ColumnElement[bool] | None = None
    terms: ColumnElement[bool] | None = None
    courses: ColumnElement[bool] | None = None
    districts: ColumnElement[bool] | None = None


def delete_scope(session: Session, scope: DeletionScope) -> RowCounts:
    """Delete these rows and all rows that refer to them; return the number deleted per table.

    Sends `people_forgotten` before. Raises ReceiverFailed.
    """
    rows = RowCounts()
    people = select(Person.id).where(scope.people)
    merged = Person.merged_into.in_(people)
    rows.update(announce_forgotten(session, or_(scope.people, merged)))
    all_people = select(Person.id).where(or_(scope.people, merged)).correlate(None)
    for table in (Claim, Enrollment, RoleAssignment):
        _delete_matching(session, rows, table, table.person_id.in_(all_people))
    is_held = or_(HeldRemoval.record_id.in_(all_people), HeldRemoval.linked_id.in_(all_people))
    _delete_matching(session, rows, HeldRemoval, is_held)
    _delete_of_killed_read(session, rows, all_people)
    if scope.sections is not None:
        ids = select(Section.id).where(scope.sections)
        _delete_matching(session, rows, Enrollment, Enrollment.section_id.in_(ids))
        _delete_matching(session, rows, Section, scope.sections)
    _delete_matching(session, rows, Person, merged)
    _delete_matching(session, rows, Person, scope.people)
    if scope.schools is not None:
        ids = select(School.id).where(scope.schools)
        _delete_matching(session, rows, RoleAssignment, RoleAssignment.school_id.in_(ids))
        _delete_matching(session, rows, School, scope.schools)
    if scope.terms is not None:
        _delete_matching(session, rows, Term, scope.terms)
    if scope.courses is not None:
        _delete_matching(session, rows, Course, scope.courses)
    if scope.districts is not None:
        ids = select(District.id).where(scope.districts)
        _delete_matching(session, rows, SyncRun, SyncRun.district_id.in_(ids))
        _delete_matching(session, rows, District, scope.districts)
    _delete_orphans(session, rows)
    return rows


def _delete_of_killed_read(session: Session, rows: RowCounts, people: Select[str]) -> None:
    """Delete what a full read that was killed noted about these people."""
    clever_ids = select(Person.clever_id).where(Person.id.in_(people))
    is_seen = and_(SeenRecord.kind == "people", SeenRecord.clever_id.in_(clever_ids))
    _delete_matching(session, rows, SeenRecord, is_seen)
    is_stale = or_(StaleLink.owner_id.in_(people), StaleLink.linked_id.in_(people))
    _delete_matching(session, rows, StaleLink, is_stale)


def _delete_orphans(session: Session, rows: RowCounts) -> None:
    """Delete Clever Library sections without a teacher, then people who were only in those.

    Only the teacher shared them, so nothing else would ever remove them. People who have logged in
    are kept, and so are those who have an account of the product (`accounts import`).
    """
    has_teacher = exists().where(
        Enrollment.section_id == Section.id, Enrollment.role == Role.TEACHER
    )
    orphaned = and_(Section.district_id.is_(None), Section.archived_at.is_(None), ~has_teacher)
    ids = select(Section.id).where(orphaned)
    _delete_matching(session, rows, Enrollment, Enrollment.section_id.in_(ids))
    _delete_matching(session, rows, Section, orphaned)
    is_enrolled = exists().where(Enrollment.person_id == Person.id)
    has_no_account = and_(Person.last_login.is_(None), Person.account_id.is_(None))
    never_logged_in = and_(IS_LIBRARY_PERSON, has_no_account, ~is_enrolled)
    rows.update(announce_forgotten(session, never_logged_in))
    ids = select(Person.id).where(never_logged_in)
    for table in (Claim, RoleAssignment):
        _delete_matching(session, rows, table, table.person_id.in_(ids))
    _delete_matching(session, rows, Person, never_logged_in)


def _delete_matching(
    session: Session, rows: RowCounts, table: type[Base], condition: ColumnElement[bool]
) -> None:
    result = session.execute(
        delete(table).where(condition).execution_options(synchronize_session=False)
    )
    rows[table.__tablename__] += cast("CursorResult[Any]", result).rowcount


@dataclass(frozen=True, kw_only=True)
class DeletionReceipt:
    """What was deleted. `existed`: a row existed; `shared`: Clever still shares the data."""

    deleted_at: datetime
    clever_id: str | None
    rows: RowCounts
    sessions: int
    existed: bool
    shared: bool


def forget_person(key: str) -> DeletionReceipt:
    """Delete a person, given the Clever id or ours, and end their sessions.

    Sessions end before the deletion is committed. If ending them fails, nothing is deleted. Raises
    DatabaseUnavailable, StoreUnavailable and ReceiverFailed.
    """
    with database().begin() as session:
        person = _find_person(session, key)
        clever_id = person.clever_id if person else key
        shared = person is not None and person.archived_at is None and clever_id is not None
        rows = (
            delete_scope(session, DeletionScope(people=Person.id == person.id))
            if person
            else RowCounts()
        )
        ended_sessions = end_sessions.by_clever_id(people=[clever_id] if clever_id else [])
        if person:  # sessions of other login methods
            ended_sessions += end_sessions.end_sessions(person_id=person.id)
    return DeletionReceipt(
        deleted_at=utc_now(),
        clever_id=clever_id,
        rows=rows,
        sessions=ended_sessions,
        existed=bool(person),
        shared=shared,
    )


def forget_district(district_id: str) -> DeletionReceipt:
    """Delete a district with all its data, and end all sessions of its users.

    Raises DatabaseUnavailable, StoreUnavailable and ReceiverFailed, with nothing deleted.
    """
    with database().begin() as session:
        district = session.get(District, district_id)
        shared = district is not None and district.archived_at is None
        rows = delete_scope(session, _district_scope(district_id))
        ended_sessions = end_sessions.by_clever_id(district_id=district_id)
    return DeletionReceipt(
        deleted_at=utc_now(),
        clever_id=district_id,
        rows=rows,
        sessions=ended_sessions,
        existed=bool(district),
        shared=shared,
    )


def export_person(key: str) -> dict[str, Any] | None:
    """Return all stored data of one person, ready for JSON, or None if the id is unknown.

    `sessions` has what each of their sessions contains, and `app` what receivers of
    `person_exported` return. Raises DatabaseUnavailable, StoreUnavailable and ReceiverFailed.
    """
    with database().read_session() as session:
        person = _find_person(session, key)
        if person is None:
            return None
        district = session.get(District, person.district_id) if person.district_id else None
        return {
            "exported_at": _to_json_value(utc_now()),
            "person": _export_columns(person),
            "district": _export_columns(district, "id", "name") if district else None,
            "schools": _export_schools(session, person),
            "classes": _export_classes(session, person),
            "invitations": _export_claims(session, person),
            "former_ids": _export_former_ids(session, person),
            "sessions": read_sessions(clever_id=person.clever_id, person_id=person.id),
            "app": collect_export(session, person),
        }


def erase_remains() -> None:
    """Erase what deleted rows have left in a SQLite file. On PostgreSQL, do nothing.

    Call this after a deletion. Raises DatabaseUnavailable, with the rows deleted.
    """
    database().erase_deleted()


def is_on_postgresql() -> bool:
    """Whether the database keeps deleted rows in its files for a while, as PostgreSQL does."""
    return database().engine.dialect.name == "postgresql"


def apply_retention(days: int, *, remove: bool) -> RowCounts:
    """Delete what has been archived for more than `days` days; return the number of rows per table.

    Expired claim links, sessions, and one-time keys go too. If `remove` is False, the deletion is
    rolled back, with what the receivers of `people_forgotten` wrote. Raises DatabaseUnavailable and
    ReceiverFailed.
    """
    with database().begin() as session:
        rows = delete_scope(session, _expired_scope(utc_now() - timedelta(days=days)))
        expired = session.scalars(select(Claim).where(Claim.expires_at < utc_now())).all()
        for claim in expired:
            session.delete(claim)
        rows[Claim.__tablename__] += len(expired)
        ended = StoredValue.expires_at < utc_now() - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS)
        keys = session.scalars(delete(StoredValue).where(ended).returning(StoredValue.key))
        rows[StoredValue.__tablename__] += len(keys.all())
        session.flush()
        if not remove:
            session.rollback()
    return rows


def _find_person(session: Session, key: str) -> Person | None:
    """Find a person by our id or Clever's. An id from before a merge finds the merged account."""
    is_clever_id = and_(Person.provider == PROVIDER, Person.clever_id == key)
    person = session.scalars(select(Person).where(or_(Person.id == key, is_clever_id))).first()
    return session.get(Person, person.merged_into) if person and person.merged_into else person


def _district_scope(district_id: str) -> DeletionScope:
    schools = select(School.id).where(School.district_id == district_id)
    return DeletionScope(
        people=Person.district_id == district_id,
        sections=or_(Section.district_id == district_id, Section.school_id.in_(schools)),
        schools=School.district_id == district_id,
        terms=Term.district_id == district_id,
        courses=Course.district_id == district_id,
        districts=District.id == district_id,
    )


def _expired_scope(cutoff: datetime) -> DeletionScope:
    """Rows archived before `cutoff`, and Clever Library users whose last login was before it."""
    tables = (School, Section, Term, Course, Person)
    return DeletionScope(
        people=or_(
            Person.archived_at < cutoff, and_(IS_LIBRARY_PERSON, Person.last_login < cutoff)
        ),
        sections=Section.archived_at < cutoff,
        schools=and_(School.archived_at < cutoff, ~exists().where(Section.school_id == School.id)),
        terms=and_(Term.archived_at < cutoff, ~exists().where(Section.term_id == Term.id)),
        courses=and_(Course.archived_at < cutoff, ~exists().where(Section.course_id == Course.id)),
        districts=and_(
            District.archived_at < cutoff,
            *(_is_unused_since(table.district_id) for table in tables),
        ),
    )


def _is_unused_since(column: Any) -> ColumnElement[bool]:
    return ~exists().where(column == District.id)


def _export_schools(session: Session, person: Person) -> list[dict[str, Any]]:
    rows = session.execute(
        select(School, RoleAssignment.role)
        .join(RoleAssignment, RoleAssignment.school_id == School.id)
        .where(RoleAssignment.person_id == person.id)
    )
    return [_export_columns(school, "id", "name") | {"role": role} for school, role in rows]


def _export_classes(session: Session, person: Person) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Section, Enrollment.role)
        .join(Enrollment, Enrollment.section_id == Section.id)
        .where(Enrollment.person_id == person.id)
    )
    return [_export_columns(section) | {"role": role} for section, role in rows]


def _export_claims(session: Session, person: Person) -> list[dict[str, Any]]:
    claims = session.scalars(select(Claim).where(Claim.person_id == person.id))
    return [_export_columns(claim, "expires_at", "used_at") for claim in claims]


def _export_former_ids(session: Session, person: Person) -> list[str]:
    return list(session.scalars(select(Person.id).where(Person.merged_into == person.id)))


def _export_columns(row: Base, *names: str) -> dict[str, Any]:
    column_names = [column.key for column in type(row).__table__.columns]
    return {name: _to_json_value(getattr(row, name)) for name in names or column_names}


def _to_json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value
