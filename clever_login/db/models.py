"""The tables of accounts and rosters. PRIVACY.md states the purpose of each column.

The names of all tables begin with `clever_`, so that a product can share the database.

Clever ids are text. Times are UTC. Nothing is deleted when Clever stops sharing it: the row gets
an `archived_at` time, which is cleared when Clever shares it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    and_,
    cast,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from clever_login.clever.models import PROVIDER as PROVIDER
from clever_login.clever.models import Role

ID_TYPE = String(64)
ACCOUNT_ID_TYPE = String(255)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware time in UTC, also on databases without time zones (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 # SQLAlchemy passes it
        """Convert a time to UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 # SQLAlchemy passes it
        """Return the time in UTC, whatever time zone the connection uses."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Counts = dict[str, dict[str, int]]  # {"people": {"new": 12}}


class RunCounts(TypeDecorator[Counts]):
    """The numbers of a sync. Numbers that were edited by hand and make no sense are left out."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Counts]:
        """Return a function that reads a stored value. PostgreSQL's driver parses JSON itself."""
        parse = self.impl_instance.result_processor(dialect, coltype)

        def read(value: Any) -> Counts:
            try:
                return _valid_counts(parse(value) if parse else value)
            except ValueError:  # not JSON
                return {}

        return read


def _valid_counts(stored: object) -> Counts:
    valid: Counts = {}
    for table, changes in stored.items() if isinstance(stored, dict) else ():
        for change, number in changes.items() if isinstance(changes, dict) else ():
            if type(number) is int:
                valid.setdefault(table, {})[change] = number
    return valid


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Base class of the tables. It names constraints, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a new id: 32 random hexadecimal digits."""
    return uuid.uuid4().hex


class District(Base):
    """A district, created by the sync of its district-app token or by its first login."""

    __tablename__ = "clever_districts"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    connected: Mapped[bool] = mapped_column(default=False)  # a district-app token was seen
    state: Mapped[str | None] = mapped_column(String(32), default=None)  # Clever's sync state
    error: Mapped[str | None] = mapped_column(String(255), default=None)
    launch_date: Mapped[date | None] = mapped_column(Date, default=None)
    problem: Mapped[str | None] = mapped_column(String(16), default=None)  # set by our last sync
    # The signal receiver that ended our last sync, and the class of its error.
    failed_receiver: Mapped[str | None] = mapped_column(String(255), default=None)
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    cursor: Mapped[str | None] = mapped_column(
        ID_TYPE, default=None
    )  # the last event that was applied
    attempted_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    full_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    event_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    # Clever's last_clever_sync, as of our last full read.
    clever_sync_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class School(Base):
    """A school in a district."""

    __tablename__ = "clever_schools"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str] = mapped_column(ForeignKey("clever_districts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Term(Base):
    """A term of a school year."""

    __tablename__ = "clever_terms"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str] = mapped_column(ForeignKey("clever_districts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    start_date: Mapped[date | None] = mapped_column(Date, default=None)
    end_date: Mapped[date | None] = mapped_column(Date, default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Course(Base):
    """A course, which several sections can teach."""

    __tablename__ = "clever_courses"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str] = mapped_column(ForeignKey("clever_districts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    number: Mapped[str | None] = mapped_column(String(64), default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Person(Base):
    """A user: an account once they have logged in, before that only a roster entry.

    `id` is ours and never changes, so a product's own tables can refer to it. Clever users are
    found by (provider, clever_id), compared exactly.
    """

    __tablename__ = "clever_people"
    __table_args__ = (UniqueConstraint("provider", "clever_id", name="uq_clever_people_clever_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default_factory=new_id)
    provider: Mapped[str] = mapped_column(String(16), default=PROVIDER)
    # None: an account from before Clever, not claimed yet.
    clever_id: Mapped[str | None] = mapped_column(ID_TYPE, default=None)
    # What the product's find_or_create returned at the last login, or an import. Without
    # find_or_create, the account is `id`.
    account_id: Mapped[str | None] = mapped_column(ACCOUNT_ID_TYPE, index=True, default=None)
    district_id: Mapped[str | None] = mapped_column(
        ForeignKey("clever_districts.id"), index=True, default=None
    )
    roles: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    first_name: Mapped[str] = mapped_column(String(255), default="")
    last_name: Mapped[str] = mapped_column(String(255), default="")
    email: Mapped[str | None] = mapped_column(String(255), default=None)
    grade: Mapped[str | None] = mapped_column(String(32), default=None)
    # None: not asked yet. Empty: asked, and skipped.
    preferred_name: Mapped[str | None] = mapped_column(String(64), default=None)
    first_login: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    # The account that this one was merged into. Its data is cleared, except for its ids.
    merged_into: Mapped[str | None] = mapped_column(
        ForeignKey("clever_people.id", ondelete="CASCADE"), index=True, default=None
    )
    # The full read in which an active person was missing. Lists hide them; the next one that
    # agrees, a day later, archives them.
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class RoleAssignment(Base):
    """A user's role at a school: student, teacher or staff. Each role has its own row."""

    __tablename__ = "clever_role_assignments"

    person_id: Mapped[str] = mapped_column(
        ForeignKey("clever_people.id", ondelete="CASCADE"), primary_key=True
    )
    school_id: Mapped[str] = mapped_column(
        ForeignKey("clever_schools.id"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16), primary_key=True)  # a value of clever.models.Role


