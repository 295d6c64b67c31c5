"""Who may see whom: the only room whose queries keep people apart.

Each function gives what one person may see, as a query to be used inside another:
`select(Section).where(Section.id.in_(section_ids(viewer)))`. What is outside of it does not exist.
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
    cast,
    false,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from clever_login.models import Role
from clever_login.school.tables import District, Enrolment, Person, PersonSchool, School, Section
from clever_login.school.viewer import Viewer

Ids = Select[str]
_ME = aliased(Person)  # made once: making one takes longer than most queries


def home_ids(viewer: Viewer) -> Ids:
    """The district that somebody is in, in whatever role."""
    return select(District.id).where(
        District.archived_at.is_(None), District.id.in_(_own_district(viewer))
    )


def district_ids(viewer: Viewer) -> Ids:
    """A district administrator's own district."""
    own = home_ids(viewer)
    return own if viewer.role is Role.DISTRICT_ADMIN else own.where(false())


def school_ids(viewer: Viewer) -> Ids:
    """The schools at which somebody is staff, or all of a district administrator's district."""
    own = select(School.id).where(
        School.archived_at.is_(None), School.district_id.in_(_own_district(viewer))
    )
    if viewer.role is Role.DISTRICT_ADMIN:
        return own
    if viewer.role is Role.STAFF:
        posts = select(PersonSchool.school_id).where(
            PersonSchool.person_id == viewer.person_id, PersonSchool.role == Role.STAFF
        )
        return own.where(School.id.in_(posts))
    return own.where(false())


def section_ids(viewer: Viewer) -> Ids:
    """The classes of one's own, those of one's schools, or those of one's district."""
    return select(Section.id).where(_seen(viewer))


def seats(viewer: Viewer, role: Role) -> Select[str, str]:
    """Who is in those classes as a student or as a teacher: class and person.

    A student sees no students, not even classmates.
    """
    hidden = viewer.role is Role.STUDENT and role is Role.STUDENT
    return (
        select(Enrolment.section_id, Person.id)
        .join(Section, Section.id == Enrolment.section_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.role == role, false() if hidden else _seen(viewer))
        .where(Person.archived_at.is_(None), _same_district(Person.district_id))
    )


def holds(role: Role, person: type[Person] = Person) -> ColumnElement[bool]:
    """Whether the store has somebody in a role; `roles` is a JSON list of our own words."""
    return cast(person.roles, String).like(f'%"{role.value}"%')


def _seen(viewer: Viewer) -> ColumnElement[bool]:
    """Whether a class is for this person; what is asked of them is asked once for all."""
    if viewer.role in (Role.STUDENT, Role.TEACHER):
        own = _own_district(viewer)
        seats = select(Enrolment.section_id).where(
            Enrolment.person_id == viewer.person_id, Enrolment.role == viewer.role
        )
        seen = and_(
            Section.id.in_(seats.correlate(None)),
            _same_district(own.scalar_subquery()),
            own.exists(),
        )
    elif viewer.role is Role.STAFF:
        seen = Section.school_id.in_(school_ids(viewer))
    else:
        seen = Section.district_id.in_(district_ids(viewer))
    return and_(Section.archived_at.is_(None), seen)


def _own_district(viewer: Viewer) -> Select[str | None]:
    """The viewer's district; nothing unless they hold the role in which they are here."""
    role = false() if viewer.role is None else holds(viewer.role, _ME)
    own = select(_ME.district_id).where(_ME.id == viewer.person_id, _ME.archived_at.is_(None), role)
    return own.correlate(None)


def _same_district(
    district: SQLColumnExpression[str | None],
) -> ColumnElement[bool]:
    """A second wall, should an enrolment be wrong; a class of Clever Library has no district."""
    return or_(Section.district_id.is_(None), Section.district_id == district)
