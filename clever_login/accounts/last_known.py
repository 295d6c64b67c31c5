"""Reads what the database knows of a user whose record Clever does not send at this login."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, bindparam, select

from clever_login.auth.last_known import LastKnown
from clever_login.clever.models import PROVIDER, Role, User
from clever_login.db.database import database
from clever_login.db.models import District, Person, RoleAssignment, School

# One row for each role at a school that the sync keeps up to date, at least one row for a person.
_ROLE_AT_SCHOOL = (
    select(RoleAssignment.person_id, RoleAssignment.role, School.district_id)
    .join(School, School.id == RoleAssignment.school_id)
    .where(School.archived_at.is_(None))
    .subquery()
)
_LAST_KNOWN = (
    select(
        Person.first_name,
        Person.last_name,
        Person.roles,
        Person.last_login,
        Person.archived_at,
        District.synced_at,
        District.archived_at.label("district_left_at"),
        _ROLE_AT_SCHOOL.c.role,
    )
    .outerjoin(District, District.id == Person.district_id)
    .outerjoin(
        _ROLE_AT_SCHOOL,
        (_ROLE_AT_SCHOOL.c.person_id == Person.id)
        & (_ROLE_AT_SCHOOL.c.district_id == Person.district_id),
    )
    .where(Person.provider == PROVIDER, Person.clever_id == bindparam("current_id"))
    .where(Person.district_id.is_not_distinct_from(bindparam("district")))
)


def find_last_known(user: User) -> LastKnown | None:
    """Return the name and the roles of a user in the database, None if there are none.

    Call this before `find_or_create_account`, which restores an archived row. Clever has just said
    who the user is, so the name may be shown. A role counts if the person has it at a school that
    is not archived, and the row is not archived. Raises DatabaseUnavailable.
    """
    values = {"current_id": user.id, "district": user.district_id}
    with database().autocommit() as connection:
        rows = connection.execute(_LAST_KNOWN, values).all()
    if not rows:
        return None
    as_of = rows[0].archived_at or rows[0].synced_at or rows[0].last_login
    if as_of is None:
        return None
    return LastKnown(
        first_name=rows[0].first_name,
        last_name=rows[0].last_name,
        roles=_current_roles(rows),
        as_of=as_of,
    )


def _current_roles(rows: Iterable[Row[Any]]) -> tuple[Role, ...]:
    """Return the roles that the person has both in their row and at a school."""
    names = {
        row.role
        for row in rows
        if row.role in row.roles and not row.archived_at and not row.district_left_at
    }
    return tuple(role for role in Role if role.value in names)
