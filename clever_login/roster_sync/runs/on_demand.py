"""Runs the sync that a district administrator has asked for, in a process of its own.

The page has written the run and started the process. If another sync is running, the process waits
for it. Whatever happens, the run gets a result, unless the process is killed.
"""

from __future__ import annotations

import time
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from clever_login.db.database import database
from clever_login.db.driver_errors import unavailable_reason
from clever_login.db.history.sync_runs import SIGN_OF_LIFE, Trigger
from clever_login.db.models import SyncRun, utc_now
from clever_login.errors import (
    DatabaseUnavailable,
    LoginError,
    NotShared,
    RosterError,
    StoreUnavailable,
    describe_for_operator,
)
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.roster_sync.job import SyncOptions, run_sync
from clever_login.roster_sync.lock import AlreadyRunning
from clever_login.roster_sync.results import SyncResult
from clever_login.roster_sync.runs.history import result_values
from clever_login.roster_sync.writer import Counts
from clever_login.services import services

MAX_WAIT_SECONDS = 30 * 60  # for another sync
POLL_SECONDS = 5


def run_requested(run_id: str) -> SyncResult | None:
    """Run the sync of this run. Returns its result, and None if nobody waits for the run.

    Raises DatabaseUnavailable if the database does not answer.
    """
    district_id = _waiting_district(run_id)
    if district_id is None:
        return None
    nothing = SyncResult(
        district_id=district_id,
        name="",
        mode="failed",
        reason="Clever did not list the district, so the sync did nothing.",
    )
    result = _sync_or_report(run_id, nothing)
    _finish(run_id, result)
    key = pseudonym(services().settings.secret_key, "district", district_id)
    log_event("sync_on_demand", district=key, mode=result.mode)
    return result


def _waiting_district(run_id: str) -> str | None:
    query = select(SyncRun.district_id).where(
        SyncRun.id == run_id, SyncRun.finished_at.is_(None), SyncRun.progress.is_(None)
    )
    with database().read() as connection:
        return connection.scalar(query)


def _sync_or_report(run_id: str, result: SyncResult) -> SyncResult:
    """Return the result of the sync, or `result` with the reason for which it failed."""
    try:
        return _sync_when_free(run_id, result)
    except (LoginError, RosterError, NotShared, DatabaseUnavailable) as error:
        reason = describe_for_operator(error)
    except StoreUnavailable:
        reason = "The session store does not answer. The next sync ends the sessions of people who"
        reason += " left."
    except DBAPIError as error:  # the driver's message may contain personal data
        reason = unavailable_reason(error) or type(error.orig or error).__name__
        reason = f"A database error ended the sync: {reason}."
    return replace(result, reason=reason)


def _sync_when_free(run_id: str, result: SyncResult) -> SyncResult:
    """Sync as soon as no other sync is running. Raises AlreadyRunning after MAX_WAIT_SECONDS."""
    options = SyncOptions(district=result.district_id, trigger=Trigger.ADMINISTRATOR, run_id=run_id)
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while True:
        try:
            for new_result in run_sync(options, _ignore):
                result = new_result
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            _give_sign_of_life(run_id)
            time.sleep(POLL_SECONDS)
        else:
            return result


def _ignore(_progress: str) -> None:
    """The run's row has the progress. It names districts, and the process writes to the log."""


def _give_sign_of_life(run_id: str) -> None:
    until = utc_now() + SIGN_OF_LIFE
    with database().autocommit() as connection:
        connection.execute(update(SyncRun).where(SyncRun.id == run_id).values(waits_until=until))


def _finish(run_id: str, result: SyncResult) -> None:
    """Write the result, unless the sync has already written it."""
    is_open = (SyncRun.id == run_id) & SyncRun.finished_at.is_(None)
    values = result_values(result, Counts())
    with database().autocommit() as connection:
        connection.execute(update(SyncRun).where(is_open).values(values))
