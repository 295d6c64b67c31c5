"""Limits on how much of a district's data a sync may remove, net.

A new semester that replaces every section removes nothing net: as many are new as are gone. A list
that was cut short or empty does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from clever_login.clever.models import Role
from clever_login.db import models
from clever_login.db.models import has_role, is_listed
from clever_login.roster_sync.kinds import MODEL_BY_KIND

LossCounts = Counter[str]  # name of what is counted -> number
RECORD_KINDS = (
    "schools",
    "terms",
    "courses",
    "people",
    "role_assignments",
    "sections",
    "enrollments",
)
# Kinds that depend on a held kind and cannot be trusted either.
DEPENDENTS = {
    "schools": {"sections", "role_assignments", "enrollments"},
    "people": {"role_assignments", "enrollments"},
}


@dataclass(frozen=True, kw_only=True)
class LossRule:
    """How much of one thing may be removed, whatever the size of the district.

    `allowance` may always be removed. If `never_all` is set, all of it may not be.
    """

    kind: str
    allowance: int
    never_all: bool = False


LOSS_RULES = {
    "schools": LossRule(kind="schools", allowance=1, never_all=True),
    "terms": LossRule(kind="terms", allowance=5, never_all=True),
    "courses": LossRule(kind="courses", allowance=5, never_all=True),
    "people": LossRule(kind="people", allowance=5, never_all=True),
    "students": LossRule(kind="people", allowance=5),
    "teachers": LossRule(kind="people", allowance=5),
    "staff": LossRule(kind="people", allowance=5),
    "district administrators": LossRule(kind="people", allowance=5),
    "schools of students": LossRule(kind="role_assignments", allowance=5),
    "schools of teachers": LossRule(kind="role_assignments", allowance=5),
    "schools of staff": LossRule(kind="role_assignments", allowance=5),
    "schools of district administrators": LossRule(kind="role_assignments", allowance=5),
    "sections": LossRule(kind="sections", allowance=5, never_all=True),
    "student enrollments": LossRule(kind="enrollments", allowance=30, never_all=True),
    "teacher enrollments": LossRule(kind="enrollments", allowance=30, never_all=True),
}
ROLE_NAMES = {
    Role.STUDENT: "students",
    Role.TEACHER: "teachers",
    Role.STAFF: "staff",
    Role.DISTRICT_ADMIN: "district administrators",
}


@dataclass(frozen=True)
class Loss:
    """A loss over the limit, which waits for a review."""

    label: str
    missing: int
    total: int

    def __str__(self) -> str:
        return f"{self.missing} of {self.total} {self.label}"


def find_excessive_losses(
    counts_before: LossCounts,
    counts_now: LossCounts,
    missing: LossCounts,
    limit: int,
    empty: Collection[str] = (),
) -> list[Loss]:
    """Return the losses over the limit, in percent, net of what is new.

    At most `allowance` may be lost in any case. Losing everything is over the limit where
    `never_all` is set, and any loss is where Clever's list is in `empty`.
    """
    losses = []
    for label, rule in LOSS_RULES.items():
        total = counts_before[label]
        lost = min(missing[label], total - (counts_now[label] - missing[label]))
        is_total_loss = label in empty or (rule.never_all and lost >= total)
        if lost > 0 and (is_total_loss or lost > max(total * limit / 100, rule.allowance)):
            losses.append(Loss(label, lost, total))
    return losses


def held_kinds(losses: Iterable[Loss]) -> set[str]:
    """Return the kinds of which nothing is removed: those with a loss, and their dependents."""
    kinds = {LOSS_RULES[loss.label].kind for loss in losses}
    return kinds.union(*(DEPENDENTS.get(kind, set()) for kind in kinds))


def count_active(
    connection: Connection, district_id: str, kinds: Collection[str] = RECORD_KINDS
) -> LossCounts:
    """Count a district's listed people, its other active rows, and its links."""
    counts = LossCounts()
    for kind, model in MODEL_BY_KIND.items():
        if kind in kinds and model is not models.Person:
            is_active = (model.district_id == district_id) & model.archived_at.is_(None)
            query = select(func.count()).select_from(model).where(is_active)
            counts[kind] = connection.scalar(query) or 0
    person = models.Person
    if "people" in kinds:
        counts.update(count_people(connection, (person.district_id == district_id) & is_listed()))
    for kind in {"role_assignments", "enrollments"} & set(kinds):
        counts.update(_count_links(connection, district_id, kind))
    return counts


def count_people(connection: Connection, condition: ColumnElement[bool]) -> LossCounts:
    """Count people, in total and by role."""
    role_counts = [func.count().filter(has_role(role)) for role in ROLE_NAMES]
    row = connection.execute(
        select(func.count(), *role_counts).select_from(models.Person).where(condition)
    )
    return LossCounts(dict(zip(("people", *ROLE_NAMES.values()), row.one(), strict=True)))


def link_label(kind: str, role: str) -> str:
    """Return the name of a kind of link with a role."""
    if kind == "enrollments":
        return f"{role} enrollments"
    return f"schools of {ROLE_NAMES[Role(role)]}"


def _count_links(connection: Connection, district_id: str, kind: str) -> LossCounts:
    owner: type[models.Person] | type[models.Section] = models.Person
    model: type[models.RoleAssignment] | type[models.Enrollment] = models.RoleAssignment
    if kind == "enrollments":
        owner, model = models.Section, models.Enrollment
    is_active = (owner.district_id == district_id) & owner.archived_at.is_(None)
    query = select(model.role, func.count()).join(owner).where(is_active).group_by(model.role)
    return LossCounts(
        {link_label(kind, role): number for role, number in connection.execute(query)}
    )
