"""The tables of accounts and rosters; PRIVACY.md says of each column why it is there.

Ids of Clever's are text. Times are UTC. Nothing is deleted when Clever stops sharing it: the row
gets the time at which it was archived, and loses that again when it comes back.
"""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

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
    cast,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from clever_login.clever.models import Role

PROVIDER = "clever"
ID_TYPE = String(64)


class UtcDateTime(TypeDecorator[datetime]):
    """A time that is in UTC and says so, also where the database keeps no time zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 # SQLAlchemy's
        """Turn another zone's time into UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 # SQLAlchemy's
        """Say that it is UTC, whatever zone the connection speaks in."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """What every table has: names for its constraints, so that a migration can speak of them."""

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
    """This moment, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id of ours: 32 hexadecimal digits that tell nothing."""
    return uuid.uuid4().hex


class District(Base):
    """A district: filled from the district-app tokens, or by the first login from it."""

    __tablename__ = "districts"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    connected: Mapped[bool] = mapped_column(default=False)  # a district-app token was seen
    state: Mapped[str | None] = mapped_column(String(32), default=None)  # at Clever
    error: Mapped[str | None] = mapped_column(String(255), default=None)
    launch_date: Mapped[date | None] = mapped_column(Date, default=None)
    problem: Mapped[str | None] = mapped_column(String(16), default=None)  # of our last sync
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    cursor: Mapped[str | None] = mapped_column(
        ID_TYPE, default=None
    )  # the last event that was applied
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class School(Base):
    """A school of a district."""

    __tablename__ = "schools"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str] = mapped_column(ForeignKey("districts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Term(Base):
    """A part of a school year."""

    __tablename__ = "terms"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str] = mapped_column(ForeignKey("districts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    start_date: Mapped[date | None] = mapped_column(Date, default=None)
    end_date: Mapped[date | None] = mapped_column(Date, default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Person(Base):
    """One person: an account once they have logged in, before that a line of a roster.

    `id` is ours and never changes: it is what a product's own tables refer to. The key by which
    Clever's people are found is (provider, clever_id), exact.
    """

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("provider", "clever_id", name="uq_people_clever_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default_factory=new_id)
    provider: Mapped[str] = mapped_column(String(16), default=PROVIDER)
    clever_id: Mapped[str | None] = mapped_column(
        ID_TYPE, default=None
    )  # None: before Clever, unclaimed
    district_id: Mapped[str | None] = mapped_column(
        ForeignKey("districts.id"), index=True, default=None
    )
    roles: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    first_name: Mapped[str] = mapped_column(String(255), default="")
    last_name: Mapped[str] = mapped_column(String(255), default="")
    email: Mapped[str | None] = mapped_column(String(255), default=None)
    grade: Mapped[str | None] = mapped_column(String(32), default=None)
    preferred_name: Mapped[str | None] = mapped_column(
        String(64), default=None
    )  # None: not asked yet; empty: they would rather not say
    first_login: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    merged_into: Mapped[str | None] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), index=True, default=None
    )  # the account that this one has become; its row has nothing else left
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class RoleAssignment(Base):
    """Who is at which school, as a student, a teacher or staff: in each role a row of its own."""

    __tablename__ = "people_schools"

    person_id: Mapped[str] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), primary_key=True
    )
    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)  # in the words of models.Role


class Section(Base):
    """A class; one that a Clever Library teacher shares has no district and no school."""

    __tablename__ = "sections"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    district_id: Mapped[str | None] = mapped_column(
        ForeignKey("districts.id"), index=True, default=None
    )
    school_id: Mapped[str | None] = mapped_column(
        ForeignKey("schools.id"), index=True, default=None
    )
    term_id: Mapped[str | None] = mapped_column(ForeignKey("terms.id"), index=True, default=None)
    name: Mapped[str] = mapped_column(String(255), default="")
    subject: Mapped[str | None] = mapped_column(String(64), default=None)
    grade: Mapped[str | None] = mapped_column(String(32), default=None)
    period: Mapped[str | None] = mapped_column(String(64), default=None)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class Enrollment(Base):
    """Who is in which section, as a student or as a teacher."""

    __tablename__ = "enrolments"
    section_id: Mapped[str] = mapped_column(
        ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[str] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16), primary_key=True)  # student, teacher


class Claim(Base):
    """A one-time link by which somebody proves that an account from before Clever is theirs."""

    __tablename__ = "claims"

    token_hash: Mapped[str] = mapped_column(
        String(64), primary_key=True
    )  # SHA-256, never the token
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)


class SyncLock(Base):
    """Who may do something that only one may do at a time, such as a sync, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(UtcDateTime())


def has_role(role: Role, person: type[Person] = Person) -> ColumnElement[bool]:
    """Whether the store has somebody in a role; `roles` is a JSON list of our own words."""
    return cast(person.roles, String).like(f'%"{role.value}"%')
