"""Records written to the store: applied once or ten times, they leave the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from clever_login.persons import Person
from clever_login.records import SchoolRecord, Section, Term
from clever_login.school import rows, tables
from clever_login.school.merging import known
from clever_login.school.upsert import MOST_PARAMETERS, chunks, link, put

Counts = Counter[tuple[str, str]]  # (table, what happened) -> how many
Gone = dict[str, set[str]]
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


@dataclass(frozen=True)
class Written:
    """What a batch did, and the Clever ids with which nobody may be logged in any more."""

    counts: Counts
    archived: tuple[str, ...] = ()
    former: tuple[str, ...] = ()  # from before v3


def write(connection: Connection, district_id: str, batch: Batch) -> Written:
    """Write a batch in the transaction that is open."""
    counts: Counts = Counter()
    former = _bring_together(connection, district_id, batch.people | batch.leaving)
    for name, wrote in (
        ("schools", _put_schools(connection, district_id, batch)),
        ("terms", _put_terms(connection, district_id, batch)),
        ("people", _put_people(connection, district_id, batch)),
        ("sections", _put_sections(connection, district_id, batch, counts)),
    ):
        counts.update((name, what) for what in wrote.values())
    people: tuple[str, ...] = ()
    for name, ids in batch.gone.items():
        archived = _archive(connection, district_id, MODELS[name], ids)
        counts[name, "archived"] += len(archived)
        people = archived if name == "people" else people
    return Written(+counts, people, former)


def key_of(model: Model) -> Any:
    """The column by which Clever's records are found."""
    return model.clever_id if model is tables.Person else model.id


def _put_schools(connection: Connection, district_id: str, batch: Batch) -> dict[str, str]:
    found = [rows.school(each, district_id) for each in batch.schools.values()]
    return put(connection, tables.School, "id", found)


def _put_terms(connection: Connection, district_id: str, batch: Batch) -> dict[str, str]:
    found = [rows.term(each, district_id) for each in batch.terms.values()]
    return put(connection, tables.Term, "id", found)


def _put_people(connection: Connection, district_id: str, batch: Batch) -> dict[str, str]:
    """The people with their schools."""
    kept = sorted(batch.people.values(), key=lambda each: each.id)  # in one order: no deadlock
    wrote = put(
        connection, tables.Person, "clever_id", [rows.person(each, district_id) for each in kept]
    )
    ours = person_ids(connection, batch.people)
    posts = {(each.id, *place) for each in kept for place in rows.places(each)}
    known = _known(connection, tables.School, {school for _, school, _ in posts})
    wanted = {(ours[one], school, role) for one, school, role in posts if school in known}
    clever_ids = {own: clever_id for clever_id, own in ours.items()}
    for changed in link(connection, tables.PersonSchool, clever_ids, wanted):
        for person_id, *_ in changed:
            wrote.setdefault(clever_ids[person_id], "changed")
    return wrote


def _put_sections(
    connection: Connection, district_id: str, batch: Batch, counts: Counts
) -> dict[str, str]:
    """The sections with whoever is in them, as far as we know these people."""
    found = list(batch.sections.values())
    known = _known(connection, tables.School, {each.school_id for each in found})
    known |= _known(connection, tables.Term, {each.term_id for each in found})
    wrote = put(
        connection, tables.Section, "id", [rows.section(each, district_id, known) for each in found]
    )
    members = [
        (each.id, clever_id, role)
        for each in found
        for role, ids in (("teacher", each.teacher_ids), ("student", each.student_ids))
        for clever_id in ids
    ]
    ours = person_ids(connection, {clever_id for _, clever_id, _ in members})
    wanted = {(section, ours[one], role) for section, one, role in members if one in ours}
    unknown = {(each.id, role) for each in found for role in each.unknown_members}

    def stays(row: tuple[str, ...]) -> bool:  # a list that is none does not empty a class
        section, _person, role = row
        return (section, role) in unknown

    added, removed = link(connection, tables.Enrolment, batch.sections, wanted, stays)
    counts["enrolments", "new"] += len(added)
    counts["enrolments", "removed"] += len(removed)
    return wrote


def person_ids(connection: Connection, clever_ids: Iterable[str]) -> dict[str, str]:
    """Our ids of these people, by Clever's."""
    person = tables.Person
    asked = select(person.clever_id, person.id).where(person.provider == tables.PROVIDER)
    return {
        str(clever_id): own
        for part in chunks(clever_ids, MOST_PARAMETERS)
        for clever_id, own in connection.execute(asked.where(person.clever_id.in_(part)))
    }


def _known(
    connection: Connection,
    model: type[tables.School] | type[tables.Term],
    ids: Collection[str | None],
) -> set[str]:
    return {
        found
        for part in chunks(ids, MOST_PARAMETERS)
        for found in connection.scalars(select(model.id).where(model.id.in_(part)))
    }


def _bring_together(
    connection: Connection, district_id: str, people: dict[str, Person]
) -> tuple[str, ...]:
    """Rows with an id from before v3 get that of today, as at a login; ids somebody came with."""
    today = {legacy: each for each in people.values() for legacy in rows.legacy_ids(each)}
    found = person_ids(connection, today)
    if not found:
        return ()
    with Session(connection) as session:
        ids = select(tables.Person.clever_id).where(tables.Person.id.in_(found.values()))
        used = session.scalars(ids.where(tables.Person.last_login.is_not(None))).all()
        for each in sorted({today[legacy].id for legacy in found}):
            known(session, each, rows.legacy_ids(people[each]), district_id)
        session.flush()
    return tuple(map(str, used))


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
