"""Everybody of one config: the usual districts, the unusual one, and what the config asks for."""

from dataclasses import replace
from functools import lru_cache

from clever_simulator import cases, crowd, csv_data, roster
from clever_simulator.altered import with_people
from clever_simulator.config import Config
from clever_simulator.directory import Directory
from clever_simulator.ids import made_id
from clever_simulator.people import Person


def of(config: Config) -> Directory:
    """The people of a simulator; equal configs give equal people.

    Raises DataError (a ValueError) with a sentence when the files of `config.data` are no good.
    """
    parts = [_usual(config.seed)]
    if config.students is not None:
        parts.append(crowd.directory(config.seed, config.students))
    if config.data is not None:
        parts.append(csv_data.directory(config.seed, config.data))
    return _with_new_ids(joined(parts) if parts[1:] else parts[0], config)


@lru_cache(maxsize=2)
def _usual(seed: int) -> Directory:
    """The usual districts and the unusual one; never changed, so simulators share them."""
    return joined([roster.directory(seed), cases.directory(seed)])


def joined(parts: list[Directory]) -> Directory:
    """Several directories as one, the districts in the order given."""
    return Directory(
        districts=tuple(one for part in parts for one in part.districts),
        schools=tuple(one for part in parts for one in part.schools),
        people=tuple(one for part in parts for one in part.people),
        sections=tuple(one for part in parts for one in part.sections),
        named_people=tuple(one for part in parts for one in part.named_people),
    )


def _with_new_ids(before: Directory, config: Config) -> Directory:
    """The same people, of whom those in `config.new_ids` have come back as somebody new."""
    if not config.new_ids:
        return before
    changed = {
        person.id: renewed(config.seed, person)
        for person in before.people
        if person.user_name in config.new_ids
    }
    return with_people(before, changed)


def renewed(seed: int, person: Person) -> Person:
    """The same person under another id, as Clever makes it of someone it has forgotten."""
    person_id = made_id(seed, "again", person.id)
    posts = (
        replace(
            post,
            legacy_id=person_id if post.role == "student" else made_id(seed, post.role, person_id),
        )
        for post in person.posts
    )
    return replace(person, id=person_id, posts=tuple(posts))
