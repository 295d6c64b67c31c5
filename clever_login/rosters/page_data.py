"""The data of each roster page, read in one transaction.

Classes, members, and schools come from the public queries. Only numbers, the sync's status, and the
teachers of a whole list of classes have queries of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from clever_login.clever.models import Role
from clever_login.rosters import class_queries, queries, school_queries
from clever_login.rosters.pagination import ALL_PAGES, MAX_PAGE_SIZE, Page
from clever_login.rosters.records import NotVisible, Person, Section
from clever_login.rosters.school_queries import GradeCount, RosterCounts
from clever_login.rosters.sync_status import SyncStatus, load_sync_status
from clever_login.rosters.viewers import Viewer


@dataclass(frozen=True, kw_only=True)
class ListedClass:
    """A class in a list, with its teachers."""

    section: Section
    teachers: list[Person]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """The viewer's classes, schools and district. Parts that the role does not have are empty."""

    classes: Page[ListedClass]
    schools: Page[RosterCounts]
    district: RosterCounts | None
    grades: list[GradeCount]
    sync: SyncStatus  # empty for students who have classes: their page does not show it

    @property
    def several_schools(self) -> bool:
        """Whether the classes are at different schools, so that the list has to name them."""
        return len({listed.section.school for listed in self.classes}) > 1

    @property
    def synced_at(self) -> datetime | None:
        """When the lists were last synced; None if never, or if the viewer has no district."""
        return self.sync.synced_at


@dataclass(frozen=True, kw_only=True)
class ClassPage:
    """A class, with its students if the viewer may see them."""

    section: Section
    teachers: tuple[Person, ...]
    students: Page[Person]
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class SchoolPage:
    """A school's numbers and classes."""

    counts: RosterCounts
    grades: list[GradeCount]
    classes: Page[ListedClass]
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class DistrictPage:
    """A district's numbers and schools."""

    counts: RosterCounts
    grades: list[GradeCount]
    schools: Page[RosterCounts]
    sync: SyncStatus


def load_dashboard(viewer: Viewer, page: int) -> Dashboard:
    """Return the viewer's classes, schools and district."""
    enrolled = viewer.role in (Role.STUDENT, Role.TEACHER)
    staff, admin = viewer.role is Role.STAFF, viewer.role is Role.DISTRICT_ADMIN
    with queries.roster_session() as session:
        classes = _classes(session, viewer, page) if enrolled else Page(rows=[], total=0)
        shows_status = not (classes and viewer.role is Role.STUDENT)
        return Dashboard(
            classes=classes,
            schools=_schools(session, viewer, page) if staff else Page(rows=[], total=0),
            district=school_queries.find_district(session, viewer) if admin else None,
            grades=school_queries.count_students_by_grade(session, viewer)
            if staff or admin
            else [],
            sync=load_sync_status(session, viewer) if shows_status else SyncStatus(),
        )


def load_class_page(viewer: Viewer, section_id: str, page: int) -> ClassPage:
    """Return the data of a class's page. Raises NotVisible if the viewer may not see the class."""
    with queries.roster_session() as session:
        section = queries.section(section_id, viewer=viewer)
        return ClassPage(
            section=section,
            teachers=queries.teachers(section_id, viewer=viewer),
            students=_students(viewer, section_id, page)
            if section.students
            else Page(rows=[], total=0),
            sync=load_sync_status(session, viewer),
        )


def load_school_page(viewer: Viewer, school_id: str, page: int) -> SchoolPage:
    """Return the data of a school's page.

    Raises NotVisible if the viewer may not see the school's numbers.
    """
    with queries.roster_session() as session:
        school = school_queries.find_school(session, viewer, school_id)
        if school is None:
            raise NotVisible
        return SchoolPage(
            counts=school,
            grades=school_queries.count_students_by_grade(session, viewer, school_id=school_id),
            classes=_classes(session, viewer, page, school=school_id)
            if school.sections
            else Page(rows=[], total=0),
            sync=load_sync_status(session, viewer),
        )


def load_district_page(viewer: Viewer, page: int) -> DistrictPage:
    """Return the data of a district administrator's district page.

    Raises NotVisible for other viewers.
    """
    with queries.roster_session() as session:
        district = school_queries.find_district(session, viewer)
        if district is None:
            raise NotVisible
        return DistrictPage(
            counts=district,
            grades=school_queries.count_students_by_grade(session, viewer),
            schools=_schools(session, viewer, page),
            sync=load_sync_status(session, viewer),
        )


def _classes(
    session: Session, viewer: Viewer, page: int, *, school: str | None = None
) -> Page[ListedClass]:
    found = queries.sections(school=school, viewer=viewer, page=page)
    teachers = class_queries.list_teachers(session, viewer, [section.id for section in found])
    return found.with_rows(
        [ListedClass(section=section, teachers=teachers[section.id]) for section in found]
    )


def _schools(session: Session, viewer: Viewer, page: int) -> Page[RosterCounts]:
    found = queries.schools(viewer=viewer, page=page)
    names = {school.id: school.name for school in found}
    return found.with_rows(school_queries.with_counts(session, names))


def _students(viewer: Viewer, section_id: str, page: int) -> Page[Person]:
    """Return one page of the students of a class; all of them for ALL_PAGES."""
    if page != ALL_PAGES:
        return queries.students(section_id, viewer=viewer, page=page)
    first = queries.students(section_id, viewer=viewer, size=MAX_PAGE_SIZE)
    rows = [*first]
    for number in range(2, first.pages + 1):
        rows += queries.students(section_id, viewer=viewer, page=number, size=MAX_PAGE_SIZE)
    return Page(rows=rows, page=ALL_PAGES, total=first.total)
