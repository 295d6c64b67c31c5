"""The districts table: connected districts, their state at Clever, and districts that left."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from clever_login.clever.district_api.district_client import DistrictTokens
from clever_login.clever.records import DistrictRecord
from clever_login.db import models
from clever_login.db.upsert import build_insert, model_table, upsert_rows
from clever_login.errors import DistrictDisconnected, RosterError
from clever_login.roster_sync import row_values
from clever_login.roster_sync.announcements import announce_removals
from clever_login.roster_sync.district_run import TransactionRunner
from clever_login.roster_sync.kinds import MODEL_BY_KIND
from clever_login.roster_sync.removals import held_removals
from clever_login.roster_sync.writer import Counts
from clever_login.sessions import end_sessions


class DistrictInUse(RosterError):
    """A district seemed to have left, but its users log in."""


def connected_districts(connection: Connection) -> dict[str, str]:
    """Return the names, by id, of the districts that had a token at the last sync."""
    district = models.District
    rows = connection.execute(select(district.id, district.name).where(district.connected))
    return {row.id: row.name for row in rows}


def attempts(connection: Connection) -> dict[str, datetime]:
    """Return when the last sync of each district began, where there was one."""
    district = models.District
    query = select(district.id, district.attempted_at).where(district.attempted_at.is_not(None))
    return {row.id: row.attempted_at for row in connection.execute(query)}


def begin_attempt(transactions: TransactionRunner, district_id: str) -> None:
    """Record that a sync of the district begins. A new district gets a row."""
    row = {"id": district_id, "attempted_at": models.utc_now()}

    def work(connection: Connection) -> None:
        statement = build_insert(connection, model_table(models.District)).values(
            name="", connected=False, **row
        )
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=row))

    transactions.run_in_transaction(work)


def save_district(transactions: TransactionRunner, record: DistrictRecord) -> None:
    """Write Clever's record of a district. An archived district is restored."""
    transactions.run_in_transaction(
        lambda db: upsert_rows(db, models.District, "id", [row_values.district_row(record)])
    )


def mark_synced(
    transactions: TransactionRunner, district_id: str, problem: str | None = None
) -> None:
    """Set the time of the last sync to now, and the problem that remains, if any."""
    _update_district(
        transactions,
        district_id,
        synced_at=models.utc_now(),
        problem=problem,
        failed_receiver=None,
    )


def set_problem(transactions: TransactionRunner, district_id: str, problem: str | None) -> None:
    """Store a problem that the district's administrators can fix; None changes nothing."""
    if problem:
        _update_district(transactions, district_id, problem=problem)


def set_failed_receiver(transactions: TransactionRunner, district_id: str, message: str) -> None:
    """Store which signal receiver ended the run, until a run succeeds."""
    _update_district(transactions, district_id, failed_receiver=row_values.failed_receiver(message))


def has_left(tokens: DistrictTokens, district_id: str) -> bool:
    """Return whether Clever has no token for the district. Asks by id: a list may be cut short."""
    try:
        tokens.token(district_id, fresh=True)
    except DistrictDisconnected:
        return True
    return False


def is_in_use(connection: Connection, district_id: str, since: datetime) -> bool:
    """Return whether a user of the district has logged in since, so that it must be connected."""
    person = models.Person
    logged_in = (person.district_id == district_id) & (person.last_login >= since)
    return connection.scalar(select(person.id).where(logged_in).limit(1)) is not None


def archive_district(
    transactions: TransactionRunner, district_id: str, unless_used_since: datetime | None = None
) -> Counts:
    """Archive a district that left, with its data, end its users' sessions, and return the counts.

    The district stays marked as connected until the sessions have ended, so the next run finishes a
    run that was killed. Raises, with nothing archived, ReceiverFailed, and DistrictInUse if one of
    its users has logged in since `unless_used_since`.
    """
    counts = transactions.run_in_transaction(
        lambda db: _archive_rows(db, district_id, unless_used_since)
    )
    end_sessions.by_clever_id(district_id=district_id)
    _update_district(transactions, district_id, connected=False, failed_receiver=None)
    return counts


def _update_district(transactions: TransactionRunner, district_id: str, **values: object) -> None:
    statement = update(models.District).where(models.District.id == district_id)
    transactions.run_in_transaction(lambda db: db.execute(statement.values(values)))


def _archive_rows(connection: Connection, district_id: str, since: datetime | None) -> Counts:
    if since and is_in_use(connection, district_id, since):
        raise DistrictInUse(
            "A user of this district has just logged in, so the district must be connected again."
        )
    archived_at, counts = models.utc_now(), Counts()
    is_district = models.District.id == district_id
    connection.execute(
        update(models.District)
        .where(is_district)
        .values(archived_at=archived_at, cursor=None, full_read_at=None)
    )
    for name, model in MODEL_BY_KIND.items():
        is_active = (model.district_id == district_id) & model.archived_at.is_(None)
        result = connection.execute(update(model).where(is_active).values(archived_at=archived_at))
        counts[name, "archived"] = result.rowcount
    held_removals.end_all_holds(connection, district_id)
    announce_removals(connection, district_id, archived_at)
    return +counts
