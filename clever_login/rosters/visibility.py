"""Who may see whom: the only room whose queries keep people apart.

Each function gives what somebody in a role may see, as a query to be used inside another:
`select(School).where(School.id.in_(school_ids(role)))`. What is outside of it does not exist. Who
asks is given when the query is run (`Viewer.with_values`), so that each query is made once: making
one takes longer than most take to run.
The store decides, not the session: who was archived, or has lost the role, sees nothing.
Each role has a query of its own, because none of both engines finds its way through an OR of them.
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
VIEWER_ID = bindparam("viewer", type_=String)  # the id of whoever asks
_VIEWER_ROW = aliased(Person)


def own_district_ids(role: Role | None) -> IdQuery:
    """The district that somebody is in, in whatever role."""
    return select(District.id).where(
        District.archived_at.is_(None), District.id.in_(_viewer_district(role))
    )


def visible_district_ids(role: Role | None) -> IdQuery:
    """A district administrator's own district."""
    own = own_district_ids(role)
    return own if role is Role.DISTRICT_ADMIN else own.where(false())


def visible_school_ids(role: Role | None) -> IdQuery:
    """The schools at which somebody is staff, or all of a district administrator's district."""
    own = select(School.id).where(
        School.archived_at.is_(None), School.district_id.in_(_viewer_district(role))
    )
    if role is Role.DISTRICT_ADMIN:
        return own
    if role is Role.STAFF:
        posts = select(RoleAssignment.school_id).where(
            RoleAssignment.person_id == VIEWER_ID, RoleAssignment.role == Role.STAFF
        )
        return own.where(School.id.in_(posts))
    return own.where(false())


def section_is_visible(role: Role | None) -> ColumnElement[bool]:
    """Whether a class is one's own, or one of one's schools, or of one's district."""
    if role in (Role.STUDENT, Role.TEACHER):
        own = _viewer_district(role)
        seats = select(Enrollment.section_id).where(
            Enrollment.person_id == VIEWER_ID, Enrollment.role == role
        )
        seen = and_(
            Section.id.in_(seats.correlate(None)),
            _same_district(own.scalar_subquery()),
            own.exists(),
        )
    elif role is Role.STAFF:
        seen = and_(
            Section.school_id.in_(visible_school_ids(role)),
            Section.district_id.in_(_viewer_district(role)),  # should a school's id be another's
        )
    else:
        seen = Section.district_id.in_(visible_district_ids(role))
    return and_(Section.archived_at.is_(None), seen)


def visible_members(role: Role | None, seated: Role) -> Select[str, str]:
    """Who is in the classes that one may see, as a student or as a teacher: class and person.

    A student sees no students, not even classmates.
    """
    hidden = role is Role.STUDENT and seated is Role.STUDENT
    return (
        select(Enrollment.section_id, Person.id)
        .join(Section, Section.id == Enrollment.section_id)
        .join(Person, Person.id == Enrollment.person_id)
        .where(Enrollment.role == seated, false() if hidden else section_is_visible(role))
        .where(Person.archived_at.is_(None), _same_district(Person.district_id))
    )


def _viewer_district(role: Role | None) -> Select[str | None]:
    """The viewer's district; nothing unless they hold the role in which they are here."""
    held = false() if role is None else has_role(role, _VIEWER_ROW)
    own = select(_VIEWER_ROW.district_id).where(
        _VIEWER_ROW.id == VIEWER_ID, _VIEWER_ROW.archived_at.is_(None), held
    )
    return own.correlate(None)


def _same_district(
    district: SQLColumnExpression[str | None],
) -> ColumnElement[bool]:
    """A second wall, should an enrolment be wrong; a class of Clever Library has no district."""
    return or_(Section.district_id.is_(None), Section.district_id == district)
