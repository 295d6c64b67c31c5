"""Tests which part of a matrix runs in the quick tiers, and which in the longest."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests.support.matrix import matrix, pairwise

PEOPLE, WAYS = ("student", "teacher", "staff", "admin"), ("button", "portal", "link")
STORES = ("files", pytest.param("redis", marks=pytest.mark.servers))


def test_a_matrix_has_every_combination_once() -> None:
    values = [param.values for param in matrix(PEOPLE, WAYS)]
    assert sorted(values) == sorted(product(PEOPLE, WAYS))


def test_with_two_axes_the_quick_part_has_each_value() -> None:
    quick = [param.values for param in matrix(PEOPLE, WAYS) if not param.marks]
    assert len(quick) == len(PEOPLE)
    assert {value for values in quick for value in values} == {*PEOPLE, *WAYS}


def test_with_three_axes_the_quick_part_has_each_pair_of_values() -> None:
    params = matrix(STORES, PEOPLE, WAYS)
    quick = [param.values for param in params if pytest.mark.long not in param.marks]
    assert len(quick) < len(params)
    assert {(person, way) for _, person, way in quick} == set(product(PEOPLE, WAYS))
    assert {(store, way) for store, _, way in quick} == set(product(("files", "redis"), WAYS))


def test_pairwise_rows_have_each_pair_of_values() -> None:
    axes = {name: tuple(range(size)) for name, size in zip("abcde", (2, 3, 2, 4, 3), strict=True)}
    rows = pairwise(axes)
    assert all(row.keys() == axes.keys() for row in rows)
    assert len(rows) < 25  # of 144
    for one, other in combinations(axes, 2):
        pairs = {(row[one], row[other]) for row in rows}
        assert pairs == set(product(axes[one], axes[other]))


def test_a_value_keeps_its_marks() -> None:
    for param in matrix(STORES, WAYS):
        assert (pytest.mark.servers in param.marks) == (param.values[0] == "redis")
