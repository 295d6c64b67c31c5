"""Stores what a Clever Library teacher shares: sections, their students and enrollments."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from clever_login.clever.people import Person as Shared
from clever_login.clever.people import PersonRole
from clever_login.clever.user_client import MAX_SECTIONS, SharedSection
from clever_login.db.database import database
from clever_login.db.models import PROVIDER, Enrollment, Person, Section, utc_now

STUDENT, TEACHER = PersonRole.STUDENT.value, PersonRole.TEACHER.value


def save_sections(teacher_id: str, sections: tuple[SharedSection, ...]) -> None:
    """Write the sections of a teacher in one transaction, and remove members who have left.

    `teacher_id` is the id of the teacher's row. Sections that a district's sync maintains are not
    changed. Raises DatabaseUnavailable.
    """
    database().retry_transaction(lambda session: _save_in_session(session, teacher_id, sections))


def _save_in_session(
    session: Session, teacher_id: str, sections: tuple[SharedSection, ...]
) -> None:
    people = _find_or_add_people(
        session, [student for shared_section in sections for student in shared_section.students]
    )
    for shared_section in sections:
        if section := _find_or_add_section(session, shared_section):
            _set_members(session, section, TEACHER, {teacher_id}, only_add=True)
            _set_members(
                session,
                section,
                STUDENT,
                {people[student.id].id for student in shared_section.students},
            )
    if len(sections) < MAX_SECTIONS:  # at the limit, there may be more sections
        _remove_teacher_from_others(
            session, teacher_id, {shared_section.section.id for shared_section in sections}
        )


def _find_or_add_people(session: Session, shared: Iterable[Shared]) -> dict[str, Person]:
    """Return the students' rows by Clever id. New students get a row before their first login."""
    by_id = {student.id: student for student in shared}
    query = select(Person).where(Person.provider == PROVIDER, Person.clever_id.in_(by_id))
    people = {person.clever_id: person for person in session.scalars(query) if person.clever_id}
    for clever_id in sorted(by_id.keys() - people.keys()):
        people[clever_id] = Person(clever_id=clever_id, roles=[STUDENT])
        session.add(people[clever_id])
    for clever_id, person in people.items():
        if person.district_id is None:
            _update_name(person, by_id[clever_id])
    session.flush()
    return people


def _update_name(person: Person, shared: Shared) -> None:
    """Clever Library shortens last names to an initial, which must not replace a full one."""
    person.first_name = shared.first_name or person.first_name
    person.last_name = person.last_name or shared.last_name or ""


def _find_or_add_section(session: Session, shared: SharedSection) -> Section | None:
    """Create or rename the section's row; return None for one that a district's sync maintains."""
    section = session.get(Section, shared.section.id)
    if section is not None and section.district_id is not None:
        return None
    if section is None:
        section = Section(id=shared.section.id)
        session.add(section)
    section.name = shared.section.name or section.name
    section.archived_at = None
    session.flush()
    return section


def _set_members(
    session: Session, section: Section, role: str, people: set[str], *, only_add: bool = False
) -> None:
    """Make these people the section's only members in this role, or only add them (`only_add`)."""
    query = select(Enrollment).where(Enrollment.section_id == section.id, Enrollment.role == role)
    existing = {enrollment.person_id: enrollment for enrollment in session.scalars(query)}
    for person_id in sorted(people - existing.keys()):
        session.add(Enrollment(section_id=section.id, person_id=person_id, role=role))
    for person_id in () if only_add else existing.keys() - people:
        session.delete(existing[person_id])
    session.flush()


def _remove_teacher_from_others(session: Session, teacher_id: str, shared_ids: set[str]) -> None:
    """Remove the teacher from sections no longer shared; archive those with no teacher left."""
    query = (
        select(Section)
        .join(Enrollment, Enrollment.section_id == Section.id)
        .where(Enrollment.person_id == teacher_id, Enrollment.role == TEACHER)
        .where(Section.district_id.is_(None), Section.id.not_in(shared_ids))
    )
    for section in session.scalars(query).all():
        enrollments = session.scalars(
            select(Enrollment).where(Enrollment.section_id == section.id)
        ).all()
        teachers = {
            enrollment.person_id for enrollment in enrollments if enrollment.role == TEACHER
        }
        section.archived_at = utc_now() if teachers == {teacher_id} else None
        removed = (
            enrollments
            if section.archived_at
            else [enrollment for enrollment in enrollments if enrollment.person_id == teacher_id]
        )
        for enrollment in removed:
            session.delete(enrollment)
