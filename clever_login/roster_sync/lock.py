"""Lets only one sync run at a time, with a lock that its holder renews and that expires."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, or_, select, update

from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from clever_login.db.history import lock_holders
from clever_login.db.models import SyncLock, utc_now
from clever_login.db.upsert import build_insert
from clever_login.errors import RosterError

LOCK_DURATION = timedelta(minutes=10)  # longer than any wait for Clever


class AlreadyRunning(RosterError):
    """Another process holds the lock."""


class LockLost(RosterError):
    """The lock expired, and another process took it."""


@dataclass(frozen=True, kw_only=True)
class HeldLock:
    """A lock that stays ours as long as every transaction starts with `renew`."""

    name: str
    holder: str

    def renew(self, connection: Connection) -> None:
        """Extend the lock by LOCK_DURATION, at the start of a transaction.

        The row stays locked until the transaction ends, so no other process takes over in the
        middle. Raises LockLost if another process has taken it.
        """
        is_holder = (SyncLock.name == self.name) & (SyncLock.holder == self.holder)
        renewed = connection.execute(
            update(SyncLock).where(is_holder).values(until=utc_now() + LOCK_DURATION)
        )
        if renewed.rowcount != 1:
            raise LockLost(
                "Another sync has taken over, because this sync made no progress for too long."
            )


@contextmanager
def hold_lock(connection: Connection, name: str) -> Iterator[HeldLock]:
    """Hold a lock while the block runs. Raises AlreadyRunning if another process holds it."""
    lock = HeldLock(name=name, holder=lock_holders.new_name())
    with connection.begin():
        _acquire(connection, lock)
    try:
        yield lock
    finally:
        if not connection.closed and not connection.invalidated:
            with connection.begin():
                connection.execute(delete(SyncLock).where(SyncLock.holder == lock.holder))


def _acquire(connection: Connection, lock: HeldLock) -> None:
    row = {"name": lock.name, "holder": lock.holder, "until": utc_now() + LOCK_DURATION}
    insert = (
        build_insert(connection, SyncLock)
        .values(row)
        .on_conflict_do_nothing()
        .returning(SyncLock.name)
    )
    if connection.scalar(insert) is not None:
        return
    current_holder = (
        connection.scalar(select(SyncLock.holder).where(SyncLock.name == lock.name)) or ""
    )
    is_free = SyncLock.until < utc_now() - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS)
    if lock_holders.is_dead(current_holder):
        is_free = or_(is_free, SyncLock.holder == current_holder)
    result = connection.execute(
        update(SyncLock).where(SyncLock.name == lock.name, is_free).values(row)
    )
    if result.rowcount != 1:
        raise AlreadyRunning(
            f"Another sync is running ({current_holder.rpartition(':')[0]}), so this one did"
            " nothing."
        )
