"""Decides whether a district administrator may start a sync now, in one transaction.

Each process costs memory and requests to Clever, so there are limits for a district and for the
app. A row of `clever_locks` makes the decisions of all workers one after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlalchemy.orm import Session

from clever_login.db.database import database
from clever_login.db.history.sync_runs import (
    INTERRUPTED,
    LIMIT_PERIOD,
    SIGN_OF_LIFE,
    Trigger,
    is_in_progress,
)
from clever_login.db.models import SyncLock, SyncRun, new_id, utc_now
from clever_login.db.upsert import build_insert
from clever_login.rosters import visibility
from clever_login.rosters.records import NotVisible
from clever_login.rosters.viewers import Viewer

DISTRICT_PAUSE = timedelta(minutes=10)  # between two runs that a district's administrators start
# In LIMIT_PERIOD, so that many districts cannot start many processes, and one district leaves some
# to the others.
MAX_RUNS_OF_APP, MAX_RUNS_OF_DISTRICT = 6, 2
_LOCK_NAME = "sync-request"


@dataclass(frozen=True, kw_only=True)
class SyncRequest:
    """The answer to a request. `run_id` is the run to show; None if a limit is reached.

    `is_new`: the run has to be started. `wait` is how long to wait before the next request, and
    `is_own_limit` says that the limit is the district's, and not the app's.
    """

    run_id: str | None
    is_new: bool = False
    wait: timedelta = timedelta()
    is_own_limit: bool = False


def request_sync(viewer: Viewer) -> SyncRequest:
    """Create a run for the viewer's district, or find the one that is the reason not to.

    Raises NotVisible unless the viewer is an administrator of a district.
    """
    return database().retry_transaction(lambda session: _decide(session, viewer))


def mark_ended(run_id: str) -> bool:
    """Finish a run whose process does not run. Returns whether it had no result yet."""
    has_no_result = (SyncRun.id == run_id) & SyncRun.finished_at.is_(None)
    values = {"finished_at": utc_now(), "mode": INTERRUPTED}
    with database().autocommit() as connection:
        return bool(
            connection.execute(update(SyncRun).where(has_no_result).values(values)).rowcount
        )


def _decide(session: Session, viewer: Viewer) -> SyncRequest:
    _wait_for_turn(session)
    own_district = visibility.visible_district_ids(viewer.role)
    district_id = session.scalar(own_district, viewer.with_values())
    if district_id is None:
        raise NotVisible
    now = utc_now()
    known = _run_in_progress(session, now, district_id) or _recent_run(session, now, district_id)
    if known is not None:
        return SyncRequest(run_id=known)
    is_own = SyncRun.district_id == district_id
    if wait := wait_of_district(session.connection(), is_own, now):
        return SyncRequest(run_id=None, wait=wait, is_own_limit=True)
    if wait := _wait_of_app(session, now):
        return SyncRequest(run_id=None, wait=wait)
    run_id = new_id()
    session.add(
        SyncRun(
            id=run_id,
            district_id=district_id,
            trigger=Trigger.ADMINISTRATOR,
            started_at=now,
            waits_until=now + SIGN_OF_LIFE,
        )
    )
    return SyncRequest(run_id=run_id, is_new=True)


def wait_of_district(
    connection: Connection,
    is_own: ColumnElement[bool],
    now: datetime,
    parameters: Mapping[str, object] | None = None,
) -> timedelta:
    """Return how long a district's administrators start no more runs.

    `is_own` selects the runs of the district.
    """
    newest = SyncRun.started_at.desc()
    query = select(SyncRun.started_at).where(is_own, SyncRun.trigger == Trigger.ADMINISTRATOR)
    started = connection.scalars(
        query.order_by(newest).limit(MAX_RUNS_OF_DISTRICT), parameters
    ).all()
    ends = [now, *(at + DISTRICT_PAUSE for at in started)]
    if len(started) == MAX_RUNS_OF_DISTRICT:
        ends.append(started[-1] + LIMIT_PERIOD)
    return max(ends) - now


def _wait_for_turn(session: Session) -> None:
    """Wait until no other transaction decides. The row stays locked until this one ends."""
    row = {"name": _LOCK_NAME, "holder": "", "until": utc_now()}
    insert = build_insert(session.connection(), SyncLock).values(row).on_conflict_do_nothing()
    session.execute(insert)
    session.execute(update(SyncLock).where(SyncLock.name == _LOCK_NAME).values(until=utc_now()))


def _run_in_progress(session: Session, now: datetime, district_id: str) -> str | None:
    is_own = SyncRun.district_id == district_id
    newest = SyncRun.started_at.desc()
    return session.scalar(
        select(SyncRun.id)
        .where(is_own, is_in_progress(session.connection(), now))
        .order_by(newest)
        .limit(1)
    )


def _recent_run(session: Session, now: datetime, district_id: str) -> str | None:
    """Return the run that an administrator of the district has started less than a pause ago."""
    return session.scalar(
        select(SyncRun.id)
        .where(
            SyncRun.district_id == district_id,
            SyncRun.trigger == Trigger.ADMINISTRATOR,
            SyncRun.started_at > now - DISTRICT_PAUSE,
        )
        .order_by(SyncRun.started_at.desc())
        .limit(1)
    )


def _wait_of_app(session: Session, now: datetime) -> timedelta:
    """Return how long the app starts no more runs: one at a time, and MAX_RUNS_OF_APP an hour."""
    by_administrators = SyncRun.trigger == Trigger.ADMINISTRATOR
    is_running = by_administrators & is_in_progress(session.connection(), now)
    if session.scalar(select(SyncRun.id).where(is_running).limit(1)):
        return timedelta(minutes=1)
    count, oldest = session.execute(
        select(func.count(), func.min(SyncRun.started_at)).where(
            by_administrators, SyncRun.started_at > now - LIMIT_PERIOD
        )
    ).one()
    if count < MAX_RUNS_OF_APP:
        return timedelta()
    return max(oldest + LIMIT_PERIOD - now, timedelta(minutes=1))
