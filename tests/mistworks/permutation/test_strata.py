"""Strata partition the rows, hold similar points, and never tear equal ones apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistworks.permutation.strata import groups_of_equal, permuted_within, random_strata


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 80), st.integers(0, 3), st.integers(2, 10))
def test_strata_partition_each_group(seed: int, n: int, d: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    coordinates = np.round(rng.standard_normal((n, d)), 1)
    groups = groups_of_equal(rng.integers(0, 3, (1, n)).astype(float))
    strata = random_strata(coordinates, groups, least, rng)
    assert sorted(np.concatenate(strata).tolist()) == list(range(n))
    for rows in strata:
        assert any(set(rows) <= set(group) for group in groups)
        assert len(rows) >= least or any(len(rows) == len(group) for group in groups)


def test_few_values_are_strata_of_their_own() -> None:
    values = np.repeat([3.0, 1.0, 2.0], 20)[:, None]
    strata = random_strata(values, [np.arange(60)], 8, np.random.default_rng(0))
    assert sorted(sorted(set(values[rows, 0])) for rows in strata) == [[1], [2], [3]]


def test_strata_are_small_and_change() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((1000, 2))
    first, second = (random_strata(values, [np.arange(1000)], 8, rng) for _ in range(2))
    assert max(map(len, first)) < 16
    assert np.mean([values[rows].std(axis=0).mean() for rows in first]) < 0.3
    assert {tuple(sorted(rows)) for rows in first}.isdisjoint({tuple(sorted(rows)) for rows in second})


@pytest.mark.parametrize("codes", [np.empty((0, 6)), np.zeros((1, 6))])
def test_without_classes_all_rows_are_one_group(codes: np.ndarray) -> None:
    assert [group.tolist() for group in groups_of_equal(codes)] == [list(range(6))]


def test_classes_of_several_columns_are_taken_together() -> None:
    codes = np.array([[0.0, 0, 1, 1, 0], [0.0, 1, 1, 1, 0]])
    assert sorted(group.tolist() for group in groups_of_equal(codes)) == [[0, 4], [1], [2, 3]]


def test_rows_move_within_their_stratum() -> None:
    strata = [np.array([0, 3, 5]), np.array([1]), np.array([2, 4])]
    rng = np.random.default_rng(0)
    orders = np.array([permuted_within(strata, 6, rng) for _ in range(100)])
    for rows in strata:
        assert all(set(order[rows]) == set(rows) for order in orders)
    assert len(np.unique(orders, axis=0)) == 12
