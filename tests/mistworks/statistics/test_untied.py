"""Ties broken by a hash: no order and no reflection changes them, and they carry no dependence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mistworks.statistics import Ranked, summarise
from mistworks.statistics.untied import untied

Array = NDArray[np.float64]


def column(rng: np.random.Generator, n: int) -> Array:
    match rng.integers(0, 6):
        case 0:
            return rng.integers(0, 2, n).astype(float)
        case 1:
            return rng.integers(0, rng.integers(2, 9), n).astype(float)
        case 2:
            return rng.standard_normal(n)
        case 3:
            return np.maximum(rng.standard_normal(n), 0.0)
        case 4:
            return (rng.random(n) < 0.05).astype(float) + (np.arange(n) == 0)
        case _:
            return (rng.permutation(n) % 3 == 0).astype(float)


@st.composite
def samples(draw: st.DrawFn) -> tuple[Array, Array, np.random.Generator]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(30, 200))
    x, y = (np.column_stack([column(rng, n) for _ in range(draw(st.integers(1, 4)))]) for _ in range(2))
    # A copy of a continuous column would be of infinite MI, where rounding shows.
    if draw(st.booleans()) and len(np.unique(x[:, 0])) < n / 2:
        y[:, 0] = x[:, 0] * rng.choice([-1, 1])
    return x, y, rng


def changed(x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The same sample with rows, columns and sides in another order, and other increasing or falling maps."""
    rows = rng.permutation(len(x))
    maps = [lambda v: v**3, lambda v: -v, lambda v: np.exp(v / 9), lambda v: 2 - 7 * v]
    sides = []
    for side in (y, x):
        columns = rng.permutation(side.shape[1])
        sides.append(np.column_stack([maps[rng.integers(4)](side[rows, column]) for column in columns]))
    return sides[0], sides[1]


@given(samples())
@settings(max_examples=100, deadline=None)
def test_every_column_becomes_a_permutation_in_its_order(
    drawn: tuple[Array, Array, np.random.Generator],
) -> None:
    sample = Ranked.of(*drawn[:2])
    parted = untied(sample)
    assert (np.sort(parted, axis=1) == 2 * np.arange(sample.n)).all()
    for ranks, exact in zip(parted, sample.ranks, strict=True):
        assert (np.diff(exact[np.argsort(ranks)]) >= 0).all()
        values, groups = np.unique(exact, return_inverse=True)
        means = np.bincount(groups, ranks) / np.bincount(groups)
        assert np.array_equal(means, values)


@given(samples())
@settings(max_examples=60, deadline=None)
def test_orders_and_maps_change_no_statistic_of_tied_samples(
    drawn: tuple[Array, Array, np.random.Generator],
) -> None:
    x, y, rng = drawn
    # Small tables may be symmetric, and no function parts their ties in a symmetric way.
    x = np.column_stack([x, rng.standard_normal(len(x))])
    assert np.allclose(summarise(x, y), summarise(*changed(x, y, rng)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_orders_and_maps_change_no_statistic_of_tables(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, 2 + seed % 5, (301, 1 + seed % 3)).astype(float) for _ in range(2))
    if seed % 2:
        y[:, 0] = -x[:, 0]
    assert np.allclose(summarise(x, y), summarise(*changed(x, y, rng)), rtol=1e-4, atol=1e-4)


def tiny(rng: np.random.Generator) -> tuple[Array, Array]:
    """Few rounded points, many of which have symmetries of their own."""
    n = rng.integers(5, 10)
    while True:
        x, y = (rng.standard_normal((n, rng.integers(1, 3))).round(rng.integers(0, 2)) for _ in range(2))
        if (np.ptp(np.c_[x, y], axis=0) > 0).all():
            return x, y


@pytest.mark.parametrize("seed", range(10))
def test_orders_and_maps_change_no_statistic_of_tiny_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        x, y = tiny(rng)
        assert np.allclose(summarise(x, y), summarise(*changed(x, y, rng)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("levels", [2, 3, 7])
def test_the_order_of_rows_changes_nothing_even_in_a_symmetric_design(levels: int) -> None:
    grid = np.array(np.meshgrid(*3 * [np.arange(levels)])).reshape(3, -1).T.repeat(3, axis=0)
    rows = np.random.default_rng(0).permutation(len(grid))
    first, second = (untied(Ranked.of(part[:, :1], part[:, 1:])) for part in (grid, grid[rows]))
    # Which of equal rows comes first is not defined.
    assert set(map(tuple, first.T)) == set(map(tuple, second.T))


@pytest.mark.parametrize("values", [2, 10])
def test_the_order_within_ties_carries_nothing(values: int) -> None:
    # Of 60 independent samples, the correlation of the two orders within each pair of values.
    rng = np.random.default_rng(values)
    found = []
    for _ in range(60):
        x, y = rng.integers(0, values, (2, 1000, 1))
        first, second = untied(Ranked.of(x, y))
        cells = (x * values + y)[:, 0]
        inside = (cells == cell for cell in np.unique(cells))
        found += [
            np.corrcoef(first[part], second[part])[0, 1] * np.sqrt(part.sum() - 1)
            for part in inside
            if part.sum() > 3
        ]
    assert abs(np.mean(found)) < 4 / np.sqrt(len(found))
    assert np.std(found) == pytest.approx(1.0, abs=0.1)


def test_a_column_with_itself_keeps_its_entropy_and_no_more() -> None:
    x = np.random.default_rng(0).integers(0, 8, (2000, 1))
    first, second = untied(Ranked.of(x, x))
    assert not np.array_equal(first, second)
    inside = x[:, 0] == 3
    assert abs(np.corrcoef(first[inside], second[inside])[0, 1]) < 4 / np.sqrt(inside.sum())


def test_columns_without_ties_are_left_as_they_are() -> None:
    rng = np.random.default_rng(1)
    sample = Ranked.of(rng.standard_normal((50, 2)), rng.integers(0, 3, (50, 1)))
    assert np.array_equal(untied(sample)[:2], sample.ranks[:2])
