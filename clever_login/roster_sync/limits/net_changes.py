"""What pending events would remove, net, computed before any of them is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from clever_login.clever.district_api.events import Event
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import Course, SchoolRecord, Section, Term
from clever_login.db import models
from clever_login.db.upsert import MAX_PARAMETERS, chunks
from clever_login.roster_sync import row_values
from clever_login.roster_sync.kinds import MODEL_BY_KIND, clever_id_column
from clever_login.roster_sync.limits import loss_limits
from clever_login.roster_sync.limits.loss_limits import Loss, LossCounts, link_label

LinkCounts = Counter[str]  # number of one record's links, by role
_RECORD_TYPES = {
    "schools": SchoolRecord,
    "terms": Term,
    "courses": Course,
    "people": Person,
    "sections": Section,
}


@dataclass(frozen=True)
class NetChanges:
    """The final state of each record in the events: None if deleted, else its links by role."""

    final_links: dict[str, dict[str, LinkCounts | None]] = field(
        default_factory=lambda: {kind: {} for kind in MODEL_BY_KIND}
    )
    roles: dict[str, tuple[PersonRole, ...]] = field(default_factory=dict)  # by user id

    def add(self, event: Event) -> None:
        """Add one more event."""
        if event.unknown:
            return
        record = event.record()
        if isinstance(record, Person) and not row_values.is_synced(record):
            return
        for kind, model in _RECORD_TYPES.items():
            if isinstance(record, model):
                is_deleted = event.action == "deleted"
                self.final_links[kind][event.record_id] = (
                    None if is_deleted else _links_of_record(record)
                )
        if isinstance(record, Person):
            self.roles[record.id] = record.roles

    def losses(self, connection: Connection, district_id: str, limit: int) -> list[Loss]:
        """Return the losses in the district that are over the limit, in percent."""
        stored = _StoredCounts(connection, district_id)
        counts_now, missing, kinds = LossCounts(), LossCounts(), set()
        for kind, records in self.final_links.items():
            if deleted := {key for key, links in records.items() if links is None}:
                kinds.add(kind)
                missing.update(stored.count_active(kind, deleted))
                present = records.keys() - deleted
                counts_now.update(self._count_by_role(kind, present))
                counts_now.subtract(stored.count_active(kind, present))
        for kind, links in (("people", "role_assignments"), ("sections", "enrollments")):
            remaining = {
                key: link_counts
                for key, link_counts in self.final_links[kind].items()
                if link_counts is not None
            }
            if lost := stored.count_lost_links(kind, links, remaining):
                kinds.add(links)
                missing.update(lost)
        counts_before = (
            loss_limits.count_active(connection, district_id, kinds) if kinds else LossCounts()
        )
        counts_now.update(counts_before)
        return loss_limits.find_excessive_losses(counts_before, counts_now, missing, limit)

    def _count_by_role(self, kind: str, ids: Collection[str]) -> LossCounts:
        if kind != "people":
            return LossCounts({kind: len(ids)})
        names = {role.value: name for role, name in loss_limits.ROLE_NAMES.items()}
        role_counts = LossCounts(
            names[role] for person_id in ids for role in self.roles[person_id] if role in names
        )
        return role_counts + LossCounts(people=len(ids))


@dataclass(frozen=True)
class _StoredCounts:
    """Counts of what the database holds."""

    connection: Connection
    district_id: str

    def count_active(self, kind: str, ids: Iterable[str]) -> LossCounts:
        """Count those of these records that are listed."""
        model, counts = MODEL_BY_KIND[kind], LossCounts()
        is_active = (model.district_id == self.district_id) & model.archived_at.is_(None)
        for chunk in chunks(ids, MAX_PARAMETERS):
            condition = is_active & clever_id_column(model).in_(chunk)
            if model is models.Person:
                condition &= models.is_listed()
                counts.update(loss_limits.count_people(self.connection, condition))
            else:
                query = select(func.count()).select_from(model).where(condition)
                counts[kind] += self.connection.scalar(query) or 0
        return counts

    def count_lost_links(
        self, kind: str, links: str, new_counts: dict[str, LinkCounts]
    ) -> LossCounts:
        """Return, by role, how many fewer links these records will have, net."""
        stored_counts: dict[str, LinkCounts] = {}
        for chunk in chunks(new_counts, MAX_PARAMETERS):
            for key, role, number in self.connection.execute(self._links_query(kind, links, chunk)):
                stored_counts.setdefault(key, LinkCounts())[role] = number
        lost = LossCounts()
        for key, new in new_counts.items():
            old = stored_counts.get(key, LinkCounts())
            for role in new.keys() | old.keys():
                if new[role] < 0:  # the list could not be parsed, so its links stay
                    continue
                lost[link_label(links, role)] += old[role] - new[role]
        return +lost

    def _links_query(self, kind: str, links: str, ids: Collection[str]) -> Any:
        owner = MODEL_BY_KIND[kind]
        model: Any = models.RoleAssignment if links == "role_assignments" else models.Enrollment
        key = clever_id_column(owner)
        is_owner = (owner.district_id == self.district_id) & key.in_(ids)
        query = select(key, model.role, func.count()).join(model).where(is_owner)
        return query.group_by(key, model.role)


def _links_of_record(record: object) -> LinkCounts:
    if isinstance(record, Section):
        counts = {"student": len(record.student_ids), "teacher": len(record.teacher_ids)}
        return LinkCounts(counts | dict.fromkeys(record.unknown_members, -1))
    return (
        LinkCounts(role for _, role in row_values.schools_with_roles(record))
        if isinstance(record, Person)
        else LinkCounts()
    )
