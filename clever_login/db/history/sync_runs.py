"""What the pages, the sync, and the commands agree on about the history of runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS
from clever_login.db.history import lock_holders
from clever_login.db.models import SyncLock, SyncRun

LOCK_NAME = "sync"  # of the lock that every sync holds
INTERRUPTED = "interrupted"  # the mode of a run whose process ended before the run
FAILED = "failed"
# A run that has not begun needs a sign of life this often: its process starts at low priority.
SIGN_OF_LIFE = timedelta(minutes=2)
# At most this many runs of a district are kept, and none that is older.
MAX_RUNS = 50
MAX_AGE = timedelta(days=90)
LIMIT_PERIOD = timedelta(hours=1)  # administrators' runs of this period count for their limit


class Trigger(StrEnum):
    """Who started a run."""

    SCHEDULE = "schedule"
    COMMAND = "command"
    ADMINISTRATOR = "administrator"


def is_interrupted(connection: Connection, now: datetime) -> ColumnElement[bool]:
    """Return the condition for runs that will never finish.

    Their process was killed: the lock that it renewed has expired or is gone, its holder was a
    process on this machine that is gone, or it gave no sign of life while it waited. A process
    that takes over the lock finishes the former one's runs.
    """
    cutoff = now - timedelta(seconds=MAX_CLOCK_DIFFERENCE_SECONDS)
    is_lock = and_(SyncLock.name == LOCK_NAME, SyncLock.until > cutoff)
    holder = connection.scalar(select(SyncLock.holder).where(is_lock))
    if holder and lock_holders.is_dead(holder):
        is_lock = and_(is_lock, SyncLock.holder != holder)
    lock_is_held = select(SyncLock.name).where(is_lock).correlate(None).exists()
    has_begun = SyncRun.progress.is_not(None)
    has_no_process = or_(
        and_(has_begun, ~lock_is_held), and_(~has_begun, SyncRun.waits_until < now)
    )
    return and_(SyncRun.finished_at.is_(None), has_no_process)


def is_in_progress(connection: Connection, now: datetime) -> ColumnElement[bool]:
    """Return the condition for runs that wait or read."""
    return and_(SyncRun.finished_at.is_(None), ~is_interrupted(connection, now))
