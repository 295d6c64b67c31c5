"""The districts one after the other: those that have left, those that wait, and the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from clever_login import logs
from clever_login.api.rosters import Roster
from clever_login.cli_data import patient, sentence
from clever_login.districts import Districts
from clever_login.errors import (
    CleverUnexpected,
    CursorTooOld,
    DistrictGone,
    LoginError,
    NoEvents,
    NoSecureSync,
    NotShared,
    RosterError,
)
from clever_login.fields import ReadReport, listed
from clever_login.records import DistrictRecord
from clever_login.school import cursors, district_table, ending, lease, tables
from clever_login.school.changes import PAGE, TooMuch, apply_events
from clever_login.school.database import database, not_ready
from clever_login.school.full import read_all
from clever_login.school.run import Run
from clever_login.school.steps import Steps
from clever_login.school.summary import How, Result

PROMISED = ("v2.1", "v3.0", "v3.1")
LEASE = "sync"
# What administrators are told of; other failures pass by themselves, or are the operator's.
HELD = "too_many"
PROBLEMS: dict[type[Exception], str] = {
    DistrictGone: "token",
    NoSecureSync: "no_rosters",
}


# What a district's state at Clever means; `running` and `success` need no words.
MEANING = {
    "paused": "At Clever it is paused: its data stays as it was last school year.",
    "pending": "At Clever it is pending: there is an error that the district can fix.",
    "error": "At Clever it has an error that Clever can fix.",
}


class OldVersion(RosterError):
    """This version of Clever's API is not one that rosters are kept from."""


class NotReady(RosterError):
    """The database does not answer, or its tables are old."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What an operator asks for."""

    district: str | None = None
    full: bool = False
    yes: bool = False


def sync(wish: Wish, say: Callable[[str], None]) -> Iterator[Result]:
    """Bring the store up to what Clever shares, and tell of each district when it is done.

    OldVersion, lease.Taken, lease.Lost and the errors of `districts().ids()` end it as a whole.
    """
    found = patient()
    version = found.services.version
    if version.name not in PROMISED:
        raise OldVersion(f"Rosters are kept from Clever's API {', '.join(PROMISED)} alone.")
    if why := not_ready():
        raise NotReady(f"{why[0].upper()}{why[1:]}.")
    with database().engine.connect() as connection, lease.held(connection, LEASE) as hold:
        job = _Job(found, Steps(connection=connection, hold=hold), wish, say)
        yield from job.results()


