"""Receivers of the library's signals that record each call and write with its connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from blinker import NamedSignal
from flask import Flask
from sqlalchemy import Column, Connection, MetaData, String, Table, func, insert, select

from clever_login import signals
from clever_login.db.database import database

ROSTER_SIGNALS = (
    "people_merged",
    "people_created",
    "people_restored",
    "people_changed",
    "sections_changed",
    "enrollments_added",
    "enrollments_removed",
    "people_archived",
)
MAX_ROWS = 500
NOTES = Table("product_notes", MetaData(), Column("signal", String(40)))


@dataclass(frozen=True)
class Call:
    """One call of a receiver. Calls with the same `transaction` share a transaction."""

    name: str
    district_id: str | None
    rows: tuple[Any, ...]
    transaction: int


@dataclass
class Recorder:
    """A product that listens: it records each call, and adds a row to its own table."""

    app: Flask
    calls: list[Call] = field(default_factory=list)
    receivers: list[Callable[..., None]] = field(default_factory=list)  # blinker keeps no reference
    transactions: list[object] = field(default_factory=list)

    def connect(self, name: str) -> None:
        def receive(
            app: Flask, *, connection: Connection, district_id: str | None, rows: Any, **_: object
        ) -> None:
            assert app is self.app
            assert 0 < len(rows) <= MAX_ROWS
            connection.execute(insert(NOTES).values(signal=name))
            transaction = connection.get_transaction()
            if transaction not in self.transactions:
                self.transactions.append(transaction)
            number = self.transactions.index(transaction)
            self.calls.append(Call(name, district_id, tuple(rows), number))

        self.receivers.append(receive)
        signal_named(name).connect(receive, sender=self.app)

    def rows(self, name: str, district_id: str | None = None) -> list[Any]:
        """Return all rows sent with a signal, of one district if its id is given."""
        return [
            row
            for call in self.calls
            if call.name == name and district_id in (None, call.district_id)
            for row in call.rows
        ]

    def names(self) -> list[str]:
        """Return the names of the signals in the order of their calls."""
        return [call.name for call in self.calls]

    def clear(self) -> None:
        self.calls.clear()

    def disconnect(self) -> None:
        """Stop listening."""
        self.receivers.clear()

    def notes(self) -> int:
        """Return how many rows the product's table has: one for each call that was committed."""
        with database(self.app).engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(NOTES)) or 0


def signal_named(name: str) -> NamedSignal:
    signal = getattr(signals, name)
    assert isinstance(signal, NamedSignal)
    return signal


@contextmanager
def recording(app: Flask, *names: str) -> Iterator[Recorder]:
    """Record the signals of these names, or all that a sync sends, until the block ends."""
    recorder = Recorder(app)
    NOTES.create(database(app).engine, checkfirst=True)
    for name in names or ROSTER_SIGNALS:
        recorder.connect(name)
    yield recorder
    recorder.disconnect()


@contextmanager
def failing_receiver(app: Flask, name: str, district_id: str | None = None) -> Iterator[None]:
    """Connect a receiver that fails, in one district or all. Its message quotes a child's name."""

    def moved(_app: Flask, *, rows: Any, **values: object) -> None:
        if district_id in (None, values["district_id"]):
            raise KeyError(f"{CHILDS_NAME} has no shelf: {rows}")

    signal_named(name).connect(moved, sender=app)
    yield


CHILDS_NAME = "CanaryChild"
FAILING_RECEIVER = (
    "receiver tests.support.signal_recorder.failing_receiver.<locals>.moved: KeyError"
)
