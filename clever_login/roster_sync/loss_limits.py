"""How much of a district a sync would take away, net, and from when on that is held back.

A semester that replaces every section takes nothing away: as many are new as are gone. A list that
came back cut short, or empty, does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from clever_login.clever.models import Role
from clever_login.db import models
from clever_login.db.models import has_role

LossCounts = Counter[str]  # of what -> how many
RECORD_KINDS = ("schools", "terms", "people", "people_schools", "sections", "enrolments")
# What cannot be trusted either when one kind of record is held.
_DEPENDENT = {
    "schools": {"sections", "people_schools", "enrolments"},
    "people": {"people_schools", "enrolments"},
    "sections": {"enrolments"},
}


@dataclass(frozen=True, kw_only=True)
class LossRule:
    """`few` may go on an ordinary day, however small the district; or all, unless `never_all`."""

    kind: str
    few: int
    never_all: bool = False


LOSS_RULES = {
    "schools": LossRule(kind="schools", few=1, never_all=True),
    "terms": LossRule(kind="terms", few=5, never_all=True),
    "people": LossRule(kind="people", few=5, never_all=True),
    "students": LossRule(kind="people", few=5),
    "teachers": LossRule(kind="people", few=5),
    "staff": LossRule(kind="people", few=5),
    "district administrators": LossRule(kind="people", few=5),
    "schools of students": LossRule(kind="people_schools", few=5),
    "schools of teachers": LossRule(kind="people_schools", few=5),
    "schools of staff": LossRule(kind="people_schools", few=5),
    "sections": LossRule(kind="sections", few=5, never_all=True),
    "student enrollments": LossRule(kind="enrolments", few=30, never_all=True),
    "teacher enrollments": LossRule(kind="enrolments", few=30, never_all=True),
}
ROLE_NAMES = {
    Role.STUDENT: "students",
    Role.TEACHER: "teachers",
    Role.STAFF: "staff",
    Role.DISTRICT_ADMIN: "district administrators",
}


_MODEL_BY_KIND: dict[str, type[models.School] | type[models.Term] | type[models.Section]] = {
    "schools": models.School,
    "terms": models.Term,
    "sections": models.Section,
}


@dataclass(frozen=True)
class Loss:
    """More of one thing would be gone than anybody should lose unasked."""

    what: str
    missing: int
    of: int

    def __str__(self) -> str:
        return f"{self.missing} of {self.of} {self.what}"


def find_excessive_losses(before: LossCounts, now: LossCounts, missing: LossCounts) -> list[Loss]:
    """Compare what was there with what will be once what is missing is gone from what is now.

    More than a tenth is too much, unless it is only a few, and everything always is.
    """
    found = []
    for what, rule in LOSS_RULES.items():
        total = before[what]
        lost = min(missing[what], total - (now[what] - missing[what]))
        everything = rule.never_all and lost >= total
        if lost > 0 and (everything or lost > max(total / 10, rule.few)):
            found.append(Loss(what, lost, total))
    if any(each.what == "people" for each in found):
        found = [each for each in found if each.what not in ROLE_NAMES.values()]
    return found


def held_kinds(losses: Iterable[Loss]) -> set[str]:
    """The kinds of which nothing is removed: those with a loss, and what depends on them."""
    kinds = {LOSS_RULES[each.what].kind for each in losses}
    return kinds.union(*(_DEPENDENT.get(each, set()) for each in kinds))


def count_active(
    connection: Connection, district_id: str, kinds: Collection[str] = RECORD_KINDS
) -> LossCounts:
    """What there is of a district, but for what is archived."""
    found = LossCounts()
    for kind, model in _MODEL_BY_KIND.items():
        if kind in kinds:
            here = (model.district_id == district_id) & model.archived_at.is_(None)
            asked = select(func.count()).select_from(model).where(here)
            found[kind] = connection.scalar(asked) or 0
    person = models.Person
    if "people" in kinds:
        here = (person.district_id == district_id) & person.archived_at.is_(None)
        found.update(count_people(connection, here))
    for kind in {"people_schools", "enrolments"} & set(kinds):
        found.update(_count_links(connection, district_id, kind))
    return found


def count_people(connection: Connection, where: ColumnElement[bool]) -> LossCounts:
    """How many people there are, and how many in each role."""
    each = [func.count().filter(has_role(role)) for role in ROLE_NAMES]
    row = connection.execute(select(func.count(), *each).select_from(models.Person).where(where))
    return LossCounts(dict(zip(("people", *ROLE_NAMES.values()), row.one(), strict=True)))


def link_label(kind: str, role: str) -> str:
    """What links of a kind in a role are called."""
    if kind == "enrolments":
        return f"{role} enrollments"
    return f"schools of {ROLE_NAMES[Role(role)]}"


def _count_links(connection: Connection, district_id: str, kind: str) -> LossCounts:
    owner: type[models.Person] | type[models.Section] = models.Person
    model: type[models.RoleAssignment] | type[models.Enrollment] = models.RoleAssignment
    if kind == "enrolments":
        owner, model = models.Section, models.Enrollment
    here = (owner.district_id == district_id) & owner.archived_at.is_(None)
    asked = select(model.role, func.count()).join(owner).where(here).group_by(model.role)
    return LossCounts({link_label(kind, role): n for role, n in connection.execute(asked)})
