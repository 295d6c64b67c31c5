"""What pending events would remove, net, computed before any of them is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from clever_login.clever.district_api.events import Event
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import SchoolRecord, Section, Term
from clever_login.db import models
from clever_login.db.upsert import MAX_PARAMETERS, chunks
from clever_login.roster_sync import loss_limits, row_values
from clever_login.roster_sync.loss_limits import Loss, LossCounts, link_label
from clever_login.roster_sync.writer import MODEL_BY_KIND, clever_id_column

LinkCounts = Counter[str]  # number of one record's links, by role
_RECORD_TYPES = {"schools": SchoolRecord, "terms": Term, "people": Person, "sections": Section}


@dataclass(frozen=True)
class NetChanges:
    """The final state of each record in the events: None if deleted, else its links by role."""

    last: dict[str, dict[str, LinkCounts | None]] = field(
        default_factory=lambda: {kind: {} for kind in MODEL_BY_KIND}
    )
    roles: dict[str, tuple[PersonRole, ...]] = field(default_factory=dict)  # by user id

    def follow(self, event: Event) -> None:
        """Add one more event."""
        if event.unknown:
            return
        record = event.record()
        if isinstance(record, Person) and not row_values.is_synced(record):
            return
        for kind, model in _RECORD_TYPES.items():
            if isinstance(record, model):
                gone = event.action == "deleted"
                self.last[kind][event.record_id] = None if gone else _links_of_record(record)
        if isinstance(record, Person):
            self.roles[record.id] = record.roles

    def losses(self, connection: Connection, district_id: str) -> list[Loss]:
        """Return the losses in the district that are over the limit."""
        count = _StoredCounts(connection, district_id)
        now, missing, kinds = LossCounts(), LossCounts(), set()
        for kind, said in self.last.items():
            if gone := {key for key, links in said.items() if links is None}:
                kinds.add(kind)
                missing.update(count.active(kind, gone))
                present = said.keys() - gone
                now.update(self._numbers(kind, present))
                now.subtract(count.active(kind, present))
        for kind, links in (("people", "people_schools"), ("sections", "enrolments")):
            stay = {key: each for key, each in self.last[kind].items() if each is not None}
            fewer, change = count.links(kind, links, stay)
            if fewer:
                kinds.add(links)
                missing.update(fewer)
                now.update(change)
                now.update(fewer)
        before = loss_limits.count_active(connection, district_id, kinds) if kinds else LossCounts()
        now.update(before)
        return loss_limits.find_excessive_losses(before, now, missing)

    def _numbers(self, kind: str, ids: Collection[str]) -> LossCounts:
        if kind != "people":
            return LossCounts({kind: len(ids)})
        names = {role.value: name for role, name in loss_limits.ROLE_NAMES.items()}
        found = LossCounts(names[r] for each in ids for r in self.roles[each] if r in names)
        return found + LossCounts(people=len(ids))


@dataclass(frozen=True)
class _StoredCounts:
    """Counts of what the database holds."""

    connection: Connection
    district_id: str

    def active(self, kind: str, ids: Iterable[str]) -> LossCounts:
        """Count those of these records that exist and are not archived."""
        model, found = MODEL_BY_KIND[kind], LossCounts()
        here = (model.district_id == self.district_id) & model.archived_at.is_(None)
        for part in chunks(ids, MAX_PARAMETERS):
            where = here & clever_id_column(model).in_(part)
            if model is models.Person:
                found.update(loss_limits.count_people(self.connection, where))
            else:
                asked = select(func.count()).select_from(model).where(where)
                found[kind] += self.connection.scalar(asked) or 0
        return found

    def links(
        self, kind: str, links: str, said: dict[str, LinkCounts]
    ) -> tuple[LossCounts, LossCounts]:
        """Return, by role, how many links of these records go, and the net change in number."""
        there: dict[str, LinkCounts] = {}
        for part in chunks(said, MAX_PARAMETERS):
            for key, role, number in self.connection.execute(self._links_of(kind, links, part)):
                there.setdefault(key, LinkCounts())[role] = number
        fewer, change = LossCounts(), LossCounts()
        for key, now in said.items():
            before = there.get(key, LinkCounts())
            for role in now.keys() | before.keys():
                if now[role] < 0:  # the list could not be parsed, so its links stay
                    continue
                name = link_label(links, role)
                fewer[name] += max(0, before[role] - now[role])
                change[name] += now[role] - before[role]
        return +fewer, change

    def _links_of(self, kind: str, links: str, ids: Collection[str]) -> Any:
        owner = MODEL_BY_KIND[kind]
        model: Any = models.RoleAssignment if links == "people_schools" else models.Enrollment
        key = clever_id_column(owner)
        here = (owner.district_id == self.district_id) & key.in_(ids)
        asked = select(key, model.role, func.count()).join(model).where(here)
        return asked.group_by(key, model.role)


def _links_of_record(record: object) -> LinkCounts:
    if isinstance(record, Section):
        found = LinkCounts(student=len(record.student_ids), teacher=len(record.teacher_ids))
        return found | LinkCounts(dict.fromkeys(record.unknown_members, -1))
    return (
        LinkCounts(role for _, role in row_values.schools_with_roles(record))
        if isinstance(record, Person)
        else LinkCounts()
    )
