"""What is held of somebody, and how it goes: asked for by a person, or past its date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from clever_login.school.database import database
from clever_login.school.ending import end_sessions_in, end_sessions_of
from clever_login.school.erasing import LIBRARY_PERSON, Doomed, Rows, erase
from clever_login.school.tables import (
    PROVIDER,
    Base,
    Claim,
    District,
    Enrolment,
    Person,
    PersonSchool,
    School,
    Section,
    Term,
    now,
)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What is gone; `known` is whether there was a row, `shared` whether Clever still has them."""

    at: datetime
    clever_id: str | None
    rows: Rows
    sessions: int
    known: bool
    shared: bool


def forget_person(key: str) -> Receipt:
    """Remove somebody by Clever's id or ours.

    Their sessions end before the rows are gone for good: if that fails, nothing is.
    """
    with database().begin() as session:
        person = _person(session, key)
        clever_id = person.clever_id if person else key
        shared = person is not None and person.archived_at is None and clever_id is not None
        rows = erase(session, Doomed(people=Person.id == person.id)) if person else Rows()
        ended = end_sessions_of([clever_id] if clever_id else [])
    return Receipt(
        at=now(), clever_id=clever_id, rows=rows, sessions=ended, known=bool(person), shared=shared
    )


def forget_district(district_id: str) -> Receipt:
    """Remove a district with everybody and everything in it, and end all sessions from there."""
    with database().begin() as session:
        found = session.get(District, district_id)
        shared = found is not None and found.archived_at is None
        rows = erase(session, _all_of(district_id))
        ended = end_sessions_in(district_id)
    return Receipt(
        at=now(), clever_id=district_id, rows=rows, sessions=ended, known=bool(found), shared=shared
    )


def export(key: str) -> dict[str, Any] | None:
    """All that is held of one person, ready for JSON; None where nobody has this id."""
    with database().read() as session:
        person = _person(session, key)
        if person is None:
            return None
        district = session.get(District, person.district_id) if person.district_id else None
        return {
            "exported_at": _plain(now()),
            "person": _columns(person),
            "district": _columns(district, "id", "name") if district else None,
            "schools": _schools(session, person),
            "classes": _classes(session, person),
            "invitations": _invitations(session, person),
            "former_ids": _former_ids(session, person),
        }


def past_its_date(days: int, *, remove: bool) -> Rows:
    """Remove what has been archived for longer than so many days; how many rows that are.

    Without `remove` the same is done and undone again.
    """
    with database().begin() as session:
        rows = erase(session, _past(now() - timedelta(days=days)))
        expired = session.scalars(select(Claim).where(Claim.expires_at < now())).all()
        for claim in expired:
            session.delete(claim)
        rows["claims"] += len(expired)
        session.flush()
        if not remove:
            session.rollback()
    return rows


def _person(session: Session, key: str) -> Person | None:
    """Whose id this is; an id of ours from before a merge leads to who they are now."""
    clevers = and_(Person.provider == PROVIDER, Person.clever_id == key)
    found = session.scalars(select(Person).where(or_(Person.id == key, clevers))).first()
    return session.get(Person, found.merged_into) if found and found.merged_into else found


def _all_of(district_id: str) -> Doomed:
    schools = select(School.id).where(School.district_id == district_id)
    return Doomed(
        people=Person.district_id == district_id,
        sections=or_(Section.district_id == district_id, Section.school_id.in_(schools)),
        schools=School.district_id == district_id,
        terms=Term.district_id == district_id,
        districts=District.id == district_id,
    )


def _past(cutoff: datetime) -> Doomed:
    """Archived before this time, or come by Clever Library and not seen since."""
    in_use = (School.district_id, Section.district_id, Term.district_id, Person.district_id)
    return Doomed(
        people=or_(Person.archived_at < cutoff, and_(LIBRARY_PERSON, Person.last_login < cutoff)),
        sections=Section.archived_at < cutoff,
        schools=and_(School.archived_at < cutoff, ~exists().where(Section.school_id == School.id)),
        terms=and_(Term.archived_at < cutoff, ~exists().where(Section.term_id == Term.id)),
        districts=and_(District.archived_at < cutoff, *(_unused(each) for each in in_use)),
    )


def _unused(column: Any) -> ColumnElement[bool]:
    return ~exists().where(column == District.id)


def _schools(session: Session, person: Person) -> list[dict[str, Any]]:
    found = session.execute(
        select(School, PersonSchool.role)
        .join(PersonSchool, PersonSchool.school_id == School.id)
        .where(PersonSchool.person_id == person.id)
    )
    return [_columns(school, "id", "name") | {"role": role} for school, role in found]


def _classes(session: Session, person: Person) -> list[dict[str, Any]]:
    found = session.execute(
        select(Section, Enrolment.role)
        .join(Enrolment, Enrolment.section_id == Section.id)
        .where(Enrolment.person_id == person.id)
    )
    return [_columns(section) | {"role": role} for section, role in found]


def _invitations(session: Session, person: Person) -> list[dict[str, Any]]:
    found = session.scalars(select(Claim).where(Claim.person_id == person.id))
    return [_columns(each, "expires_at", "used_at") for each in found]


def _former_ids(session: Session, person: Person) -> list[str]:
    return list(session.scalars(select(Person.id).where(Person.merged_into == person.id)))


def _columns(row: Base, *names: str) -> dict[str, Any]:
    every = [each.key for each in type(row).__table__.columns]
    return {name: _plain(getattr(row, name)) for name in names or every}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value
