"""How the things of a district look at one moment, in every version of the API."""

from collections.abc import Iterable
from dataclasses import dataclass

from clever_simulator import related, shapes
from clever_simulator.derived import Contact
from clever_simulator.index import Index, Thing, contacts_in, id_of
from clever_simulator.people import Person, Section
from clever_simulator.records import Record
from clever_simulator.versions import VERSIONS, Version


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One record at one moment, and the schools that it has to do with."""

    record: Record
    schools: frozenset[str]


# By collection and id.
Snapshot = dict[tuple[str, str], Seen]


def taken(version: str, index: Index, ids: Iterable[str] | None = None) -> Snapshot:
    """The records of what has these ids, as far as it is there, or of the whole district."""
    rules, found = VERSIONS[version], {}
    for thing in _things(index, ids):
        for collection, kind, one in _places(rules, thing):
            record = shapes.record(version, index, kind, one, "secure_sync")
            found[collection, id_of(rules, kind, one)] = Seen(
                record=record, schools=_schools(index, one)
            )
    return found


def _things(index: Index, ids: Iterable[str] | None) -> Iterable[Thing]:
    kinds: tuple[dict[str, Thing], ...] = (
        {index.district.id: index.district},
        *(index.schools, index.terms, index.courses, index.people, index.contacts),
        *(index.sections, index.resources),
    )
    if ids is None:
        return (thing for kind in kinds for thing in kind.values())
    return (kind[one_id] for one_id in ids for kind in kinds if one_id in kind)


def _places(rules: Version, thing: Thing) -> Iterable[tuple[str, str, Thing]]:
    """Where a version lists a thing: collection, kind, and the thing as it is listed there."""
    for name, collection in rules.collections.items():
        kind = collection.kind
        if kind in _kinds(thing):
            shown = contacts_in(rules, [thing]) if kind == "contact" else (thing,)
            yield from ((name, kind, one) for one in shown)


def _kinds(thing: Thing) -> Iterable[str]:
    """The kinds of record that a thing may have; a person has one for each role, before v3."""
    if isinstance(thing, Person | Contact):
        return ("user", *thing.roles)
    return (type(thing).__name__.lower(),)


def _schools(index: Index, thing: Thing) -> frozenset[str]:
    if isinstance(thing, Section):
        return frozenset({thing.school.id})
    if isinstance(thing, Contact):
        children = [index.people[one] for one in thing.students]
        return frozenset(school.id for child in children for school in child.schools)
    return frozenset(school.id for school in related.schools(index, thing))
