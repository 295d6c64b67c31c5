"""The data of each roster page, read in one transaction.

Everything comes from the public queries, which share the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clever_login.clever.models import Role
from clever_login.rosters import queries, removal_review
from clever_login.rosters.district_status import SyncStatus
from clever_login.rosters.pagination import ALL_PAGES, MAX_PAGE_SIZE, Page
from clever_login.rosters.records import District, GradeCount, NotVisible, Person, School, Section
from clever_login.rosters.removal_review import Review
from clever_login.rosters.updates import runs
from clever_login.rosters.updates.runs import Run, UpdateStatus
from clever_login.rosters.viewers import Viewer


@dataclass(frozen=True, kw_only=True)
class ListedClass:
    """A class in a list, with its teachers."""

    section: Section
    teachers: tuple[Person, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """The viewer's classes, schools and district. Parts that the role does not have are empty."""

    classes: Page[ListedClass]
    schools: Page[School]
    district: District | None
    grades: list[GradeCount]
    sync: SyncStatus  # empty for students who have classes: their page does not show it
    update: UpdateStatus | None = None  # of a district administrator's district

    @property
    def several_schools(self) -> bool:
        """Whether the classes are at different schools, so that the list has to name them."""
        return len({listed_class.section.school for listed_class in self.classes}) > 1

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

    counts: School
    grades: list[GradeCount]
    classes: Page[ListedClass]
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class DistrictPage:
    """A district's numbers and schools."""

    counts: District
    grades: list[GradeCount]
    schools: Page[School]
    sync: SyncStatus
    update: UpdateStatus


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """The syncs of a district, newest first."""

    runs: list[Run]
    update: UpdateStatus
    sync: SyncStatus


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """One sync of a district, and the district's state, which explains the newest one."""

    run: Run
    update: UpdateStatus
    sync: SyncStatus

    @property
    def is_newest(self) -> bool:
        """Whether no later sync of the district has been started."""
        return self.update.newest is not None and self.update.newest.id == self.run.id


def load_dashboard(viewer: Viewer, page: int) -> Dashboard:
    """Return the viewer's classes, schools and district."""
    enrolled = viewer.role in (Role.STUDENT, Role.TEACHER)
    staff, admin = viewer.role is Role.STAFF, viewer.role is Role.DISTRICT_ADMIN
    with queries.roster_connection() as connection:
        classes = _classes(viewer, page) if enrolled else Page(rows=[], total=0)
        shows_status = not (classes and viewer.role is Role.STUDENT)
        return Dashboard(
            classes=classes,
            schools=queries.schools(counts=True, viewer=viewer, page=page)
            if staff
            else Page(rows=[], total=0),
            district=_district(viewer) if admin else None,
            grades=queries.students_by_grade(viewer=viewer) if staff or admin else [],
            sync=queries.sync_status(viewer=viewer) if shows_status else SyncStatus(),
            update=runs.load_update_status(connection, viewer) if admin else None,
        )


def load_class_page(viewer: Viewer, section_id: str, page: int) -> ClassPage:
    """Return the data of a class's page. Raises NotVisible if the viewer may not see the class."""
    with queries.roster_connection():
        section = queries.section(section_id, viewer=viewer)
        return ClassPage(
            section=section,
            teachers=queries.teachers(section_id, viewer=viewer),
            students=_students(viewer, section_id, page)
            if section.students
            else Page(rows=[], total=0),
            sync=queries.sync_status(viewer=viewer),
        )


def load_school_page(viewer: Viewer, school_id: str, page: int) -> SchoolPage:
    """Return the data of a school's page.

    Raises NotVisible if the viewer may not see the school's numbers.
    """
    with queries.roster_connection():
        school = queries.school(school_id, counts=True, viewer=viewer)
        return SchoolPage(
            counts=school,
            grades=queries.students_by_grade(school=school_id, viewer=viewer),
            classes=_classes(viewer, page, school=school_id)
            if school.sections
            else Page(rows=[], total=0),
            sync=queries.sync_status(viewer=viewer),
        )


def load_review(viewer: Viewer) -> Review:
    """Return what the viewer's district has on hold. Raises NotVisible if that is nothing."""
    with queries.roster_connection() as connection:
        review = removal_review.load_review(connection, viewer)
    if review is None:
        raise NotVisible
    return review


def load_district_page(viewer: Viewer, page: int) -> DistrictPage:
    """Return the data of a district administrator's district page.

    Raises NotVisible for other viewers.
    """
    with queries.roster_connection() as connection:
        return DistrictPage(
            counts=queries.district(viewer=viewer),
            grades=queries.students_by_grade(viewer=viewer),
            schools=queries.schools(counts=True, viewer=viewer, page=page),
            sync=queries.sync_status(viewer=viewer),
            update=runs.load_update_status(connection, viewer),
        )


def load_history_page(viewer: Viewer) -> HistoryPage:
    """Return the syncs of the viewer's district.

    Raises NotVisible unless the viewer is a district administrator.
    """
    with queries.roster_connection() as connection:
        queries.district(viewer=viewer)
        return HistoryPage(
            runs=runs.list_runs(connection, viewer),
            update=runs.load_update_status(connection, viewer),
            sync=queries.sync_status(viewer=viewer),
        )


def load_run_page(viewer: Viewer, run_id: str) -> RunPage:
    """Return one sync of the viewer's district. Raises NotVisible if there is none."""
    with queries.roster_connection() as connection:
        return RunPage(
            run=runs.find_run(connection, viewer, run_id),
            update=runs.load_update_status(connection, viewer),
            sync=queries.sync_status(viewer=viewer),
        )


def _district(viewer: Viewer) -> District | None:
    """Return the district; None for an administrator who has been archived since the login."""
    try:
        return queries.district(viewer=viewer)
    except NotVisible:
        return None


def _classes(viewer: Viewer, page: int, *, school: str | None = None) -> Page[ListedClass]:
    sections = queries.sections(school=school, viewer=viewer, page=page)
    teachers = queries.teachers_by_section([section.id for section in sections], viewer=viewer)
    return sections.with_rows(
        [ListedClass(section=section, teachers=teachers[section.id]) for section in sections]
    )


def _students(viewer: Viewer, section_id: str, page: int) -> Page[Person]:
    """Return one page of the students of a class; for ALL_PAGES, all of them if few enough."""
    if page != ALL_PAGES:
        return queries.students(section_id, viewer=viewer, page=page)
    first = queries.students(section_id, viewer=viewer, size=MAX_PAGE_SIZE)
    if not first.is_printable:
        return queries.students(section_id, viewer=viewer)
    rows = [*first]
    for number in range(2, first.pages + 1):
        rows += queries.students(section_id, viewer=viewer, page=number, size=MAX_PAGE_SIZE)
    return Page(rows=rows, page=ALL_PAGES, total=first.total)
