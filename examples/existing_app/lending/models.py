"""The tables of the app."""

from __future__ import annotations

from datetime import date
from typing import Self

from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, MetaData, String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The base class of the tables. Their constraints have names, so that migrations find them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
        }
    )

    @classmethod
    def find_or_add(cls, new_name: str, **key: str) -> Self:
        """Return the row with this unique key. If there is none, add one with this name."""
        query = select(cls).filter_by(**key)
        if found := db.session.scalar(query):
            return found
        try:
            db.session.add(row := cls(**{"name": new_name, **key}))
            db.session.commit()
        except IntegrityError:  # another request has just added it
            db.session.rollback()
            return db.session.scalars(query).one()
        return row


db = SQLAlchemy(metadata=Base.metadata)


class User(UserMixin, Base):
    """A student or an adult who may borrow."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    # None for young students, who have no email address: they borrow at the desk.
    email: Mapped[str | None] = mapped_column(String(120), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    clever_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    blocked: Mapped[bool] = mapped_column(default=False)  # by the library, for a while

    @property
    def is_active(self) -> bool:
        """Whether Flask-Login lets the user in."""
        return not self.blocked


class Item(Base):
    """A thing to borrow. It is on the shelf if it has no borrower."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    borrower_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    purpose: Mapped[str] = mapped_column(String(200), default="")
    due: Mapped[date | None]
