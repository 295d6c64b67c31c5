"""What each page of the school shows, read in one transaction."""

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
    """What is one's own; what a role has none of is empty."""

    classes: Page[ClassSummary]
    schools: Page[RosterCounts]
    district: RosterCounts | None
    grades: list[GradeCount]
    sync: SyncStatus  # empty for students who have classes: their page does not speak of it

    @property
    def several_schools(self) -> bool:
        """Whether a class's school tells it from another."""
        return len({each.school for each in self.classes}) > 1

    @property
    def synced_at(self) -> datetime | None:
        """When the lists were last synced; None for never, and for who has no district."""
        return self.sync.synced_at


@dataclass(frozen=True, kw_only=True)
class ClassPage:
    """A class, and its students where those are for this person."""

    section: ClassSummary
    students: Page[ListedPerson]
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class SchoolPage:
    """A school in numbers, and its classes."""

    of: RosterCounts
    grades: list[GradeCount]
    classes: Page[ClassSummary]
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class DistrictPage:
    """A district in numbers, and its schools."""

    of: RosterCounts
    grades: list[GradeCount]
    schools: Page[RosterCounts]
    sync: SyncStatus


def load_dashboard(viewer: Viewer, page: int) -> Dashboard:
    """The own classes, the own schools, the own district."""
    enrolled = viewer.role in (Role.STUDENT, Role.TEACHER)
    staff, admin = viewer.role is Role.STAFF, viewer.role is Role.DISTRICT_ADMIN
    with database().read() as session:
        classes = (
            class_queries.list_classes(session, viewer, page)
            if enrolled
            else Page(rows=[], total=0)
        )
        told = not (classes and viewer.role is Role.STUDENT)
        return Dashboard(
            classes=classes,
            schools=school_queries.list_schools(session, viewer, page)
            if staff
            else Page(rows=[], total=0),
            district=school_queries.find_district(session, viewer) if admin else None,
            grades=school_queries.count_students_by_grade(session, viewer)
            if staff or admin
            else [],
            sync=load_sync_status(session, viewer) if told else SyncStatus(),
        )


def load_class_page(viewer: Viewer, section_id: str, page: int) -> ClassPage | None:
    """The page of a class; None where it is not for this person."""
    with database().read() as session:
        found = class_queries.find_class(session, viewer, section_id)
        if found is None:
            return None
        return ClassPage(
            section=found,
            students=class_queries.list_students(session, viewer, section_id, page),
            sync=load_sync_status(session, viewer),
        )


def load_school_page(viewer: Viewer, school_id: str, page: int) -> SchoolPage | None:
    """The page of a school; None where it is not for this person."""
    with database().read() as session:
        found = school_queries.find_school(session, viewer, school_id)
        if found is None:
            return None
        return SchoolPage(
            of=found,
            grades=school_queries.count_students_by_grade(session, viewer, school_id=school_id),
            classes=class_queries.list_classes(session, viewer, page, school_id=school_id),
            sync=load_sync_status(session, viewer),
        )


def load_district_page(viewer: Viewer, page: int) -> DistrictPage | None:
    """The page of a district administrator's own district; None for anybody else."""
    with database().read() as session:
        found = school_queries.find_district(session, viewer)
        if found is None:
            return None
        return DistrictPage(
            of=found,
            grades=school_queries.count_students_by_grade(session, viewer),
            schools=school_queries.list_schools(session, viewer, page),
            sync=load_sync_status(session, viewer),
        )
