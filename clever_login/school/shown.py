"""What each page of the school shows, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clever_login.models import Role
from clever_login.school import lists
from clever_login.school.database import database
from clever_login.school.viewer import Viewer


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """What is one's own; what a role has none of is empty."""

    classes: list[lists.Class]
    schools: list[lists.Numbers]
    district: lists.Numbers | None
    synced_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ClassPage:
    """A class, and its students where those are for this person."""

    section: lists.Class
    students: list[lists.Name]
    synced_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NumbersPage:
    """A school and its classes, or a district and its schools."""

    of: lists.Numbers
    classes: list[lists.Class]
    schools: list[lists.Numbers]
    synced_at: datetime | None


def dashboard(viewer: Viewer) -> Dashboard:
    """The own classes, the own schools, the own district."""
    enrolled = viewer.role in (Role.STUDENT, Role.TEACHER)
    admin = viewer.role is Role.DISTRICT_ADMIN
    with database().read() as session:
        return Dashboard(
            classes=lists.classes(session, viewer) if enrolled else [],
            schools=lists.schools(session, viewer) if viewer.role is Role.STAFF else [],
            district=lists.district(session, viewer) if admin else None,
            synced_at=lists.synced_at(session, viewer),
        )


def section(viewer: Viewer, section_id: str) -> ClassPage | None:
    """The page of a class; None where it is not for this person."""
    with database().read() as session:
        found = lists.one_class(session, viewer, section_id)
        if found is None:
            return None
        return ClassPage(
            section=found,
            students=lists.students(session, viewer, section_id),
            synced_at=lists.synced_at(session, viewer),
        )


def school(viewer: Viewer, school_id: str) -> NumbersPage | None:
    """The page of a school; None where it is not for this person."""
    with database().read() as session:
        found = lists.schools(session, viewer, school_id=school_id)
        if not found:
            return None
        return NumbersPage(
            of=found[0],
            classes=lists.classes(session, viewer, school_id=school_id),
            schools=[],
            synced_at=lists.synced_at(session, viewer),
        )


def district(viewer: Viewer) -> NumbersPage | None:
    """The page of a district administrator's own district; None for anybody else."""
    with database().read() as session:
        found = lists.district(session, viewer)
        if found is None:
            return None
        return NumbersPage(
            of=found,
            classes=[],
            schools=lists.schools(session, viewer),
            synced_at=lists.synced_at(session, viewer),
        )
