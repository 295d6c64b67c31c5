"""What each page of the school shows, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clever_login.models import Role
from clever_login.school import lists, numbers
from clever_login.school.database import database
from clever_login.school.lists import Class, Name
from clever_login.school.numbers import Grade, Numbers
from clever_login.school.paged import Paged
from clever_login.school.sync_state import SyncState, sync_state
from clever_login.school.viewer import Viewer


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """What is one's own; what a role has none of is empty."""

    classes: Paged[Class]
    schools: Paged[Numbers]
    district: Numbers | None
    grades: list[Grade]
    sync: SyncState  # empty for students who have classes: their page does not speak of it

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

    section: Class
    students: Paged[Name]
    sync: SyncState


@dataclass(frozen=True, kw_only=True)
class SchoolPage:
    """A school in numbers, and its classes."""

    of: Numbers
    grades: list[Grade]
    classes: Paged[Class]
    sync: SyncState


@dataclass(frozen=True, kw_only=True)
class DistrictPage:
    """A district in numbers, and its schools."""

    of: Numbers
    grades: list[Grade]
    schools: Paged[Numbers]
    sync: SyncState


def dashboard(viewer: Viewer, page: int) -> Dashboard:
    """The own classes, the own schools, the own district."""
    enrolled = viewer.role in (Role.STUDENT, Role.TEACHER)
    staff, admin = viewer.role is Role.STAFF, viewer.role is Role.DISTRICT_ADMIN
    with database().read() as session:
        classes = lists.classes(session, viewer, page) if enrolled else Paged(rows=[], total=0)
        told = not (classes and viewer.role is Role.STUDENT)
        return Dashboard(
            classes=classes,
            schools=numbers.schools(session, viewer, page) if staff else Paged(rows=[], total=0),
            district=numbers.district(session, viewer) if admin else None,
            grades=numbers.grades(session, viewer) if staff or admin else [],
            sync=sync_state(session, viewer) if told else SyncState(),
        )


def section(viewer: Viewer, section_id: str, page: int) -> ClassPage | None:
    """The page of a class; None where it is not for this person."""
    with database().read() as session:
        found = lists.one_class(session, viewer, section_id)
        if found is None:
            return None
        return ClassPage(
            section=found,
            students=lists.students(session, viewer, section_id, page),
            sync=sync_state(session, viewer),
        )


def school(viewer: Viewer, school_id: str, page: int) -> SchoolPage | None:
    """The page of a school; None where it is not for this person."""
    with database().read() as session:
        found = numbers.school(session, viewer, school_id)
        if found is None:
            return None
        return SchoolPage(
            of=found,
            grades=numbers.grades(session, viewer, school_id=school_id),
            classes=lists.classes(session, viewer, page, school_id=school_id),
            sync=sync_state(session, viewer),
        )


def district(viewer: Viewer, page: int) -> DistrictPage | None:
    """The page of a district administrator's own district; None for anybody else."""
    with database().read() as session:
        found = numbers.district(session, viewer)
        if found is None:
            return None
        return DistrictPage(
            of=found,
            grades=numbers.grades(session, viewer),
            schools=numbers.schools(session, viewer, page),
            sync=sync_state(session, viewer),
        )
