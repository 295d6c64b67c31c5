"""Compares the app's roster tables with the simulator's data."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from click.testing import Result
from sqlalchemy import Engine, select, update

from clever_login.db import models
from clever_login.db.database import database
from clever_simulator.config import default_config
from clever_simulator.directory.directory import Directory
from clever_simulator.directory.models import District, Person
from clever_simulator.server import RunningSimulator
from tests.support.running_app import Site

Rows = dict[str, set[tuple[Any, ...]]]
RolesAtSchools = list[tuple[str, str]]  # (school id, role at that school)


def sync_site(site: Site, *words: str) -> Result:
    """Run `flask clever sync`, as a scheduler does. Re-raises exceptions other than SystemExit."""
    assert site.app
    result = site.app.test_cli_runner().invoke(args=["clever", "sync", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def give_first_sync(site: Site) -> None:
    """Write the rows of a first sync of all districts into an empty database.

    A SQLite file gets a copy of the rows that the first such sync of this test process wrote,
    because a sync takes 200 ms. The simulator must be as it was started.
    """
    engine = database_engine(site)
    if engine.dialect.name != "sqlite":
        assert sync_site(site).exit_code == 0
        return
    version = site.settings.clever_api_version
    if version not in _first_syncs:
        assert sync_site(site).exit_code == 0
        _first_syncs[version] = _copied(engine, sqlite3.connect(":memory:"))
        return
    with contextlib.closing(sqlite3.connect(str(engine.url.database))) as file:
        _first_syncs[version].backup(file)


_first_syncs: dict[str, sqlite3.Connection] = {}


def _copied(engine: Engine, target: sqlite3.Connection) -> sqlite3.Connection:
    with contextlib.closing(sqlite3.connect(str(engine.url.database))) as file:
        file.backup(target)
    return target


def database_engine(site: Site) -> Engine:
    """Return the database engine of a site."""
    return database(site.app).engine


@dataclass(frozen=True)
class ExpectedRows:
    """The rows that one API version shares for one district."""

    clever: RunningSimulator
    district: District
    version: str = "v3.0"

    @property
    def directory(self) -> Directory:
        return self.clever.people

    def rows(self) -> Rows:
        """Return the rows that must be present and not archived, without the app's own ids."""
        people = list(self._people())
        shared = self.clever.app.extensions["clever_simulator"].data.index(self.district)
        return {
            "schools": {(s.id, s.name) for s in self.directory.schools_of(self.district)},
            "terms": {(t.id, t.name, t.start_date, t.end_date) for t in shared.terms.values()},
            "courses": {(c.id, c.name, c.number) for c in shared.courses.values()},
            "people": {
                (i, roles, p.name.first, p.name.last[:255], p.email, grade or None)
                for i, roles, p, grade, _ in people
            },
            "role_assignments": {(i, *post) for i, _, _, _, posts in people for post in posts},
            "sections": {
                (
                    s.id,
                    s.school.id,
                    s.facts.get("term_id", shared.term_of[s.id].id),
                    s.facts.get("course", shared.course_of[s.id].id),
                )
                for s in self.directory.sections_of(self.district)
            },
            "enrollments": set(self._enrollments()),
        }

    def _people(self) -> Iterable[tuple[str, tuple[str, ...], Person, str, RolesAtSchools]]:
        for person in self.directory.people_of(self.district):
            if self._is_gone(person):
                continue
            if self.version.startswith("v3"):
                posts = [
                    post for name, post in person.shared_assignments.items() if name == post.role
                ]
                yield self._row(person.id, person, posts)
            else:
                for post in person.role_assignments:
                    yield self._row(post.legacy_id, person, [post])

    def _row(self, clever_id: str, person: Person, posts: list[Any]) -> Any:
        grades = (post.facts.get("grade", post.grade) for post in posts if post.role == "student")
        grade = next(grades, "")
        schools = [(school.id, post.role) for post in posts for school in post.schools]
        order = ("student", "teacher", "staff", "district_admin")
        roles = tuple(role for role in order if role in {post.role for post in posts})
        return clever_id, roles, person, grade, schools

    def _enrollments(self) -> Iterable[tuple[str, str, str]]:
        for section in self.directory.sections_of(self.district):
            for student in section.students:
                if not self._is_gone(student):
                    yield section.id, student.id, "student"
            for teacher in section.teachers:
                if not self._is_gone(teacher):
                    post = teacher.role_assignment("teacher")
                    own = teacher.id if self.version.startswith("v3") else post.legacy_id
                    yield section.id, own, "teacher"

    def _is_gone(self, person: Person) -> bool:
        if self.directory.by_id(person.id) is None:
            return True
        return not self.clever.app.extensions["clever_simulator"].data.is_shared(person)


