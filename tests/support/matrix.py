"""Full test matrices for `bin/test --long`, and a subset of each that runs in every tier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import pytest
from _pytest.mark import ParameterSet  # what pytest.param makes

Places = tuple[int, ...]  # an index into each axis


def matrix(*axes: Iterable[Any]) -> list[Any]:
    """Return all combinations of the axes for `parametrize`, with redundant ones marked `long`.

    A value may be a `pytest.param` with marks.

    The unmarked combinations cover every value of two axes, and every pair of values of three or
    more axes. Most faults come from one value or from a pair of values.
    """
    axis_params = [[_param(value) for value in axis] for axis in axes]
    places = list(product(*(range(len(axis)) for axis in axis_params)))
    quick = _covering(places, min(len(axis_params) - 1, 2))
    cases = []
    for indexes in places:
        values = [axis[place] for axis, place in zip(axis_params, indexes, strict=True)]
        marks = [mark for value in values for mark in value.marks]
        marks += [] if indexes in quick else [pytest.mark.long]
        cases.append(pytest.param(*(value.values[0] for value in values), marks=marks))
    return cases


def _param(value: Any) -> ParameterSet:
    return value if isinstance(value, ParameterSet) else pytest.param(value)


def _covering(places: list[Places], together: int) -> set[Places]:
    """Return a set of combinations that covers all groups of `together` values, chosen greedily."""
    uncovered = {group for place in places for group in _groups(place, together)}
    chosen = set()
    while uncovered:
        best = max(places, key=lambda place: len(uncovered & _groups(place, together)))
        chosen.add(best)
        uncovered -= _groups(best, together)
    return chosen


def _groups(places: Places, together: int) -> set[tuple[tuple[int, int], ...]]:
    return set(combinations(enumerate(places), together))


def pairwise(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return rows, each with one value of every axis, that together have every pair of values.

    Unlike `matrix`, it never lists all combinations, so it can have dozens of axes.
    """
    uncovered = {
        frozenset({(one, a), (other, b)})
        for one, other in combinations(axes, 2)
        for a in axes[one]
        for b in axes[other]
    }
    rows = []
    while uncovered:
        row = _next_row(axes, uncovered)
        uncovered -= set(map(frozenset, combinations(row.items(), 2)))
        rows.append(row)
    return rows


def _next_row(axes: Mapping[str, Sequence[Any]], uncovered: set[frozenset[Any]]) -> dict[str, Any]:
    """Start with a pair that is not covered yet, then choose the best value of each other axis."""
    row = dict(min(uncovered, key=lambda pair: sorted(map(repr, pair))))
    for name in axes:
        if name not in row:
            row[name] = max(
                axes[name],
                key=lambda value: sum(
                    frozenset({(name, value), chosen}) in uncovered for chosen in row.items()
                ),
            )
    return row
