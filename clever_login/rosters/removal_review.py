"""Removals that wait for a review: what is missing, by school, and the approval of it.

A sync puts removals on hold when too much is missing at once. The next sync removes what has been
approved in the meantime, unless Clever shares it again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Select, and_, func, or_, select, update

from clever_login.db.models import (
    District,
    HeldRemoval,
    Person,
    RoleAssignment,
    School,
    Section,
    UtcDateTime,
    utc_now,
)
from clever_login.rosters import visibility
from clever_login.rosters.formatting import name_sort_key
from clever_login.rosters.viewers import Viewer

MAX_NAMES = 50  # per school


@dataclass(frozen=True, kw_only=True)
class HeldSchool:
    """What is missing at one school. `id` is None for people and classes without a school.

    `people` counts them by role, `moves` those whose role at this school is missing, and
    `enrollments` those who are missing from classes that remain. `names` has at most MAX_NAMES.
    """

    id: str | None
    name: str = ""
    is_missing: bool = False  # the school itself
    people: Counter[str] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    sections: int = 0
    enrollments: Counter[str] = field(default_factory=Counter)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Review:
    """A district's removals on hold. `newest` is when the last one was put on hold."""

    since: datetime
    newest: datetime
    is_approved: bool  # the next sync removes everything
    people: int
    terms: int
    courses: int
    schools: tuple[HeldSchool, ...]


def load_review(connection: Connection, viewer: Viewer, *, names: bool = True) -> Review | None:
    """Return what the viewer's district has on hold; None if nothing, or not for this viewer."""
    loader = _Loader(connection, viewer)
    number = func.count()
    row = connection.execute(
        loader.held(
            func.min(HeldRemoval.held_at, type_=UtcDateTime()),
            func.max(HeldRemoval.held_at, type_=UtcDateTime()),
            number.filter(HeldRemoval.approved_at.is_(None)),
            number.filter(HeldRemoval.kind == "people"),
            number.filter(HeldRemoval.kind == "terms"),
            number.filter(HeldRemoval.kind == "courses"),
        ),
        viewer.with_values(),
    ).one()
    if row[0] is None:
        return None
    return Review(
        since=row[0],
        newest=row[1],
        is_approved=not row[2],
        people=row[3],
        terms=row[4],
        courses=row[5],
        schools=loader.schools(with_names=names),
    )


def approve(connection: Connection, viewer: Viewer, *, until: datetime) -> int:
    """Approve what was on hold at this time, and return the number of removals.

    What was put on hold later has not been reviewed. Waits for the end of a sync's transaction.
    """
    own_district = District.id.in_(visibility.visible_district_ids(viewer.role))
    lock = select(District.id).where(own_district).with_for_update(key_share=True)
    district_ids = connection.scalars(lock, viewer.with_values()).all()
    statement = (
        update(HeldRemoval)
        .where(HeldRemoval.district_id.in_(district_ids))
        .where(HeldRemoval.approved_at.is_(None), HeldRemoval.held_at <= until)
        .values(approved_at=utc_now())
    )
    result = connection.execute(statement)
    return cast("CursorResult[Any]", result).rowcount


@dataclass(frozen=True)
class _Loader:
    connection: Connection
    viewer: Viewer

    def held(self, *columns: Any) -> Select[*tuple[Any, ...]]:
        """Return a query of the removals that the viewer may see."""
        district_ids = visibility.visible_district_ids(self.viewer.role)
        return select(*columns).where(HeldRemoval.district_id.in_(district_ids))

    def of_kind(self, kind: str, *columns: Any) -> Select[*tuple[Any, ...]]:
        """Return a query of the removals of one kind."""
        return self.held(*columns).where(HeldRemoval.kind == kind).select_from(HeldRemoval)

    def rows(self, query: Select[*tuple[Any, ...]]) -> Iterable[Any]:
        """Run a query for the viewer."""
        return self.connection.execute(query, self.viewer.with_values())

    def schools(self, *, with_names: bool) -> tuple[HeldSchool, ...]:
        """Return what is missing, by school; what has no school comes last."""
        people = self._count_by_school("people")
        moves = self._count_by_school("role_assignments")
        sections = self._count_by_school("sections")
        enrollments = self._count_by_school("enrollments")
        missing = {
            row.record_id for row in self.rows(self.of_kind("schools", HeldRemoval.record_id))
        }
        ids = {*people, *moves, *sections, *enrollments, *missing}
        names = self._school_names([school_id for school_id in ids if school_id])
        people_names = self._people_names() if with_names else {}
        schools = [
            HeldSchool(
                id=school_id,
                name=names.get(school_id or "", ""),
                is_missing=school_id in missing,
                people=people[school_id],
                moves=moves[school_id],
                sections=sections[school_id].total(),
                enrollments=enrollments[school_id],
                names=people_names.get(school_id, ()),
            )
            for school_id in ids
        ]
        return tuple(
            sorted(schools, key=lambda school: (school.id is None, name_sort_key(school.name)))
        )

    def _count_by_school(self, kind: str) -> defaultdict[str | None, Counter[str]]:
        """Return the number of removals of a kind by school and role."""
        columns: tuple[Any, Any] = (Section.school_id, HeldRemoval.role)
        if kind == "people":
            columns = (RoleAssignment.school_id, RoleAssignment.role)
        elif kind == "role_assignments":
            columns = (HeldRemoval.linked_id, HeldRemoval.role)
        query = self.of_kind(kind, *columns, func.count()).group_by(*columns)
        if kind == "people":
            is_their_role = RoleAssignment.person_id == HeldRemoval.record_id
            query = query.outerjoin(RoleAssignment, is_their_role)
        elif kind != "role_assignments":
            query = query.join(Section, Section.id == HeldRemoval.record_id)
        counts: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        for school_id, role, number in self.rows(query):
            counts[school_id][role or ""] += number
        return counts

    def _school_names(self, school_ids: list[str]) -> dict[str, str]:
        query = select(School.id, School.name).where(School.id.in_(school_ids))
        return {row.id: row.name for row in self.connection.execute(query)}

    def _people_names(self) -> dict[str | None, tuple[str, ...]]:
        order = (Person.last_name, Person.first_name, Person.id)
        columns = (RoleAssignment.school_id, *order)
        is_their_role = RoleAssignment.person_id == Person.id
        # The row of a person may have moved to another district at a login.
        is_person = and_(
            Person.id == HeldRemoval.record_id, Person.district_id == HeldRemoval.district_id
        )
        people = (
            self.of_kind("people", *columns)
            .join(Person, is_person)
            .outerjoin(RoleAssignment, is_their_role)
            .where(or_(Person.first_name != "", Person.last_name != ""))
            .distinct()
            .subquery()
        )
        school, *in_order = people.c
        place = func.row_number().over(partition_by=school, order_by=in_order).label("place")
        placed = select(*people.c, place).subquery()
        query = select(placed).where(placed.c.place <= MAX_NAMES)
        names: dict[str | None, list[str]] = {}
        for school_id, last_name, first_name, *_ in self.rows(query.order_by(placed.c.place)):
            names.setdefault(school_id, []).append(f"{first_name} {last_name}".strip())
        return {school_id: tuple(of_school) for school_id, of_school in names.items()}
