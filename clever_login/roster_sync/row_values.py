"""Converts Clever's records to table rows, with only the columns that the tables have."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import Course, DistrictRecord, SchoolRecord, Section, Term
from clever_login.db import models
from clever_login.db.upsert import Row, model_table


def district_row(record: DistrictRecord) -> Row:
    """Return the row of a district with a token."""
    return {
        "id": record.id,
        "name": record.name or "",
        "connected": True,
        "state": _truncate(models.District, "state", record.state),
        "error": _truncate(models.District, "error", record.error),
        "launch_date": record.launch_date and record.launch_date.date(),
        "archived_at": None,
    }


def failed_receiver(message: str) -> str | None:
    """Return the message of a ReceiverFailed, cut to the length of the column."""
    return _truncate(models.District, "failed_receiver", message)


def school_row(record: SchoolRecord, district_id: str) -> Row:
    """Return the row of a school."""
    return _base_row(record.id, district_id, record.name)


def term_row(record: Term, district_id: str) -> Row:
    """Return the row of a term. A term without an id has no record of its own."""
    days = {"start_date": _to_date(record.start_date), "end_date": _to_date(record.end_date)}
    return _base_row(record.id or "", district_id, record.name) | days


def course_row(record: Course, district_id: str) -> Row:
    """Return the row of a course. A course without an id has no record of its own."""
    number = _truncate(models.Course, "number", record.number)
    return _base_row(record.id or "", district_id, record.name) | {"number": number}


def person_row(record: Person, district_id: str) -> Row:
    """Return the row of a user, without our id. Before v3, a record is one of the user's roles."""
    student = record.post(PersonRole.STUDENT)
    grade = student.student.grade if student and student.student else None
    return {
        "provider": models.PROVIDER,
        "clever_id": record.id,
        "district_id": district_id,
        "roles": [str(role) for role in record.roles if role is not PersonRole.CONTACT],
        "first_name": record.first_name or "",
        "last_name": record.last_name or "",
        "email": record.email,
        "grade": _truncate(models.Person, "grade", grade),
        "missing_since": None,
        "archived_at": None,
    }


def section_row(
    record: Section,
    district_id: str,
    school_ids: Collection[str],
    term_ids: Collection[str],
    course_ids: Collection[str],
) -> Row:
    """Return the row of a section. It refers only to stored schools, terms, and courses."""
    texts = {
        name: _truncate(models.Section, name, getattr(record, name))
        for name in ("subject", "grade", "period")
    }
    references = {
        "school_id": record.school_id if record.school_id in school_ids else None,
        "term_id": record.term_id if record.term_id in term_ids else None,
        "course_id": record.course_id if record.course_id in course_ids else None,
    }
    return _base_row(record.id, district_id, record.name) | texts | references


def is_synced(record: Person) -> bool:
    """Return whether a user is stored. Students' contacts are not: they do not log in."""
    return set(record.roles) != {PersonRole.CONTACT}


def former_ids(record: Person) -> list[str]:
    """Return the ids that a user had before v3, if they differ from the current one."""
    legacy_ids = (
        assignment.legacy_id
        for assignment in record.role_assignments
        if assignment.role is not PersonRole.CONTACT
    )
    return [legacy_id for legacy_id in legacy_ids if legacy_id and legacy_id != record.id]


def schools_with_roles(record: Person) -> set[tuple[str, str]]:
    """Return (school id, role) pairs of a user."""
    return {
        (school, assignment.role.value)
        for assignment in record.role_assignments
        if assignment.role is not PersonRole.CONTACT
        for school in assignment.school_ids
    }


def _base_row(record_id: str, district_id: str, name: str | None) -> Row:
    return {"id": record_id, "district_id": district_id, "name": name or "", "archived_at": None}


def _to_date(moment: datetime | None) -> object:
    return moment.date() if moment else None


def _truncate(model: type[models.Base], column: str, text: str | None) -> str | None:
    """Cut the text to the length of the column."""
    length: int = model_table(model).c[column].type.length  # type: ignore[attr-defined] # all are String
    return (text or "")[:length] or None
