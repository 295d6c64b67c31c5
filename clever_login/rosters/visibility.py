"""Who may see whom: the only module whose queries separate users from each other.

Each function returns what a role may see, as a query for use in another one:
`select(School).where(School.id.in_(visible_school_ids(role)))`. The viewer's id is a parameter
given when the query runs (`Viewer.with_values`), so each query is built once: building one takes
longer than most take to run.

The database decides, not the session: a user who was archived or has lost the role sees nothing.
Each role has its own query, because neither SQLite nor PostgreSQL plans an OR of them well.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    and_,
    bindparam,
    false,
    not_,
    null,
    or_,
    select,
    union,
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
    is_listed,
)
from clever_login.rosters.viewers import Operator, ViewerRole

IdQuery = Select[str]
VIEWER_ID = bindparam("viewer", type_=String)  # `Viewer.viewer_id`
_VIEWER_ROW, _OPERATED_DISTRICT = aliased(Person), aliased(District)
_WHOLE_DISTRICT = (Role.DISTRICT_ADMIN, Operator.OPERATOR)


def own_district_ids(role: ViewerRole) -> IdQuery:
    """The viewer's district, in any role."""
    return select(District.id).where(
        District.archived_at.is_(None), District.id.in_(_viewer_district(role))
    )


def visible_district_ids(role: ViewerRole) -> IdQuery:
    """The viewer's district if they are a district administrator or an operator, else none."""
    district_ids = own_district_ids(role)
    return district_ids if role in _WHOLE_DISTRICT else district_ids.where(false())


def visible_school_ids(role: ViewerRole) -> IdQuery:
    """The schools where the viewer is staff; for a whole district's viewer, all in the district."""
    school_ids = select(School.id).where(
        School.archived_at.is_(None), School.district_id.in_(_viewer_district(role))
    )
    if role in _WHOLE_DISTRICT:
        return school_ids
    if role is Role.STAFF:
        staffed_school_ids = select(RoleAssignment.school_id).where(
            RoleAssignment.person_id == VIEWER_ID, RoleAssignment.role == Role.STAFF
        )
        return school_ids.where(School.id.in_(staffed_school_ids))
    return school_ids.where(false())


def section_is_visible(role: ViewerRole) -> ColumnElement[bool]:
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


def is_school_of_section() -> ColumnElement[bool]:
    """Return the condition that joins a section with its school, which is in the same district."""
    return (
        (School.id == Section.school_id)
        & (School.district_id == Section.district_id)
        & School.archived_at.is_(None)
    )


def named_school_ids(role: ViewerRole) -> IdQuery:
    """The schools whose name the viewer sees: also the schools of a teacher's or student's classes.

    Lists may be filtered by these schools.
    """
    of_sections = select(School.id).join(Section, is_school_of_section())
    of_sections = of_sections.where(section_is_visible(role))
    visible_ids = union(visible_school_ids(role), of_sections).subquery()
    return select(visible_ids.c.id)


def visible_members(role: ViewerRole, member_role: Role) -> Select[str, str]:
    """The (section id, person id) of students or teachers (`member_role`) in the viewer's classes.

    Students see no students, not even classmates.
    """
    is_hidden = role is Role.STUDENT and member_role is Role.STUDENT
    return (
        select(Enrollment.section_id, Person.id)
        .join(Section, Section.id == Enrollment.section_id)
        .join(Person, Person.id == Enrollment.person_id)
        .where(Enrollment.role == member_role, false() if is_hidden else section_is_visible(role))
        .where(is_listed(), _same_district(Person.district_id))
    )


def person_is_visible(role: ViewerRole) -> ColumnElement[bool]:
    """Return the condition for the members of the viewer's classes.

    Staff also see everybody with a role at their schools, and administrators of a district and
    operators see everybody in the district. Students see no students, not even one who teaches.
    """
    if role in _WHOLE_DISTRICT:
        condition: ColumnElement[bool] = Person.district_id.in_(visible_district_ids(role))
    else:
        students, teachers = (
            visible_members(role, member_role).with_only_columns(Person.id)
            for member_role in (Role.STUDENT, Role.TEACHER)
        )
        condition = Person.id.in_(union(students, teachers, _people_at_schools(role)))
    if role is Role.STUDENT:
        condition = and_(condition, not_(has_role(Role.STUDENT)))
    return and_(is_listed(), condition)


def _people_at_schools(role: ViewerRole) -> IdQuery:
    """The people with a role at the schools that the viewer may see."""
    return (
        select(Person.id)
        .join(RoleAssignment, RoleAssignment.person_id == Person.id)
        .where(
            RoleAssignment.school_id.in_(visible_school_ids(role)),
            # In case an assignment is wrong.
            Person.district_id.in_(_viewer_district(role)),
        )
    )


def _viewer_district(role: ViewerRole) -> Select[str | None]:
    """The viewer's district; empty unless they are active and hold the role they are using."""
    if role is Operator.OPERATOR:
        district: Select[str | None] = select(_OPERATED_DISTRICT.id).where(
            _OPERATED_DISTRICT.id == VIEWER_ID, _OPERATED_DISTRICT.archived_at.is_(None)
        )
        return district.correlate(None)
    has_current_role = has_role(role, _VIEWER_ROW) if isinstance(role, Role) else false()
    query = select(_VIEWER_ROW.district_id).where(
        _VIEWER_ROW.id == VIEWER_ID, _VIEWER_ROW.archived_at.is_(None), has_current_role
    )
    return query.correlate(None)


def _same_district(
    district: SQLColumnExpression[str | None],
) -> ColumnElement[bool]:
    """A second check in case an enrollment is wrong. Clever Library classes have no district."""
    return or_(Section.district_id.is_(None), Section.district_id == district)


def visible_email(role: ViewerRole) -> SQLColumnExpression[Any]:
    """The column with a person's email address, which is empty for a student."""
    return null().label("email") if role is Role.STUDENT else Person.email.label("email")
