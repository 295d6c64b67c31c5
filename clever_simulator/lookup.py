"""Tables built once, so that finding one of 20,000 people takes no search."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class HasId(Protocol):
    """Anything that Clever would give an id."""

    @property
    def id(self) -> str:
        """24 hexadecimal digits."""


T = TypeVar("T", bound=HasId)


def first(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """One thing for each key: the first that came with it."""
    found: dict[str, T] = {}
    for key, thing in pairs:
        found.setdefault(key, thing)
    return found


def grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    """All things for each key, each once, in the order in which they come."""
    found: dict[str, dict[str, T]] = {}
    for key, thing in pairs:
        found.setdefault(key, {})[thing.id] = thing
    return {key: tuple(things.values()) for key, things in found.items()}


def in_order(things: Iterable[T]) -> tuple[T, ...]:
    """Things in ascending order of id, as Clever lists them."""
    return tuple(sorted(things, key=lambda thing: thing.id))
