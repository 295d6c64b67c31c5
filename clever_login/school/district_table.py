"""The table of districts: who gave the app a token, how they do at Clever, and who has left."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from clever_login.api.district_tokens import DistrictTokens
from clever_login.errors import DistrictGone, RosterError
from clever_login.records import DistrictRecord
from clever_login.school import ending, rows, tables
from clever_login.school.apply import MODELS, Counts
from clever_login.school.steps import Steps
from clever_login.school.upsert import put


class InUse(RosterError):
    """A district that seemed to have left has people who log in."""


def connected(connection: Connection) -> dict[str, str]:
    """The names of the districts whose token was there at the last sync, by id."""
    district = tables.District
    found = connection.execute(select(district.id, district.name).where(district.connected))
    return {row.id: row.name for row in found}


def keep(steps: Steps, record: DistrictRecord) -> None:
    """Write what Clever says of a district; one that had left is back."""
    steps.do(lambda db: put(db, tables.District, "id", [rows.district(record)]))


def keep_synced(steps: Steps, district_id: str, problem: str | None = None) -> None:
    """It was synced now, and nothing is in the way but this."""
    _set(steps, district_id, synced_at=tables.now(), problem=problem)


def keep_problem(steps: Steps, district_id: str, problem: str | None) -> None:
    """Remember what its administrators can do something about; None changes nothing."""
    if problem:
        _set(steps, district_id, problem=problem)


def has_left(tokens: DistrictTokens, district_id: str) -> bool:
    """Whether Clever has no token for it, asked for by its name: a list may be cut short."""
    try:
        tokens.token(district_id, anew=True)
    except DistrictGone:
        return True
    return False


def is_in_use(connection: Connection, district_id: str, since: datetime) -> bool:
    """Whether somebody of a district has logged in since, so that it must be connected."""
    person = tables.Person
    came = (person.district_id == district_id) & (person.last_login >= since)
    return connection.scalar(select(person.id).where(came).limit(1)) is not None


def archive(steps: Steps, district_id: str, unless_used_since: datetime | None = None) -> Counts:
    """Archive a district that has left with its people, and log them out; what was archived.

    It counts as connected until everybody is out, so that a run that is killed is made up for.
    Raises InUse, with nothing archived, when somebody of it has logged in since that time.
    """
    counts = steps.do(lambda db: _archive(db, district_id, unless_used_since))
    ending.end_sessions_in(district_id)
    _set(steps, district_id, connected=False)
    return counts


def _set(steps: Steps, district_id: str, **values: object) -> None:
    own = update(tables.District).where(tables.District.id == district_id)
    steps.do(lambda db: db.execute(own.values(values)))


def _archive(connection: Connection, district_id: str, since: datetime | None) -> Counts:
    if since and is_in_use(connection, district_id, since):
        raise InUse("Somebody has just logged in from it, so it must be connected again.")
    at, counts = tables.now(), Counts()
    own = tables.District.id == district_id
    connection.execute(update(tables.District).where(own).values(archived_at=at, cursor=None))
    for name, model in MODELS.items():
        here = (model.district_id == district_id) & model.archived_at.is_(None)
        done = connection.execute(update(model).where(here).values(archived_at=at))
        counts[name, "archived"] = done.rowcount
    return +counts
