"""Searches in the people whom a viewer may see.

The database sorts and limits these lists, because a district may have 100,000 people. So names
with accents sort as the database sorts them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from clever_login.auth.account_hooks import account_hooks
from clever_login.clever.models import Role
from clever_login.db.models import Person, RoleAssignment, has_role
from clever_login.rosters import records, visibility
from clever_login.rosters.pagination import Page, empty_page
from clever_login.rosters.viewers import Viewer, ViewerRole

Query = Select[*tuple[Any, ...]]
_ESCAPE = "/"  # in LIKE patterns
_KNOWN_ROLES = frozenset(map(str, Role))


def list_people(
    connection: Connection,
    viewer: Viewer,
    page: int,
    size: int,
    *,
    search: str = "",
    role: Role | None = None,
    school_id: str | None = None,
) -> Page[records.Person]:
    """Return one page of the people the viewer may see, by last name."""
    patterns = _patterns(search)
    filters = (viewer.role, role, school_id is not None, len(patterns))
    values = {f"pattern_{place}": pattern for place, pattern in enumerate(patterns)}
    parameters = viewer.with_values(school=school_id, **values)
    total = connection.execute(_count_query(*filters), parameters).scalar_one()
    result = empty_page(total, page, size)
    if total:
        parameters |= {"size": result.size, "offset": result.offset}
        rows = connection.execute(_people_query(*filters), parameters)
        result = result.with_rows([to_person(row) for row in rows])
    return result


def person_columns(role: ViewerRole) -> tuple[SQLColumnExpression[Any], ...]:
    """Return the columns of a person that this role may see, for `to_person`."""
    names = (Person.first_name, Person.last_name, Person.grade, Person.roles)
    return Person.id, Person.account_id, *names, visibility.visible_email(role)


def to_person(row: Row[*tuple[Any, ...]]) -> records.Person:
    """Return the person of a row with `person_columns`."""
    return records.Person(
        id=row.id,
        account_id=row.account_id if account_hooks().find_or_create else row.id,
        first_name=row.first_name,
        last_name=row.last_name,
        grade=row.grade,
        roles=tuple(Role(role) for role in row.roles if role in _KNOWN_ROLES),
        email=row.email,
    )


def _patterns(search: str) -> list[str]:
    """Return the LIKE patterns of a search; none if it is empty.

    Databases may ignore case for ASCII letters only, so other letters are searched in each case.
    Characters that no database stores (NUL, lone surrogates) are removed.
    """
    text = search.encode("utf-8", "ignore").decode().replace("\0", "").strip()
    if not text:
        return []
    for character in (_ESCAPE, "%", "_"):
        text = text.replace(character, _ESCAPE + character)
    variants = [text] if text.isascii() else [text, text.lower(), text.upper(), text.title()]
    return [f"{variant}%" for variant in variants]


@cache
def _count_query(role: ViewerRole, filter_role: Role | None, at_school: bool, patterns: int) -> Any:
    conditions = _conditions(role, filter_role, at_school, patterns)
    return select(func.count()).select_from(Person).where(conditions)


@cache
def _people_query(
    role: ViewerRole, filter_role: Role | None, at_school: bool, patterns: int
) -> Query:
    by_name = (func.lower(Person.last_name), func.lower(Person.first_name), Person.id)
    query = select(*person_columns(role)).where(_conditions(role, filter_role, at_school, patterns))
    return query.order_by(*by_name).limit(bindparam("size")).offset(bindparam("offset"))


def _conditions(
    role: ViewerRole, filter_role: Role | None, at_school: bool, patterns: int
) -> ColumnElement[bool]:
    conditions = [visibility.person_is_visible(role)]
    if at_school:
        at = select(RoleAssignment.person_id).where(RoleAssignment.school_id == bindparam("school"))
        if filter_role is not None:
            at = at.where(RoleAssignment.role == filter_role)
        conditions.append(Person.id.in_(at))
    if filter_role is not None:
        conditions.append(has_role(filter_role))
    if patterns:
        conditions.append(
            or_(
                *(
                    name.ilike(bindparam(f"pattern_{place}"), escape=_ESCAPE)
                    for name in (Person.first_name, Person.last_name)
                    for place in range(patterns)
                )
            )
        )
    return and_(*conditions)
