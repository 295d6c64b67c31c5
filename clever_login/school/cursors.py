"""The cursor of a district: the id of the last event applied, and the version that it is of.

An empty id is before the first event. Ids of people differ between versions, so that a cursor of
another version is good for nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clever_login.api.events import DAYS_KEPT
from clever_login.api.versions import Version
from clever_login.errors import CursorTooOld
from clever_login.school.tables import ID, now


def kept_as(version: Version, event_id: str) -> str | None:
    """As it stands in the column; None for an id that is longer than any that Clever has had."""
    text = f"{version.name}:{event_id}"
    return text if len(text) <= (ID.length or 0) else None


def event_id(version: Version, kept: str, synced_at: datetime | None) -> str | None:
    """The event behind which to go on; CursorTooOld where that would miss something."""
    name, _, found = kept.partition(":")
    if name != version.name:
        raise CursorTooOld(f"The last sync read Clever's API {name}, and this is {version.name}.")
    if not found and _is_old(synced_at):
        raise CursorTooOld(f"The last sync was more than {DAYS_KEPT} days ago.")
    return found or None


def _is_old(synced_at: datetime | None) -> bool:
    """SQLite forgets the zone, which is UTC."""
    if synced_at is None:
        return False
    moment = now()
    return synced_at.replace(tzinfo=moment.tzinfo) < moment - timedelta(days=DAYS_KEPT)
