"""Decides whether a district is read by its events or as a whole, and how often.

Events are off for new apps at Clever, and an app without events gets an empty list instead of an
error. So a district that has never had an event is read as a whole every day, and every district
once in a while, in case an event was lost.

Clever's support can add the field `last_clever_sync` to the records of districts: when Clever last
read the district's own data. With it, a district without events is read as a whole as soon as the
time has changed, and not before. What the district shares can change without such a read, so the
read once in a while stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from clever_login.db import models
from clever_login.roster_sync.removals.removal import CONFIRM_AFTER

WITHOUT_EVENTS = timedelta(hours=24)  # between full reads of a district that has had no event
ENABLE_EVENTS = "To get changes sooner, enable events in Clever's dashboard, under Settings > "
ENABLE_EVENTS += "Integrations. To read the district now, run the same command with --full."


@dataclass(frozen=True, kw_only=True)
class ReadHistory:
    """When a district was read. Times are None if it never was, or if it was archived since.

    `is_awaited`: somebody has asked for the current data and waits for it.
    """

    cursor: str | None
    synced_at: datetime | None
    full_read_at: datetime | None
    event_seen_at: datetime | None
    missing_since: datetime | None  # since when the first person is missing who is not archived yet
    clever_sync_at: datetime | None  # Clever's last_clever_sync at the last full read
    is_awaited: bool = False

    def is_older_than(self, age: timedelta) -> bool:
        """Whether the last full read was longer ago than this."""
        return self.full_read_at is None or models.utc_now() - self.full_read_at > age

    @property
    def has_people_to_confirm(self) -> bool:
        """Whether people were missing a day ago, so that a full read has to confirm it.

        A full read that puts people on hold confirms nothing. Then the next one is a day later.
        """
        missing, now = self.missing_since, models.utc_now()
        is_due = missing is not None and now - missing >= CONFIRM_AFTER
        return is_due and self.is_older_than(CONFIRM_AFTER)

    def describe_wait(self, clever_sync_at: datetime | None, days: int) -> str | None:
        """Return why a district without events is not read now, or None if it is read as a whole.

        `clever_sync_at` is its `last_clever_sync` now, and `days` is CLEVER_FULL_READ_DAYS.
        """
        if self.is_awaited or (self.cursor is not None and self.event_seen_at is not None):
            return None
        if clever_sync_at is None or self.clever_sync_at is None:
            return None if self.is_older_than(WITHOUT_EVENTS) else self._next_day()
        if clever_sync_at != self.clever_sync_at:
            return None
        latest = "one day" if days == 1 else f"{days} days"
        return (
            "Clever sends no events for this district, and has not read the district's data again "
            "since the last full read. The next full read is after Clever has, and at the latest "
            f"{latest} after the last one. {ENABLE_EVENTS}"
        )

    def _next_day(self) -> str:
        now = models.utc_now()
        left = (self.full_read_at or now) + WITHOUT_EVENTS - now
        hours = max(1, round(left.total_seconds() / 3600))
        when = "one hour" if hours == 1 else f"{hours} hours"
        return (
            "Clever sends no events for this district, so the sync reads it as a whole once a day, "
            f"the next time in {when}. {ENABLE_EVENTS}"
        )


def load_history(
    connection: Connection, district_id: str, *, is_awaited: bool = False
) -> ReadHistory:
    """Return when a district was read."""
    district = models.District
    columns = (
        district.cursor,
        district.synced_at,
        district.full_read_at,
        district.event_seen_at,
        district.clever_sync_at,
    )
    row = connection.execute(select(*columns).where(district.id == district_id)).one()
    person = models.Person
    is_missing = (person.district_id == district_id) & person.archived_at.is_(None)
    missing_since = connection.scalar(select(func.min(person.missing_since)).where(is_missing))
    return ReadHistory(**row._asdict(), missing_since=missing_since, is_awaited=is_awaited)


def save_event_seen(connection: Connection, district_id: str) -> None:
    """Record that Clever sends events for this district."""
    is_district = models.District.id == district_id
    connection.execute(
        update(models.District).where(is_district).values(event_seen_at=models.utc_now())
    )
