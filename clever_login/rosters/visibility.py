"""Who may see whom: the only module whose queries separate users from each other.

Each function returns what a role may see, as a query for use in another one:
`select(School).where(School.id.in_(visible_school_ids(role)))`. The viewer's id is a parameter
given when the query runs (`Viewer.with_values`), so each query is built once: building one takes
longer than most take to run.

The database decides, not the session: a user who was archived or has lost the role sees nothing.
Each role has its own query, because neither SQLite nor PostgreSQL plans an OR of them well.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    and_,
    bindparam,
    false,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from clever_login.clever.models import Role
from clever_login.db.models import (
    District,
    Enrollment,
    Person,
    RoleAssignment,
    School,
    Section,
    has_role,
)

IdQuery = Select[str]
VIEWER_ID = bindparam("viewer", type_=String)  # the viewer's id in table `people`
_VIEWER_ROW = aliased(Person)


def own_district_ids(role: Role | None) -> IdQuery:
    """The viewer's district, in any role."""
    return select(District.id).where(
        District.archived_at.is_(None), District.id.in_(_viewer_district(role))
    )


def visible_district_ids(role: Role | None) -> IdQuery:
    """The viewer's district if they are a district administrator, else none."""
    district_ids = own_district_ids(role)
    return district_ids if role is Role.DISTRICT_ADMIN else district_ids.where(false())


def visible_school_ids(role: Role | None) -> IdQuery:
    """The schools where the viewer is staff; for a district administrator, all in the district."""
    school_ids = select(School.id).where(
        School.archived_at.is_(None), School.district_id.in_(_viewer_district(role))
    )
    if role is Role.DISTRICT_ADMIN:
        return school_ids
    if role is Role.STAFF:
        staffed_school_ids = select(RoleAssignment.school_id).where(
            RoleAssignment.person_id == VIEWER_ID, RoleAssignment.role == Role.STAFF
        )
        return school_ids.where(School.id.in_(staffed_school_ids))
    return school_ids.where(false())


def section_is_visible(role: Role | None) -> ColumnElement[bool]:
    """Return the condition for the classes of the viewer, of their schools or of their district."""
    if role in (Role.STUDENT, Role.TEACHER):
        district = _viewer_district(role)
        section_ids = select(Enrollment.section_id).where(
            Enrollment.person_id == VIEWER_ID, Enrollment.role == role
        )
        condition = and_(
            Section.id.in_(section_ids.correlate(None)),
            _same_district(district.scalar_subquery()),
            district.exists(),
        )
    elif role is Role.STAFF:
        condition = and_(
            Section.school_id.in_(visible_school_ids(role)),
            # In case a school's id belongs to another district.
            Section.district_id.in_(_viewer_district(role)),
        )
    else:
        condition = Section.district_id.in_(visible_district_ids(role))
    return and_(Section.archived_at.is_(None), condition)


def visible_members(role: Role | None, member_role: Role) -> Select[str, str]:
    """The (section id, person id) of students or teachers (`member_role`) in the viewer's classes.

    Students see no students, not even classmates.
    """
    is_hidden = role is Role.STUDENT and member_role is Role.STUDENT
    return (
        select(Enrollment.section_id, Person.id)
        .join(Section, Section.id == Enrollment.section_id)
        .join(Person, Person.id == Enrollment.person_id)
        .where(Enrollment.role == member_role, false() if is_hidden else section_is_visible(role))
        .where(Person.archived_at.is_(None), _same_district(Person.district_id))
    )


def _viewer_district(role: Role | None) -> Select[str | None]:
    """The viewer's district; empty unless they are active and hold the role they are using."""
    has_current_role = false() if role is None else has_role(role, _VIEWER_ROW)
    query = select(_VIEWER_ROW.district_id).where(
        _VIEWER_ROW.id == VIEWER_ID, _VIEWER_ROW.archived_at.is_(None), has_current_role
    )
    return query.correlate(None)


def _same_district(
    district: SQLColumnExpression[str | None],
) -> ColumnElement[bool]:
    """A second check in case an enrollment is wrong. Clever Library classes have no district."""
    return or_(Section.district_id.is_(None), Section.district_id == district)