def actual_rows(engine: Engine, district_id: str) -> Rows:
    """Return a district's rows that lists show, in the same shape."""
    person, section, term, course = models.Person, models.Section, models.Term, models.Course
    is_current = (person.district_id == district_id) & models.is_listed()
    with engine.connect() as db:
        school = models.School
        return {
            "schools": _to_row_set(
                db.execute(
                    select(school.id, school.name).where(
                        school.district_id == district_id, school.archived_at.is_(None)
                    )
                )
            ),
            "terms": {
                (row.id, row.name, *map(_day, (row.start_date, row.end_date)))
                for row in db.execute(
                    select(term.id, term.name, term.start_date, term.end_date).where(
                        term.district_id == district_id, term.archived_at.is_(None)
                    )
                )
            },
            "courses": _to_row_set(
                db.execute(
                    select(course.id, course.name, course.number).where(
                        course.district_id == district_id, course.archived_at.is_(None)
                    )
                )
            ),
            "people": {
                (row[0], tuple(row[1]), *row[2:])
                for row in db.execute(
                    select(
                        person.clever_id,
                        person.roles,
                        person.first_name,
                        person.last_name,
                        person.email,
                        person.grade,
                    ).where(is_current)
                )
            },
            "role_assignments": _to_row_set(
                db.execute(
                    select(
                        person.clever_id,
                        models.RoleAssignment.school_id,
                        models.RoleAssignment.role,
                    )
                    .join(models.RoleAssignment, models.RoleAssignment.person_id == person.id)
                    .where(is_current)
                )
            ),
            "sections": _to_row_set(
                db.execute(
                    select(section.id, section.school_id, section.term_id, section.course_id).where(
                        section.district_id == district_id, section.archived_at.is_(None)
                    )
                )
            ),
            "enrollments": _to_row_set(
                db.execute(
                    select(section.id, person.clever_id, models.Enrollment.role)
                    .join(models.Enrollment, models.Enrollment.section_id == section.id)
                    .join(person, person.id == models.Enrollment.person_id)
                    .where(is_current, section.archived_at.is_(None))
                )
            ),
        }


def switch_off_events(site: Site, *, last_clever_sync: bool = False) -> None:
    """Make Clever send no events to this app, as it does to a new app.

    With `last_clever_sync`, districts have the field that Clever's support enables.
    """
    config = default_config(site.url, site.settings.clever_api_version)
    apps = tuple(
        replace(app, events=False, last_clever_sync=last_clever_sync) for app in config.apps
    )
    site.clever.configure(replace(config, apps=apps))


def let_time_pass(site: Site, **time: float) -> None:
    """Move what the sync remembers into the past: `let_time_pass(site, hours=25)`."""
    district, person = models.District, models.Person
    with database_engine(site).begin() as db:
        for key, column in (
            (district.id, district.full_read_at),
            (person.id, person.missing_since),
        ):
            for row_id, moment in db.execute(select(key, column)).all():
                if moment:
                    values = {column.key: moment - timedelta(**time)}
                    db.execute(update(column.class_).where(key == row_id).values(values))


def _day(day: date | None) -> str | None:
    """Return a date as Clever writes it."""
    return day.isoformat() if day else None


def _to_row_set(rows: Iterable[Any]) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in rows}


def assert_rows_equal(truth: ExpectedRows, engine: Engine) -> None:
    """Compare row by row. A failure shows only the rows that differ."""
    expected, actual = truth.rows(), actual_rows(engine, truth.district.id)
    for name, rows in expected.items():
        assert actual[name] - rows == set(), f"{name}: too many"
        assert rows - actual[name] == set(), f"{name}: missing"
