"""What roster queries return: plain values, without a database session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from werkzeug.exceptions import NotFound

from clever_login.clever.models import Role

# Terms have dates without a time zone. West of UTC a day ends after midnight in UTC, in Hawaii ten
# hours later, so a term counts as current for one more day.
DAYS_AFTER_TERM = timedelta(days=1)


def utc_today() -> date:
    """Return the current date in UTC."""
    return datetime.now(UTC).date()


def has_ended(term_end: date | None) -> bool:
    """Return whether a term's last day is over everywhere; False if the last day is unknown."""
    return term_end is not None and term_end + DAYS_AFTER_TERM < utc_today()


class NotVisible(NotFound):
    """The viewer may not see this section or school, or it does not exist. A view answers 404."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section (class). `id` and `school_id` are Clever's."""

    id: str
    name: str
    subject: str | None
    grade: str | None
    period: str | None
    term: str | None  # its name
    school_id: str | None
    school: str | None  # its name
    students: int | None  # how many; None if the viewer may not see students
    # None if Clever names none. A term or course that Clever no longer has is still named.
    term_start: date | None = None  # the first day
    term_end: date | None = None  # the last day
    course: str | None = None  # its name

    @property
    def has_ended(self) -> bool:
        """Whether the term is over. A class without a term, or without dates, has not ended."""
        return has_ended(self.term_end)

    @property
    def begins_later(self) -> bool:
        """Whether the term begins in the future."""
        return self.term_start is not None and self.term_start > utc_today()


@dataclass(frozen=True, kw_only=True)
class School:
    """A school. `id` is Clever's. The numbers are None unless they were asked for."""

    id: str
    name: str
    students: int | None = None
    teachers: int | None = None
    sections: int | None = None


@dataclass(frozen=True, kw_only=True)
class District:
    """A district, with its numbers of students, teachers, and sections. `id` is Clever's."""

    id: str
    name: str
    students: int
    teachers: int
    sections: int


@dataclass(frozen=True, kw_only=True)
class GradeCount:
    """The number of students in a grade, and its percentage of the largest grade's number."""

    grade: str
    students: int
    percent: int


@dataclass(frozen=True, kw_only=True)
class Person:
    """A student, teacher, or administrator. `id` is the library's and never changes.

    `account_id` is what the app's `find_or_create` returned at the person's last login, None before
    the first one. Without `find_or_create`, it is the same as `id`. `email` is None if the district
    does not share it, and for a viewer in the role of a student.
    """

    id: str
    account_id: str | None
    first_name: str
    last_name: str
    grade: str | None
    roles: tuple[Role, ...]
    email: str | None
