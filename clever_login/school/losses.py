"""How much of a district a sync would take away, net, and from when on that is held back.

A semester that replaces every section takes nothing away: as many are new as are gone. A list that
came back cut short, or empty, does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from clever_login.models import Role
from clever_login.school import tables
from clever_login.school.visibility import holds

Numbers = Counter[str]  # of what -> how many
KINDS = ("schools", "terms", "people", "people_schools", "sections", "enrolments")
# What cannot be trusted either when one kind of record is held.
_DEPENDENT = {
    "schools": {"sections", "people_schools", "enrolments"},
    "people": {"people_schools", "enrolments"},
    "sections": {"enrolments"},
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`few` may go on an ordinary day, however small the district; or all, unless `never_all`."""

    kind: str
    few: int
    never_all: bool = False


RULES = {
    "schools": Rule(kind="schools", few=1, never_all=True),
    "terms": Rule(kind="terms", few=5, never_all=True),
    "people": Rule(kind="people", few=5, never_all=True),
    "students": Rule(kind="people", few=5),
    "teachers": Rule(kind="people", few=5),
    "staff": Rule(kind="people", few=5),
    "district administrators": Rule(kind="people", few=5),
    "schools of students": Rule(kind="people_schools", few=5),
    "schools of teachers": Rule(kind="people_schools", few=5),
    "schools of staff": Rule(kind="people_schools", few=5),
    "sections": Rule(kind="sections", few=5, never_all=True),
    "student enrollments": Rule(kind="enrolments", few=30, never_all=True),
    "teacher enrollments": Rule(kind="enrolments", few=30, never_all=True),
}
ROLES = {
    Role.STUDENT: "students",
    Role.TEACHER: "teachers",
    Role.STAFF: "staff",
    Role.DISTRICT_ADMIN: "district administrators",
}


_MODELS: dict[str, type[tables.School] | type[tables.Term] | type[tables.Section]] = {
    "schools": tables.School,
    "terms": tables.Term,
    "sections": tables.Section,
}


@dataclass(frozen=True)
class Loss:
    """More of one thing would be gone than anybody should lose unasked."""

    what: str
    missing: int
    of: int

    def __str__(self) -> str:
        return f"{self.missing} of {self.of} {self.what}"


def too_large(before: Numbers, now: Numbers, missing: Numbers) -> list[Loss]:
    """Compare what was there with what will be once what is missing is gone from what is now.

    More than a tenth is too much, unless it is only a few, and everything always is.
    """
    found = []
    for what, rule in RULES.items():
        total = before[what]
        lost = min(missing[what], total - (now[what] - missing[what]))
        everything = rule.never_all and lost >= total
        if lost > 0 and (everything or lost > max(total / 10, rule.few)):
            found.append(Loss(what, lost, total))
    if any(each.what == "people" for each in found):
        found = [each for each in found if each.what not in ROLES.values()]
    return found


def held_kinds(losses: Iterable[Loss]) -> set[str]:
    """The kinds of which nothing is removed: those with a loss, and what depends on them."""
    kinds = {RULES[each.what].kind for each in losses}
    return kinds.union(*(_DEPENDENT.get(each, set()) for each in kinds))


def active(connection: Connection, district_id: str, kinds: Collection[str] = KINDS) -> Numbers:
    """What there is of a district, but for what is archived."""
    found = Numbers()
    for kind, model in _MODELS.items():
        if kind in kinds:
            here = (model.district_id == district_id) & model.archived_at.is_(None)
            asked = select(func.count()).select_from(model).where(here)
            found[kind] = connection.scalar(asked) or 0
    person = tables.Person
    if "people" in kinds:
        here = (person.district_id == district_id) & person.archived_at.is_(None)
        found.update(people(connection, here))
    for kind in {"people_schools", "enrolments"} & set(kinds):
        found.update(_links(connection, district_id, kind))
    return found


def people(connection: Connection, where: ColumnElement[bool]) -> Numbers:
    """How many people there are, and how many in each role."""
    each = [func.count().filter(holds(role)) for role in ROLES]
    row = connection.execute(select(func.count(), *each).select_from(tables.Person).where(where))
    return Numbers(dict(zip(("people", *ROLES.values()), row.one(), strict=True)))


def name_of_links(kind: str, role: str) -> str:
    """What links of a kind in a role are called."""
    if kind == "enrolments":
        return f"{role} enrollments"
    return f"schools of {ROLES[Role(role)]}"


def _links(connection: Connection, district_id: str, kind: str) -> Numbers:
    owner: type[tables.Person] | type[tables.Section] = tables.Person
    model: type[tables.PersonSchool] | type[tables.Enrolment] = tables.PersonSchool
    if kind == "enrolments":
        owner, model = tables.Section, tables.Enrolment
    here = (owner.district_id == district_id) & owner.archived_at.is_(None)
    asked = select(model.role, func.count()).join(owner).where(here).group_by(model.role)
    return Numbers({name_of_links(kind, role): n for role, n in connection.execute(asked)})
