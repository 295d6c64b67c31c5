"""What roster signals are about: plain values, without a database session.

A person's id is the library's and never changes. Section and school ids are Clever's. Names and
email addresses are left out of `repr`, so that a logged row names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, order=True)
class SchoolRole:
    """A person's role at a school: student, teacher, or staff."""

    school_id: str
    role: str


@dataclass(frozen=True, kw_only=True)
class PersonRow:
    """A person as stored. `roles` and `schools` are in a fixed order; `role` values as in `Role`.

    `clever_id` is None for an account that nobody has claimed, and for a merged duplicate.
    """

    person_id: str
    clever_id: str | None
    roles: tuple[str, ...]
    schools: tuple[SchoolRole, ...]
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    email: str | None = field(repr=False)
    grade: str | None


@dataclass(frozen=True, kw_only=True)
class PersonChange:
    """A person before and after a change."""

    before: PersonRow
    after: PersonRow


@dataclass(frozen=True, kw_only=True)
class PersonMerge:
    """Two rows that belong to one person. The duplicate row stays, empty, until it is forgotten."""

    survivor_id: str
    duplicate_id: str


@dataclass(frozen=True, kw_only=True)
class SectionRow:
    """A section (class) as stored."""

    section_id: str
    name: str
    subject: str | None
    grade: str | None
    period: str | None
    school_id: str | None
    term_id: str | None
    course_id: str | None = None  # with a default, so that tests of products can leave it out


@dataclass(frozen=True, kw_only=True)
class SectionChange:
    """A section before and after a change.

    `before` is None for a section that is new or shared again. `after` is None for a section that
    is archived; its enrollments stay stored.
    """

    before: SectionRow | None
    after: SectionRow | None


@dataclass(frozen=True, kw_only=True, order=True)
class EnrollmentRow:
    """A student or teacher in a section."""

    section_id: str
    person_id: str
    role: str
