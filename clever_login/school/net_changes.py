"""What the events that wait would take away, net, before any of them is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from clever_login.api.events import Event
from clever_login.persons import Person, PersonRole
from clever_login.records import SchoolRecord, Section, Term
from clever_login.school import losses, rows, tables
from clever_login.school.apply import MODELS, key_of
from clever_login.school.losses import Loss, Numbers, name_of_links
from clever_login.school.upsert import MOST_PARAMETERS, chunks

Links = Counter[str]  # how many of one record, by role
_RECORDS = {"schools": SchoolRecord, "terms": Term, "people": Person, "sections": Section}


@dataclass(frozen=True)
class NetChanges:
    """For each record the last that its events say: None for gone, else its links by role."""

    last: dict[str, dict[str, Links | None]] = field(
        default_factory=lambda: {kind: {} for kind in MODELS}
    )
    roles: dict[str, tuple[PersonRole, ...]] = field(default_factory=dict)  # of people

    def follow(self, event: Event) -> None:
        """Take note of one more event."""
        if event.unknown:
            return
        record = event.record()
        if isinstance(record, Person) and not rows.is_kept(record):
            return
        for kind, model in _RECORDS.items():
            if isinstance(record, model):
                gone = event.action == "deleted"
                self.last[kind][event.record_id] = None if gone else _links(record)
        if isinstance(record, Person):
            self.roles[record.id] = record.roles

    def losses(self, connection: Connection, district_id: str) -> list[Loss]:
        """What of the district would be gone, where that is too much."""
        count = _Count(connection, district_id)
        now, missing, kinds = Numbers(), Numbers(), set()
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
        before = losses.active(connection, district_id, kinds) if kinds else Numbers()
        now.update(before)
        return losses.too_large(before, now, missing)

    def _numbers(self, kind: str, ids: Collection[str]) -> Numbers:
        if kind != "people":
            return Numbers({kind: len(ids)})
        names = {role.value: name for role, name in losses.ROLES.items()}
        found = Numbers(names[r] for each in ids for r in self.roles[each] if r in names)
        return found + Numbers(people=len(ids))


@dataclass(frozen=True)
class _Count:
    """Numbers of what the store has."""

    connection: Connection
    district_id: str

    def active(self, kind: str, ids: Iterable[str]) -> Numbers:
        """How many of these are there and not archived."""
        model, found = MODELS[kind], Numbers()
        here = (model.district_id == self.district_id) & model.archived_at.is_(None)
        for part in chunks(ids, MOST_PARAMETERS):
            where = here & key_of(model).in_(part)
            if model is tables.Person:
                found.update(losses.people(self.connection, where))
            else:
                asked = select(func.count()).select_from(model).where(where)
                found[kind] += self.connection.scalar(asked) or 0
        return found

    def links(self, kind: str, links: str, said: dict[str, Links]) -> tuple[Numbers, Numbers]:
        """How many links of these records go, and by how many there are more then, by role."""
        there: dict[str, Links] = {}
        for part in chunks(said, MOST_PARAMETERS):
            for key, role, number in self.connection.execute(self._links_of(kind, links, part)):
                there.setdefault(key, Links())[role] = number
        fewer, change = Numbers(), Numbers()
        for key, now in said.items():
            before = there.get(key, Links())
            for role in now.keys() | before.keys():
                if now[role] < 0:  # not understood: it stays as it is
                    continue
                name = name_of_links(links, role)
                fewer[name] += max(0, before[role] - now[role])
                change[name] += now[role] - before[role]
        return +fewer, change

    def _links_of(self, kind: str, links: str, ids: Collection[str]) -> Any:
        owner = MODELS[kind]
        model: Any = tables.PersonSchool if links == "people_schools" else tables.Enrolment
        key = key_of(owner)
        here = (owner.district_id == self.district_id) & key.in_(ids)
        asked = select(key, model.role, func.count()).join(model).where(here)
        return asked.group_by(key, model.role)


def _links(record: object) -> Links:
    if isinstance(record, Section):
        found = Links(student=len(record.student_ids), teacher=len(record.teacher_ids))
        return found | Links(dict.fromkeys(record.unknown_members, -1))
    return Links(role for _, role in rows.places(record)) if isinstance(record, Person) else Links()