class Section(Base):
    """A section (class). One shared by a Clever Library teacher has no district and no school."""

    __tablename__ = "clever_sections"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str | None] = mapped_column(
        ForeignKey("clever_districts.id"), index=True, default=None
    )
    school_id: Mapped[str | None] = mapped_column(
        ForeignKey("clever_schools.id"), index=True, default=None
    )
    term_id: Mapped[str | None] = mapped_column(
        ForeignKey("clever_terms.id"), index=True, default=None
    )
    course_id: Mapped[str | None] = mapped_column(
        ForeignKey("clever_courses.id"), index=True, default=None
    )
    name: Mapped[str] = mapped_column(String(255), default="")
    subject: Mapped[str | None] = mapped_column(String(64), default=None)
    grade: Mapped[str | None] = mapped_column(String(32), default=None)
    period: Mapped[str | None] = mapped_column(String(64), default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Enrollment(Base):
    """A student or teacher in a section."""

    __tablename__ = "clever_enrollments"

    section_id: Mapped[str] = mapped_column(
        ForeignKey("clever_sections.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[str] = mapped_column(
        ForeignKey("clever_people.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16), primary_key=True)  # student, teacher


class HeldRemoval(Base):
    """A record or link that Clever no longer shares, kept because too many are missing at once.

    For a record, `record_id` is the id of its row. For a role at a school or an enrollment, it is
    the person or the section, and `linked_id` the school or the person.
    """

    __tablename__ = "clever_held_removals"

    district_id: Mapped[str] = mapped_column(
        ForeignKey("clever_districts.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    record_id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    linked_id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True, default="")
    role: Mapped[str] = mapped_column(String(16), primary_key=True, default="")
    held_at: Mapped[datetime] = mapped_column(UtcDateTime(), default_factory=utc_now)
    # Set by a district administrator; the next sync then removes the row.
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class SeenRecord(Base):
    """A record that the full read in progress has seen. The rows are deleted at its end."""

    __tablename__ = "clever_seen_records"
    __table_args__ = ({"sqlite_with_rowid": False},)

    read_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    clever_id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str] = mapped_column(ForeignKey("clever_districts.id", ondelete="CASCADE"))


class StaleLink(Base):
    """A role at a school, or an enrollment, that the full read in progress has not seen.

    `owner_id` is the person or the section, and `linked_id` the school or the person. The rows are
    deleted at the end of the read.
    """

    __tablename__ = "clever_stale_links"
    __table_args__ = ({"sqlite_with_rowid": False},)

    read_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner_id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    linked_id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    counted: Mapped[bool] = mapped_column()  # whether the owner is already counted as changed
    district_id: Mapped[str] = mapped_column(ForeignKey("clever_districts.id", ondelete="CASCADE"))


class Claim(Base):
    """A one-time link that proves who owns an account from before Clever."""

    __tablename__ = "clever_claims"

    # SHA-256 of the token; the token itself is never stored.
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(
        ForeignKey("clever_people.id", ondelete="CASCADE"), index=True
    )
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class SyncLock(Base):
    """A lock with an expiry time, for work that only one process may do, such as a sync."""

    __tablename__ = "clever_locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(UtcDateTime())


class StoredValue(Base):
    """A session or a one-time key, see `database_store`. Without PostgreSQL, the table is empty."""

    __tablename__ = "clever_store"

    key: Mapped[str] = mapped_column(
        String(255).with_variant(String(255, collation="C"), "postgresql"), primary_key=True
    )
    value: Mapped[bytes] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)


class SyncRun(Base):
    """One sync of a district, for the history that its administrators and the operators read."""

    __tablename__ = "clever_sync_runs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    district_id: Mapped[str] = mapped_column(
        ForeignKey("clever_districts.id", ondelete="CASCADE"), index=True
    )
    trigger: Mapped[str] = mapped_column(String(16))  # a value of db.history.sync_runs.Trigger
    started_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    # A run that has not begun: until when its process has promised another sign of life.
    waits_until: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    mode: Mapped[str | None] = mapped_column(String(16), default=None)  # how it read, or "failed"
    # What was read so far, such as "1200 people". None: the run has not begun.
    progress: Mapped[str | None] = mapped_column(String(64), default=None)
    counts: Mapped[Counts] = mapped_column(RunCounts(), default_factory=dict)
    problem: Mapped[str | None] = mapped_column(String(500), default=None)  # for operators


def has_role(role: Role, person: type[Person] = Person) -> ColumnElement[bool]:
    """Return a condition for people with a role. `roles` is a JSON list of Role values."""
    return cast(person.roles, String).like(f'%"{role.value}"%')


def is_listed() -> ColumnElement[bool]:
    """Return a condition for people who are neither archived nor missing since a full read."""
    return and_(Person.archived_at.is_(None), Person.missing_since.is_(None))
