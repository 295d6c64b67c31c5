"""The data of each roster page, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clever_login.clever.models import Role
from clever_login.db.database import database
from clever_login.rosters import class_queries, school_queries
from clever_login.rosters.class_queries import ClassSummary, ListedPerson
from clever_login.rosters.pagination import Page
from clever_login.rosters.school_queries import GradeCount, RosterCounts
from clever_login.rosters.sync_status import SyncStatus, load_sync_status
from clever_login.rosters.viewer import Viewer


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """The viewer's classes, schools and district. Parts that the role does not have are empty."""

    classes: Page[ClassSummary]
    schools: Page[RosterCounts]
    district: RosterCounts | None
    grades: list[GradeCount]
    sync: SyncStatus  # empty for students who have classes: their page does not show it

    @property
    def several_schools(self) -> bool:
        """Whether the classes are at different schools, so that the list has to name them."""
        return len({section.school for section in self.classes}) > 1

    @property
    def synced_at(self) -> datetime | None:
        """When the lists were last synced; None if never, or if the viewer has no district."""
        return self.sync.synced_at


@dataclass(frozen=True, kw_only=True)
class ClassPage:
    """A class, with its students if the viewer may see them."""

    section: ClassSummary
    students: Page[ListedPerson]
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class SchoolPage:
    """A school's numbers and classes."""

    counts: RosterCounts
    grades: list[GradeCount]
    classes: Page[ClassSummary]
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
    with database().read_session() as session:
        classes = (
            class_queries.list_classes(session, viewer, page)
            if enrolled
            else Page(rows=[], total=0)
        )
        shows_status = not (classes and viewer.role is Role.STUDENT)
        return Dashboard(
            classes=classes,
            schools=school_queries.list_schools(session, viewer, page)
            if staff
            else Page(rows=[], total=0),
            district=school_queries.find_district(session, viewer) if admin else None,
            grades=school_queries.count_students_by_grade(session, viewer)
            if staff or admin
            else [],
            sync=load_sync_status(session, viewer) if shows_status else SyncStatus(),
        )


def load_class_page(viewer: Viewer, section_id: str, page: int) -> ClassPage | None:
    """Return the data of a class's page, or None if the viewer may not see the class."""
    with database().read_session() as session:
        section = class_queries.find_class(session, viewer, section_id)
        if section is None:
            return None
        return ClassPage(
            section=section,
            students=class_queries.list_students(session, viewer, section_id, page),
            sync=load_sync_status(session, viewer),
        )


def load_school_page(viewer: Viewer, school_id: str, page: int) -> SchoolPage | None:
    """Return the data of a school's page, or None if the viewer may not see the school."""
    with database().read_session() as session:
        school = school_queries.find_school(session, viewer, school_id)
        if school is None:
            return None
        return SchoolPage(
            counts=school,
            grades=school_queries.count_students_by_grade(session, viewer, school_id=school_id),
            classes=class_queries.list_classes(session, viewer, page, school_id=school_id),
            sync=load_sync_status(session, viewer),
        )


def load_district_page(viewer: Viewer, page: int) -> DistrictPage | None:
    """Return the data of a district administrator's district page, or None for other viewers."""
    with database().read_session() as session:
        district = school_queries.find_district(session, viewer)
        if district is None:
            return None
        return DistrictPage(
            counts=district,
            grades=school_queries.count_students_by_grade(session, viewer),
            schools=school_queries.list_schools(session, viewer, page),
            sync=load_sync_status(session, viewer),
        )