@dataclass(frozen=True)
class _Job:
    districts: Districts
    steps: Steps
    wish: Wish
    say: Callable[[str], None]

    def results(self) -> Iterator[Result]:
        listed = self.districts.ids()
        known = self.steps.do(district_table.connected)
        asked, allowed = self.wish.district, self.districts.services.settings.clever_district_ids
        if asked and asked not in {*listed, *known}:
            raise DistrictGone(f"Clever has no token for the district {asked}.")
        for each in known.keys() - set(listed):
            if asked in (None, each) and (result := self._unlisted(each, known[each])):
                yield result
        for each in listed:
            if asked in (None, each):
                outside = allowed and each not in allowed
                yield self._outside(each, known) if outside else self._guarded(each, known)

    def _unlisted(self, district_id: str, name: str) -> Result | None:
        """A district that the list leaves out: archived if it has left, None if it has not."""
        began = tables.now()
        try:
            if not district_table.has_left(self.districts.tokens, district_id):
                return None
            counts = district_table.archive(self.steps, district_id, began)
        except LoginError as error:
            return Result(district_id=district_id, name=name, how="failed", why=sentence(error))
        except district_table.InUse as error:
            return Result(district_id=district_id, name=name, how="skipped", why=str(error))
        return Result(district_id=district_id, name=name, how="left", counts=counts)

    def _outside(self, district_id: str, known: dict[str, str]) -> Result:
        """A district that the allow-list leaves out; what is kept of it is archived with a yes."""
        name, why = known.get(district_id, ""), "It is not one of CLEVER_DISTRICT_IDS."
        if district_id not in known:
            return Result(district_id=district_id, name=name, how="skipped", why=why)
        if not self.wish.yes:
            why += " What is kept of it stays as it was; run the same with --yes to archive it."
            return Result(district_id=district_id, name=name, how="refused", why=why)
        counts = district_table.archive(self.steps, district_id)
        return Result(district_id=district_id, name=name, how="left", counts=counts, why=why)

    def _guarded(self, district_id: str, known: dict[str, str]) -> Result:
        """One district; what goes wrong with it does not keep the others from their turn."""
        name = known.get(district_id, "")
        try:
            return self._one(district_id)
        except (lease.Lost, lease.Taken):
            raise
        except (LoginError, RosterError, NotShared) as error:
            district_table.keep_problem(self.steps, district_id, PROBLEMS.get(type(error)))
            return Result(district_id=district_id, name=name, how="failed", why=sentence(error))

    def _one(self, district_id: str) -> Result:
        roster = replace(self.districts.roster(district_id), report=ReadReport())
        record = roster.district()
        if record.id != district_id:
            raise CleverUnexpected("Clever shows this district's token another district's record")
        district_table.keep(self.steps, record)
        return self._read(record, roster)

    def _read(self, record: DistrictRecord, roster: Roster) -> Result:
        name, report = record.name or record.id, roster.report
        run = Run(
            steps=self.steps,
            district_id=record.id,
            version=self.districts.services.version,
            roster=roster,
            events=replace(self.districts.events(record.id, page_size=PAGE), report=report),
            report=report,
            yes=self.wish.yes,
            say=lambda words: self.say(f"{name}: {words}"),
        )
        how = self._bring_up(run)
        district_table.keep_synced(self.steps, record.id, HELD if run.held else None)
        _log(run)
        return Result(
            district_id=record.id,
            name=name,
            how=how,
            counts=run.counts,
            why=_at_clever(record),
            held=tuple(map(str, run.held)),
            notes=tuple(report.sentences()),
        )

    def _bring_up(self, run: Run) -> How:
        district = tables.District
        asked = select(district.cursor, district.synced_at).where(district.id == run.district_id)
        cursor, synced_at = self.steps.do(lambda db: db.execute(asked).one())
        self._make_up_for(run.district_id, synced_at)
        if cursor and not self.wish.full:
            try:
                apply_events(run, cursors.event_id(run.version, cursor, synced_at))
            except (CursorTooOld, NoEvents, TooMuch) as error:
                run.say(f"{error} Everything is read anew.")
            else:
                return "events"
        read_all(run)
        return "full read"

    def _make_up_for(self, district_id: str, synced_at: datetime | None) -> None:
        """Log out whom a run had archived that was killed before it came to that."""
        person = tables.Person
        archived = (person.district_id == district_id) & person.archived_at.is_not(None)
        if synced_at is not None:
            archived &= person.archived_at > synced_at
        chosen = select(person.clever_id).where(archived, person.clever_id.is_not(None))
        people = self.steps.do(lambda db: list(db.scalars(chosen)))
        ending.end_sessions_of(each for each in people if each)


def _at_clever(record: DistrictRecord) -> str:
    """How the district does at Clever, where there is something to say."""
    told = [MEANING.get(record.state or "", "")]
    told.append(f"Clever says: {record.error}" if record.error else "")
    return " ".join(filter(None, told))


def _log(run: Run) -> None:
    """What was left out, by the names of fields: never a value, nor whose it was."""
    report, district = run.report, ending.name_of_district(run.district_id)
    told = {
        "sync_values_not_understood": report.values,
        "sync_records_skipped": report.skipped,
        "sync_another_district": report.outside,
    }
    for name, counts in told.items():
        if counts:
            number, fields = counts.total(), listed(counts)
            logs.event(name, level=logging.WARNING, district=district, number=number, fields=fields)
    if run.held:
        what = ", ".join(map(str, run.held))
        logs.event("sync_held", level=logging.WARNING, district=district, missing=what)
