"""Sends the signals about people, inside the transaction that changes their rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from blinker import Signal
from flask import Flask, current_app
from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased

from clever_login import signals
from clever_login.db.models import Person, RoleAssignment
from clever_login.db.upsert import chunks
from clever_login.signals import PersonMerge, PersonRow, SchoolRole
from clever_login.signals.sending import is_connected, send

ROWS_PER_CALL = 500


@dataclass(frozen=True, kw_only=True)
class StoredPerson:
    """A person's row, and what decides which signal a change of it needs."""

    row: PersonRow
    district_id: str | None
    is_archived: bool
    merged_into: str | None  # the id of the survivor


def has_receivers(*connected: Signal) -> bool:
    """Return whether any of these signals has a receiver in the current app."""
    return is_connected(_app(), *connected)


def announce(
    signal: Signal, connection: Connection, district_id: str | None, rows: Collection[Any]
) -> None:
    """Send a signal in calls of at most ROWS_PER_CALL rows; none if there are no rows.

    Raises ReceiverFailed, after which the transaction must be rolled back.
    """
    if rows and has_receivers(signal):
        for chunk in chunks(rows, ROWS_PER_CALL):
            send(signal, _app(), connection=connection, district_id=district_id, rows=tuple(chunk))


def collect_export(session: Session, person: Person) -> dict[str, Any]:
    """Return the product's data of a person: the values that receivers return, by their keys.

    Raises ReceiverFailed, also if two receivers return the same key.
    """
    exported: dict[str, Any] = {}

    def check(result: Any) -> None:
        json.dumps(result)  # raises TypeError for a value that is not JSON
        if repeated := exported.keys() & dict(result):
            raise KeyError(f"another receiver has returned {sorted(repeated)}")
        exported.update(result)

    if has_receivers(signals.person_exported):
        send(
            signals.person_exported,
            _app(),
            check,
            connection=session.connection(),
            district_id=person.district_id,
            person_id=person.id,
        )
    return exported


def announce_merge(session: Session, survivor: Person, duplicate: Person) -> None:
    """Send `people_merged` for two rows. Raises ReceiverFailed."""
    if has_receivers(signals.people_merged):
        rows = [PersonMerge(survivor_id=survivor.id, duplicate_id=duplicate.id)]
        announce(signals.people_merged, session.connection(), survivor.district_id, rows)


def announce_person(session: Session, signal: Signal, person: Person) -> None:
    """Send a signal whose rows are a PersonRow, for one person. Raises ReceiverFailed."""
    if has_receivers(signal):
        session.flush()
        rows = [stored.row for stored in load_people(session.connection(), Person.id == person.id)]
        announce(signal, session.connection(), person.district_id, rows)


def announce_forgotten(session: Session, is_forgotten: ColumnElement[bool]) -> Counter[str]:
    """Send `people_forgotten` for these people, before their rows go. Raises ReceiverFailed.

    Returns the rows that the receivers say they have deleted, by table. A merged duplicate counts
    as a person of its survivor's district.
    """
    deleted = Counter[str]()
    if not has_receivers(signals.people_forgotten):
        return deleted
    connection, survivor = session.connection(), aliased(Person)
    district = func.coalesce(Person.district_id, survivor.district_id, "")
    query = select(district, Person.id).outerjoin(survivor, Person.merged_into == survivor.id)
    for page in pages(connection, query.where(is_forgotten), district, Person.id):
        people = load_people(connection, Person.id.in_([person_id for _, person_id in page]))
        rows = {stored.row.person_id: stored.row for stored in people}
        for district_id, group in groupby(page, key=lambda pair: pair[0]):
            forgotten = tuple(rows[person_id] for _, person_id in group)
            results = send(
                signals.people_forgotten,
                _app(),
                _check_counts,
                connection=connection,
                district_id=district_id or None,
                rows=forgotten,
            )
            for counts in results:
                deleted.update(counts)
    return deleted


def _check_counts(result: Any) -> None:
    """Raise TypeError unless it has numbers of rows by table."""
    if not all(isinstance(count, int) for count in dict(result).values()):
        raise TypeError("not a number of rows")


def load_people(connection: Connection, condition: ColumnElement[bool]) -> list[StoredPerson]:
    """Return the people that meet the condition, by id, with their schools."""
    columns = (Person.id, Person.clever_id, Person.roles, Person.first_name, Person.last_name)
    person_columns = (
        Person.email,
        Person.grade,
        Person.district_id,
        Person.archived_at,
        Person.merged_into,
    )
    people = connection.execute(
        select(*columns, *person_columns).where(condition).order_by(Person.id)
    ).all()
    assignments = select(
        RoleAssignment.person_id, RoleAssignment.school_id, RoleAssignment.role
    ).join(Person, Person.id == RoleAssignment.person_id)
    schools: dict[str, list[SchoolRole]] = {}
    for person_id, school_id, role in connection.execute(assignments.where(condition)):
        schools.setdefault(person_id, []).append(SchoolRole(school_id=school_id, role=role))
    return [
        StoredPerson(
            row=_person_row(person, schools.get(person.id, [])),
            district_id=person.district_id,
            is_archived=person.archived_at is not None,
            merged_into=person.merged_into,
        )
        for person in people
    ]


def pages(
    connection: Connection, query: Select[*tuple[Any, ...]], *key: Any
) -> Iterator[list[Any]]:
    """Yield the rows in pages of ROWS_PER_CALL; `key` are its first columns, which order them.

    Each page is a query of its own: receivers use the same connection between two pages.
    """
    ordered, page = query.order_by(*key).limit(ROWS_PER_CALL), None
    while page is None or len(page) == ROWS_PER_CALL:
        following = ordered
        if page:
            last = [literal(page[-1][index], column.type) for index, column in enumerate(key)]
            following = ordered.where(tuple_(*key) > tuple_(*last))
        page = list(connection.execute(following).all())
        if page:
            yield page


def _person_row(person: Any, schools: list[SchoolRole]) -> PersonRow:
    return PersonRow(
        person_id=person.id,
        clever_id=person.clever_id,
        roles=tuple(person.roles),
        schools=tuple(sorted(schools)),
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        grade=person.grade,
    )


def _app() -> Flask:
    return cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined] # the sender is the app, not its proxy
