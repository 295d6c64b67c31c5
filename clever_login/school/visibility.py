"""Who may see whom: the only room whose queries keep people apart.

Each function gives the ids that one person may see, as a query to be used inside another:
`select(Section).where(Section.id.in_(section_ids(viewer)))`. What is outside of it does not exist.
The store decides, not the session: who was archived, or has lost the role, sees nothing.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, or_, select, union
from sqlalchemy.orm import aliased

from clever_login.models import Role
from clever_login.school.tables import District, Enrolment, Person, PersonSchool, School, Section
from clever_login.school.viewer import Viewer

Ids = Select[str]
_ME = aliased(Person)  # made once: making one takes longer than most queries
ENROLLED = (Role.STUDENT, Role.TEACHER)  # who sees classes by being in them


def district_ids(viewer: Viewer) -> Ids:
    """A district administrator's own district."""
    return select(District.id).where(
        District.archived_at.is_(None),
        District.id.in_(_own_district(viewer, Role.DISTRICT_ADMIN)),
    )


def school_ids(viewer: Viewer) -> Ids:
    """The schools at which somebody is staff, or all of a district administrator's district."""
    posts = select(PersonSchool.school_id).where(
        PersonSchool.person_id == viewer.person_id, PersonSchool.role == Role.STAFF
    )
    staff = and_(School.district_id.in_(_own_district(viewer, Role.STAFF)), School.id.in_(posts))
    admin = School.district_id.in_(_own_district(viewer, Role.DISTRICT_ADMIN))
    return select(School.id).where(School.archived_at.is_(None), or_(staff, admin))


def section_ids(viewer: Viewer) -> Ids:
    """The classes of one's own, those of one's schools, or those of one's district."""
    enrolled = (
        exists()
        .where(
            Enrolment.section_id == Section.id,
            Enrolment.person_id == _ME.id,
            Enrolment.role == viewer.role,
            _is(_ME, viewer, *ENROLLED),
            _same_district(_ME),
        )
        .correlate(Section)
    )
    admin = Section.district_id.in_(_own_district(viewer, Role.DISTRICT_ADMIN))
    at_school = Section.school_id.in_(school_ids(viewer))
    return select(Section.id).where(Section.archived_at.is_(None), or_(enrolled, at_school, admin))


def student_ids(viewer: Viewer) -> Ids:
    """The students in those classes and schools; a student sees none, not even classmates."""
    if viewer.role is Role.STUDENT:
        return select(Person.id).where(Person.id.is_(None))
    return _people(viewer, Role.STUDENT)


def teacher_ids(viewer: Viewer) -> Ids:
    """The teachers of those classes and schools."""
    return _people(viewer, Role.TEACHER)


def holds(role: Role, person: type[Person] = Person) -> ColumnElement[bool]:
    """Whether the store has somebody in a role; `roles` is a JSON list of our own words."""
    return cast(person.roles, String).like(f'%"{role.value}"%')


def _people(viewer: Viewer, role: Role) -> Ids:
    """People of a role, by their classes and by their schools, who are not archived."""
    in_class = (
        select(Enrolment.person_id)
        .join(Section, Section.id == Enrolment.section_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.role == role, Section.id.in_(section_ids(viewer)))
        .where(_same_district(Person))
    )
    at_school = (
        select(PersonSchool.person_id)
        .join(School, School.id == PersonSchool.school_id)
        .join(Person, Person.id == PersonSchool.person_id)
        .where(School.id.in_(school_ids(viewer)), Person.district_id == School.district_id)
        .where(PersonSchool.role == role)
    )
    both = union(in_class, at_school).subquery()
    return select(Person.id).where(
        Person.archived_at.is_(None), Person.id.in_(select(both.c.person_id))
    )


def _own_district(viewer: Viewer, role: Role) -> Select[str | None]:
    return select(_ME.district_id).where(_is(_ME, viewer, role)).correlate(None)


def _is(person: type[Person], viewer: Viewer, *roles: Role) -> ColumnElement[bool]:
    """Whether a row is the viewer's own, and they are here in one of these roles and hold it."""
    role = viewer.role
    return and_(
        person.id == (viewer.person_id if role in roles else None),
        person.archived_at.is_(None),
        holds(role or Role.STUDENT, person),
    )


def _same_district(person: type[Person]) -> ColumnElement[bool]:
    """A second wall, should an enrolment be wrong; a class of Clever Library has no district."""
    return or_(Section.district_id.is_(None), Section.district_id == person.district_id)
